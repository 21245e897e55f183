"""The command line: what it says, how it ends, and that a no leaves nothing behind."""

from __future__ import annotations

import fcntl
import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
import requests
from sqlalchemy import select

from bot.cli import COMMANDS, main
from bot.commands.sandbox import settings_of
from bot.config import load_config
from scrm.accounts import logins, tokens
from scrm.accounts import service as accounts
from scrm.accounts.models import ApiToken
from scrm.accounts.roles import Role
from scrm.channels.media import DEFAULT_WELCOME
from scrm.contacts import service as contacts
from scrm.contacts.models import Contact, RelationState
from scrm.db import Base, Database
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.inbox.service import Arrival
from tests.bot.cli_fixture import Cli
from tests.envelopes import event_xml
from tests.sandbox_fixture import SandboxServer
from tests.stand import free_port

ADDED = "wecom.change_external_contact.add_external_contact"
ROOT = Path(__file__).parents[2]


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database, as stored."""
    with database.engine.connect() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table.name} ORDER BY 1, 2")
            ]
            for table in Base.metadata.sorted_tables
        }


def keep_event(database: Database, xml: str, **changes: object) -> int:
    now = datetime.now(UTC)
    arrival = Arrival("wecom", ADDED, xml, now)
    with database.write() as session:
        inbox.record(session, [arrival])
        row = session.scalar(select(InboxEvent).where(InboxEvent.dedupe_key == arrival.key))
        assert row is not None
        for name, value in changes.items():
            setattr(row, name, value)
        return row.id


# --- help, usage, configuration


def test_help_names_every_command_in_chinese(cli: Cli):
    text = cli.ok("--help")

    assert "用法：lianke [选项] 命令" in text
    for name, (_, line) in COMMANDS.items():
        assert name in text
        assert line in text
    assert not re.search(r"Options|Commands|Usage|Show this", text)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists(name: str):
    module, _, attribute = COMMANDS[name][0].partition(":")

    command = getattr(importlib.import_module(module), attribute)

    assert command.name == name
    assert command.help


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tokn"], "没有命令 tokn"),
        (["token", "creat"], "没有命令 creat"),
        (["token", "create", "--role", "admin"], "缺少 --name"),
        (["token", "create", "--name", "x", "--role", "boss"], "--role 的值不对，只能是：admin"),
        (["token", "create", "--name", "x", "--role", "admin", "--days", "0"], "应为整数，不小于 1"),
        (["migrate", "--bogus"], "没有选项 --bogus"),
        (["migrate", "extra"], "多出了参数：extra"),
        (["replay"], "请给一个事件编号"),
        (["replay", "1", "--dead"], "请给一个事件编号"),
        (["dry-run", "zero"], "应为整数"),
        (["import", "contacts", "/no/such.csv"], "文件不存在或不能读"),
    ],
)
def test_wrong_usage_is_told_in_chinese(cli: Cli, arguments: list[str], said: str):
    result = cli(*arguments)

    assert result.exit_code == 2
    assert said in result.stderr
    assert "查看用法：lianke" in result.stderr
    assert result.stdout == ""


def test_all_mistakes_of_the_configuration_are_told_with_examples(cli: Cli):
    cli.config.write_text(
        cli.config.read_text().replace("port = 8000", "prot = 8000").replace("agent_id = 1000002", "")
    )

    result = cli("token", "list")

    assert result.exit_code == 2
    assert "[server] prot" in result.stderr
    assert "是不是 port" in result.stderr
    assert "[wecom] agent_id" in result.stderr
    assert "agent_id = 1000002" in result.stderr
    assert "Traceback" not in result.output


# --- expected errors


def test_a_database_without_tables_says_what_to_do(cli: Cli):
    cli.path.unlink()

    result = cli("token", "list")

    assert result.exit_code == 1
    assert "请先运行 lianke migrate" in result.stderr


def test_an_unreachable_database_is_one_sentence(cli: Cli):
    url = f"postgresql+psycopg://lianke:geheim@127.0.0.1:{free_port()}/lianke"
    cli.config.write_text(cli.config.read_text().replace(f"sqlite:///{cli.path}", url))

    result = cli("token", "list")

    assert result.exit_code == 1
    assert "连不上数据库" in result.stderr
    assert "geheim" not in result.output


def test_a_file_that_is_no_database_is_one_sentence(cli: Cli):
    cli.path.write_bytes(b"not a database, surely" * 100)

    result = cli("token", "list")

    assert result.exit_code == 1
    assert "不是 SQLite 数据库" in result.stderr


def test_keys_that_open_nothing_are_one_sentence(cli: Cli, cli_database: Database):
    event = keep_event(cli_database, event_xml())
    cli.configure(key="YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=")

    result = cli("dry-run", event)

    assert result.exit_code == 1
    assert "encryption_keys" in result.stderr


@pytest.mark.parametrize("command", [["serve"], ["web"]])
def test_a_port_in_use_is_told_before_anything_starts(cli: Cli, command: list[str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cli.configure(port=port)

        result = cli(*command)

    assert result.exit_code == 1
    assert f"端口 {port} 已被占用" in result.stderr


def test_a_second_process_on_the_same_database_is_refused(cli: Cli):
    lock = os.open(f"{cli.path}.serve", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        serve, migrate = cli("serve"), cli("migrate", "--to", "base", "--yes")
    finally:
        os.close(lock)

    assert (serve.exit_code, migrate.exit_code) == (1, 1)
    assert "请先停止它" in serve.stderr
    assert "请先停止它" in migrate.stderr


@pytest.mark.parametrize("command", ["serve", "web", "scheduler"])
def test_a_server_starts_and_ctrl_c_ends_it_quietly(cli: Cli, command: str):
    port = free_port()
    cli.configure(port=port, base_url=f"http://127.0.0.1:{port}")
    line = [sys.executable, "-m", "bot", "--config", str(cli.config), command]
    process = subprocess.Popen(
        line,
        cwd=cli.home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    started = process.stdout.readline().decode()
    if command != "scheduler":
        assert _ready(port)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert "已启动" in started
    assert process.returncode == 0
    assert b"Traceback" not in errors, errors.decode()


def _ready(port: int) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).ok
        except requests.ConnectionError:
            time.sleep(0.05)
    return False


def test_cluster_mode_is_not_served_by_one_process(cli: Cli):
    text = cli.config.read_text()
    url = "postgresql+psycopg://lianke:x@127.0.0.1:1/lianke"
    extra = '[redis]\nurl = "redis://127.0.0.1:6379/0"\n[runtime]\nmode = "cluster"\n'
    cli.config.write_text(text.replace(f"sqlite:///{cli.path}", url) + extra)

    result = cli("serve")

    assert result.exit_code == 1
    assert "lianke scheduler" in result.stderr


def test_the_sandbox_is_the_corp_of_the_configuration(cli: Cli):
    config = load_config(cli.config)

    settings = settings_of(config, host="127.0.0.1", port=9123, database=":memory:", callback_url=None)

    assert settings.corp_id == config.wecom.corp_id
    assert settings.secret == "sandbox-app-secret"
    assert settings.base_url == "http://127.0.0.1:9123"
    assert settings.callback_url == "http://127.0.0.1:1/callback/wecom"


# --- migrate


def test_migrate_tells_from_where_to_where_and_then_does_nothing(cli: Cli):
    cli.path.unlink()

    first, second = cli.ok("migrate"), cli.ok("migrate")

    assert re.search(r"空库 → \d{4}", first)
    assert "无需升级" in second


def test_migrate_refuses_an_unknown_revision(cli: Cli):
    result = cli("migrate", "--to", "9999")

    assert result.exit_code == 1
    assert "没有版本 9999，可用的有：" in result.stderr


def test_going_back_asks_first(cli: Cli, cli_database: Database):
    before = rows(cli_database)

    refused = cli("migrate", "--to", "base", answer="n\n")
    silent = cli("migrate", "--to", "base", answer="")

    assert (refused.exit_code, silent.exit_code) == (1, 1)
    assert "已取消" in refused.stderr
    assert "--yes" in silent.stderr
    assert rows(cli_database) == before
    assert "→ 空库" in cli.ok("migrate", "--to", "base", answer="y\n")


# --- token


def test_a_token_is_shown_once_and_works_until_it_is_revoked(cli: Cli, cli_database: Database):
    made = cli.ok("token", "create", "--name", "官网", "--role", "readonly", "--days", "7")
    plaintext = re.search(r"^lk_\S{43}$", made, re.MULTILINE)
    assert plaintext is not None
    now = datetime.now(UTC)

    with cli_database.read() as session:
        row = session.scalars(select(ApiToken)).one()
        assert tokens.authenticate(session, plaintext[0], now=now) is not None
    assert row.role == "readonly"
    assert timedelta(days=6) < row.expires_at - now <= timedelta(days=7)
    listed = cli.ok("token", "list")
    assert row.id in listed
    assert "官网" in listed
    assert "有效" in listed
    assert plaintext[0] not in listed

    cli.ok("token", "revoke", row.id)

    with cli_database.read() as session:
        assert tokens.authenticate(session, plaintext[0], now=now) is None
    assert "已停用" in cli.ok("token", "list")
    again = cli("token", "revoke", row.id)
    assert again.exit_code == 1
    assert "早已停用" in again.stderr


def test_a_token_acts_for_somebody_who_can_enter(cli: Cli, cli_database: Database):
    nobody = cli("token", "create", "--name", "x", "--role", "sales", "--person", "boss")
    assert nobody.exit_code == 1
    assert "没有这个账号" in nobody.stderr
    now = datetime.now(UTC)
    with cli_database.write() as session:
        boss = logins.create_local(session, username="boss", password="x" * 10, role=Role.SALES, now=now)

    cli.ok("token", "create", "--name", "x", "--role", "sales", "--person", "boss")

    with cli_database.read() as session:
        assert session.scalars(select(ApiToken)).one().account_id == boss.id


# --- replay


def test_replay_puts_one_event_back_after_a_yes(cli: Cli, cli_database: Database):
    event = keep_event(
        cli_database, event_xml(), state=EventState.DEAD, attempts=8, error="KeyError: 'x'\ntrace"
    )

    said = cli.ok("replay", event, answer="y\n")

    assert ADDED in said
    assert "KeyError: 'x'" in said
    with cli_database.read() as session:
        row = session.get_one(InboxEvent, event)
    assert (row.state, row.attempts, row.error) == (EventState.PENDING, 0, None)


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_replay_without_a_yes_changes_nothing(cli: Cli, cli_database: Database, answer: str):
    event = keep_event(cli_database, event_xml(), state=EventState.DEAD)
    before = rows(cli_database)

    result = cli("replay", event, answer=answer)

    assert result.exit_code == 1
    assert rows(cli_database) == before


def test_replay_refuses_what_is_not_there_or_on_its_way(cli: Cli, cli_database: Database):
    event = keep_event(cli_database, event_xml())

    missing, running = cli("replay", 999, "--yes"), cli("replay", event, "--yes")

    assert "没有编号为 999 的事件" in missing.stderr
    assert "正在处理中" in running.stderr
    assert (missing.exit_code, running.exit_code) == (1, 1)


def test_replay_of_all_dead_events_is_capped_and_leaves_others_alone(cli: Cli, cli_database: Database):
    dead = [keep_event(cli_database, event_xml(State=str(n)), state=EventState.DEAD) for n in range(5)]
    other = keep_event(cli_database, event_xml(State="q"), state=EventState.QUARANTINED)

    said = cli.ok("replay", "--dead", "--limit", "3", "--yes")

    assert "已把 3 个事件放回队列" in said
    assert "还有 2 个" in said
    with cli_database.read() as session:
        states = {row.id: row.state for row in session.scalars(select(InboxEvent))}
    assert [states[event] for event in dead] == [EventState.PENDING] * 3 + [EventState.DEAD] * 2
    assert states[other] == EventState.QUARANTINED
    cli.ok("replay", "--dead", "--yes")
    assert "没有处理失败的事件" in cli.ok("replay", "--dead", "--yes")


def test_replay_of_quarantined_events_warns(cli: Cli, cli_database: Database):
    event = keep_event(cli_database, event_xml(), state=EventState.QUARANTINED)

    said = cli.ok("replay", "--quarantined", answer="y\n")

    assert "可能是旧请求被人重发" in said
    with cli_database.read() as session:
        assert session.get_one(InboxEvent, event).state is EventState.PENDING


# --- dry-run


def test_dry_run_shows_rows_and_calls_and_undoes_all(cli: Cli, cli_database: Database):
    stamp = int(datetime.now(UTC).timestamp())
    code = "WELCOMECODE-SECRET-123456"
    event = keep_event(cli_database, event_xml(CreateTime=stamp, WelcomeCode=code))
    welcome = {"welcomes": [{"text": "{customer}您好"}]}
    with cli_database.write() as session:
        accounts.set_setting(session, DEFAULT_WELCOME, welcome, actor="test", now=datetime.now(UTC))
    before = rows(cli_database)

    said = cli.ok("dry-run", event)

    assert rows(cli_database) == before
    for expected in (
        "新增 contact ",
        "新增 relation ",
        "新增 staff ",
        "新增 timeline_entry ",
        "新增 assignment ",
    ):
        assert expected in said
    assert "externalcontact/send_welcome_msg" in said
    assert "externalcontact/get" in said
    assert "您好" in said
    assert code not in said
    assert "已撤销" in said


def test_dry_run_shows_what_a_row_was_before(cli: Cli, cli_database: Database):
    stamp = int(datetime.now(UTC).timestamp())
    event = keep_event(cli_database, event_xml(CreateTime=stamp))
    with cli_database.write() as session:
        staff = accounts.ensure_staff(session, "zhangsan", now=datetime.now(UTC))
        contacts.record_ended(
            session,
            "wmSIM0000000000000000000000001",
            staff,
            at=datetime.fromtimestamp(stamp - 60, UTC),
            state=RelationState.LOST,
        )

    said = cli.ok("dry-run", event)

    assert re.search(r"修改 relation .*\n(?:.*\n)*?\s+state：lost → active", said)
    assert "contact.regained" in said


def test_dry_run_of_a_failing_event_tells_why(cli: Cli, cli_database: Database):
    event = keep_event(cli_database, "<xml><broken", state=EventState.DEAD)
    before = rows(cli_database)

    result = cli("dry-run", event)

    assert result.exit_code == 1
    assert "处理这个事件会出错：BadXml" in result.output
    assert rows(cli_database) == before


def test_dry_run_of_an_unknown_kind_says_so(cli: Cli, cli_database: Database):
    event = keep_event(cli_database, event_xml(), kind="wecom.something_new")

    assert "会被标为 ignored" in cli.ok("dry-run", event)
    assert cli("dry-run", 12345).exit_code == 1


# --- sync


def test_sync_reports_in_words(cli: Cli, cli_database: Database):
    with SandboxServer() as box:
        cli.configure(api_base=box.api_base)
        first, second = cli.ok("sync"), cli.ok("sync")

    assert "核对完成" in first
    assert "新发现的员工：" in first
    assert "没有错过欢迎语" in first
    assert "完全一致" in second


def test_sync_with_a_wrong_secret_says_which(cli: Cli):
    with SandboxServer() as box:
        cli.configure(api_base=box.api_base, secret="wrong-secret")
        result = cli("sync")

    assert result.exit_code == 1
    assert "Secret" in result.stderr
    assert "wrong-secret" not in result.output
    assert "Traceback" not in result.output


# --- import


def test_import_creates_skips_and_explains(cli: Cli, cli_database: Database):
    file = cli.home / "名单.csv"
    file.write_text("姓名,手机,来源\n王一,13800138000,x\n王二,13800138000,x\n=王三,123,x\n", encoding="gbk")

    checked = cli("import", "contacts", file, "--dry-run")
    assert "可以导入 1 位客户" in checked.stdout
    with cli_database.read() as session:
        assert session.scalars(select(Contact)).all() == []
    failed = cli.home / "名单.csv.failed.csv"
    assert not failed.exists()

    first = cli("import", "contacts", file)
    second = cli.ok("import", "contacts", file)

    assert "已导入 1 位客户" in first.stdout
    assert "文件中重复" in first.stdout
    assert "来源" in first.stderr
    assert "已导入 0 位客户" in second
    assert "跳过 1 行：手机号已有客户" in second
    with cli_database.read() as session:
        assert [row.name for row in session.scalars(select(Contact))] == ["王一"]
    lines = failed.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "姓名,手机,来源,失败原因"
    assert lines[1].startswith("'=王三,123,x,手机号不正确")
    assert failed.stat().st_mode & 0o077 == 0


def test_import_of_a_file_without_the_columns_changes_nothing(cli: Cli, cli_database: Database):
    file = cli.home / "a.csv"
    file.write_text("a,b\n1,2\n")
    before = rows(cli_database)

    result = cli("import", "contacts", file)

    assert result.exit_code == 1
    assert "缺少列 姓名（或 name）、手机（或 phone）" in result.stderr
    assert rows(cli_database) == before


# --- docs


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_command_and_option_is_documented():
    text = (ROOT / "docs" / "cli.md").read_text()

    missing = [name for name, _ in _commands(main) if f"`{name}" not in text]
    options = {
        option
        for _, command in _commands(main)
        for param in command.params
        for option in param.opts
        if "--" in option
    }
    missing += [option for option in options if option not in text]

    assert missing == []
