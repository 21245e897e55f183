"""The configuration a benchmarked product runs with."""

from __future__ import annotations

from bot.config import Config
from bot.sandbox.settings import SandboxSettings

BOX = SandboxSettings()


def product_config(database_url: str, port: int, sandbox_url: str = "http://127.0.0.1:9") -> Config:
    """Speaks to the sandbox at ``sandbox_url`` with the sandbox's default credentials."""
    return Config.model_validate(
        {
            "app": {
                "base_url": f"http://127.0.0.1:{port}",
                "secret_key": "benchmark-" * 4,
                "encryption_keys": ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="],
            },
            "server": {"port": port},
            "database": {"url": database_url},
            "wecom": {
                "corp_id": BOX.corp_id,
                "agent_id": BOX.agent_id,
                "secret": BOX.secret,
                "contact_secret": BOX.contact_secret,
                "token": BOX.token,
                "encoding_aes_key": BOX.encoding_aes_key,
                "api_base": f"{sandbox_url}/qyapi",
            },
        }
    )
