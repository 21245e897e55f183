"""Write what a file of contacts says: create the good rows, change those who are there where that is wanted.

A second run of the same file creates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Stage
from scrm.contacts.service import set_phone
from scrm.dialects import insert_ignore
from scrm.ids import new_id
from scrm.leads.carrying import Wanted, tag_contacts
from scrm.leads.imports import Judged, Tally, Verdict
from scrm.routing import service as routing
from scrm.timeline import service as timeline


class Known(StrEnum):
    """What to do with rows whose number a contact has."""

    SKIP = "skip"
    FILL = "fill"  # in what that contact has not
    OVERWRITE = "overwrite"


@dataclass(frozen=True)
class Choices:
    """What holds for all rows. A row's own channel goes before ``channel_id``."""

    known: Known = Known.SKIP
    owner_id: str | None = None  # without one, those who serve the channel take turns
    channel_id: str | None = None
    tag_ids: Sequence[str] = ()
    stage: Stage = Stage.LEAD


def create_batch(
    session: Session,
    judged: Sequence[Judged],
    tally: Tally,
    *,
    actor: str,
    file: str,
    now: datetime,
    choices: Choices = Choices(),
    key: str = "",
) -> None:
    """Create the contacts of the good rows, each with its timeline entry and owner, and count all rows.

    The caller commits. A number that another process took meanwhile counts as known. ``key`` names the import, where
    there is more to tell it by than the file's name: a contact gets the tags of an import once.
    """
    # Instants that differ keep round robin turning: it goes by who was assigned last.
    good = [row for row in judged if row.verdict is Verdict.GOOD]
    made = _create(
        session, good, choices, {row.line: now + timedelta(microseconds=n) for n, row in enumerate(good)}
    )
    with batch.collect(session):
        for row, contact in made:
            _tell(session, contact, row, actor=actor, file=file)
        tally.ownerless += len(made) - _own(session, made, choices, actor=actor, now=now)
    tagged = [contact for _, contact in made]
    if choices.known is not Known.SKIP:
        known = {row.contact_id: row for row in judged if row.verdict is Verdict.KNOWN and row.contact_id}
        there = list(session.scalars(select(Contact).where(Contact.id.in_(known))))
        tally.updated += _update(session, there, known, choices, actor=actor, now=now)
        tagged += there
    wanted = Wanted(choices.tag_ids, key or f"import:{file}", actor, now)
    tally.tagged += tag_contacts(session, tagged, wanted)
    tally.created += len(made)
    for row in judged:
        tally.counts[row.verdict] += 1
    tally.counts[Verdict.GOOD] -= len(good) - len(made)
    tally.counts[Verdict.KNOWN] += len(good) - len(made)


Made = list[tuple[Judged, Contact]]


def _create(session: Session, rows: Sequence[Judged], choices: Choices, at: Mapping[int, datetime]) -> Made:
    """Make the contacts, all at once; without those whose number somebody else has taken since it was judged."""
    if not rows:
        return []
    made = [(row, _contact(row, choices, at[row.line])) for row in rows]
    with session.begin_nested() as savepoint:
        session.add_all([contact for _, contact in made])
        session.flush()
        identities = [
            {
                "id": new_id(),
                "contact_id": contact.id,
                "kind": IdentityKind.PHONE,
                "value": contact.phone_index,
                "created_at": contact.created_at,
            }
            for _, contact in made
        ]
        if insert_ignore(session, ContactIdentity, identities) == len(rows):
            return made
        savepoint.rollback()
    if len(rows) == 1:
        return []
    return [one for row in rows for one in _create(session, [row], choices, at)]


def _contact(row: Judged, choices: Choices, at: datetime) -> Contact:
    assert row.lead is not None  # noqa: S101 - a good row is a lead
    channel_id = row.channel_id or choices.channel_id
    contact = Contact(
        id=new_id(),
        name=row.lead.name,
        corp_name=row.lead.company,
        stage=choices.stage,
        first_channel_id=channel_id,
        first_source_at=at if channel_id else None,
        created_at=at,
    )
    set_phone(contact, row.lead.phone)
    return contact


def _tell(session: Session, contact: Contact, row: Judged, *, actor: str, file: str) -> None:
    assert row.lead is not None  # noqa: S101 - a good row is a lead
    detail = {"channel": row.lead.channel, "remark": row.lead.remark, "file": file, "line": row.line}
    timeline.append(
        session,
        contact.id,
        "contact.imported",
        at=contact.created_at,
        actor=actor,
        detail={key: value for key, value in detail.items() if value is not None},
        key=f"imported:{contact.id}",
    )


def _own(session: Session, made: Made, choices: Choices, *, actor: str, now: datetime) -> int:
    """Give the new contacts their owners; how many got one."""
    if choices.owner_id is not None:
        for _, contact in made:
            routing.assign_manually(
                session, contact.id, choices.owner_id, actor=actor, now=contact.created_at
            )
        return len(made)
    by_channel: dict[str | None, list[tuple[Contact, datetime]]] = {}
    for _, contact in made:
        by_channel.setdefault(contact.first_channel_id, []).append((contact, contact.created_at))
    return sum(
        routing.assign_in_turn(session, contacts, channel_id=channel_id, now=now)
        for channel_id, contacts in by_channel.items()
    )


def _update(
    session: Session,
    contacts: Sequence[Contact],
    rows: Mapping[str, Judged],
    choices: Choices,
    *,
    actor: str,
    now: datetime,
) -> int:
    """Write what the rows (contact id → row) say into the contacts that have their numbers; how many changed."""
    handed = [one for one in contacts if _gets_owner(one, choices)]
    changed = {one.id: _change(one, rows[one.id], choices) for one in contacts}
    if choices.owner_id:
        routing.assign_many(session, handed, choices.owner_id, actor=actor, now=now)
    for contact in handed:
        changed[contact.id].append("负责人")
    changed = {contact_id: names for contact_id, names in changed.items() if names}
    with batch.collect(session):
        for contact_id, names in changed.items():
            timeline.append(
                session, contact_id, "contact.changed", at=now, actor=actor, detail={"names": names}
            )
    return len(changed)


def _gets_owner(contact: Contact, choices: Choices) -> bool:
    is_free = contact.owner_id is None or choices.known is Known.OVERWRITE
    return bool(choices.owner_id) and contact.owner_id != choices.owner_id and is_free


def _change(contact: Contact, row: Judged, choices: Choices) -> list[str]:
    """Fill in, or overwrite, the fields of one contact; which."""
    lead, over = row.lead, choices.known is Known.OVERWRITE
    assert lead is not None  # noqa: S101 - a known row is a lead
    names = []
    if lead.name != contact.name and (over or not contact.name):
        contact.name = lead.name
        names.append("姓名")
    if lead.company and lead.company != contact.corp_name and (over or not contact.corp_name):
        contact.corp_name = lead.company
        names.append("公司")
    channel_id = row.channel_id or choices.channel_id
    if channel_id and contact.first_channel_id is None:  # the first source is kept
        contact.first_channel_id, contact.first_source_at = channel_id, contact.created_at
        names.append("来源渠道")
    return names
