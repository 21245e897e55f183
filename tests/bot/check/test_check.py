"""The doctor: a healthy installation passes, each illness is named with its cure, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import update

from bot.check.backlog import check_backlog
from bot.check.callback import judge
from bot.check.findings import Finding, Level
from bot.check.platform import clock_finding, domain_finding
from bot.check.rivals import check_rivals
from bot.check.settings import check_settings, is_local
from bot.config import Config, load_config
from scrm.accounts import service as accounts
from scrm.accounts.models import Staff, StaffStatus
from scrm.channels.models import Channel, ChannelCode
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.inbox.service import Arrival
from scrm.outbox import service as outbox
from scrm.outbox.commands import SendWelcome
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall
from scrm.timeline import service as timeline
from tests.bot.cli_fixture import Cli
from tests.bot.test_cli import rows
from tests.sandbox_fixture import SandboxServer
from tests.stand import Stand

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
IDS = [
    "config", "secrets", "base_url", "database", "database_write", "migrations", "encryption_keys", "disk",
    "platform", "clock", "app_secret", "contact_secret", "app", "app_range", "trusted_domain", "contact_right",
    "callback", "rival_app", "console_welcome", "events", "waiting", "calls", "codes", "code_members",
]  # fmt: skip


@pytest.fixture
def box() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


def examine(cli: Cli) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code and the worst finding of each subject."""
    result = cli("check", "--json")
    items: dict[str, dict[str, Any]] = {}
    order = [level.value for level in Level]
    for item in json.loads(result.stdout)["items"]:
        known = items.get(item["id"])
        if known is None or order.index(item["level"]) > order.index(known["level"]):
            items[item["id"]] = item
    return result.exit_code, items


def by_id(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.id: finding for finding in findings}


# --- the whole


def test_a_healthy_installation_passes_and_nothing_changes(cli: Cli):
    with Stand(cli.home) as stand:
        cli.configure(port=stand.port, base_url=stand.base, api_base=stand.box.api_base)
        ledger, before = stand.box.get("/sandbox/ledger"), rows(stand.product.database)

        code, items = examine(cli)

        assert code == 0, items
        assert [name for name in IDS if name not in items] == []
        assert {name for name, item in items.items() if item["level"] != "ok"} == {"base_url"}
        assert stand.box.get("/sandbox/ledger") == ledger
        assert rows(stand.product.database) == before


def test_people_read_marks_and_what_to_do(cli: Cli, box: SandboxServer):
    cli.configure(api_base=box.api_base)

    said = cli.ok("check")

    assert "✓ 数据库：可以连接（sqlite）" in said
    assert "! 回调自检：" in said
    assert "→ 先启动 lianke serve 再检查" in said
    assert "可以工作" in said


def test_a_broken_configuration_is_the_finding(cli: Cli):
    cli.config.write_text(cli.config.read_text().replace("agent_id = 1000002", "agent_id = 0"))

    code, items = examine(cli)

    assert code == 1
    assert "agent_id" in items["config"]["text"]
    assert "agent_id = 1000002" in items["config"]["advice"]


def test_a_missing_database_is_told_and_not_made(cli: Cli, box: SandboxServer):
    cli.configure(api_base=box.api_base)
    cli.path.unlink()
    before = sorted(cli.home.iterdir())

    code, items = examine(cli)

    assert code == 1
    assert "lianke migrate" in items["database"]["advice"]
    assert items["app_secret"]["level"] == "ok"
    assert sorted(cli.home.iterdir()) == before


def test_an_unreachable_database_server_does_not_hide_the_rest(cli: Cli, box: SandboxServer):
    cli.configure(api_base=box.api_base)
    url = "postgresql+psycopg://lianke:geheim@127.0.0.1:1/lianke"
    cli.config.write_text(cli.config.read_text().replace(f"sqlite:///{cli.path}", url))

    code, items = examine(cli)

    assert code == 1
    assert "连不上 127.0.0.1:1" in items["database"]["text"]
    assert items["app"]["level"] == "ok"
    assert "geheim" not in json.dumps(items)


