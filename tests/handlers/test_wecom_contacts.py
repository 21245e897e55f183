"""Contacts come, change and go: a payload in, rows and owed calls out."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from scrm.channels import service as channels
from scrm.contacts import service as contacts
from scrm.contacts.models import ContactIdentity, IdentityKind, RelationState
from scrm.outbox.models import OutboxCall
from scrm.tags.models import ContactTag
from scrm.timeline.models import TimelineEntry
from tests.envelopes import NOW
from tests.handlers.corporation import (
    ADD,
    EDIT,
    FAILED,
    HALF,
    LOST,
    REMOVED,
    WHOM,
    Corporation,
    second,
)
from tests.scrm.channels.factory import code_of

# add


def test_a_scan_becomes_a_contact_with_all_that_belongs_to_it(corp: Corporation):
    # when
    row = corp.happen(ADD, at=0, now=2, State=corp.state, WelcomeCode="CODE")

    # then rows
    contact, relation, staff = corp.contact, corp.relation(), corp.staff()
    identities = corp.session.scalars(select(ContactIdentity)).all()
    assert [(one.contact_id, one.kind, one.value) for one in identities] == [
        (contact.id, IdentityKind.WECOM, WHOM)
    ]
    assert (relation.state, relation.event_at, relation.added_at) == (RelationState.ACTIVE, NOW, NOW)
    assert (relation.lost_at, relation.regained, relation.notice_owed) == (None, 0, True)
    assert (relation.channel_id, relation.way_state) == (corp.channel.id, corp.state)
    assert (contact.first_channel_id, contact.first_source_at) == (corp.channel.id, NOW)
    assert (contact.owner_id, contact.lost_at, contact.created_at) == (staff.id, None, NOW)
    assert corp.scans() == [(corp.channel.id, NOW, True)]
    assert corp.assignments() == [("scanned_code", {"staff": "员工zhangsan", "channel": "展会"})]
    tagged = corp.session.scalars(select(ContactTag)).one()
    assert (tagged.contact_id, tagged.staff_id, tagged.source, tagged.source_ref) == (
        contact.id,
        staff.id,
        "channel",
        corp.channel.id,
    )
    assert sorted(corp.timeline()) == ["contact.added", "owner.assigned", "scan.recorded", "tag.added"]

    # and calls
    (welcome,) = corp.calls("SendWelcome")
    assert welcome.expires_at == second(18)  # counted from the event, not from when we got it
    assert (welcome.priority, welcome.available_at, welcome.caused_by) == (0, second(2), row.id)
    assert welcome.command == {
        "unique": "",
        "welcome_code": "CODE",
        "userid": "zhangsan",
        "external_userid": WHOM,
        "text": "{customer}您好，我是{rep}",
        "rep_name": "员工zhangsan",
        "customer_name": None,
        "attachments": [],
    }
    (fetch,) = corp.calls("FetchContact")
    assert fetch.available_at == second(6)  # the welcome reads the profile itself and saves this one
    (mark,) = corp.calls("MarkTags")
    assert (mark.command["userid"], mark.command["external_userid"], mark.command["add"]) == (
        "zhangsan",
        WHOM,
        ["etFAIR"],
    )
    assert {call.contact_id for call in (welcome, fetch, mark)} == {contact.id}
    assert corp.session.query(OutboxCall).filter(OutboxCall.caused_by == row.id).count() == 3


def test_who_adds_a_rep_directly_has_no_channel(corp: Corporation):
    # when
    corp.happen(ADD, WelcomeCode="CODE")

    # then
    assert (corp.contact.first_channel_id, corp.contact.first_source_at) == (None, NOW)
    assert (corp.relation().channel_id, corp.relation().way_state) == (None, None)
    assert corp.scans() == []
    assert corp.assignments() == [("added_directly", {"staff": "员工zhangsan"})]
    assert corp.calls("MarkTags") == []
    (fetch,) = corp.calls("FetchContact")
    assert fetch.available_at == NOW


def test_a_state_nobody_knows_is_no_channel(corp: Corporation):
    corp.happen(ADD, State="ad_google_42")

    assert corp.contact.first_channel_id is None
    assert corp.scans() == []


def test_a_rep_we_never_heard_of_is_known_from_then_on(corp: Corporation):
    corp.happen(ADD, who="new-hire")

    assert corp.staff("new-hire").name == "new-hire"
    read = corp.session.scalars(select(OutboxCall).where(OutboxCall.command_kind == "FetchStaff")).all()
    assert "new-hire" in [call.command["userid"] for call in read]
    assert corp.contact.owner_id == corp.staff("new-hire").id


def test_a_second_scan_keeps_the_first_source_and_the_owner(corp: Corporation):
    # given
    corp.happen(ADD, at=0, State=corp.state)
    owner = corp.contact.owner_id

    # when the contact scans another channel's code, of another rep
    other = code_of(corp.session, corp.other).state
    corp.happen(ADD, at=60, who="lisi", State=other)

    # then
    assert (corp.contact.first_channel_id, corp.contact.first_source_at) == (corp.channel.id, NOW)
    assert (corp.relation().channel_id, corp.relation("lisi").channel_id) == (corp.channel.id, corp.other.id)
    assert corp.scans() == [(corp.channel.id, NOW, True), (corp.other.id, second(60), False)]
    assert corp.contact.owner_id == owner
    assert [reason for reason, _ in corp.assignments()] == ["scanned_code"]


def test_an_owner_who_is_gone_is_followed_by_the_rep_the_contact_adds_with_the_reason(corp: Corporation):
    # given
    corp.happen(ADD, at=0)
    corp.happen(LOST, at=10)

    # when
    corp.happen(ADD, at=20, who="lisi")

    # then
    assert corp.contact.owner_id == corp.staff("lisi").id
    assert corp.assignments()[-1] == ("owner_gone", {"staff": "员工lisi", "previous": "员工zhangsan"})


def test_a_contact_who_returns_to_his_owner_keeps_him_without_a_new_decision(corp: Corporation):
    corp.happen(ADD, at=0)
    corp.happen(LOST, at=10)

    corp.happen(ADD, at=20)

    assert corp.contact.owner_id == corp.staff().id
    assert [reason for reason, _ in corp.assignments()] == ["added_directly"]


def test_a_contact_who_returns_is_regained_not_new(corp: Corporation):
    # given
    corp.happen(ADD, at=0, State=corp.state)
    corp.happen(LOST, at=10)

    # when
    corp.happen(ADD, at=20, State=code_of(corp.session, corp.other).state)

    # then
    relation = corp.relation()
    assert (relation.state, relation.regained, relation.added_at) == (RelationState.ACTIVE, 1, second(20))
    assert (relation.lost_at, corp.contact.lost_at) == (None, None)
    assert corp.contact.first_channel_id == corp.channel.id
    assert [scan[2] for scan in corp.scans()] == [True, False]
    assert "contact.regained" in corp.timeline()
    assert len(corp.calls("FetchContact")) == 2


def test_a_contact_whom_the_rep_had_deleted_is_tagged_again(corp: Corporation):
    # given: with the pair WeCom forgot its tags, of which it tells nothing
    corp.happen(ADD, at=0, State=corp.state)
    corp.happen(REMOVED, at=10)

    # when
    added = corp.happen(ADD, at=20, State=corp.state)
    corp.again(added)

    # then
    first, second_mark = corp.calls("MarkTags")
    assert first.command["add"] == second_mark.command["add"] != []
    assert corp.timeline().count("tag.added") == 1  # as far as people see, it was there all the time


# half-add


def test_a_half_add_greets_and_waits_with_the_rest(corp: Corporation):
    # when
    corp.happen(HALF, State=corp.state, WelcomeCode="CODE")

    # then: marking a contact in this state would be answered 84061
    assert corp.relation().state is RelationState.HALF
    assert (corp.contact.owner_id, corp.relation().notice_owed) == (None, False)
    assert len(corp.calls("SendWelcome")) == 1
    assert corp.calls("MarkTags") == corp.calls("FetchContact") == []
    assert corp.timeline() == ["contact.half_added", "scan.recorded"]
    assert corp.scans() == [(corp.channel.id, NOW, True)]


def test_the_add_after_the_half_add_does_the_rest(corp: Corporation):
    # given
    corp.happen(HALF, at=0, State=corp.state, WelcomeCode="CODE")

    # when the add comes without a code: the half-add's was used
    corp.happen(ADD, at=5, State=corp.state)

    # then one connection: one scan, one greeting, and no complaint about the missing code
    relation = corp.relation()
    assert (relation.state, relation.added_at, relation.regained) == (RelationState.ACTIVE, NOW, 0)
    assert corp.scans() == [(corp.channel.id, NOW, True)]
    assert len(corp.calls("SendWelcome")) == 1
    assert len(corp.calls("MarkTags")) == len(corp.calls("FetchContact")) == 1
    assert corp.contact.owner_id == corp.staff().id
    assert "welcome.not_owed" not in corp.timeline()


def test_a_half_add_that_comes_after_its_add_changes_nothing(corp: Corporation):
    # given
    corp.happen(ADD, at=5, State=corp.state, WelcomeCode="CODE")
    before = [call.effect_key for call in corp.session.scalars(select(OutboxCall))]

    # when
    corp.happen(HALF, at=0, now=6, State=corp.state, WelcomeCode="CODE-2")

    # then
    relation = corp.relation()
    assert (relation.state, relation.event_at) == (RelationState.ACTIVE, second(5))
    assert [call.effect_key for call in corp.session.scalars(select(OutboxCall))] == before
    assert "contact.half_added" not in corp.timeline()
    assert corp.scans() == [(corp.channel.id, second(5), True)]


def test_a_half_add_of_the_same_second_does_not_undo_the_add(corp: Corporation):
    corp.happen(ADD, at=0)

    corp.happen(HALF, at=0)

    assert corp.relation().state is RelationState.ACTIVE


# edit


def test_an_edit_reads_the_contact_again(corp: Corporation):
    # given
    corp.happen(ADD, at=0)

    # when
    corp.happen(EDIT, at=30)

    # then
    assert [call.command["unique"] for call in corp.calls("FetchContact")][-1].startswith("edit:zhangsan:")
    assert corp.timeline()[-1] == "contact.edited"
    assert corp.relation().event_at == NOW


def test_each_edit_is_read_but_none_twice(corp: Corporation):
    corp.happen(ADD, at=0)
    row = corp.happen(EDIT, at=30)
    corp.happen(EDIT, at=31)

    corp.again(row)

    assert len(corp.calls("FetchContact")) == 3


def test_an_edit_of_a_contact_we_missed_reads_him(corp: Corporation):
    corp.happen(EDIT)

    assert len(corp.calls("FetchContact")) == 1
    assert contacts.list_relations(corp.session, corp.contact.id) == []
    assert corp.timeline() == []


# ends


@pytest.mark.parametrize(
    ("change", "source", "state", "entry"),
    [
        (LOST, "", RelationState.LOST, "contact.lost"),
        (REMOVED, "", RelationState.REMOVED, "contact.removed"),
        (REMOVED, "DELETE_BY_TRANSFER", RelationState.TRANSFERRED, "contact.transferred"),
    ],
)
def test_an_end_is_a_state_with_its_kind(
    change: str, source: str, state: RelationState, entry: str, corp: Corporation
):
    # given
    corp.happen(ADD, at=0)
    before = corp.session.query(OutboxCall).count()

    # when
    corp.happen(change, at=100, **({"Source": source} if source else {}))

    # then the row stays, and nothing is sent
    relation = corp.relation()
    assert (relation.state, relation.event_at, relation.lost_at) == (state, second(100), second(100))
    assert (relation.added_at, corp.contact.lost_at) == (NOW, second(100))
    assert corp.timeline()[-1] == entry
    assert corp.session.query(OutboxCall).count() == before


def test_a_contact_with_another_rep_is_not_lost(corp: Corporation):
    corp.happen(ADD, at=0)
    corp.happen(ADD, at=1, who="lisi")

    corp.happen(LOST, at=100)

    assert corp.relation().state is RelationState.LOST
    assert corp.contact.lost_at is None


def test_a_contact_whose_last_rep_ends_it_is_lost_since_then(corp: Corporation):
    corp.happen(ADD, at=0)
    corp.happen(ADD, at=1, who="lisi")
    corp.happen(LOST, at=100)

    corp.happen(REMOVED, at=200, who="lisi")

    assert corp.contact.lost_at == second(200)


def test_a_rep_who_deletes_a_contact_who_left_already_does_not_move_the_loss(corp: Corporation):
    # given the customer deleted the rep: the rep still lists him
    corp.happen(ADD, at=0)
    corp.happen(LOST, at=100)

    # when the rep tidies up
    corp.happen(REMOVED, at=500)

    # then
    relation = corp.relation()
    assert (relation.state, relation.lost_at) == (RelationState.REMOVED, second(100))
    assert corp.contact.lost_at == second(100)


def test_an_end_of_a_pair_we_missed_is_known(corp: Corporation):
    corp.happen(LOST, at=100)

    relation = corp.relation()
    assert (relation.state, relation.added_at, relation.lost_at) == (RelationState.LOST, None, second(100))
    assert corp.contact.lost_at == second(100)


def test_a_transfer_is_no_churn_and_hands_over_the_contact(corp: Corporation):
    # given
    corp.happen(ADD, at=0)

    # when it takes effect: the end at the old rep, the add at the new one
    corp.happen(REMOVED, at=100, Source="DELETE_BY_TRANSFER")
    corp.happen(ADD, at=101, who="lisi")

    # then
    assert corp.relation().state is RelationState.TRANSFERRED
    assert corp.relation("lisi").state is RelationState.ACTIVE
    assert corp.contact.lost_at is None
    assert corp.contact.owner_id == corp.staff("lisi").id
    assert corp.assignments()[-1][0] == "owner_gone"
    assert "contact.lost" not in corp.timeline()


@pytest.mark.parametrize("reason", ["customer_refused", "customer_limit_exceed"])
def test_a_failed_transfer_leaves_the_contact_where_he_is(reason: str, corp: Corporation):
    # given
    corp.happen(ADD, at=0)
    owner, before = corp.contact.owner_id, corp.session.query(OutboxCall).count()

    # when (the userid is who would have taken over)
    corp.happen(FAILED, at=100, who="lisi", FailReason=reason)

    # then
    assert corp.relation().state is RelationState.ACTIVE
    assert contacts.find_relation(corp.session, corp.contact.id, corp.staff("lisi").id) is None
    assert corp.contact.owner_id == owner
    entry = corp.session.scalars(select(TimelineEntry).order_by(TimelineEntry.id.desc())).first()
    assert entry is not None
    assert (entry.kind, entry.detail) == (
        "contact.transfer_failed",
        {"staff": "员工lisi", "userid": "lisi", "reason": reason},
    )
    assert corp.session.query(OutboxCall).count() == before


# archive


@pytest.mark.parametrize("code", ["", "CODE"])
def test_consent_to_the_archive_is_on_the_timeline_and_its_code_may_greet(code: str, corp: Corporation):
    # given a contact of the channel
    corp.happen(ADD, at=0, State=corp.state)

    # when
    corp.happen("msg_audit_approved", at=50, **({"WelcomeCode": code} if code else {}))

    # then
    assert "archive.agreed" in corp.timeline()
    assert [call.command["welcome_code"] for call in corp.calls("SendWelcome")] == ([code] if code else [])
    assert corp.relation().event_at == NOW


def test_consent_of_somebody_without_a_relation_greets_nobody(corp: Corporation):
    corp.happen("msg_audit_approved", WelcomeCode="CODE")

    assert corp.calls("SendWelcome") == []
    assert corp.timeline() == ["archive.agreed"]


# welcomes


def test_without_a_code_the_timeline_says_so(corp: Corporation):
    corp.happen(ADD, State=corp.state)

    assert corp.calls("SendWelcome") == []
    entry = corp.session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "welcome.not_owed")).one()
    assert entry.detail == {"reason": "no_code", "userid": "zhangsan"}


def test_without_a_welcome_the_timeline_says_so(corp: Corporation):
    # given no default and a channel without one
    corp.happen(ADD, State=code_of(corp.session, corp.other).state, WelcomeCode="CODE")

    assert corp.calls("SendWelcome") == []
    entry = corp.session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "welcome.not_owed")).one()
    assert entry.detail == {"reason": "no_welcome_configured", "userid": "zhangsan"}


@pytest.mark.parametrize("channel", [None, "other"])
def test_the_default_welcome_greets_where_the_channel_has_none(channel: str | None, corp: Corporation):
    # given
    channels.set_default_welcome(corp.session, {"text": "欢迎"}, actor="token:test", now=NOW)
    state = {"State": code_of(corp.session, corp.other).state} if channel else {}

    # when
    corp.happen(ADD, WelcomeCode="CODE", **state)

    # then
    assert [call.command["text"] for call in corp.calls("SendWelcome")] == ["欢迎"]


def test_the_welcome_of_the_hour_greets(corp: Corporation):
    # given one for the morning in Shanghai (NOW is 10:00 there), one for the rest
    corp.channel.welcomes = [{"from": "09:00", "to": "10:30", "text": "早"}, {"text": "好"}]
    corp.session.flush()

    corp.happen(ADD, at=0, State=corp.state, WelcomeCode="A")
    corp.happen(ADD, at=3600, whom="wm2", State=corp.state, WelcomeCode="B")

    assert [call.command["text"] for call in corp.calls("SendWelcome")] == ["早", "好"]


@pytest.mark.parametrize(
    ("at", "now", "deadline"),
    [(0, 0, 18), (0, 30, 18), (5, 0, 18)],
    ids=["at once", "late", "their clock ahead"],
)
def test_the_deadline_counts_from_the_earlier_of_event_and_receipt(
    at: float, now: float, deadline: float, corp: Corporation
):
    corp.happen(ADD, at=at, now=now, State=corp.state, WelcomeCode="CODE")

    (welcome,) = corp.calls("SendWelcome")
    assert welcome.expires_at == second(deadline)


# late events


def test_a_late_add_does_not_bring_back_who_left(corp: Corporation):
    # given the end came first
    corp.happen(LOST, at=100)

    # when
    corp.happen(ADD, at=0, now=200, State=corp.state, WelcomeCode="CODE")

    # then we know both, owe nothing, and greet nobody
    relation = corp.relation()
    assert (relation.state, relation.added_at, relation.lost_at) == (RelationState.LOST, NOW, second(100))
    assert corp.contact.lost_at == second(100)
    assert corp.calls("SendWelcome") == corp.calls("MarkTags") == corp.calls("FetchContact") == []
    assert corp.contact.first_channel_id == corp.channel.id
    assert corp.scans() == [(corp.channel.id, NOW, False)]


def test_a_late_loss_does_not_lose_who_came_back(corp: Corporation):
    # given add, (loss delayed), add again
    corp.happen(ADD, at=0)
    corp.happen(ADD, at=100)

    # when
    corp.happen(LOST, at=50, now=101)

    # then
    relation = corp.relation()
    assert (relation.state, relation.event_at, relation.lost_at) == (RelationState.ACTIVE, second(100), None)
    assert corp.contact.lost_at is None


def test_a_late_earlier_add_without_channel_is_the_source(corp: Corporation):
    # given a scan
    corp.happen(ADD, at=100, State=corp.state)

    # when an older event says that the contact had been there before
    corp.happen(ADD, at=0, now=101, who="lisi")

    # then
    assert (corp.contact.first_channel_id, corp.contact.first_source_at) == (None, NOW)


def test_an_end_that_overtook_its_add_is_not_before_it(corp: Corporation):
    # given lost@1, then removed@300, while the add@200 between them is delayed
    corp.happen(ADD, at=0)
    corp.happen(LOST, at=100)
    corp.happen(REMOVED, at=300)

    corp.happen(ADD, at=200, now=301)

    relation = corp.relation()
    assert (relation.state, relation.added_at, relation.lost_at) == (
        RelationState.REMOVED,
        second(200),
        second(300),
    )
    assert corp.contact.lost_at == second(300)
