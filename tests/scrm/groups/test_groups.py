"""Groups as read and as told: members come and go once, whatever comes twice, late or in another order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.errors import NotFound
from scrm.groups import queries, rules
from scrm.groups import service as groups
from scrm.groups.models import GroupChat, GroupMember, MemberKind
from scrm.groups.queries import GroupFilter, Moves
from scrm.timeline.models import TimelineEntry
from tests.conftest import NOW
from tests.plans import Recorder, whole_reads

OPENED = NOW - timedelta(days=10)
HOUR = timedelta(hours=1)


def member(userid: str, at: datetime = OPENED, **more: Any) -> dict[str, Any]:
    kind = 2 if userid.startswith("wm") else 1
    return {
        "userid": userid,
        "type": kind,
        "join_time": int(at.timestamp()),
        "join_scene": 1,
        "name": userid,
        **more,
    }


def answer(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    group = {
        "chat_id": "wr1", "name": "老客户", "owner": "wangmin", "create_time": int(OPENED.timestamp()), "notice": "",
        "member_list": [member("wangmin"), *members], "member_version": "v1", **more,
    }  # fmt: skip
    return {"group_chat": group}


def read(session: Session, *members: dict[str, Any], at: datetime = NOW, complete: bool = True, **more: Any):
    seen = rules.parse_group(answer(*members, **more))
    assert seen is not None
    changes = groups.apply_group(session, seen, at=at, is_complete=complete)
    session.flush()
    return changes


def leave(session: Session, *userids: str, at: datetime, scene: int | None = 0) -> None:
    groups.record_left(session, "wr1", userids, at=at, scene=scene)
    session.flush()


def present(session: Session) -> set[str]:
    return set(session.scalars(select(GroupMember.userid).where(GroupMember.left_at.is_(None))))


def rows(session: Session) -> list[tuple[Any, ...]]:
    columns = (
        *(GroupMember.userid, GroupMember.joined_at, GroupMember.join_scene),
        *(GroupMember.left_at, GroupMember.quit_scene),
    )
    return [tuple(row) for row in session.execute(select(*columns).order_by(GroupMember.userid))]


def told(session: Session, contact: Contact) -> list[tuple[str, datetime]]:
    query = select(TimelineEntry.kind, TimelineEntry.at).where(TimelineEntry.contact_id == contact.id)
    return [(kind, at) for kind, at in session.execute(query.order_by(TimelineEntry.at, TimelineEntry.id))]


@pytest.fixture
def lilei(session: Session, now: datetime) -> Contact:
    """A customer known to WeCom as wm1."""
    contact = Contact(name="李雷", created_at=now)
    session.add(contact)
    session.flush()
    session.add(ContactIdentity(contact_id=contact.id, kind=IdentityKind.WECOM, value="wm1", created_at=now))
    session.flush()
    return contact


def test_a_first_reading_takes_the_group_over(session: Session, lilei: Contact) -> None:
    by_code = member("wm1", OPENED + HOUR, join_scene=3, state="grp_7", invitor={"userid": "wangmin"})

    changes = read(session, by_code, member("wm2"), notice="周五见")

    group = session.scalars(select(GroupChat)).one()
    row = session.scalars(select(GroupMember).where(GroupMember.userid == "wm1")).one()
    assert changes == groups.Changes(is_new=True, joined=3)
    assert (group.name, group.notice, group.opened_at, group.read_at) == ("老客户", "周五见", OPENED, NOW)
    assert (group.customers, group.colleagues) == (2, 1)
    assert session.get_one(Staff, group.owner_id).userid == "wangmin"
    assert (row.contact_id, row.join_scene, row.state, row.invitor) == (lilei.id, 3, "grp_7", "wangmin")
    assert told(session, lilei) == [("group.joined", OPENED + HOUR)]


def test_a_reading_tells_who_joined_and_who_is_gone(session: Session, lilei: Contact) -> None:
    read(session, member("wm1"), member("wm2"))

    changes = read(session, member("wm3", NOW), at=NOW + HOUR)

    assert changes == groups.Changes(joined=1, left=2)
    assert present(session) == {"wangmin", "wm3"}
    assert told(session, lilei) == [("group.joined", OPENED), ("group.left", NOW + HOUR)]
    assert session.scalars(select(GroupChat.customers)).one() == 1


def test_an_older_reading_changes_nothing(session: Session) -> None:
    read(session, member("wm1"), at=NOW + HOUR)

    assert read(session, member("wm9"), at=NOW, name="旧名") == groups.Changes()
    assert present(session) == {"wangmin", "wm1"}
    assert session.scalars(select(GroupChat.name)).one() == "老客户"


def test_the_same_reading_twice_changes_nothing(session: Session, lilei: Contact) -> None:
    for _ in range(2):
        changes = read(session, member("wm1"))

    assert changes == groups.Changes()
    assert told(session, lilei) == [("group.joined", OPENED)]


def test_an_incomplete_reading_lets_people_in_and_nobody_out(session: Session) -> None:
    read(session, member("wm1"))

    read(session, member("wm2"), at=NOW + HOUR, complete=False)

    assert present(session) == {"wangmin", "wm1", "wm2"}


def test_an_event_says_how_somebody_left(session: Session, lilei: Contact) -> None:
    read(session, member("wm1"))

    leave(session, "wm1", at=NOW + HOUR, scene=1)
    read(session, at=NOW + HOUR + timedelta(seconds=1))

    (entry,) = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "group.left"))
    row = session.scalars(select(GroupMember).where(GroupMember.userid == "wm1")).one()
    assert (row.left_at, row.quit_scene) == (NOW + HOUR, 1)
    assert (entry.at, entry.detail["group"], entry.detail["how"]) == (NOW + HOUR, "老客户", "quit.1")


def test_somebody_who_left_and_came_back_is_in_once(session: Session, lilei: Contact) -> None:
    read(session, member("wm1"))
    leave(session, "wm1", at=NOW + HOUR)
    back = member("wm1", NOW + 2 * HOUR, join_scene=3)

    assert read(session, back, at=NOW + 3 * HOUR).joined == 1
    leave(session, "wm1", at=NOW + HOUR)  # the old event once more

    assert present(session) == {"wangmin", "wm1"}
    assert [kind for kind, _ in told(session, lilei)] == ["group.joined", "group.left", "group.joined"]


def test_a_list_that_lags_does_not_bring_back_who_left(session: Session) -> None:
    read(session, member("wm1"))
    leave(session, "wm1", at=NOW + HOUR)

    read(session, member("wm1"), at=NOW + HOUR + timedelta(seconds=1), complete=False)

    assert present(session) == {"wangmin"}


def test_who_was_only_thought_gone_is_back_when_listed(session: Session) -> None:
    read(session, member("wm1"))
    read(session, at=NOW + HOUR)

    read(session, member("wm1"), at=NOW + 2 * HOUR)

    assert present(session) == {"wangmin", "wm1"}


STEPS: dict[str, Callable[[Session], object]] = {
    "left": lambda session: leave(session, "wm1", at=NOW + HOUR, scene=1),
    "read later": lambda session: read(session, member("wm2", NOW), at=NOW + HOUR + timedelta(minutes=1)),
    "read before": lambda session: read(session, member("wm1"), at=NOW + timedelta(minutes=1)),
}


@pytest.mark.parametrize("order", list(permutations(STEPS)), ids=" then ".join)
def test_whatever_the_order_and_however_often_the_rows_are_the_same(
    session: Session, order: tuple[str, ...]
) -> None:
    read(session, member("wm1"))

    for name in (*order, *order):
        STEPS[name](session)

    assert rows(session) == [
        ("wangmin", OPENED, 1, None, None),
        ("wm1", OPENED, 1, NOW + HOUR, 1),
        ("wm2", NOW, 1, None, None),
    ]


def test_a_dismissed_group_keeps_its_history(session: Session, lilei: Contact) -> None:
    read(session, member("wm1"))

    assert groups.record_dismissed(session, "wr1", at=NOW + HOUR) is True
    assert groups.record_dismissed(session, "wr1", at=NOW + 2 * HOUR) is False
    read(session, at=NOW + HOUR + timedelta(seconds=1))  # asked a moment before, by another clock

    group = session.scalars(select(GroupChat)).one()
    assert (group.dismissed_at, group.customers) == (NOW + HOUR, 1)
    assert present(session) == {"wangmin", "wm1"}
    assert groups.record_dismissed(session, "wrNobody", at=NOW) is False


def test_a_group_that_was_only_hidden_from_us_comes_back(session: Session) -> None:
    read(session)
    groups.record_dismissed(session, "wr1", at=NOW)

    read(session, at=NOW + HOUR)

    assert session.scalars(select(GroupChat.dismissed_at)).one() is None


def test_a_stranger_who_becomes_a_customer_is_known_in_their_groups(session: Session, now: datetime) -> None:
    read(session, member("wm7"))
    contact = Contact(name="韩梅梅", created_at=now)
    session.add(contact)
    session.flush()

    for _ in range(2):
        groups.link_contact(session, "wm7", contact.id)

    assert [group.name for _, group in queries.groups_of_contact(session, contact.id)] == ["老客户"]
    assert told(session, contact) == [("group.joined", OPENED)]


def test_a_member_whose_userid_changed_keeps_their_row(session: Session) -> None:
    read(session, member("lina"))
    staff = session.scalars(select(Staff).where(Staff.userid == "lina")).one()
    staff.userid = "lina2"
    session.flush()

    changes = read(session, member("lina2"), at=NOW + HOUR)

    assert changes == groups.Changes()
    assert present(session) == {"wangmin", "lina2"}


@pytest.mark.parametrize(
    "odd", [None, {}, {"group_chat": {}}, {"group_chat": {"chat_id": "wr1"}}, {"group_chat": None}]
)
def test_an_answer_without_a_group_is_none(odd: Any) -> None:
    assert rules.parse_group(odd) is None


def test_members_without_id_or_time_are_passed_over() -> None:
    seen = rules.parse_group(answer({"type": 2}, {"userid": "wm1", "type": 2}))

    assert seen is not None
    assert [one.userid for one in seen.members] == ["wangmin"]


# --- reading


def test_lists_are_filtered_and_paged(session: Session, now: datetime) -> None:
    owner = Staff(userid="lina", name="李娜", updated_at=now)
    session.add(owner)
    session.flush()
    for n, (name, owner_id, over) in enumerate(
        [("续租", None, None), ("物流展 100%", owner.id, None), ("旧群", owner.id, now)]
    ):
        row = {"chat_id": f"wr{n}", "name": name, "owner_id": owner_id, "dismissed_at": over}
        session.add(GroupChat(opened_at=now + n * HOUR, **row))
    session.flush()

    def names(which: GroupFilter, **more: Any) -> list[str]:
        return [group.name for group in queries.list_groups(session, which, **more)]

    first = queries.list_groups(session, GroupFilter(), limit=1)[0]
    assert first.name == "旧群"
    assert names(GroupFilter(), before=(first.opened_at, first.id)) == ["物流展 100%", "续租"]
    assert names(GroupFilter(owner_id=owner.id, active=True)) == ["物流展 100%"]
    assert names(GroupFilter(active=False)) == ["旧群"]
    assert names(GroupFilter(q="0%")) == ["物流展 100%"]
    assert queries.count_groups(session, GroupFilter()) == queries.Totals(3, 2, 0)
    with pytest.raises(NotFound):
        queries.get_group(session, "nobody")


def test_moves_of_the_last_days_count_customers_only(session: Session) -> None:
    read(session, member("wm1"), member("wm2", NOW), member("lina", NOW))
    leave(session, "wm1", at=NOW + HOUR)
    group = session.scalars(select(GroupChat)).one()

    assert queries.count_moves(session, [group.id], since=NOW) == {group.id: Moves(1, 1)}
    assert queries.count_moves(session, [], since=NOW) == {}


def test_a_member_without_a_friend_here_is_told_from_one_with(session: Session, lilei: Contact) -> None:
    read(session, member("wm1", invitor={"userid": "wangmin"}), member("wm2"))
    staff = session.scalars(select(Staff)).one()
    relation = Relation(contact_id=lilei.id, staff_id=staff.id, state=RelationState.ACTIVE, event_at=NOW)
    session.add(relation)
    session.flush()
    group = session.scalars(select(GroupChat)).one()

    def friends() -> dict[str, bool]:
        cards = queries.load_members(session, queries.list_members(session, group.id))
        return {card.name: card.has_friend for card in cards}

    assert friends() == {"wangmin": False, "李雷": True, "wm2": False}
    relation.state = RelationState.LOST
    session.flush()
    assert friends()["李雷"] is False
    assert {one.userid for one in queries.list_members(session, group.id, kind=MemberKind.CONTACT)} == {
        "wm1",
        "wm2",
    }


@pytest.mark.every_engine
def test_no_question_about_members_reads_the_whole_table(session: Session, now: datetime) -> None:
    owner = Staff(userid="wangmin", name="王敏", updated_at=now)
    session.add(owner)
    session.flush()
    chats = [GroupChat(chat_id=f"wr{n}", name=f"群{n}", owner_id=owner.id, opened_at=now) for n in range(40)]
    session.add_all(chats)
    session.flush()
    for chat in chats:
        session.add_all(
            GroupMember(
                group_id=chat.id, kind=MemberKind.CONTACT, userid=f"wm{chat.chat_id}{n}", joined_at=now
            )
            for n in range(100)
        )
    session.flush()
    group = chats[7]

    with Recorder(session) as recorder:
        queries.list_members(session, group.id, limit=50)
        queries.count_moves(session, [group.id, chats[8].id], since=now)
        queries.groups_of_contact(session, "0" * 26)
        groups.record_left(session, group.chat_id, ["wmwr71"], at=now, scene=0)
        groups.link_contact(session, "wmwr72", "0" * 26)
        assert whole_reads(recorder.plans()) == []
