"""The doctor's checks in the steps in which somebody connects a corp, each to be looked at by itself.

What the configuration has is shown as values, but for secrets: of those only that they are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from bot.check import backlog, callback, platform, rivals, settings, storage
from bot.check.findings import Finding
from bot.config import Config
from bot.wechat.tokens import TokenStore
from bot.wechat.wecom import WeComClient
from scrm.db import Database


class Step(StrEnum):
    """What is connected, in the order in which a person does it."""

    SERVER = "server"
    PLATFORM = "platform"
    CALLBACK = "callback"
    DOMAIN = "domain"
    WORK = "work"


@dataclass(frozen=True)
class Fact:
    """One setting: ``value`` is empty for a secret, of which only ``is_set`` is told."""

    key: str
    value: str
    is_set: bool = True


@dataclass(frozen=True)
class Connection:
    """The corp's connection as configured, and the checks of it. Changes nothing, here or at the platform."""

    config: Config

    @property
    def callback_url(self) -> str:
        """What is pasted into WeCom's console."""
        return f"{self.config.app.base_url}{callback.PATH}"

    @property
    def host(self) -> str:
        """The domain the app must trust."""
        return urlsplit(self.config.app.base_url).netloc

    def facts(self, step: Step) -> list[Fact]:
        """What config.toml has for the step."""
        app, wecom = self.config.app, self.config.wecom
        found = {
            Step.SERVER: [
                Fact("[app] base_url", app.base_url),
                Fact("[app] timezone", app.timezone),
                Fact("[database] url", make_url(self.config.database.url).get_backend_name()),
                Fact("[app] secret_key", ""),
                Fact("[app] encryption_keys", ""),
            ],
            Step.PLATFORM: [
                Fact("[wecom] corp_id", wecom.corp_id),
                Fact("[wecom] agent_id", str(wecom.agent_id)),
                Fact("[wecom] api_base", wecom.api_base),
                Fact("[wecom] secret", ""),
                Fact("[wecom] contact_secret", ""),
            ],
            Step.CALLBACK: [
                Fact("[wecom] token", ""),
                Fact("[wecom] encoding_aes_key", ""),
                Fact("[wecom] previous_token", "", wecom.previous_token is not None),
            ],
        }
        return found.get(step, [])

    def look(self, step: Step, database: Database, now: datetime) -> list[Finding]:
        """Run the checks of one step."""
        looks: dict[Step, Callable[[], list[Finding]]] = {
            Step.SERVER: lambda: self._server(database),
            Step.PLATFORM: lambda: [one for one in self._platform() if one.id != platform.DOMAIN.id],
            Step.CALLBACK: lambda: [callback.check_callback(self.config)],
            Step.DOMAIN: self._domain,
            Step.WORK: lambda: _work(database, now),
        }
        return looks[step]()

    def _server(self, database: Database) -> list[Finding]:
        return [
            *settings.check_settings(self.config, "config.toml"),
            *storage.check_storage(self.config, database)[0],
        ]

    def _domain(self) -> list[Finding]:
        """The trusted domain; where the app cannot be asked, why."""
        found = self._platform()
        return [one for one in found if one.id == platform.DOMAIN.id] or [
            one for one in found if one.level != "ok"
        ][:1]

    def _platform(self) -> list[Finding]:
        """With tokens of its own: one that was kept would hide a secret that is no longer right."""
        wecom = self.config.wecom
        secrets = {"app": wecom.secret.get_secret_value(), "contact": wecom.contact_secret.get_secret_value()}
        client = WeComClient(wecom.corp_id, secrets, wecom.api_base, tokens=TokenStore())
        try:
            return platform.check_platform(self.config, client)[0]
        finally:
            client.close()


def _work(database: Database, now: datetime) -> list[Finding]:
    with database.read() as session:
        return [*rivals.check_rivals(session, now), *backlog.check_backlog(session, now, None)]
