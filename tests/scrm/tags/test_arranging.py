"""Groups renamed and deleted, tags in another order, and what WeCom has not agreed to."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.errors import Conflict, NotFound
from scrm.outbox.models import CallState, OutboxCall
from scrm.tags import arranging, catalogue, service
from scrm.tags.arranging import Where
from scrm.tags.catalogue import TagLine
from scrm.tags.models import Tag, TagGroup


@pytest.fixture
def grades(session: Session, now: datetime) -> list[Tag]:
    members = [{"id": f"et{n}", "name": name, "order": 0} for n, name in enumerate("高中低", 1)]
    told = {"group_id": "etG", "group_name": "意向", "order": 0, "tag": members}
    service.upsert_groups(session, [told], full=True, now=now)
    return service.resolve_tags(session, ["高", "中", "低"])


def order(session: Session, tag: Tag) -> str:
    return "".join(one.name for one in catalogue.list_group_tags(session, tag.group_id))


def owed(session: Session, kind: str) -> list[OutboxCall]:
    query = select(OutboxCall).where(OutboxCall.command_kind == kind).order_by(OutboxCall.id)
    return list(session.scalars(query))


def test_a_tag_moves_up_down_and_to_the_top_here_and_at_wecom(
    session: Session, grades: list[Tag], now: datetime
) -> None:
    low = grades[2]
    arranging.move_tag(session, low.id, Where.UP, now=now)
    assert order(session, low) == "高低中"
    arranging.move_tag(session, low.id, Where.TOP, now=now)
    assert order(session, low) == "低高中"
    arranging.move_tag(session, low.id, Where.DOWN, now=now)
    assert order(session, low) == "高低中"

    latest = {call.command["wecom_id"]: call.command["order"] for call in owed(session, "EditCorpTag")}
    there = sorted(latest, key=lambda wecom_id: -latest[wecom_id])
    assert there[:2] == ["et1", "et3"]


def test_a_tag_at_the_end_already_owes_nothing(session: Session, grades: list[Tag], now: datetime) -> None:
    arranging.move_tag(session, grades[0].id, Where.UP, now=now)
    arranging.move_tag(session, grades[2].id, Where.DOWN, now=now)

    assert order(session, grades[0]) == "高中低"
    assert owed(session, "EditCorpTag") == []


def test_a_group_is_renamed_and_deleted_with_its_tags(
    session: Session, grades: list[Tag], now: datetime
) -> None:
    group_id = grades[0].group_id
    session.add(TagGroup(name="来源"))
    session.flush()
    with pytest.raises(Conflict):
        arranging.rename_group(session, group_id, "来源", now=now)

    arranging.rename_group(session, group_id, "意愿", now=now)
    gone = arranging.delete_group(session, group_id, now=now)

    assert [call.command["name"] for call in owed(session, "EditCorpTag")] == ["意愿"]
    assert [call.command["tag_ids"] for call in owed(session, "DeleteCorpTags")] == [["et1", "et2", "et3"]]
    assert {tag.deleted_at for tag in gone} == {now}
    with pytest.raises(NotFound):
        arranging.get_group(session, group_id)


def test_what_wecom_has_not_agreed_to_is_told_until_it_does(
    session: Session, grades: list[Tag], now: datetime
) -> None:
    made = service.create_tags(session, "来源", ["抖音"], actor="x", now=now)[0]
    service.rename_tag(session, grades[0].id, "很高", actor="x", now=now)
    lines = [TagLine(made, "来源"), *(TagLine(tag, "意向") for tag in grades)]

    assert set(catalogue.troubles(session, lines)) == {made.id, grades[0].id}
    add, edit = owed(session, "AddCorpTags")[0], owed(session, "EditCorpTag")[0]
    add.state, add.errcode = CallState.FAILED, 40126
    edit.state = CallState.SENT

    (trouble,) = catalogue.troubles(session, lines).values()
    assert (trouble.call_id, trouble.is_refused, trouble.errcode) == (add.id, True, 40126)


def test_a_refused_deletion_is_named_because_the_tag_comes_back(
    session: Session, grades: list[Tag], now: datetime
) -> None:
    service.delete_tag(session, grades[0].id, actor="x", now=now)
    assert catalogue.refused_deletions(session) == []

    owed(session, "DeleteCorpTags")[0].state = CallState.FAILED

    assert [name for name, _ in catalogue.refused_deletions(session)] == ["高"]


def test_pages_of_a_group_go_on_where_the_last_one_ended(
    session: Session, grades: list[Tag], now: datetime
) -> None:
    arranging.move_tag(session, grades[2].id, Where.TOP, now=now)
    group_id = grades[0].group_id
    first = catalogue.list_group_tags(session, group_id, limit=1)
    rest = catalogue.list_group_tags(session, group_id, after=(first[0].position, first[0].id))

    assert [tag.name for tag in first + rest] == ["低", "高", "中"]
