"""Accounts changed by others: somebody always remains, and nobody raises themselves."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy.orm import Session

from scrm.accounts import logins, people
from scrm.accounts.models import Account, LoginWay, Staff
from scrm.accounts.roles import USUAL_REACH, Reach, Role
from scrm.errors import Conflict, NotFound, Refused


@pytest.fixture
def make(session: Session, now: datetime):
    def made(name: str, role: Role = Role.ADMIN, reach: Reach | None = None, **more) -> Account:
        account = Account(
            username=name, name=name, role=role, reach=reach or USUAL_REACH[role], created_at=now, **more
        )
        session.add(account)
        session.flush()
        return account

    return made


def test_the_last_administrator_stays(session: Session, now: datetime, make) -> None:
    one, two = make("one"), make("two")
    people.disable(session, two.id, by=one, now=now)
    with pytest.raises(Conflict):
        people.disable(session, one.id, by=two, now=now)
    with pytest.raises(Conflict):
        people.set_role(session, one.id, Role.SALES, Reach.OWN, by=two)
    assert (one.role, one.disabled_at) == (Role.ADMIN, None)

    people.enable(session, two.id, by=one)
    people.set_role(session, one.id, Role.SALES, Reach.OWN, by=two)
    assert one.role is Role.SALES


def test_an_administrator_who_left_the_corp_is_none(session: Session, now: datetime, make) -> None:
    left = Staff(userid="gone", name="gone", status="left", updated_at=now)
    session.add(left)
    session.flush()
    one, by = make("one"), make("by", staff_id=left.id)

    with pytest.raises(Conflict):
        people.disable(session, one.id, by=by, now=now)


def test_nobody_changes_their_own_rights(session: Session, now: datetime, make) -> None:
    me = make("me", reach=Reach.DEPARTMENT)
    make("other")
    for deed in (
        lambda: people.set_role(session, me.id, Role.ADMIN, Reach.ALL, by=me),
        lambda: people.disable(session, me.id, by=me, now=now),
        lambda: people.reset_password(session, me.id, by=me, now=now),
    ):
        with pytest.raises(Refused):
            deed()
    assert me.reach is Reach.DEPARTMENT


def test_nobody_gives_or_touches_more_reach_than_their_own(session: Session, now: datetime, make) -> None:
    me, boss, rep = make("me", reach=Reach.DEPARTMENT), make("boss"), make("rep", Role.SALES)
    for deed in (
        lambda: people.set_role(session, rep.id, Role.ADMIN, Reach.ALL, by=me),
        lambda: people.reset_password(session, boss.id, by=me, now=now),
        lambda: people.create_account(session, "new", Role.ADMIN, by=me, now=now),
    ):
        with pytest.raises(Refused):
            deed()
    people.set_role(session, rep.id, Role.MANAGER, Reach.DEPARTMENT, by=me)
    assert rep.reach is Reach.DEPARTMENT


def test_a_reset_password_is_new_must_change_and_ends_sessions(session: Session, now: datetime, make) -> None:
    by = make("by")
    account, first = people.create_account(session, "rep", Role.SALES, by=by, now=now)
    logins.open_login(session, account, LoginWay.PASSWORD, now=now)
    assert len(logins.list_live(session, [account.id], now=now)) == 1

    _, second = people.reset_password(session, account.id, by=by, now=now)

    assert first != second
    assert logins.find_by_password(session, "rep", first) is None
    assert logins.find_by_password(session, "rep", second) is account
    assert account.must_change
    assert logins.list_live(session, [account.id], now=now) == []


def test_a_member_has_no_password_to_reset_and_nobody_no_account(
    session: Session, now: datetime, make
) -> None:
    by, member = make("by"), make("member", Role.SALES)
    member.username = None
    session.flush()

    with pytest.raises(Refused):
        people.reset_password(session, member.id, by=by, now=now)
    with pytest.raises(NotFound):
        people.enable(session, "nobody", by=by)
