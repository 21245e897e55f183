"""Leads and changes by people."""

from __future__ import annotations

import pytest

from scrm.access.scope import Actor, limit_to
from scrm.accounts.roles import Role
from scrm.contacts.models import Contact, ContactIdentity
from scrm.contacts.queries import phone_digits
from scrm.contacts.service import set_phone
from scrm.errors import Conflict, Invalid
from scrm.leads.service import ContactChange, change_contact, create_lead
from scrm.timeline.models import TimelineEntry


def lead(session, now, **changes):
    given = {
        "name": "李雷",
        "phone": None,
        "corp_name": None,
        "channel": None,
        "actor": "token:CI",
        "now": now,
    }
    return create_lead(session, **{**given, **changes})


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("13800000000", "13800000000"),
        ("+86 138-0000-0000", "13800000000"),
        ("（021）6234 5678", "02162345678"),
        ("+1 212 555 0100", "12125550100"),
        ("123", None),
        ("1" * 16, None),
        ("1380000000a", None),
        ("１３８００００００００", None),
        ("", None),
    ],
)
def test_phone_numbers_have_one_form(text, digits):
    assert phone_digits(text) == digits


def test_the_same_number_in_another_form_is_the_same(session, now):
    lead(session, now, phone="13800000000")
    with pytest.raises(Conflict):
        lead(session, now, name="韩梅梅", phone="+86 138 0000 0000")


def test_the_number_of_a_customer_out_of_reach_is_taken_too(session, now):
    hidden = Contact(name="别人的", created_at=now)
    set_phone(hidden, "13800000000")  # as kept before numbers had identities
    session.add(hidden)
    session.flush()
    limit_to(session, Actor("a", "李四", Role.SALES, None, frozenset()))

    with pytest.raises(Conflict) as refused:
        lead(session, now, phone="13800000000")
    assert "别人的" not in refused.value.message


def test_a_number_that_was_given_up_is_free_again(session, now):
    first = lead(session, now, phone="13800000000")
    change_contact(session, first.id, ContactChange(phone=None), actor="token:CI", now=now)
    assert lead(session, now, phone="13800000000").phone == "13800000000"
    assert session.query(ContactIdentity).count() == 1


def test_the_same_number_again_changes_nothing(session, now):
    made = lead(session, now, phone="13800000000")
    session.query(TimelineEntry).delete()
    change_contact(session, made.id, ContactChange(phone="138 0000 0000"), actor="token:CI", now=now)
    assert session.query(TimelineEntry).count() == 0


def test_no_number_at_all_is_refused(session, now):
    made = lead(session, now)
    with pytest.raises(Invalid):
        change_contact(session, made.id, ContactChange(phone="abc"), actor="token:CI", now=now)
    assert session.get_one(Contact, made.id).phone is None
