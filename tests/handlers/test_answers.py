"""What the platform answers is taken over as of when it was asked, and concludes nothing from what was not read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from handlers import answers, sync_pages
from handlers.context import Context, Corp
from handlers.events import Answer
from scrm.accounts.service import ensure_staff
from scrm.contacts import service as contacts
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.inbox import service as inbox
from scrm.sync import service as sync
from scrm.sync.rules import page_key

CORP = Corp(tz=ZoneInfo("Asia/Shanghai"), agent_id=1000002, base_url="http://127.0.0.1:8000")
PAGE_API = "externalcontact/batch/get_by_user"
REP, PART = "zhangsan", "zhangsan"


def connect(session: Session, external_userid: str, at: datetime) -> tuple[Contact, Relation]:
    staff = ensure_staff(session, REP, now=at)
    added = contacts.record_added(session, external_userid, staff, at=at)
    session.flush()
    return added.contact, added.relation


def context(at: datetime) -> Context:
    return Context(at, at, 1, CORP)


def read(session: Session, name: str, *, asked_at: datetime) -> None:
    """The profile and the remark are ``name``."""
    answer = {"external_contact": {"name": name}, "follow_user": [{"userid": REP, "remark": name}]}
    command = {"external_userid": "wm1"}
    event = Answer(asked_at, "externalcontact/get", "sent", 0, None, command, answer)
    answers.on_contact_read(session, event, context(asked_at))


def test_what_was_asked_earlier_does_not_overwrite_what_was_asked_later(session: Session, now: datetime):
    contact, relation = connect(session, "wm1", now)

    read(session, "后来的名字", asked_at=now + timedelta(seconds=2))
    read(session, "先前的名字", asked_at=now + timedelta(seconds=1))
    assert (contact.name, relation.remark) == ("后来的名字", "后来的名字")

    read(session, "最新的名字", asked_at=now + timedelta(seconds=3))
    assert (contact.name, relation.remark) == ("最新的名字", "最新的名字")


def keep_page(session: Session, job_id: int, number: int, listed: list[str], at: datetime) -> None:
    follow = {"userid": REP, "createtime": int(at.timestamp())}
    items = [{"external_contact": {"external_userid": one}, "follow_info": follow} for one in listed]
    body: dict[str, Any] = {"answer": {"external_contact_list": items}}
    inbox.record_answer(session, PAGE_API, body, key=page_key(job_id, "contacts", PART, 0, number), now=at)


@pytest.mark.parametrize(
    ("kept", "unlisted"),
    [((0, 1), RelationState.REMOVED), ((0,), RelationState.ACTIVE), ((), RelationState.ACTIVE)],
    ids=["every page", "one page was pruned", "all pages were pruned"],
)
def test_only_a_list_that_was_read_whole_ends_relations(
    kept: tuple[int, ...], unlisted: RelationState, session: Session, now: datetime
):
    # given three customers, of whom a sync of two pages saw two
    relations = [connect(session, name, now - timedelta(days=9))[1] for name in ("wm0", "wm1", "wm2")]
    job_id = sync.start_sync(session, created_by="test", now=now).id
    for number in kept:
        keep_page(session, job_id, number, [f"wm{number}"], now)

    # when
    command = {"job_id": job_id, "part": PART, "generation": 0, "pages": 2, "userids": [REP]}
    command["started_at"] = now.isoformat()
    event = Answer(now, "sync/batch_read", "sent", None, None, command, {})
    sync_pages.on_batch_read(session, event, context(now))

    # then
    assert [relation.state for relation in relations] == [
        RelationState.ACTIVE,
        RelationState.ACTIVE,
        unlisted,
    ]
