"""Contacts come, change and go: a payload in, rows and owed calls out.

What may differ when the platform delivers out of order (distinct seconds), decided here:

- promised equal: each relation's state and last event, whether and since which loss the contact is lost, the first
  channel; a live relation has no end, an ended one an end not before its add;
- may differ: ``added_at`` of a live relation (half-add or add, and adds whose loss in between came late), ``lost_at``
  among the ends of one loss, ``regained``, how many scans one connection counts, the owner (late adds own nobody),
  and HALF becomes ACTIVE when a half-add overtakes the loss before it (the nightly sweep reads what is so).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.context import Context, Corp
from handlers.dispatch import dispatch, dispatch_urgent
from handlers.events import envelope
from handlers.xml import parse
from scrm.accounts.models import Staff
from scrm.channels import service as channels
from scrm.channels.models import Channel, Scan
from scrm.contacts import service as contacts
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.contacts.service import LIVE
from scrm.inbox import service as inbox
from scrm.inbox.models import InboxEvent
from scrm.inbox.service import Arrival
from scrm.models import Base
from scrm.outbox.models import OutboxCall
from scrm.routing.models import Assignment
from scrm.tags.models import ContactTag
from scrm.timeline.models import TimelineEntry
from tests.envelopes import NOW, event_xml
from tests.scrm.channels.factory import code_of, make_channel, make_tag

NIGHTLY = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 0
CORP = Corp(ZoneInfo("Asia/Shanghai"), 1000002, "https://crm.example")
WHOM = "wm1"
HALF, ADD, EDIT = "add_half_external_contact", "add_external_contact", "edit_external_contact"
REMOVED, LOST, FAILED = "del_external_contact", "del_follow_user", "transfer_fail"


def second(number: float) -> datetime:
    return NOW + timedelta(seconds=number)


@dataclass
class Corporation:
    """A database, a channel, and ``happen`` to tell it what the platform says."""

    session: Session
    channel: Channel
    other: Channel
    rows: list[InboxEvent] = field(default_factory=list)

    def happen(
        self,
        change: str,
        at: float = 0,
        *,
        now: float | None = None,
        who: str = "zhangsan",
        whom: str = WHOM,
        **more: str,
    ) -> InboxEvent:
        """One event of second ``at``, received and handled at ``now`` (at once unless said)."""
        text = event_xml(
            change, UserID=who, ExternalUserID=whom, CreateTime=int(second(at).timestamp()), **more
        )
        about = envelope(parse(text))
        received_at = second(at if now is None else now)
        arrival = Arrival("wecom", about.kind, text, received_at, about.lane, about.priority, about.at)
        assert inbox.record(self.session, [arrival]) == 1, "the same event twice: use again()"
        row = self.session.scalars(select(InboxEvent).order_by(InboxEvent.id.desc()).limit(1)).one()
        self.rows.append(row)
        self.again(row)
        return row

    def again(self, row: InboxEvent, *, now: datetime | None = None) -> None:
        """Handle an event (again), as a replay does."""
        context = Context(now or row.received_at, row.received_at, row.id, CORP)
        assert dispatch(self.session, row, context) is True
        self.session.flush()
        self.session.expire_all()

    @property
    def state(self) -> str:
        return code_of(self.session, self.channel).state

    @property
    def contact(self) -> Contact:
        found = contacts.find_by_external_userid(self.session, WHOM)
        assert found is not None
        return found

    def staff(self, who: str = "zhangsan") -> Staff:
        return self.session.scalars(select(Staff).where(Staff.userid == who)).one()

    def relation(self, who: str = "zhangsan") -> Relation:
        found = contacts.find_relation(self.session, self.contact.id, self.staff(who).id)
        assert found is not None
        return found

    def calls(self, kind: str) -> list[OutboxCall]:
        query = select(OutboxCall).where(OutboxCall.command_kind == kind, OutboxCall.caused_by.is_not(None))
        return list(self.session.scalars(query.order_by(OutboxCall.id)))

    def timeline(self) -> list[str]:
        return list(self.session.scalars(select(TimelineEntry.kind).order_by(TimelineEntry.id)))

    def assignments(self) -> list[tuple[str, dict[str, Any]]]:
        found = self.session.scalars(select(Assignment).order_by(Assignment.id))
        return [(one.reason, one.detail) for one in found]

    def scans(self) -> list[tuple[str, datetime, bool]]:
        found = self.session.scalars(select(Scan).order_by(Scan.at))
        return [(scan.channel_id, scan.at, scan.is_new) for scan in found]


@pytest.fixture
def corp(session: Session) -> Corporation:
    return make_corporation(session)


def make_corporation(session: Session) -> Corporation:
    """Two reps, a channel that tags and greets, another that does neither; no default welcome."""
    past = second(-86_400)
    make_tag(session, "展会", wecom_id="etFAIR")
    channel = make_channel(
        session,
        now=past,
        tags=["展会"],
        welcomes=[{"text": "{customer}您好，我是{rep}"}],
    )
    other = make_channel(session, now=past, name="官网", welcomes=[])
    session.flush()
    return Corporation(session, channel, other)


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


# twice

TABLES = [table for table in Base.metadata.sorted_tables if table.name != "inbox"]


def snapshot(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    session.flush()
    return {
        table.name: sorted((tuple(map(repr, row)) for row in session.execute(select(table))), key=repr)
        for table in TABLES
    }


def changes(session: Session, before: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows that are new, gone or different, by table."""
    after = snapshot(session)
    found = {name: sorted(set(rows) ^ set(after[name]), key=repr) for name, rows in before.items()}
    return {name: rows for name, rows in found.items() if rows}


