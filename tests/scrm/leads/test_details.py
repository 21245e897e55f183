"""A rep corrects what is noted of a customer: WeCom is owed what it keeps, and nothing else."""

from __future__ import annotations

import pytest

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.contacts.service import set_phone
from scrm.errors import Invalid
from scrm.leads.details import Details, change_details
from scrm.outbox.commands import SetRemark
from scrm.outbox.models import OutboxCall


@pytest.fixture
def pair(session, now):
    rep = Staff(userid="wangmin", name="王敏", updated_at=now)
    contact = Contact(name="李雷", created_at=now, corp_name="远航")
    session.add_all([rep, contact])
    session.flush()
    set_phone(contact, "13812345678")
    session.add(ContactIdentity(contact_id=contact.id, kind=IdentityKind.WECOM, value="wm1", created_at=now))
    relation = Relation(contact_id=contact.id, staff_id=rep.id, event_at=now, added_at=now, remark="李总")
    session.add(relation)
    session.flush()
    return contact, rep, relation


@pytest.fixture
def change(session, pair, now):
    contact, rep, _ = pair

    def run(**said):
        return change_details(
            session, contact.id, Details(**said), staff=rep, unique="1", actor="staff:wangmin", now=now
        )

    return run


def owed(session):
    return [call.command for call in session.query(OutboxCall)]


def test_the_company_of_a_wecom_user_is_kept_here_and_not_sent(session, pair, change):
    pair[0].wechat_type = 2
    assert change(company="新公司") == ["company"]
    assert pair[0].corp_name == "新公司"
    assert owed(session) == []


def test_the_same_number_in_another_notation_is_no_change(session, change):
    assert change(phone="+86 138-1234-5678", company="远航", remark="李总") == []
    assert owed(session) == []


def test_a_field_is_cleared_by_saying_nothing_in_it(session, pair, change):
    assert change(remark="", phone="") == ["remark", "phone"]
    assert (pair[2].remark, pair[0].phone) == (None, None)
    assert SetRemark(**owed(session)[0]).request() == {
        "userid": "wangmin",
        "external_userid": "wm1",
        "remark": "",
        "remark_mobiles": [""],
    }


def test_who_is_not_connected_any_more_notes_no_remark(session, pair, change):
    pair[2].state = RelationState.LOST
    with pytest.raises(Invalid) as caught:
        change(remark="新备注")
    assert list(caught.value.fields) == ["remark"]
    assert pair[2].remark == "李总"
