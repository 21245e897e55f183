"""``lianke sandbox``: the platform's double, with the credentials of our configuration."""

from __future__ import annotations

import click

from bot.commands.context import load, require_free_port
from bot.commands.terminal import Command, say
from bot.config import Config
from bot.sandbox import server
from bot.sandbox.settings import SandboxSettings


@click.command(cls=Command, help="启动沙箱：扮演企业微信，凭证取自配置文件。Ctrl-C 停止。")
@click.option("--host", default="127.0.0.1", envvar="SANDBOX_HOST", help="监听地址，默认 127.0.0.1。")
@click.option(
    "--port", default=9100, type=click.IntRange(1, 65535), envvar="SANDBOX_PORT", help="端口，默认 9100。"
)
@click.option(
    "--database",
    default="var/sandbox.db",
    envvar="SANDBOX_DATABASE",
    help="沙箱自己的 SQLite 文件，默认 var/sandbox.db；:memory: 表示不保存。",
)
@click.option(
    "--callback-url",
    envvar="SANDBOX_CALLBACK_URL",
    help="回调发到哪里，默认是配置的 base_url 加 /callback/wecom。",
)
@click.pass_context
def sandbox(ctx: click.Context, host: str, port: int, database: str, callback_url: str | None) -> None:
    """Run the sandbox in the foreground."""
    config = load(ctx, log_level="INFO")
    require_free_port(host, port, "用 --port 换一个端口")
    settings = settings_of(config, host=host, port=port, database=database, callback_url=callback_url)
    say(f"沙箱已启动：{settings.base_url}（Ctrl-C 停止）\n  回调发往 {settings.callback_url}")
    server.run(settings, host, port)


def settings_of(
    config: Config, *, host: str, port: int, database: str, callback_url: str | None
) -> SandboxSettings:
    """A sandbox that is the corp of this configuration."""
    wecom = config.wecom
    return SandboxSettings(
        corp_id=wecom.corp_id,
        agent_id=wecom.agent_id,
        secret=wecom.secret.get_secret_value(),
        contact_secret=wecom.contact_secret.get_secret_value(),
        token=wecom.token.get_secret_value(),
        encoding_aes_key=wecom.encoding_aes_key.get_secret_value(),
        callback_url=callback_url or f"{config.app.base_url}/callback/wecom",
        base_url=f"http://{host}:{port}",
        database=database,
    )
