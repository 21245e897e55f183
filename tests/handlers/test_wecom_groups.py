"""change_external_chat callbacks and the answers to what they make us read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import answers, wecom_groups
from handlers.context import Context, Corp
from handlers.events import Answer, GroupChanged
from scrm.contacts import service as contacts
from scrm.groups import rules
from scrm.groups.models import GroupChat, GroupMember
from scrm.outbox.commands import from_json
from scrm.outbox.models import OutboxCall

API = "externalcontact/groupchat/get"


@pytest.fixture
def context(now: datetime) -> Context:
    corp = Corp(tz=ZoneInfo("Asia/Shanghai"), agent_id=1, base_url="http://127.0.0.1")
    return Context(now=now, received_at=now, caused_by=7, corp=corp)


def owed(session: Session) -> list[OutboxCall]:
    query = select(OutboxCall).where(OutboxCall.command_kind == "FetchGroup").order_by(OutboxCall.id)
    return list(session.scalars(query))


def read(at: datetime, *userids: str, version: str = "v1", **command: Any) -> Answer:
    stamp = int((at - timedelta(days=1)).timestamp())
    listed = [
        {"userid": one, "type": 2 if one.startswith("wm") else 1, "join_time": stamp, "join_scene": 1}
        for one in ("wangmin", *userids)
    ]
    group = {
        "chat_id": "wr1", "name": "群", "owner": "wangmin", "create_time": stamp, "member_list": listed,
        "member_version": version,
    }  # fmt: skip
    return Answer(at, API, "sent", 0, None, {"chat_id": "wr1", **command}, {"group_chat": group})


def present(session: Session) -> set[str]:
    session.flush()
    return set(session.scalars(select(GroupMember.userid).where(GroupMember.left_at.is_(None))))


@pytest.mark.parametrize(
    ("change", "detail"), [("create", ""), ("update", "add_member"), ("update", "change_name"), ("", "")]
)
def test_events_carry_ids_so_the_group_is_read_once(
    session: Session, context: Context, change: str, detail: str
) -> None:
    event = GroupChanged(context.now, change, "wr1", detail, version="v9")

    for _ in range(2):
        wecom_groups.on_group_changed(session, event, context)

    (call,) = owed(session)
    request = from_json(call.command_kind, call.command).request()
    assert (call.api, call.lane, request) == (API, "chat:wr1", {"chat_id": "wr1", "need_name": 1})
    assert session.scalar(select(GroupChat.id)) is None  # known once it is read


def test_a_list_older_than_its_event_is_read_again(session: Session, context: Context) -> None:
    wecom_groups.apply_answer_group(session, read(context.now, "wm1"), context)
    late = context.now + timedelta(seconds=5)

    stale = read(late, "wm2", version="v1", unique="u")
    stale.command["version"] = "v2"
    wecom_groups.apply_answer_group(session, stale, context)

    assert present(session) == {"wangmin", "wm1", "wm2"}  # nobody is gone for not being on a list of before
    (call,) = owed(session)
    assert (call.command["turn"], call.command["version"]) == (2, "v2")
    assert call.available_at == context.now + rules.READ_AGAIN_AFTER

    last = read(late, "wm2", version="v3", unique="u", turn=rules.MOST_READS)
    last.command["version"] = "v2"
    wecom_groups.apply_answer_group(session, last, context)

    assert present(session) == {"wangmin", "wm2"}  # somebody changed it again meanwhile: taken as it is
    assert len(owed(session)) == 1


def test_leaving_is_known_at_once_and_how(session: Session, context: Context) -> None:
    wecom_groups.apply_answer_group(session, read(context.now, "wm1", "wm2"), context)
    at = context.now + timedelta(minutes=1)

    event = GroupChanged(at, "update", "wr1", "del_member", quit_scene=1, members=("wm1",), version="v2")
    wecom_groups.on_group_changed(session, event, context)

    row = session.scalars(select(GroupMember).where(GroupMember.userid == "wm1")).one()
    assert (row.left_at, row.quit_scene) == (at, 1)
    assert present(session) == {"wangmin", "wm2"}


def test_a_dismissed_group_is_over_and_nothing_is_read(session: Session, context: Context) -> None:
    wecom_groups.apply_answer_group(session, read(context.now, "wm1"), context)

    wecom_groups.on_group_dismissed(session, GroupChanged(context.now, "dismiss", "wr1"), context)

    assert session.scalars(select(GroupChat.dismissed_at)).one() == context.now
    assert owed(session) == []


@pytest.mark.parametrize(
    ("errcode", "is_over"), [(49008, True), (40050, True), (60011, False), (None, False)]
)
def test_a_refusal_that_says_gone_is_a_dismissal(
    session: Session, context: Context, errcode: int | None, is_over: bool
) -> None:
    wecom_groups.apply_answer_group(session, read(context.now), context)
    at = context.now + timedelta(minutes=1)

    refused = Answer(at, API, "failed", errcode, "群聊已解散", {"chat_id": "wr1"}, None)
    wecom_groups.apply_answer_group(session, refused, context)

    assert session.scalars(select(GroupChat.dismissed_at)).one() == (at if is_over else None)


def test_a_profile_that_is_read_names_the_stranger_in_the_group(session: Session, context: Context) -> None:
    wecom_groups.apply_answer_group(session, read(context.now, "wm1"), context)
    contact, _ = contacts.ensure_contact(session, "wm1", at=context.now)
    session.flush()

    body = {"external_contact": {"external_userid": "wm1", "name": "小王"}, "follow_user": []}
    profile = Answer(context.now, "externalcontact/get", "sent", 0, None, {"external_userid": "wm1"}, body)
    answers.on_contact_read(session, profile, context)

    row = session.scalars(select(GroupMember).where(GroupMember.userid == "wm1")).one()
    assert row.contact_id == contact.id
