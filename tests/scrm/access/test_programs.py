"""A REST token that acts for a person: never more than they, and over when they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from scrm.access.programs import Program, find_program
from scrm.accounts import logins, tokens
from scrm.accounts.models import Account, Staff, StaffStatus
from scrm.accounts.roles import Reach, Role
from scrm.contacts.models import Contact
from scrm.errors import Invalid

DAY = timedelta(days=1)


@pytest.fixture
def staff(session, now) -> Staff:
    made = Staff(userid="wangmin", name="王敏", updated_at=now)
    session.add(made)
    session.flush()
    return made


@pytest.fixture
def account(session, staff, now) -> Account:
    return logins.account_of_staff(session, staff, now=now)


def program(session, now, **changes: Any) -> Program | None:
    made = {"name": "CI", "role": "admin", "ttl": DAY, "now": now, "person": "wangmin", **changes}
    return find_program(session, tokens.create_token(session, **made)[1], now=now)


def test_it_may_what_both_may(session, account, now):
    logins.set_role(session, account, Role.MANAGER, Reach.ALL)

    whole, reading = program(session, now), program(session, now, role="readonly")

    may = {scope for scope in tokens.ALL_SCOPES if whole.may(scope)}
    assert {"contacts.write", "jobs.write", "jobs.read"} <= may
    assert not {"pii.read", "channels.write", "settings.write", "events.read"} & may
    assert [reading.may(scope) for scope in ("contacts.read", "contacts.write")] == [True, False]


def test_for_who_sees_only_some_it_does_nothing_that_concerns_all(session, account, now):
    logins.set_role(session, account, Role.ADMIN, Reach.OWN)

    made = program(session, now)

    assert made.may("contacts.write")
    for scope in (
        "events.read",
        "calls.retry",
        "jobs.read",
        "jobs.write",
        "channels.write",
        "settings.write",
    ):
        assert not made.may(scope), scope


def test_it_sees_whom_the_person_sees_and_a_new_reach_holds_at_once(session, staff, account, now):
    session.add_all(
        [Contact(name="我的", owner_id=staff.id, created_at=now), Contact(name="别人的", created_at=now)]
    )
    _, plaintext = tokens.create_token(session, name="x", role="admin", ttl=DAY, now=now, person="wangmin")

    logins.set_role(session, account, Role.ADMIN, Reach.ALL)
    find_program(session, plaintext, now=now).limit(session)
    assert set(session.scalars(select(Contact.name))) == {"我的", "别人的"}
    logins.set_role(session, account, Role.ADMIN, Reach.OWN)
    find_program(session, plaintext, now=now).limit(session)
    assert set(session.scalars(select(Contact.name))) == {"我的"}


def test_without_a_person_it_sees_all_its_scopes_name(session, now):
    made = program(session, now, person="")

    assert made.person is None
    assert all(made.may(scope) for scope in tokens.ALL_SCOPES)


def test_it_is_over_when_the_person_may_not_enter(session, staff, account, now):
    _, plaintext = tokens.create_token(session, name="x", role="admin", ttl=DAY, now=now, person="wangmin")
    assert find_program(session, plaintext, now=now) is not None

    staff.status = StaffStatus.LEFT
    assert find_program(session, plaintext, now=now) is None
    staff.status = StaffStatus.ACTIVE
    logins.disable(session, account, now=now)
    assert find_program(session, plaintext, now=now) is None


@pytest.mark.parametrize("person", ["nobody", "%", "x" * 200])
def test_nobody_is_no_person(session, account, now, person):
    with pytest.raises(Invalid) as refused:
        program(session, now, person=person)
    assert list(refused.value.fields) == ["person"]
