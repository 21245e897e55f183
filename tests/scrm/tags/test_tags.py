"""Tags: the catalogue two-way with WeCom, and what each (staff, contact) pair has."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts import service as accounts
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind
from scrm.errors import Conflict, Invalid
from scrm.outbox.models import CallState, OutboxCall
from scrm.tags import queries
from scrm.tags import service as tags
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from scrm.timeline.models import TimelineEntry

EXTERNAL = "wmSIM1"


def group(group_id: str, name: str, *members: tuple[str, str], **more: Any) -> dict[str, Any]:
    tags = [{"id": number, "name": text, "order": 0} for number, text in members]
    return {"group_id": group_id, "group_name": name, "order": 0, "tag": tags, **more}


@pytest.fixture
def pair(session: Session, now: datetime) -> dict[str, str]:
    """A staff member and a contact, as keyword arguments for ``set_tags``."""
    staff = accounts.ensure_staff(session, "zhangsan", now=now)
    contact = Contact(name="小王", created_at=now)
    session.add(contact)
    session.flush()
    session.add(
        ContactIdentity(contact_id=contact.id, kind=IdentityKind.WECOM, value=EXTERNAL, created_at=now)
    )
    session.flush()
    return {
        "contact_id": contact.id,
        "staff_id": staff.id,
        "userid": "zhangsan",
        "external_userid": EXTERNAL,
    }


@pytest.fixture
def two_tags(session: Session, now: datetime) -> list[Tag]:
    tags.upsert_groups(session, [group("etG1", "意向", ("et1", "高"), ("et2", "低"))], full=True, now=now)
    return tags.resolve_tags(session, ["高", "低"])


def calls(session: Session, kind: str) -> list[OutboxCall]:
    return list(
        session.scalars(select(OutboxCall).where(OutboxCall.command_kind == kind).order_by(OutboxCall.id))
    )


def entries(session: Session, kind: str) -> list[TimelineEntry]:
    return list(session.scalars(select(TimelineEntry).where(TimelineEntry.kind == kind)))


def held(session: Session) -> set[str]:
    return set(session.scalars(select(Tag.name).join(ContactTag, ContactTag.tag_id == Tag.id)))


# --- the catalogue


def test_a_full_reading_adds_renames_and_deletes(
    session: Session, two_tags: list[Tag], now: datetime
) -> None:
    high, low = two_tags

    changes = tags.upsert_groups(
        session, [group("etG1", "意向", ("et1", "很高"), ("et3", "中"))], full=True, now=now
    )

    assert [tag.name for tag in changes.added] == ["中"]
    assert changes.renamed == [("高", "很高")]
    assert changes.deleted == [low]
    assert (high.name, high.deleted_at, low.deleted_at) == ("很高", None, now)


def test_a_second_reading_changes_nothing(session: Session, two_tags: list[Tag], now: datetime) -> None:
    changes = tags.upsert_groups(
        session, [group("etG1", "意向", ("et1", "高"), ("et2", "低"))], full=True, now=now
    )

    assert changes == tags.TagChanges()


def test_a_tag_that_comes_back_is_the_same_row(session: Session, two_tags: list[Tag], now: datetime) -> None:
    tags.upsert_groups(session, [], full=True, now=now)

    changes = tags.upsert_groups(session, [group("etG1", "意向", ("et1", "高"))], full=False, now=now)

    assert changes.added == [two_tags[0]]
    assert two_tags[0].deleted_at is None
    assert session.scalars(select(TagGroup)).one().deleted_at is None


def test_a_deleted_group_takes_its_tags_off_everybody(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    tags.set_tags(session, **pair, tag_ids=[two_tags[0].id], source=TagSource.API, unique="a", now=now)

    gone = tags.forget_group(session, "etG1", now=now)

    assert {tag.name for tag in gone} == {"高", "低"}
    assert held(session) == set()
    assert session.scalars(select(TagGroup)).one().deleted_at == now


def test_what_was_asked_for_by_id_and_is_not_answered_is_gone(
    session: Session, two_tags: list[Tag], now: datetime
) -> None:
    changes = tags.on_tags_read(
        session, [group("etG1", "意向", ("et1", "高"))], tag_ids=["et1", "et2"], now=now
    )

    assert changes.deleted == [two_tags[1]]


def test_names_that_fit_none_or_several_are_listed(
    session: Session, two_tags: list[Tag], now: datetime
) -> None:
    tags.upsert_groups(session, [group("etG2", "预算", ("et9", "高"))], full=False, now=now)

    with pytest.raises(Invalid) as refused:
        tags.resolve_tags(session, ["低", "高", "没有的"])

    assert set(refused.value.fields) == {"tags"}
    assert "高：有 2 个" in refused.value.fields["tags"]
    assert "没有的：没有这个标签" in refused.value.fields["tags"]
    assert "低" not in refused.value.fields["tags"]


def test_group_and_name_tell_equal_names_apart(session: Session, two_tags: list[Tag], now: datetime) -> None:
    tags.upsert_groups(session, [group("etG2", "预算/年", ("et9", "高"))], full=False, now=now)

    found = tags.resolve_tags(session, ["预算/年/高", "意向/高", "意向/高"])

    assert [tag.wecom_id for tag in found] == ["et9", "et1"]
    assert tags.find_tag_by_name(session, "高") is None
    assert tags.find_tag_by_name(session, "高", "意向") is two_tags[0]


def test_a_new_tag_can_be_set_at_once_and_is_marked_when_wecom_has_answered(
    session: Session, pair: dict[str, str], now: datetime
) -> None:
    made = tags.create_tags(session, "来源", ["抖音", "抖音", "展会"], actor="token:t", now=now)
    tags.set_tags(session, **pair, tag_ids=[made[0].id], source=TagSource.API, unique="a", now=now)
    assert calls(session, "MarkTags") == []

    answer = group("etG5", "来源", ("et51", "抖音"), ("et52", "展会"))
    tags.on_tags_added(session, "来源", ["抖音", "展会"], answer, now=now, caused_by=7)

    assert [tag.wecom_id for tag in made] == ["et51", "et52"]
    (creation,) = calls(session, "AddCorpTags")
    assert creation.command["names"] == ["抖音", "展会"]
    (mark,) = calls(session, "MarkTags")
    assert (mark.command["add"], mark.command["external_userid"], mark.caused_by) == (["et51"], EXTERNAL, 7)


def test_creating_names_that_exist_owes_nothing(session: Session, two_tags: list[Tag], now: datetime) -> None:
    assert tags.create_tags(session, "意向", ["低", "高"], actor="token:t", now=now) == two_tags[::-1]
    assert calls(session, "AddCorpTags") == []


def test_a_name_the_answer_leaves_out_is_read(session: Session, now: datetime) -> None:
    tags.create_tags(session, "来源", ["抖音"], actor="token:t", now=now)

    tags.on_tags_added(session, "来源", ["抖音"], group("etG5", "来源"), now=now, caused_by=7)

    (fetch,) = calls(session, "FetchTags")
    assert fetch.command["tag_ids"] == []


@pytest.mark.parametrize("name", ["", "  ", "字" * 31])
def test_a_name_wecom_would_refuse_is_refused(session: Session, name: str, now: datetime) -> None:
    with pytest.raises(Invalid):
        tags.create_tags(session, "来源", ["抖音", name], actor="token:t", now=now)

    assert session.scalars(select(Tag)).all() == []
    assert calls(session, "AddCorpTags") == []


def test_rename_and_delete_are_owed_to_wecom(session: Session, two_tags: list[Tag], now: datetime) -> None:
    high, low = two_tags
    with pytest.raises(Conflict):
        tags.rename_tag(session, high.id, "低", actor="token:t", now=now)

    tags.rename_tag(session, high.id, "很高", actor="token:t", now=now)
    tags.rename_tag(session, high.id, "高", actor="token:t", now=now)
    tags.delete_tag(session, low.id, actor="token:t", now=now)

    assert [call.command["name"] for call in calls(session, "EditCorpTag")] == ["很高", "高"]
    assert [call.command["tag_ids"] for call in calls(session, "DeleteCorpTags")] == [["et2"]]
    assert low.deleted_at == now


def test_creation_in_flight_is_known(session: Session, now: datetime) -> None:
    assert not tags.is_creating(session, since=now)

    tags.create_tags(session, "来源", ["抖音"], actor="token:t", now=now)
    assert tags.is_creating(session, since=now)

    (call,) = calls(session, "AddCorpTags")
    call.state, call.done_at = CallState.SENT, now
    assert tags.is_creating(session, since=now - timedelta(seconds=1))
    assert not tags.is_creating(session, since=now + timedelta(seconds=1))


# --- pairs


def test_setting_tags_keeps_who_and_owes_one_call(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    ids = [tag.id for tag in two_tags]

    given = tags.set_tags(
        session, **pair, tag_ids=ids, source=TagSource.CHANNEL, source_ref="ch1", unique="e1", now=now,
        caused_by=3,
    )  # fmt: skip

    assert {tag.name for tag in given} == {"高", "低"}
    rows = session.scalars(select(ContactTag)).all()
    assert {(row.source, row.source_ref, row.set_at) for row in rows} == {(TagSource.CHANNEL, "ch1", now)}
    (mark,) = calls(session, "MarkTags")
    assert mark.effect_key == f"tag:zhangsan:{EXTERNAL}:e1"
    assert (mark.command["add"], mark.contact_id, mark.caused_by) == (["et1", "et2"], pair["contact_id"], 3)
    (entry,) = entries(session, "tag.added")
    assert (entry.detail["tags"], entry.detail["source"]) == (["高", "低"], "channel")


def test_the_same_reason_sets_tags_once_even_if_they_were_taken_away(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    once = {"tag_ids": [two_tags[0].id], "source": TagSource.CHANNEL, "unique": "e1", "now": now}
    tags.set_tags(session, **pair, **once)
    tags.remove_tags(session, **pair, tag_ids=[two_tags[0].id], unique="r1", now=now)

    assert tags.set_tags(session, **pair, **once) == []

    assert held(session) == set()
    assert len(calls(session, "MarkTags")) == 2
    assert len(entries(session, "tag.added")) == 1


def test_only_missing_tags_are_pushed_and_deleted_ones_passed_over(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    high, low = two_tags
    third = tags.upsert_groups(session, [group("etG1", "意向", ("et3", "中"))], full=False, now=now).added[0]
    tags.set_tags(session, **pair, tag_ids=[high.id], source=TagSource.API, unique="a", now=now)
    tags.forget_tag(session, "et2", now=now)

    given = tags.set_tags(
        session, **pair, tag_ids=[high.id, low.id, third.id], source=TagSource.API, unique="b", now=now
    )

    assert given == [third]
    assert calls(session, "MarkTags")[-1].command["add"] == ["et3"]


def test_removing_tags_owes_one_call(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    tags.set_tags(session, **pair, tag_ids=[two_tags[0].id], source=TagSource.API, unique="a", now=now)

    gone = tags.remove_tags(session, **pair, tag_ids=[tag.id for tag in two_tags], unique="a", now=now)

    assert gone == [two_tags[0]]
    assert calls(session, "MarkTags")[-1].command["remove"] == ["et1"]
    assert held(session) == set()


def settle(session: Session) -> None:
    for call in calls(session, "MarkTags"):
        call.state, call.done_at = CallState.SENT, call.created_at
    session.flush()


def reconcile(
    session: Session, pair: dict[str, str], ids: list[str], at: datetime, **more: Any
) -> tags.TagDiff:
    return tags.reconcile_pair(
        session,
        contact_id=pair["contact_id"],
        staff_id=pair["staff_id"],
        wecom_tag_ids=ids,
        at=at,
        now=at,
        **more,
    )


def test_wecoms_list_is_the_truth_for_settled_tags(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    high, low = two_tags
    tags.set_tags(session, **pair, tag_ids=[high.id], source=TagSource.API, unique="a", now=now)
    settle(session)
    later = now + timedelta(hours=1)

    diff = reconcile(session, pair, ["et2"], later, source=TagSource.STAFF)

    assert (diff.added, diff.removed, diff.unknown) == ([low], [high], [])
    row = session.scalars(select(ContactTag)).one()
    assert (row.tag_id, row.source, row.set_at) == (low.id, TagSource.STAFF, later)
    assert [entry.actor for entry in entries(session, "tag.removed")] == ["staff:zhangsan"]
    assert len(calls(session, "MarkTags")) == 1
    assert not reconcile(session, pair, ["et2"], later)


@pytest.mark.parametrize("state", [CallState.PENDING, CallState.SENDING, CallState.UNKNOWN])
def test_tags_we_still_owe_wecom_are_left_alone(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime, state: CallState
) -> None:
    high, low = two_tags
    tags.set_tags(session, **pair, tag_ids=[low.id], source=TagSource.API, unique="z", now=now)
    settle(session)
    tags.set_tags(session, **pair, tag_ids=[high.id], source=TagSource.API, unique="a", now=now)
    tags.remove_tags(session, **pair, tag_ids=[low.id], unique="b", now=now)
    for call in calls(session, "MarkTags")[1:]:
        call.state = state
    session.flush()

    diff = reconcile(session, pair, ["et2"], now + timedelta(hours=1))

    assert not diff
    assert held(session) == {"高"}


def test_a_list_read_before_the_call_went_out_does_not_undo_it(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    tags.set_tags(session, **pair, tag_ids=[two_tags[0].id], source=TagSource.API, unique="a", now=now)
    (call,) = calls(session, "MarkTags")
    call.state, call.done_at = CallState.SENT, now + timedelta(seconds=2)
    session.flush()

    assert not reconcile(session, pair, [], now + timedelta(seconds=1))
    assert held(session) == {"高"}


def test_a_failed_mark_is_taken_back(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    tags.set_tags(session, **pair, tag_ids=[two_tags[0].id], source=TagSource.API, unique="a", now=now)
    (call,) = calls(session, "MarkTags")
    call.state, call.done_at = CallState.FAILED, now
    session.flush()

    assert reconcile(session, pair, [], now + timedelta(hours=1)).removed == [two_tags[0]]


def test_a_tag_we_do_not_know_is_read_and_the_contact_again(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    diff = reconcile(session, pair, ["et1", "etNEW"], now)
    reconcile(session, pair, ["et1", "etNEW"], now)

    assert diff.unknown == ["etNEW"]
    (fetch,) = calls(session, "FetchTags")
    assert fetch.command["tag_ids"] == ["etNEW"]
    (again,) = calls(session, "FetchContact")
    assert again.command["external_userid"] == EXTERNAL
    assert again.available_at == now + tags.READ_AGAIN_AFTER


# --- reads


def test_lists_carry_groups_and_who_set_each_tag(
    session: Session, two_tags: list[Tag], pair: dict[str, str], now: datetime
) -> None:
    tags.set_tags(session, **pair, tag_ids=[two_tags[0].id], source=TagSource.API, unique="a", now=now)

    (row,) = queries.tags_of_contacts(session, [pair["contact_id"]])[pair["contact_id"]]
    assert (row.tag.name, row.group, row.link.source) == ("高", "意向", TagSource.API)

    page = queries.list_tags(session, limit=1)
    assert page.next_cursor is not None
    rest = queries.list_tags(session, limit=1, cursor=page.next_cursor)
    assert [item.tag.name for item in (*page.items, *rest.items)] == ["高", "低"]
    assert rest.next_cursor is None
    assert [(item.group.name, len(item.tags)) for item in queries.list_groups(session)] == [("意向", 2)]
