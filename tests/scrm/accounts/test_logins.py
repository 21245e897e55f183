"""Who enters, for how long, and what ends it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import extract_parameters
from argon2.exceptions import VerifyMismatchError
from sqlalchemy.orm import Session

from scrm.accounts import logins
from scrm.accounts.models import Account, LoginWay, Staff, StaffStatus
from scrm.accounts.roles import Reach, Role
from scrm.errors import Conflict, Invalid, NotFound
from tests.conftest import NOW

PASSWORD = "correct horse battery"


@pytest.fixture
def account(session: Session) -> Account:
    return logins.create_local(session, username="admin", password=PASSWORD, role=Role.ADMIN, now=NOW)


def staff(session: Session, userid: str = "wangmin") -> Staff:
    row = Staff(userid=userid, name="王敏", updated_at=NOW)
    session.add(row)
    session.flush()
    return row


def test_only_the_right_password_opens_and_it_is_kept_as_argon2id(session: Session, account: Account):
    assert account.password_hash.startswith("$argon2id$")
    assert logins.find_by_password(session, "admin", PASSWORD) is account
    for name, password in (("admin", PASSWORD + " "), ("admin", ""), ("root", PASSWORD), ("", "")):
        assert logins.find_by_password(session, name, password) is None


def test_a_name_that_is_nobodys_costs_a_guesser_the_same_work(account: Account):
    nobody = logins._nobody()

    assert extract_parameters(nobody) == extract_parameters(account.password_hash or "")
    with pytest.raises(VerifyMismatchError):  # it is hashed and compared, not refused for its form
        logins._hasher.verify(nobody, PASSWORD)


def test_a_disabled_account_does_not_open(session: Session, account: Account):
    _, token = logins.open_login(session, account, LoginWay.PASSWORD, now=NOW)
    logins.disable(session, account, now=NOW)

    assert logins.find_by_password(session, "admin", PASSWORD) is None
    assert logins.find_entered(session, token, now=NOW) is None


@pytest.mark.parametrize("username", ["", "a", "Admin", "王敏", "a b", "-admin", "a" * 65, "admin\n"])
def test_names_are_plain(session: Session, username: str):
    with pytest.raises(Invalid):
        logins.create_local(session, username=username, password=PASSWORD, role=Role.ADMIN, now=NOW)


def test_a_name_is_taken_once_and_a_password_has_ten_characters(session: Session, account: Account):
    with pytest.raises(Conflict):
        logins.create_local(session, username="admin", password=PASSWORD, role=Role.SALES, now=NOW)
    with pytest.raises(Invalid):
        logins.create_local(session, username="other", password="123456789", role=Role.SALES, now=NOW)


def test_a_session_lives_while_it_is_used_and_never_longer_than_its_end(session: Session, account: Account):
    login, token = logins.open_login(session, account, LoginWay.PASSWORD, now=NOW)

    assert token not in login.id
    assert logins.find_entered(session, token, now=NOW + timedelta(minutes=29)) is not None
    assert logins.find_entered(session, token, now=NOW + timedelta(minutes=30)) is None

    at = NOW
    while logins.find_entered(session, token, now=at) is not None:
        assert logins.mark_seen(session, login.id, now=at) is (at > NOW)
        session.refresh(login)
        at += timedelta(minutes=20)
    assert NOW + timedelta(hours=12) <= at < NOW + timedelta(hours=12, minutes=20)


def test_a_session_that_was_ended_is_over_at_once(session: Session, account: Account):
    one, token = logins.open_login(session, account, LoginWay.PASSWORD, now=NOW)
    _, other = logins.open_login(session, account, LoginWay.PASSWORD, now=NOW)

    logins.end_login(session, one.id, now=NOW)

    assert logins.find_entered(session, token, now=NOW) is None
    assert logins.find_entered(session, other, now=NOW) is not None
    assert logins.find_entered(session, "x" * 43, now=NOW) is None


def test_a_new_password_ends_the_other_sessions(session: Session, account: Account):
    mine, token = logins.open_login(session, account, LoginWay.PASSWORD, now=NOW)
    _, other = logins.open_login(session, account, LoginWay.PASSWORD, now=NOW)

    logins.change_password(session, account, "another long one", keep=mine.id, now=NOW)

    assert logins.find_entered(session, token, now=NOW) is not None
    assert logins.find_entered(session, other, now=NOW) is None
    assert logins.find_by_password(session, "admin", PASSWORD) is None
    assert not account.must_change


def test_a_member_enters_as_a_rep_who_sees_his_own(session: Session):
    member = staff(session)

    account = logins.account_of_staff(session, member, now=NOW)

    assert (account.role, account.reach, account.name) == (Role.SALES, Reach.OWN, "王敏")
    assert logins.account_of_staff(session, member, now=NOW) is account


def test_a_member_who_left_is_out_at_once(session: Session):
    member = staff(session)
    account = logins.account_of_staff(session, member, now=NOW)
    _, token = logins.open_login(session, account, LoginWay.CLIENT, now=NOW)
    member.status = StaffStatus.LEFT
    session.flush()

    assert logins.find_entered(session, token, now=NOW) is None
    with pytest.raises(NotFound):
        logins.account_of_staff(session, member, now=NOW)