def test_an_old_structure_is_told(cli: Cli, box: SandboxServer):
    cli.configure(api_base=box.api_base)
    cli.ok("migrate", "--to", "base", "--yes")

    code, items = examine(cli)

    assert code == 1
    assert "空库" in items["migrations"]["text"]
    assert "codes" not in items


def test_keys_that_do_not_open_the_data_are_told(cli: Cli, cli_database: Database, box: SandboxServer):
    with cli_database.write() as session:
        inbox.record(session, [Arrival("wecom", "wecom.x", "<xml/>", NOW)])
    cli.configure(api_base=box.api_base, key="YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=")

    code, items = examine(cli)

    assert code == 1
    assert items["encryption_keys"]["level"] == "fail"


# --- the platform


@pytest.mark.parametrize(
    ("changes", "subject", "said"),
    [
        ({"secret": "wrong-secret-value"}, "app_secret", "[wecom] secret 不正确（40001）"),
        (
            {"contact_secret": "wrong-secret-value"},
            "contact_secret",
            "[wecom] contact_secret 不正确（40001）",
        ),
    ],
)
def test_a_wrong_secret_is_named(
    cli: Cli, box: SandboxServer, changes: dict[str, str], subject: str, said: str
):
    cli.configure(api_base=box.api_base, **changes)

    code, items = examine(cli)

    assert code == 1
    assert items[subject]["text"] == said
    assert "重新复制" in items[subject]["advice"]
    other = {"app_secret", "contact_secret"} - {subject}
    assert items[other.pop()]["level"] == "ok"
    assert "wrong-secret-value" not in json.dumps(items)


def test_a_wrong_corp_is_named(cli: Cli, box: SandboxServer):
    cli.configure(api_base=box.api_base)
    cli.config.write_text(cli.config.read_text().replace("ww1a2b3c4d5e6f7a8b", "wwffffffffffffffff"))

    assert "corp_id 不正确（40013）" in examine(cli)[1]["app_secret"]["text"]


@pytest.mark.parametrize(
    ("api", "errcode", "subject", "said"),
    [
        ("gettoken", 60020, "app_secret", "不在企业可信 IP 中"),
        ("agent/get", 60020, "app", "不在企业可信 IP 中"),
        ("agent/get", 301002, "app", "301002"),
        ("externalcontact/get_follow_user_list", 48002, "contact_right", "不能调用客户联系接口"),
        ("externalcontact/get_follow_user_list", 84074, "contact_right", "没有成员开通客户联系"),
    ],
)
def test_a_refusal_is_explained(
    cli: Cli, box: SandboxServer, api: str, errcode: int, subject: str, said: str
):
    cli.configure(api_base=box.api_base)
    times = 2 if api == "gettoken" else 1
    faults = [{"api": api, "mode": "errcode", "errcode": errcode, "times": times}]
    if api == "gettoken":  # the clock is read from an empty gettoken first
        faults[0]["times"] = 3
    for fault in faults:
        box.post("/sandbox/faults", fault)

    code, items = examine(cli)

    assert code == 1
    assert items[subject]["level"] == "fail"
    assert said in items[subject]["text"]
    assert items[subject]["advice"]


def test_a_platform_that_is_away_is_one_finding(cli: Cli):
    code, items = examine(cli)

    assert code == 1
    assert items["platform"]["level"] == "fail"
    assert "app_secret" not in items
    assert items["codes"]["level"] == "ok"


@pytest.mark.parametrize(
    ("ahead", "level"),
    [(0.4, "ok"), (-2.0, "ok"), (5.0, "warn"), (-60.0, "warn"), (12.0, "fail"), (-250.0, "fail")],
)
def test_a_clock_ahead_costs_welcomes_long_before_callbacks(ahead: float, level: str):
    assert clock_finding(ahead).level == level


