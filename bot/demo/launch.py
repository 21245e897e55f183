"""The start of the demo, step by step, and its end."""

from __future__ import annotations

import gc
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from bot.demo import places as places_
from bot.demo.child import Sandbox
from bot.demo.places import CannotStart, Places

if TYPE_CHECKING:
    from bot.app import Product
    from bot.config import Config

TOKEN_NAME = "demo"
TOKEN_LIFE = timedelta(days=30)
RENEW_BEFORE = timedelta(days=3)
CONSOLE_USER = "admin"
BIGGEST_LOG = 20 * 1024 * 1024


def run() -> None:
    """Start everything in one process and serve until told to stop."""
    guarded(_run)


def guarded(start: Callable[[float], None]) -> None:
    """Run one form of the demo; what keeps it from starting is said plainly."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)  # until the server has a handler of its own
    gc.disable()  # imports make objects that live for ever: looking for garbage among them takes a second
    try:
        start(began)
    except CannotStart as error:
        sys.exit(f"\n{error}\n")
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(began: float) -> None:
    places = places_.find_places()
    lock = places_.take_lock(places)
    keep_bytecode(places)
    try:
        places_.check_ports(places)
        places_.write_config(places)
        sandbox = Sandbox(places)
        sandbox.start()
        try:
            _serve(places, sandbox, began)
        finally:
            sandbox.stop()
    finally:
        os.close(lock)


def keep_bytecode(places: Places) -> None:
    """Keep bytecode in var/ where it may not lie beside the sources: else each start compiles a thousand files."""
    known = find_spec("sqlalchemy")
    compiled = known is not None and known.cached is not None and Path(known.cached).exists()
    if sys.dont_write_bytecode and not compiled:
        sys.pycache_prefix = str((places.folder / "pycache").resolve())
        sys.dont_write_bytecode = False


def _serve(places: Places, sandbox: Sandbox, began: float) -> None:
    from bot.app import build  # noqa: PLC0415 - while we import, the sandbox starts
    from bot.demo import seed, summary  # noqa: PLC0415
    from bot.runtime import AlreadyRunning  # noqa: PLC0415
    from bot.serve import run as serve  # noqa: PLC0415
    from migrations import runner  # noqa: PLC0415

    with logging_to(places) as config:
        product = build(config)
        runner.upgrade(product.database)
        now = product.clock()
        fresh = seed.ensure_seeded(product.database, config, now=now, tz=product.corp.tz)
        sandbox.wait()
        if fresh:
            sandbox.call("POST", "/reset")
        seed.fill_sandbox(product.database, sandbox, now=now)
        seed.catch_up(product.database, places.sandbox_url, now=now, tz=product.corp.tz)
        info = tell_programs(places, product, now)
        gc.freeze()
        gc.enable()
        told = threading.Thread(
            target=summary.show_when_ready, args=(places, info, began, fresh), daemon=True
        )
        try:
            serve(product, told.start)
        except AlreadyRunning as error:
            raise CannotStart(str(error)) from error


@contextmanager
def logging_to(places: Places) -> Iterator[Config]:
    """The configuration, with logs going to a file: the terminal is for people."""
    from bot import logs  # noqa: PLC0415
    from bot.config import ConfigError, load_config  # noqa: PLC0415

    try:
        config = load_config(places.config, environ={})
    except ConfigError as error:
        raise CannotStart(f"{error}\n{places.advice}") from error
    if places.log.exists() and places.log.stat().st_size > BIGGEST_LOG:
        places.log.replace(places.log.with_suffix(".log.1"))
    with places.log.open("a", encoding="utf-8", buffering=1) as stream:
        logs.configure(stream=stream, as_json=True, secrets=config.secret_values())
        yield config


def tell_programs(places: Places, product: Product, now: datetime) -> dict[str, Any]:
    """Write var/demo.json: logins stay as they were, a token near its end is replaced."""
    known = places_.read_info(places)
    wecom = product.config.wecom
    info = {
        "base_url": places.base_url,
        "sandbox_url": places.sandbox_url,
        "api_token": _token(product, str(known.get("api_token") or ""), now),
        "console_user": str(known.get("console_user") or CONSOLE_USER),
        "console_password": str(known.get("console_password") or secrets.token_urlsafe(9)),
        "wecom": {
            "corp_id": wecom.corp_id,
            "token": wecom.token.get_secret_value(),
            "encoding_aes_key": wecom.encoding_aes_key.get_secret_value(),
        },
        "official_accounts": [],
    }
    _ensure_account(product, str(info["console_user"]), str(info["console_password"]), now)
    places_.write_info(places, info)
    return info


def _ensure_account(product: Product, username: str, password: str, now: datetime) -> None:
    """The console's login, as it is printed; nobody has to change it."""
    from scrm.accounts import logins  # noqa: PLC0415
    from scrm.accounts.roles import Role  # noqa: PLC0415
    from scrm.errors import Conflict  # noqa: PLC0415

    with suppress(Conflict), product.database.write() as session:
        logins.create_local(
            session, username=username, password=password, role=Role.ADMIN, now=now, must_change=False
        )


def _token(product: Product, known: str, now: datetime) -> str:
    from scrm.accounts import tokens  # noqa: PLC0415

    with product.database.write() as session:
        row = tokens.authenticate(session, known, now=now)
        if row is not None and row.expires_at - now > RENEW_BEFORE:
            return known
        return tokens.create_token(session, name=TOKEN_NAME, role="admin", ttl=TOKEN_LIFE, now=now)[1]


def empty() -> None:
    """Empty the demo's database and the sandbox's customers; whether the demo runs or not."""
    try:
        told = _empty(places_.known_places())
    except (CannotStart, OSError) as error:
        sys.exit(f"\n{error}\n")
    sys.stdout.write(f"{told}\n")


def _empty(places: Places) -> str:
    from bot.app import build  # noqa: PLC0415
    from bot.demo import seed  # noqa: PLC0415

    if not places.database.exists():
        raise CannotStart("这里还没有演示数据库，先运行 make demo")
    if places_.runs_elsewhere(places) and _is_running(places):
        raise CannotStart("集群演示正在这个目录里运行。请先用 Ctrl-C 停止它，再清空单进程演示的数据。")
    with logging_to(places) as config:
        product = build(config)
        removed = seed.empty(product.database, now=product.clock())
        told = _empty_sandbox(places, product)
        product.database.dispose()
    return f"已清空演示数据：{removed} 位客户及其全部记录。{told}"


def _is_running(places: Places) -> bool:
    try:
        os.close(places_.take_lock(places))
    except CannotStart:
        return True
    return False


def _empty_sandbox(places: Places, product: Product) -> str:
    """Let the sandbox forget its customers too, or throw its database away while nobody runs. What was done."""
    from bot.demo import seed  # noqa: PLC0415

    try:
        lock = places_.take_lock(places)
    except CannotStart:
        sandbox = Sandbox(places)
        sandbox.call("POST", "/reset")
        seed.fill_sandbox(product.database, sandbox, now=product.clock())
        return "沙箱里的客户也已清空。"
    for file in places.folder.glob(f"{places.sandbox_database.name}*"):
        file.unlink()
    os.close(lock)
    return "沙箱没有在运行，它的数据已删除，下次启动时按渠道和员工重建。"
