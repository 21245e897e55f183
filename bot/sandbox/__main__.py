"""``python -m bot.sandbox``: the sandbox alone. Every setting is an option and an environment variable."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import click

from bot.sandbox.server import run
from bot.sandbox.settings import SandboxSettings


def setting_options(command: Any) -> Any:
    """One ``--option`` (and ``SANDBOX_OPTION``) per field of SandboxSettings."""
    for item in reversed(dataclasses.fields(SandboxSettings)):
        if item.name in ("base_url", "database"):
            continue
        name = item.name.replace("_", "-")
        kind = type(item.default)
        option = f"--{name}/--no-{name}" if kind is bool else f"--{name}"
        command = click.option(
            option, item.name, type=kind, default=item.default, show_default=True,
            envvar=f"SANDBOX_{item.name.upper()}",
        )(command)  # fmt: skip
    return command


@click.command(help="Pretend to be WeCom: its API under /qyapi/cgi-bin/, control under /sandbox/.")
@click.option("--host", default="127.0.0.1", show_default=True, envvar="SANDBOX_HOST")
@click.option("--port", default=9100, show_default=True, envvar="SANDBOX_PORT")
@click.option(
    "--base-url", default="", envvar="SANDBOX_BASE_URL", help="Public URL [default: http://HOST:PORT]"
)
@click.option("--database", default="var/sandbox.db", show_default=True, envvar="SANDBOX_DATABASE",
              help="SQLite file, or :memory:")  # fmt: skip
@setting_options
def main(host: str, port: int, base_url: str, database: str, **values: Any) -> None:
    """Start one sandbox from options and environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    url = base_url.rstrip("/") or f"http://{host}:{port}"
    run(SandboxSettings(base_url=url, database=database, **values), host, port)


if __name__ == "__main__":
    main()