def everything(corp: Corporation) -> None:
    corp.happen(HALF, at=0, State=corp.state, WelcomeCode="A")
    corp.happen(ADD, at=5, State=corp.state)
    corp.happen(EDIT, at=10)
    corp.happen(ADD, at=20, who="lisi", State=code_of(corp.session, corp.other).state, WelcomeCode="B")
    corp.happen(LOST, at=30)
    corp.happen(REMOVED, at=40)
    corp.happen(REMOVED, at=45, who="lisi", Source="DELETE_BY_TRANSFER")
    corp.happen(FAILED, at=50, who="wangwu", FailReason="customer_refused")
    corp.happen(ADD, at=60, State=corp.state, WelcomeCode="C")
    corp.happen("msg_audit_approved", at=70, WelcomeCode="D")


def test_every_event_handled_twice_in_a_row_changes_nothing(corp: Corporation):
    # given
    handled: list[tuple[InboxEvent, dict[str, Any]]] = []
    original = corp.again

    def twice(row: InboxEvent, **more: Any) -> None:
        original(row, **more)
        handled.append((row, snapshot(corp.session)))
        original(row, **more)
        assert changes(corp.session, handled[-1][1]) == {}, row.kind

    corp.again = twice  # type: ignore[method-assign]

    # when / then
    everything(corp)
    assert len(handled) == 10


def test_the_whole_history_replayed_changes_nothing(corp: Corporation):
    # given, a day later, all events again in their order and in the reverse
    everything(corp)
    before = snapshot(corp.session)

    # when
    for row in [*corp.rows, *reversed(corp.rows)]:
        corp.again(row, now=second(86_400))

    # then
    assert changes(corp.session, before) == {}


def test_an_add_replayed_after_the_rep_was_told_owes_no_second_notice(corp: Corporation):
    # given a rep who was told: the profile was read
    row = corp.happen(ADD, at=0)
    relation = corp.relation()
    relation.notice_owed = False
    corp.session.flush()
    before = snapshot(corp.session)

    # when
    corp.again(row, now=second(3600))

    # then
    assert changes(corp.session, before) == {}


def outline(corp: Corporation) -> dict[str, Any]:
    """What came of events, without our ids."""
    return {
        "calls": sorted(
            (call.command_kind, call.available_at, call.expires_at, call.state)
            for call in corp.session.scalars(select(OutboxCall))
        ),
        "timeline": sorted(corp.timeline()),
        "assignments": corp.assignments(),
        "scans": [(at, is_new) for _, at, is_new in corp.scans()],
        "relations": [
            (relation.state, relation.added_at, relation.lost_at, relation.regained, relation.notice_owed)
            for relation in contacts.list_relations(corp.session, corp.contact.id)
        ],
    }


def test_greeting_first_and_the_rest_later_comes_to_the_same(session: Session):
    # given what comes of a history, and the same corporation before it
    corp = make_corporation(session)
    savepoint = session.begin_nested()
    everything(corp)
    at_once = outline(corp)
    savepoint.rollback()
    session.expire_all()

    # when a crowd makes the worker greet first
    corp.rows.clear()
    original = corp.again

    def in_two_steps(row: InboxEvent, **more: Any) -> None:
        its = Context(row.received_at, row.received_at, row.id, CORP)
        dispatch_urgent(session, [row], lambda _row: nullcontext(its))
        session.expire_all()
        original(row, **more)

    corp.again = in_two_steps  # type: ignore[method-assign]
    everything(corp)

    # then
    assert outline(corp) == at_once


# any order


@dataclass(frozen=True)
class Happening:
    at: int
    change: str
    who: str
    source: str = ""
    channel: str = ""


ENDS = [(LOST, ""), (REMOVED, ""), (REMOVED, "DELETE_BY_TRANSFER")]


