"""Pages that a sync read: each is an event, applied here through the domain's services."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from handlers.context import Context
from handlers.events import Answer
from scrm.sync import contacts, service, ways
from scrm.sync.rules import page_key


def on_staff_page(session: Session, event: Answer, context: Context) -> None:  # noqa: ARG001
    """The members of one department."""
    if event.answer is not None:
        members = event.answer.get("userlist") or []
        service.apply_staff_page(session, members, job_id=event.command.get("job_id"), at=event.at)


def on_followers(session: Session, event: Answer, context: Context) -> None:
    """Who may serve customers."""
    if event.answer is not None:
        userids = [str(userid) for userid in event.answer.get("follow_user") or ()]
        job_id = event.command.get("job_id")
        service.apply_followers(session, userids, job_id=job_id, now=context.now)


def on_way_read(session: Session, event: Answer, context: Context) -> None:
    """One contact way, or that it is gone."""
    ways.apply_way(
        session,
        str(event.command["config_id"]),
        (event.answer or {}).get("contact_way"),
        errcode=event.errcode,
        job_id=event.command.get("job_id"),
        at=event.at,
        now=context.now,
    )


def on_contacts_page(session: Session, event: Answer, context: Context) -> None:
    """Some contacts of some members."""
    if event.answer is None:
        return
    since = event.command.get("since")
    run = contacts.Run(
        job_id=event.command.get("job_id"),
        at=event.at,
        now=context.now,
        since=datetime.fromisoformat(since) if since else None,
        caused_by=context.caused_by,
        tz=context.corp.tz,
    )
    contacts.apply_page(session, event.answer, run)


def on_batch_read(session: Session, event: Answer, context: Context) -> None:  # noqa: ARG001
    """All contacts of some members were read. Pages pruned since make this conclude nothing."""
    command = event.command
    job_id, part, generation = int(command["job_id"]), str(command["part"]), int(command["generation"])
    keys = [page_key(job_id, "contacts", part, generation, page) for page in range(int(command["pages"]))]
    answers = [json.loads(payload)["answer"] for payload in contacts.read_pages(session, keys)]
    if len(answers) == len(keys):
        started_at = datetime.fromisoformat(command["started_at"])
        contacts.apply_batch_end(session, command["userids"], answers, started_at=started_at, job_id=job_id)


HANDLERS: Mapping[str, Callable[[Session, Any, Context], None]] = {
    "answer.user/list": on_staff_page,
    "answer.externalcontact/get_follow_user_list": on_followers,
    "answer.externalcontact/get_contact_way": on_way_read,
    "answer.externalcontact/batch/get_by_user": on_contacts_page,
    "answer.sync/batch_read": on_batch_read,
}
