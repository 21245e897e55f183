"""Which way imports point; ``make lint`` checks the layers in detail (import-linter)."""

from __future__ import annotations

import sys

import pytest

from tests.architecture.code import imports, sources, where

ALLOWED = {
    "scrm": {
        "scrm",
        "sqlalchemy",
        "argon2",
        "chinese_calendar",
        "cryptography",
        "pypinyin",
        "python_calamine",
        "ulid",
    },
    "handlers": {"handlers", "scrm", "sqlalchemy"},
}


@pytest.mark.parametrize("package", ALLOWED)
def test_the_domain_imports_only_itself_and_its_database(package: str):
    allowed = ALLOWED[package] | set(sys.stdlib_module_names)

    foreign = [
        f"{where(path, node)} imports {module}"
        for path in sources(package)
        for node, module in imports(path)
        if module.split(".")[0] not in allowed
    ]

    assert foreign == []


@pytest.mark.parametrize("package", ALLOWED)
def test_the_domain_opens_no_socket_and_starts_no_process(package: str):
    outside = {
        "socket",
        "ssl",
        "http",
        "urllib",
        "smtplib",
        "ftplib",
        "asyncio",
        "subprocess",
        "multiprocessing",
    }

    found = [
        f"{where(path, node)} imports {module}"
        for path in sources(package)
        for node, module in imports(path)
        if module.split(".")[0] in outside and not module.startswith("urllib.parse")
    ]

    assert found == []


def test_only_the_client_knows_wechatpy():
    found = {
        str(path.relative_to(path.parents[2]))
        for path in sources("bot")
        for _, module in imports(path)
        if module.split(".")[0] == "wechatpy"
    }

    assert {name for name in found if not name.startswith("bot/wechat/")} == set()


def test_the_product_does_not_need_its_sandbox_or_demo_to_receive_and_send():
    # given the parts that serve a real corp
    real = sources("bot/callbacks", "bot/workers", "bot/wechat", "handlers", "scrm")

    found = [
        f"{where(path, node)} imports {module}"
        for path in real
        for node, module in imports(path)
        if module.startswith(("bot.sandbox", "bot.demo", "tests"))
    ]

    assert found == []