@pytest.mark.parametrize(
    ("base_url", "trusted", "level"),
    [
        ("https://scrm.example.com", "scrm.example.com", "ok"),
        ("https://scrm.example.com", "other.example.com", "fail"),
        ("https://scrm.example.com", "", "fail"),
        ("https://scrm.example.com:8443", "scrm.example.com:8443", "ok"),
        ("https://scrm.example.com:8443", "scrm.example.com:443", "fail"),
        ("http://127.0.0.1:8000", "127.0.0.1:9100", "ok"),
        ("http://127.0.0.1:8000", "scrm.example.com", "warn"),
    ],
)
def test_the_trusted_domain_is_compared_with_base_url(cli: Cli, base_url: str, trusted: str, level: str):
    assert domain_finding(_config(cli, base_url), trusted).level == level


def _config(cli: Cli, base_url: str) -> Config:
    cli.configure(base_url=base_url)
    return load_config(cli.config)


def test_public_keys_are_refused_only_in_public(cli: Cli):
    at_home = by_id(check_settings(_config(cli, "http://localhost:8000"), "config.toml"))
    in_public = by_id(check_settings(_config(cli, "https://scrm.example.com"), "config.toml"))

    assert (at_home["secrets"].level, in_public["secrets"].level) == ("ok", "fail")
    assert "[wecom] token" in in_public["secrets"].text
    assert (at_home["base_url"].level, in_public["base_url"].level) == ("warn", "ok")
    assert by_id(check_settings(_config(cli, "http://scrm.example.com"), ""))["base_url"].level == "fail"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost", True),
        ("http://[::1]:80", True),
        ("http://192.168.1.5", True),
        ("https://a.cn", False),
    ],
)
def test_local_addresses_are_known(url: str, local: bool):
    assert is_local(url) is local


# --- the callback


@pytest.mark.parametrize(
    ("status", "body", "level"),
    [
        (200, b"123", "ok"),
        (200, b"<html>", "fail"),
        (403, b"", "fail"),
        (404, b"", "fail"),
        (302, b"", "fail"),
        (502, b"", "warn"),
        (503, b"", "fail"),
    ],
)
def test_each_answer_to_the_echo_is_explained(status: int, body: bytes, level: str):
    answer = requests.Response()
    answer.status_code, answer._content = status, body

    assert judge("https://a.cn/callback/wecom", answer, "123").level == level


def test_a_server_with_other_callback_keys_is_told(cli: Cli):
    with Stand(cli.home) as stand:
        cli.configure(port=stand.port, base_url=stand.base, api_base=stand.box.api_base)
        cli.config.write_text(cli.config.read_text().replace("LiankeSandboxToken", "AnotherToken"))

        code, items = examine(cli)

    assert code == 1
    assert "403" in items["callback"]["text"]
    assert "重启" in items["callback"]["advice"]


# --- what the tables tell


def send_welcome(
    database: Database, n: int, *errcodes: int | None, userid: str = "zhangsan", age: int = 1
) -> None:
    """One welcome whose attempts came to these codes, the first ``age`` days ago."""
    at = NOW - timedelta(days=age)
    command = SendWelcome(welcome_code=f"code{n}", userid=userid, external_userid=f"wm{n}", text="您好")
    with database.write() as session:
        outbox.enqueue(session, command, now=at)
        call = session.query(OutboxCall).order_by(OutboxCall.id.desc()).first()
        assert call is not None
        for number, errcode in enumerate(errcodes, 1):
            session.add(OutboxAttempt(outbox_id=call.id, n=number, started_at=at, errcode=errcode))


def rivals(database: Database) -> dict[str, Finding]:
    with database.read() as session:
        return by_id(check_rivals(session, NOW))


def test_first_attempts_refused_as_used_mean_a_rival(database: Database):
    with database.write() as session:
        accounts.ensure_staff(session, "zhangsan", now=NOW)
        session.execute(update(Staff).values(name="张三"))
    for n in range(6):
        send_welcome(database, n, 0)
    assert rivals(database)["rival_app"].level == "ok"

    send_welcome(database, 10, 41051)
    one = rivals(database)["rival_app"]
    send_welcome(database, 11, 41096)
    send_welcome(database, 12, 41051)
    many = rivals(database)["rival_app"]

    assert (one.level, many.level) == ("warn", "fail")
    assert "9 条欢迎语中有 3 条被别的应用抢先" in many.text
    assert "41051 已被发送 2 次，41096 正被发送 1 次" in many.text
    assert "张三" in many.text
    assert "可调用接口的应用" in many.advice


