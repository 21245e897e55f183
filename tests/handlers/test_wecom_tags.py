"""change_external_tag callbacks and the answers to what they make us read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import wecom_tags
from handlers.context import Context, Corp
from handlers.events import Answer, TagChanged
from scrm.outbox.models import OutboxCall
from scrm.tags import service as tags
from scrm.tags.models import Tag

GROUP = {
    "group_id": "etG1",
    "group_name": "意向",
    "tag": [{"id": "et1", "name": "高"}, {"id": "et2", "name": "低"}],
}


@pytest.fixture
def context(now: datetime) -> Context:
    corp = Corp(tz=ZoneInfo("Asia/Shanghai"), agent_id=1, base_url="http://127.0.0.1")
    return Context(now=now, received_at=now, caused_by=7, corp=corp)


def answer(at: datetime, groups: list[dict[str, Any]], **command: Any) -> Answer:
    return Answer(at, "externalcontact/get_corp_tag_list", "sent", 0, None, command, {"tag_group": groups})


def live(session: Session) -> set[str]:
    return set(session.scalars(select(Tag.name).where(Tag.deleted_at.is_(None))))


def fetches(session: Session) -> list[dict[str, Any]]:
    rows = session.scalars(select(OutboxCall).order_by(OutboxCall.id))
    return [
        {name: row.command[name] for name in ("tag_ids", "group_ids")}
        for row in rows
        if row.command_kind == "FetchTags"
    ]


@pytest.mark.parametrize(
    ("change", "tag_type", "asked"),
    [
        ("create", "tag", {"tag_ids": ["etX"], "group_ids": []}),
        ("create", "tag_group", {"tag_ids": [], "group_ids": ["etX"]}),
        ("update", "tag", {"tag_ids": ["etX"], "group_ids": []}),
        ("update", "tag_group", {"tag_ids": [], "group_ids": ["etX"]}),
        ("delete", "tag", {"tag_ids": ["etX"], "group_ids": []}),
        ("shuffle", None, {"tag_ids": [], "group_ids": []}),
    ],
)
def test_events_carry_ids_so_they_are_read(
    session: Session, context: Context, change: str, tag_type: str | None, asked: dict[str, Any]
) -> None:
    handler = {
        "create": wecom_tags.on_tag_created,
        "update": wecom_tags.on_tag_updated,
        "delete": wecom_tags.on_tag_deleted,
        "shuffle": wecom_tags.on_tags_shuffled,
    }[change]
    event = TagChanged(context.now, change, "etX", tag_type)

    handler(session, event, context)
    handler(session, event, context)

    assert fetches(session) == [asked]


def test_a_shuffle_of_groups_names_no_id(session: Session, context: Context) -> None:
    wecom_tags.on_tags_shuffled(session, TagChanged(context.now, "shuffle", None, None), context)

    assert fetches(session) == [{"tag_ids": [], "group_ids": []}]


def test_a_deleted_group_takes_its_tags(session: Session, context: Context) -> None:
    wecom_tags.apply_answer_tags(session, answer(context.now, [GROUP]), context)

    event = TagChanged(context.now, "delete", "etG1", "tag_group")
    wecom_tags.on_tag_deleted(session, event, context)

    assert live(session) == set()


def test_an_answer_that_overtook_a_deletion_is_corrected_by_the_next(
    session: Session, context: Context
) -> None:
    wecom_tags.apply_answer_tags(session, answer(context.now, [GROUP]), context)
    wecom_tags.on_tag_deleted(session, TagChanged(context.now, "delete", "et1", "tag"), context)

    wecom_tags.apply_answer_tags(session, answer(context.now, [GROUP], tag_ids=["et1"]), context)
    assert live(session) == {"高", "低"}

    wecom_tags.apply_answer_tags(session, answer(context.now, [], tag_ids=["et1"]), context)
    assert live(session) == {"低"}


def test_an_unknown_tag_refused_by_code_is_gone(session: Session, context: Context) -> None:
    wecom_tags.apply_answer_tags(session, answer(context.now, [GROUP]), context)

    api = "externalcontact/get_corp_tag_list"
    refused = Answer(context.now, api, "failed", 40068, "标签不存在", {"tag_ids": ["et1"]}, None)
    wecom_tags.apply_answer_tags(session, refused, context)
    other = Answer(context.now, api, "failed", 48002, "无权限", {"tag_ids": ["et2"]}, None)
    wecom_tags.apply_answer_tags(session, other, context)

    assert live(session) == {"低"}


def test_a_list_read_while_we_create_tags_deletes_nothing(session: Session, context: Context) -> None:
    wecom_tags.apply_answer_tags(session, answer(context.now, [GROUP]), context)
    tags.create_tags(session, "来源", ["抖音"], actor="t", now=context.now)

    wecom_tags.apply_answer_tags(session, answer(context.now, []), context)

    assert live(session) == {"高", "低", "抖音"}


def test_created_tags_get_their_ids(session: Session, context: Context) -> None:
    (tag,) = tags.create_tags(session, "来源", ["抖音"], actor="t", now=context.now)
    command = {"group_name": "来源", "names": ["抖音"]}
    api = "externalcontact/add_corp_tag"
    group = {"group_id": "etG5", "group_name": "来源", "tag": [{"id": "et5", "name": "抖音"}]}

    failed = Answer(context.now, api, "failed", 40126, "标签数已满", command, None)
    wecom_tags.apply_answer_tags_added(session, failed, context)
    assert tag.wecom_id is None

    done = Answer(context.now + timedelta(seconds=1), api, "sent", 0, None, command, {"tag_group": group})
    for _ in range(2):
        wecom_tags.apply_answer_tags_added(session, done, context)
    assert tag.wecom_id == "et5"
    assert fetches(session) == []