@st.composite
def histories(draw: st.DrawFn) -> list[Happening]:
    """What may happen between one contact and two reps, as the platform tells it: connections and ends alternate."""
    clock = iter(range(0, 1000, 10))
    connected = {"zhangsan": False, "lisi": False}
    found: list[Happening] = []
    while len(found) < draw(st.integers(2, 8)):
        who = draw(st.sampled_from(sorted(connected)))
        if connected[who]:
            change, source = draw(st.sampled_from([*ENDS, (EDIT, "")]))
            found.append(Happening(next(clock), change, who, source))
            connected[who] = change == EDIT
            if change == LOST and draw(st.booleans()):
                found.append(Happening(next(clock), REMOVED, who))
            continue
        channel = draw(st.sampled_from(["", "展会", "官网"]))
        if draw(st.booleans()):
            found.append(Happening(next(clock), HALF, who, channel=channel))
        if not found or found[-1].change != HALF or draw(st.booleans()):
            found.append(Happening(next(clock), ADD, who, channel=channel))
        connected[who] = True
    return found[:8]


def run(corp: Corporation, happenings: Sequence[Happening]) -> None:
    states = {"展会": corp.state, "官网": code_of(corp.session, corp.other).state}
    for one in happenings:
        more = {"Source": one.source} if one.source else {}
        more |= {"State": states[one.channel]} if one.channel else {}
        corp.happen(one.change, at=one.at, now=2000, who=one.who, **more)


def promised(corp: Corporation) -> dict[str, Any]:
    contact = corp.contact
    relations = {
        who: (relation.state, relation.event_at)
        for who in ("zhangsan", "lisi")
        for relation in corp.session.scalars(
            select(Relation).join(Staff, Staff.id == Relation.staff_id).where(Staff.userid == who)
        )
    }
    names = {corp.channel.id: "展会", corp.other.id: "官网", None: None}
    return {
        "relations": relations,
        "lost": contact.lost_at is not None,
        "first": (names[contact.first_channel_id], contact.first_source_at),
    }


def check_consistent(corp: Corporation, history: Sequence[Happening]) -> None:
    """What holds whatever the order was."""
    relations = contacts.list_relations(corp.session, corp.contact.id)
    for relation in relations:
        staff = corp.session.get_one(Staff, relation.staff_id)
        ends = {
            second(one.at) for one in history if one.who == staff.userid and one.change in (LOST, REMOVED)
        }
        if relation.state in LIVE:
            assert relation.lost_at is None
            assert relation.added_at is not None
        else:
            assert relation.lost_at in ends
            assert relation.added_at is None or relation.added_at <= relation.lost_at
    live = [relation for relation in relations if relation.state in LIVE]
    if relations and not live:
        assert corp.contact.lost_at == max(relation.lost_at for relation in relations if relation.lost_at)
    else:
        assert corp.contact.lost_at is None


def alike(permuted: dict[str, Any], ordered: dict[str, Any]) -> bool:
    """Equal, but for a half-add that overtook the loss before it (see the top)."""
    relaxed = dict(permuted["relations"])
    for who, (state, at) in ordered["relations"].items():
        if state is RelationState.HALF and relaxed.get(who) == (RelationState.ACTIVE, at):
            relaxed[who] = (state, at)
    return {**permuted, "relations": relaxed} == ordered


@pytest.fixture
def afresh(session: Session) -> Callable[[Sequence[Happening]], Corporation]:
    """Run a history in a corporation of its own, on the state the test began with."""
    corp = make_corporation(session)
    session.flush()

    def start(happenings: Sequence[Happening]) -> Corporation:
        session.expunge_all()
        session.connection().exec_driver_sql("ROLLBACK TO start")
        corp.channel = session.get_one(Channel, channel_id)
        corp.other = session.get_one(Channel, other_id)
        run(corp, happenings)
        return corp

    channel_id, other_id = corp.channel.id, corp.other.id
    session.connection().exec_driver_sql("SAVEPOINT start")
    return start


@settings(
    max_examples=NIGHTLY or 60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=histories(), data=st.data())
def test_any_order_of_events_ends_in_the_same_state(
    history: list[Happening], data: st.DataObject, afresh: Callable[[Sequence[Happening]], Corporation]
):
    # given the history as it happened
    corp = afresh(history)
    ordered = promised(corp)
    check_consistent(corp, history)

    # when it arrives in another order
    shuffled = data.draw(st.permutations(history))
    corp = afresh(shuffled)

    # then
    check_consistent(corp, history)
    assert alike(promised(corp), ordered)


@settings(
    max_examples=NIGHTLY or 30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=histories(), data=st.data())
def test_any_history_replayed_in_any_order_changes_nothing(
    history: list[Happening], data: st.DataObject, afresh: Callable[[Sequence[Happening]], Corporation]
):
    corp = afresh(history)
    rows = corp.rows[-len(history) :]
    before = snapshot(corp.session)

    for number in data.draw(st.permutations(range(len(rows)))):
        corp.again(rows[number], now=second(5000))

    assert changes(corp.session, before) == {}