def test_a_refusal_after_a_timeout_or_long_ago_is_no_rival(database: Database):
    for n in range(4):
        send_welcome(database, n, None, 41051)  # our own first attempt had arrived
    send_welcome(database, 9, 41051, age=8)

    assert rivals(database)["rival_app"].level == "ok"


def test_reps_whose_adds_bring_no_code_are_named(database: Database):
    with database.write() as session:
        for userid, adds, codeless in (("zhangsan", 5, 4), ("lisi", 10, 3), ("wangwu", 2, 2)):
            accounts.ensure_staff(session, userid, now=NOW)
            for n in range(adds):
                timeline.append(session, f"c{n}", "contact.added", at=NOW, detail={"userid": userid})
            for n in range(codeless):
                detail = {"userid": userid, "reason": "no_code"}
                timeline.append(session, f"c{n}", "welcome.not_owed", at=NOW, detail=detail)
            timeline.append(
                session,
                "c",
                "welcome.not_owed",
                at=NOW,
                detail={"userid": userid, "reason": "no_welcome_configured"},
            )

    found = rivals(database)["console_welcome"]

    assert found.level == "warn"
    assert "（4/5）" in found.text
    assert "（3/10）" not in found.text
    assert "（2/2）" not in found.text
    assert "加客户 → 欢迎语" in found.advice


def backlog(database: Database, followers: list[str] | None = None) -> list[Finding]:
    with database.read() as session:
        return check_backlog(session, NOW, followers)


def test_stuck_events_and_calls_are_counted(database: Database):
    with database.write() as session:
        arrivals = [
            Arrival("wecom", "wecom.x", f"<xml>{n}</xml>", NOW - timedelta(hours=1)) for n in range(4)
        ]
        inbox.record(session, arrivals)
        events = session.query(InboxEvent).order_by(InboxEvent.id).all()
        for event, state in zip(
            events, (EventState.DEAD, EventState.DEAD, EventState.QUARANTINED), strict=False
        ):
            event.state = state
    send_welcome(database, 1, None)
    with database.write() as session:
        session.execute(update(OutboxCall).values(state=CallState.UNKNOWN, available_at=None))

    found = backlog(database)

    texts = "\n".join(f"{item.level.value} {item.text} {item.advice}" for item in found)
    assert "warn 2 个事件多次处理失败" in texts
    assert "lianke replay --dead" in texts
    assert "warn 1 个事件被隔离" in texts
    assert "warn 最早的事件已等了 60 分钟" in texts
    assert "warn 1 个调用不知道是否生效：externalcontact/send_welcome_msg" in texts


def test_codes_without_a_picture_or_with_people_who_left_are_named(database: Database):
    with database.write() as session:
        for userid in ("zhangsan", "lisi"):
            accounts.ensure_staff(session, userid, now=NOW)
        session.execute(update(Staff).values(serves=True))
        left = update(Staff).where(Staff.userid == "lisi")
        session.execute(left.values(status=StaffStatus.LEFT, name="李四"))
        for name, config_id, users in (("展会", None, []), ("官网", "cfg", ["zhangsan", "lisi"])):
            channel = Channel(name=name, created_at=NOW)
            session.add(channel)
            session.flush()
            session.add(
                ChannelCode(
                    channel_id=channel.id, state=name, config_id=config_id, users=users, updated_at=NOW
                )
            )

    unasked, asked = by_id(backlog(database)), by_id(backlog(database, ["lisi"]))

    assert "「展会」" in unasked["codes"].text
    assert unasked["codes"].level == "warn"
    assert "「官网」的 李四" in unasked["code_members"].text
    assert "zhangsan" in asked["code_members"].text


def test_an_empty_installation_has_nothing_stuck(database: Database, tmp_path: Path):
    assert {item.level for item in backlog(database)} == {Level.OK}
