"""The judge: what the platform did and holds, against what we were told, owed and hold. The platform is the truth."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from scrm.accounts.models import Department, Staff
from scrm.contacts.models import ContactIdentity, IdentityKind, Relation, RelationState
from scrm.db import Database
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall
from scrm.tags.models import ContactTag, Tag
from scrm.timeline.models import TimelineEntry
from tests.load.rig import Books

FIELD = r"<{}><!\[CDATA\[(.*?)\]\]>"
NAMED = {name: re.compile(FIELD.format(name)) for name in ("UserID", "ExternalUserID", "WelcomeCode")}
ADD = "add_external_contact"
SHOWN = 8  # examples of each kind of difference
Pair = tuple[str, str]


@dataclass
class Found:
    """What the judge found; ``wrong`` is empty when every promise was kept."""

    lines: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    welcomes: Counter[str] = field(default_factory=Counter)
    expired: list[datetime] = field(default_factory=list)  # when those were owed
    events: int = 0
    undelivered: int = 0

    def differ(self, what: str, differences: list[Any]) -> None:
        """Note a comparison: how many differences, and the first of them."""
        self.lines[what] = len(differences)
        self.wrong += [f"{what}: {one}" for one in differences[:SHOWN]]
        if len(differences) > SHOWN:
            self.wrong.append(f"{what}: and {len(differences) - SHOWN} more")


def compare(database: Database, books: Books) -> Found:
    """Compare everything, after all work is done."""
    found = Found()
    with database.read() as session:
        events = {
            (row.dedupe_key): row
            for row in session.scalars(select(InboxEvent).where(InboxEvent.source == "wecom"))
        }
        others = list(session.scalars(select(InboxEvent).where(InboxEvent.source != "wecom")))
        calls = list(session.scalars(select(OutboxCall)))
        attempts = session.execute(select(OutboxAttempt.n)).scalars().all()
        told = Counter(
            session.scalars(select(TimelineEntry.kind).where(TimelineEntry.kind.like("welcome.%")))
        )
    found.lines["calls made"] = len(attempts)
    found.lines["calls made again"] = sum(n > 1 for n in attempts)
    _rows_are_over(found, [*events.values(), *others], calls)
    delivered = _callbacks_are_kept(found, books, events)
    _welcomes_agree(found, books, calls, delivered, told)
    _marks_and_notices_agree(found, database, books, calls, delivered)
    _tables_agree(found, database, books)
    return found


def _rows_are_over(found: Found, events: list[InboxEvent], calls: list[OutboxCall]) -> None:
    found.lines["inbox"] = dict(Counter(row.state.value for row in events))
    found.lines["outbox"] = dict(Counter(call.state.value for call in calls))
    stuck = [
        f"{row.id} {row.kind} {row.state} {row.error or ''}" for row in events if row.state != EventState.DONE
    ]
    found.differ("events not done", stuck)
    good = (CallState.SENT, CallState.EXPIRED, CallState.SKIPPED)
    found.differ(
        "calls failed, unknown or open",
        [
            f"{call.id} {call.api} {call.state} {call.reason or ''}"
            for call in calls
            if call.state not in good
        ],
    )
    late = [call for call in calls if call.state is CallState.EXPIRED and call.command_kind != "SendWelcome"]
    found.differ("calls expired that are no welcomes", late)


def _callbacks_are_kept(found: Found, books: Books, events: dict[str, InboxEvent]) -> list[Any]:
    """Every 200 is an event, once, and nothing else is. Answers the deliveries that were accepted."""
    rows = books.all("SELECT * FROM delivery WHERE state != 'lost'")
    delivered = [row for row in rows if row["state"] == "delivered"]
    keys = Counter(hashlib.sha256(row["xml"].encode()).hexdigest() for row in delivered)
    found.events, found.undelivered = len(keys), len(rows) - len(delivered)
    found.lines["callbacks"] = (
        f"{len(rows)} sent, {len(delivered)} answered 200, {found.undelivered} never accepted"
    )
    found.lines["callbacks with the very text of another"] = sum(keys.values()) - len(keys)
    found.differ("answered 200 and not in the inbox", [key for key in keys if key not in events])
    given_up = [hashlib.sha256(row["xml"].encode()).hexdigest() for row in rows if row["state"] == "failed"]
    found.differ("never accepted and lost", [key for key in given_up if key not in events])
    # one that was not accepted in three tries may still have been kept: the answer was late
    every = {hashlib.sha256(row["xml"].encode()).hexdigest() for row in rows}
    found.differ("in the inbox and never sent", [key for key in events if key not in every])
    return delivered


def _welcomes_agree(
    found: Found, books: Books, calls: list[OutboxCall], delivered: list[Any], told: Counter[str]
) -> None:
    owed = {call.command["welcome_code"]: call for call in calls if call.command_kind == "SendWelcome"}
    greeted = Counter(body["welcome_code"] for body in books.effects("externalcontact/send_welcome_msg"))
    wrong = []
    for row in delivered:
        code = _named(row["xml"], "WelcomeCode")
        if row["change_type"] != ADD or not code:
            continue
        call = owed.pop(code, None)
        if call is None:
            wrong.append(f"no welcome is owed to {_pair(row['xml'])}")
            continue
        presumed = (call.reason or "").startswith("presumed_sent")
        found.welcomes["presumed sent" if presumed else call.state.value] += 1
        if call.state is CallState.EXPIRED:
            found.expired.append(call.created_at)
        if greeted[code] != (call.state is CallState.SENT):
            wrong.append(
                f"{_pair(row['xml'])} was greeted {greeted[code]} times, the welcome is {call.state}"
            )
    found.lines["welcomes"] = dict(found.welcomes)
    found.differ("welcomes that differ from the ledger", wrong)
    found.differ("greeted twice", [code for code, times in greeted.items() if times > 1])
    states = Counter(call.state.value for call in calls if call.command_kind == "SendWelcome")
    untold = {
        state: (count, told[f"welcome.{state}"])
        for state, count in states.items()
        if told[f"welcome.{state}"] != count
    }
    found.differ("welcomes the timeline tells otherwise", list(untold.items()))


def _marks_and_notices_agree(
    found: Found,
    database: Database,
    books: Books,
    calls: list[OutboxCall],
    delivered: list[Any],
) -> None:
    """One mark for a pair that came by a channel, one notice for each add; and the ledger has none but those we owe."""
    adds = Counter(_pair(row["xml"]) for row in delivered if row["change_type"] == ADD)
    marks = Counter(
        (body["userid"], body["external_userid"]) for body in books.effects("externalcontact/mark_tag")
    )
    ours = Counter(
        (call.command["userid"], call.command["external_userid"])
        for call in calls
        if call.command_kind == "MarkTags" and call.state is CallState.SENT
    )
    found.lines["tags marked"] = sum(marks.values())
    found.differ("added and not marked once", [(pair, marks[pair]) for pair in adds if marks[pair] != 1])
    found.differ("marked more often than owed", list((marks - ours).items()))
    links = Counter(_path(body["textcard"]["url"]) for body in books.effects("message/send"))
    owed = Counter(
        _path(call.command["url"])
        for call in calls
        if call.command_kind == "NotifyStaff" and call.state is CallState.SENT
    )
    found.lines["reps told"] = sum(links.values())
    found.differ("notices that differ from the ledger", list(((links - owed) + (owed - links)).items()))
    with database.read() as session:
        known = dict(session.execute(select(ContactIdentity.value, ContactIdentity.contact_id)).all())
    of_contact = Counter({known.get(customer, ""): 0 for _, customer in adds})
    for (_, customer), times in adds.items():
        of_contact[known.get(customer, "")] += times
    missing = [(one, times, links[one]) for one, times in of_contact.items() if links[one] != times]
    found.differ("added and the rep not told as often", missing)


def _tables_agree(found: Found, database: Database, books: Books) -> None:
    theirs = {
        (row["userid"], row["customer"]): (
            "lost" if row["deleted_by_customer"] else "half" if row["half"] else "active"
        )
        for row in books.all("SELECT * FROM relation")
    }
    remarks = {
        (row["userid"], row["customer"]): row["remark"] or None for row in books.all("SELECT * FROM relation")
    }
    tags: dict[Pair, set[str]] = {}
    for row in books.all("SELECT * FROM relation_tag"):
        tags.setdefault((row["userid"], row["customer"]), set()).add(row["tag_id"])
    relations, our_tags = _ours(database)
    gone = (RelationState.REMOVED, RelationState.TRANSFERRED)
    states = {
        pair: relation.state.value for pair, relation in relations.items() if relation.state not in gone
    }
    found.lines["relations"] = f"{len(theirs)} on the platform, {len(states)} ours"
    found.differ("relations that differ", _differences(theirs, states))
    active = [pair for pair, state in theirs.items() if state == "active" and pair in relations]
    found.differ(
        "remarks that differ",
        _differences({p: remarks[p] for p in active}, {p: relations[p].remark for p in active}),
    )
    found.lines["tags on pairs"] = sum(len(tags.get(pair, ())) for pair in active)
    found.differ(
        "tags that differ",
        _differences({p: tags.get(p, set()) for p in active}, {p: our_tags.get(p, set()) for p in active}),
    )
    with database.read() as session:
        members = dict(session.execute(select(Staff.userid, Staff.position)).all())
        names = dict(session.execute(select(Tag.wecom_id, Tag.name).where(Tag.deleted_at.is_(None))).all())
        departments = dict(session.execute(select(Department.id, Department.name)).all())
    their_members = {
        row["userid"]: row["position"] for row in books.all("SELECT * FROM staff WHERE status != 5")
    }
    found.differ("members that differ", _differences(their_members, members))
    their_names = {row["id"]: row["name"] for row in books.all("SELECT * FROM tag WHERE deleted = 0")}
    found.differ("corp tags that differ", _differences(their_names, names))
    their_departments = {row["id"]: row["name"] for row in books.all("SELECT * FROM department")}
    found.differ("departments that differ", _differences(their_departments, departments))


def _ours(database: Database) -> tuple[dict[Pair, Relation], dict[Pair, set[str]]]:
    with database.read() as session:
        who = dict(
            session.execute(
                select(ContactIdentity.contact_id, ContactIdentity.value).where(
                    ContactIdentity.kind == IdentityKind.WECOM
                )
            ).all()
        )
        staff = dict(session.execute(select(Staff.id, Staff.userid)).all())
        relations = {
            (staff[row.staff_id], who[row.contact_id]): row for row in session.scalars(select(Relation))
        }
        tags: dict[Pair, set[str]] = {}
        held = select(ContactTag.staff_id, ContactTag.contact_id, Tag.wecom_id).join(
            Tag, Tag.id == ContactTag.tag_id
        )
        for staff_id, contact_id, wecom_id in session.execute(held):
            tags.setdefault((staff[staff_id], who[contact_id]), set()).add(wecom_id)
    return relations, tags


def _differences(theirs: dict[Any, Any], ours: dict[Any, Any]) -> list[str]:
    return [
        f"{key}: platform {theirs.get(key)!r}, ours {ours.get(key)!r}"
        for key in theirs.keys() | ours.keys()
        if theirs.get(key) != ours.get(key)
    ]


def _named(xml: str, name: str) -> str | None:
    match = NAMED[name].search(xml)
    return match[1] if match else None


def _pair(xml: str) -> Pair:
    return _named(xml, "UserID") or "", _named(xml, "ExternalUserID") or ""


def _path(url: str) -> str:
    """The contact a profile link is about."""
    return url.split("?", maxsplit=1)[0].rsplit("/", 1)[-1]


def show(found: Found) -> str:
    """As plain lines."""
    lines = [
        f"{name}: {value if not isinstance(value, dict) else json.dumps(value)}"
        for name, value in found.lines.items()
    ]
    return "\n".join([*lines, *(f"WRONG {line}" for line in found.wrong)])
