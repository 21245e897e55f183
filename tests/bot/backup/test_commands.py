"""The command lines of backup, restore and outbox, as a person uses them."""

from __future__ import annotations

import fcntl
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from bot.check.backlog import check_backlog
from bot.check.findings import Level
from bot.health import health
from bot.workers.limits import Gate
from scrm import clock
from scrm.db import Database
from scrm.outbox import claims, pause
from scrm.outbox import service as outbox
from tests.bot.cli_fixture import Cli
from tests.scrm.outbox.factory import notice, welcome


def owe(database: Database) -> None:
    now = clock.now() - timedelta(minutes=5)
    with database.write() as session:
        outbox.enqueue(session, notice("1"), now=now)
        outbox.enqueue(session, welcome(), now=now, deadline=now + timedelta(seconds=18))


def backups(cli: Cli) -> list[Path]:
    return sorted((cli.home / "backup").iterdir())


def test_back_and_forth(cli: Cli, cli_database: Database) -> None:
    owe(cli_database)
    cli_database.dispose()
    for _ in range(3):
        told = cli.ok("backup", "--to", cli.home / "backup", "--keep", 2)
    assert "已检查" in told
    assert "encryption_keys" in told
    [_, newest] = backups(cli)

    refused = cli("restore", newest)
    assert refused.exit_code == 1
    assert "restore_not_empty" in refused.output
    told = cli.ok("restore", newest, "--overwrite")

    assert "发送已暂停：从备份恢复" in told
    assert "message/send：1 个（1 个可能发过）" in told
    assert list(cli.home.glob("lianke.db.before-*"))
    assert "externalcontact/send_welcome_msg：1 个（1 个已过期）" in cli.ok("outbox", "status")
    assert "已放弃 1 个" in cli.ok("outbox", "drop", "--api", "message/send", "--yes")
    assert "已恢复发送" in cli.ok("outbox", "resume", "--yes")
    assert "发送没有暂停" in cli.ok("outbox", "status")
    again = cli("outbox", "resume", "--yes")
    assert again.exit_code == 1
    assert "无需恢复" in again.output


def test_a_database_restored_by_other_means_is_paused_by_hand(cli: Cli, cli_database: Database) -> None:
    owe(cli_database)

    told = cli.ok("outbox", "pause")

    assert "发送已暂停" in told
    assert "message/send：1 个（1 个可能发过）" in told
    with cli_database.write() as session:
        assert claims.claim_calls(session, owner="me", now=clock.now(), limit=9) == []


def test_nothing_is_restored_while_the_product_runs(cli: Cli, cli_database: Database) -> None:
    cli.ok("backup", "--to", cli.home / "backup")
    with Path(f"{cli.path}.serve").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        result = cli("restore", backups(cli)[0], "--overwrite")

    assert result.exit_code == 1
    assert "restore_running" in result.output
    assert not list(cli.home.glob("*.before-*"))


def test_a_folder_that_cannot_be_written_is_told(cli: Cli) -> None:
    (cli.home / "file").write_text("")

    result = cli("backup", "--to", cli.home / "file" / "below")

    assert result.exit_code == 1
    assert "backup_not_written" in result.output


def test_the_pause_is_seen_by_the_doctor_and_by_readyz(database: Database) -> None:
    owe(database)
    client = Flask("health")
    client.register_blueprint(health(database, Gate(), clock.now))
    with database.write() as session:
        assert _paused(session) is Level.OK
        pause.pause(session, "从备份恢复", actor="tests", now=clock.now())
        assert _paused(session) is Level.WARN

    answer = client.test_client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json["status"] == "degraded"
    assert answer.json["degraded"] == ["outbox: paused"]


def _paused(session: object) -> Level:
    [found] = [item for item in check_backlog(session, clock.now(), None) if item.id == "paused"]
    return found.level


@pytest.mark.parametrize("command", ["backup", "restore", "outbox", "migrate-data"])
def test_help_is_chinese(cli: Cli, command: str) -> None:
    assert "用法：" in cli.ok(command, "--help")
