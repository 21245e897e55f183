"""``lianke account``: who enters, as whom."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from scrm.accounts import logins
from scrm.accounts.models import Account, LoginWay, Staff
from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from scrm.clock import now
from scrm.db import Database
from tests.bot.cli_fixture import Cli


def member(database: Database) -> None:
    with database.write() as session:
        session.add(Staff(userid="wangmin", name="王敏", updated_at=now()))


def test_a_member_becomes_a_manager_and_loses_the_door(cli: Cli, cli_database: Database):
    member(cli_database)

    assert "销售主管，本部门的客户" in cli.ok("account", "role", "--userid", "wangmin", "--role", "manager")
    cli.ok("account", "role", "--userid", "wangmin", "--role", "manager", "--reach", "all")
    with cli_database.write() as session:
        account = session.scalars(select(Account)).one()
        assert (account.role, account.reach) == (Role.MANAGER, Reach.ALL)
        _, token = logins.open_login(session, account, LoginWay.SCAN, now=now())

    cli.ok("account", "disable", "--userid", "wangmin")
    with cli_database.read() as session:
        assert logins.find_entered(session, token, now=now() + timedelta(seconds=1)) is None
        deeds = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.n)))
        assert deeds == ["account:role_set", "account:role_set", "account:disabled"]
    cli.ok("account", "enable", "--userid", "wangmin")
    with cli_database.read() as session:
        assert session.scalars(select(Account)).one().disabled_at is None


def test_a_stranger_is_told(cli: Cli):
    answer = cli("account", "role", "--userid", "nobody", "--role", "sales")

    assert answer.exit_code != 0
    assert "没有员工 nobody" in answer.output


def test_a_generated_password_opens_and_a_reset_one_replaces_it(cli: Cli, cli_database: Database):
    first = cli.ok("account", "create", "--username", "admin").split()[-1]
    second = cli.ok("account", "reset", "--username", "admin").split()[-1]

    with cli_database.read() as session:
        assert logins.find_by_password(session, "admin", first) is None
        found = logins.find_by_password(session, "admin", second)
        assert found is not None
        assert found.must_change
