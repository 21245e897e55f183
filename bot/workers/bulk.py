"""Deeds on many customers at once, in the background: tags set or taken away, another owner, a task for each.

Who is meant is fixed when the job is made: ``params["ids"]``. The cursor keeps where the job is and what it changed, so
that tags can be put back as they were by the opposite job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.workers.run import Kind, Run
from scrm.accounts.models import Staff
from scrm.accounts.roles import ASSIGN
from scrm.contacts.models import Contact
from scrm.errors import NotFound, Refused
from scrm.library.ready import fill_for
from scrm.outbox import service as outbox
from scrm.outbox.commands import NotifyStaff
from scrm.routing.service import assign_many
from scrm.tags.by_hand import change_tags
from scrm.tags.models import ContactTag, Tag, TagSource
from scrm.tasks.giving import Giver, Order, give_tasks, withdraw
from scrm.tasks.notices import App, Gift, tell_of_many

CHUNK = 50  # customers of a transaction: SQLite has one writer, and each tag is some ten statements
TAG, ASSIGN_ALL, GIVE, WITHDRAW = "tag_contacts", "assign_contacts", "give_tasks", "withdraw_tasks"
MOST = 10_000  # customers of one job

Changed = dict[str, list[int]]  # tag id → places in ``ids`` of those whose tags changed


def tag_contacts(run: Run) -> None:
    """Each customer has the tags of ``add`` and none of ``remove``; where ``only`` names places, only there."""
    ids: list[str] = run.params["ids"]
    changed: Changed = {key: list(places) for key, places in run.cursor.get("changed", {}).items()}
    only = {key: frozenset(places) for key, places in (run.params.get("only") or {}).items()}
    at = int(run.cursor.get("next", 0))
    while at < len(ids):
        chunk = ids[at : at + CHUNK]
        with run.write() as session:
            seen, tags = _seen(session, chunk), _tags(session, run.params)
            held = _held(session, chunk, tags)
            for place, contact_id in enumerate(chunk, at):
                open_to = [key for key in tags if place in only.get(key, (place,))]
                has: set[str] = held.get(contact_id, set())
                wanted = {
                    "add": [tags[key] for key in open_to if key in run.params["add"] and key not in has],
                    "remove": [tags[key] for key in open_to if key in run.params["remove"] and key in has],
                }
                for key in _tag_one(run, session, contact_id, seen.get(contact_id), wanted):
                    changed.setdefault(key, []).append(place)
            at += len(chunk)
            run.progress(session, done=at, total=len(ids), cursor={"next": at, "changed": changed})


def _tag_one(
    run: Run, session: Session, contact_id: str, contact: Contact | None, wanted: Mapping[str, Sequence[Tag]]
) -> list[str]:
    """The ids of the tags that changed; what could not be done is reported with its reason."""
    if contact is None:
        run.report({"failed": [_failure(contact_id, "", NotFound.__name__)]})
        return []
    if not any(wanted.values()):
        run.report({"unchanged": 1})
        return []
    try:
        made, gone = change_tags(
            session,
            contact_id,
            add=wanted["add"],
            remove=wanted["remove"],
            source=TagSource.STAFF,
            rather=run.actor.staff_id if run.actor else None,
            unique=f"bulk:{run.job.id}",
            actor=_author(run),
            now=run.now(),
        )
    except Refused as error:
        run.report({"failed": [_failure(contact_id, contact.name, error.code)]})
        return []
    keys = list(dict.fromkeys(tag.id for tag in (*made, *gone)))
    run.report({"changed" if keys else "unchanged": 1})
    return keys


def assign_contacts(run: Run) -> None:
    """Each customer belongs to ``staff_id``, for the reason in ``note``; the rep is told once of all."""
    ids: list[str] = run.params["ids"]
    staff_id, note = run.params["staff_id"], run.params["note"]
    at = int(run.cursor.get("next", 0))
    while at < len(ids):
        chunk = ids[at : at + CHUNK]
        with run.write() as session:
            seen = _seen(session, chunk)
            lost = [_failure(key, "", NotFound.__name__) for key in chunk if key not in seen]
            others = [contact for contact in seen.values() if contact.owner_id != staff_id]
            assign_many(session, others, staff_id, actor=_author(run), now=run.now(), note=note)
            run.report({"changed": len(others), "unchanged": len(seen) - len(others), "failed": lost})
            at += len(chunk)
            if at == len(ids):
                _tell(run, session, staff_id, note)
            run.progress(session, done=at, total=len(ids), cursor={"next": at})


def give_to_many(run: Run) -> None:
    """One task for each customer: for ``staff_id``, or for each one's owner; with ``content`` ready to be sent.

    At the end each member is told of theirs by one message.
    """
    ids: list[str] = run.params["ids"]
    order = Order(
        run.params["title"],
        datetime.fromisoformat(run.params["due_at"]),
        run.params["staff_id"],
        partial(fill_for, run.params["content"]),
    )
    at, counts = int(run.cursor.get("next", 0)), Counter[str](run.cursor.get("counts", {}))
    while at < len(ids):
        chunk = ids[at : at + CHUNK]
        with run.write() as session:
            me, sees = (run.actor.staff_id, run.actor.sees) if run.actor else (None, None)
            giver = Giver(_author(run), me, sees)
            given = give_tasks(session, chunk, order, giver=giver, key=_key_of(run.job.id), now=run.now())
            names = {row.id: row.name for row in _seen(session, list(given.refused)).values()}
            failed = [_failure(key, names.get(key, ""), why) for key, why in given.refused.items()]
            run.report({"changed": len(given.tasks), "unchanged": len(given.already), "failed": failed})
            counts.update(given.counts)
            at += len(chunk)
            if at == len(ids):
                _tell_of_tasks(run, session, order, counts)
            run.progress(session, done=at, total=len(ids), cursor={"next": at, "counts": dict(counts)})


def _tell_of_tasks(run: Run, session: Session, order: Order, counts: Mapping[str, int]) -> None:
    """Each member hears once of all that the job gave them."""
    by, by_staff_id = (run.actor.name, run.actor.staff_id) if run.actor else (run.job.created_by, None)
    gift = Gift(order.title.strip(), order.due_at, by, by_staff_id, unique=_key_of(run.job.id))
    app = App(run.corp.agent_id, run.corp.tz, f"{run.corp.base_url}/sidebar/home")
    tell_of_many(session, counts, app, gift, now=run.now())


def withdraw_from_many(run: Run) -> None:
    """What the job ``of`` gave and nobody has done yet is taken back."""
    ids: list[str] = run.params["ids"]
    at = int(run.cursor.get("next", 0))
    while at < len(ids):
        chunk = ids[at : at + CHUNK]
        with run.write() as session:
            key = _key_of(run.params["of"])
            gone = withdraw(session, chunk, key=key, actor=_author(run), now=run.now())
            run.report({"changed": len(gone), "unchanged": len(chunk) - len(gone)})
            at += len(chunk)
            run.progress(session, done=at, total=len(ids), cursor={"next": at})


def _key_of(job_id: int) -> str:
    """What the tasks given by a job have in common."""
    return f"bulk:{job_id}"


def _tell(run: Run, session: Session, staff_id: str, note: str) -> None:
    staff, count = session.get_one(Staff, staff_id), run.found.get("changed", 0)
    if not count or (run.actor and run.actor.staff_id == staff_id):
        return
    by = run.actor.name if run.actor else run.job.created_by
    notice = NotifyStaff(
        userid=staff.userid,
        staff=staff.name,
        agent_id=run.corp.agent_id,
        title=f"{count:,} 位客户转给您",
        description=f"{by} 把 {count:,} 位客户分配给您\n原因：{note}"[:170],
        url=f"{run.corp.base_url}/console/contacts?owner={staff.userid}",
        unique=f"bulk:{run.job.id}",
    )
    outbox.enqueue(session, notice, now=run.now())


def _seen(session: Session, ids: Sequence[str]) -> dict[str, Contact]:
    return {row.id: row for row in session.scalars(select(Contact).where(Contact.id.in_(ids)))}


def _tags(session: Session, params: Mapping[str, Any]) -> dict[str, Tag]:
    """Those that are still there."""
    wanted = [*params["add"], *params["remove"]]
    query = select(Tag).where(Tag.id.in_(wanted), Tag.deleted_at.is_(None))
    return {row.id: row for row in session.scalars(query)}


def _held(session: Session, ids: Sequence[str], tags: Mapping[str, Tag]) -> dict[str, set[str]]:
    """Contact id → which of the tags they have with any rep."""
    found: dict[str, set[str]] = {}
    query = select(ContactTag.contact_id, ContactTag.tag_id)
    for contact_id, key in session.execute(
        query.where(ContactTag.contact_id.in_(ids), ContactTag.tag_id.in_(tags))
    ):
        found.setdefault(contact_id, set()).add(key)
    return found


def _author(run: Run) -> str:
    return f"account:{run.actor.name}" if run.actor else run.job.created_by


def _failure(contact_id: str, name: str, code: str) -> dict[str, str]:
    return {"id": contact_id, "name": name, "code": code}


BULK: Mapping[str, Kind] = {
    TAG: Kind(tag_contacts, "tags.write"),
    ASSIGN_ALL: Kind(assign_contacts, ASSIGN),
    GIVE: Kind(give_to_many, ASSIGN),
    WITHDRAW: Kind(withdraw_from_many, ASSIGN),
}
