"""The lists that can be exported: their columns and rows, page by page; for a file at once, and for one as a job."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import Any, ClassVar, cast

from sqlalchemy.orm import Session

from bot.api.contacts import mask_phone
from bot.api.people import contact_names, staff_by_id
from bot.words.texts import Words
from scrm import seal
from scrm.contacts.models import Stage
from scrm.contacts.queries import (
    Added,
    ContactCard,
    ContactFilter,
    Presence,
    count_contacts,
    list_contacts,
    load_cards,
)
from scrm.followups.models import FollowupKind
from scrm.followups.queries import count_followups, list_followups
from scrm.timeline.rules import STAGES

Place = tuple[datetime, str]  # of the last row of a page
_AT = "at"  # marks an instant
_SEAL = "job.params.which"  # a number that was searched for is among the filters


@dataclass(frozen=True)
class Reading:
    """For whom a list is written: language, zone, and whether phone numbers are whole."""

    t: Words
    tz: tzinfo
    whole: bool

    def stamp(self, at: datetime | None) -> str:
        """An instant as spreadsheets understand it, in the corp's zone."""
        return f"{at.astimezone(self.tz):%Y-%m-%d %H:%M:%S}" if at else ""


@dataclass(frozen=True)
class FollowupFilter:
    """Which follow-ups; None means any. ``since`` is included, ``until`` is not."""

    staff_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    kind: FollowupKind | None = None


class Listing(ABC):
    """A list of things in time, newest first; ``which`` says which of them."""

    name: ClassVar[str]

    @abstractmethod
    def header(self, t: Words) -> list[str]:
        """The names of the columns."""

    @abstractmethod
    def count(self, session: Session, which: Any, most: int) -> int:
        """How many rows there are, counted up to ``most``."""

    @abstractmethod
    def page(
        self, session: Session, which: Any, before: Place | None, limit: int, reading: Reading
    ) -> tuple[list[list[str]], Place | None]:
        """Rows behind a place, and the place to go on at; None behind the last."""

    @abstractmethod
    def build(self, fields: dict[str, Any]) -> Any:
        """The filter of these fields."""

    def pack(self, which: Any) -> str:
        """The filter as a job may keep it: sealed."""
        return seal.ring().seal(json.dumps(asdict(which), default=_plain), _SEAL)

    def unpack(self, packed: str) -> Any:
        """What ``pack`` kept."""
        return self.build(json.loads(seal.ring().open(packed, _SEAL), object_hook=_instant))


def _plain(value: object) -> Any:
    return {_AT: value.isoformat()} if isinstance(value, datetime) else list(cast("Iterable[Any]", value))


def _instant(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value[_AT]) if _AT in value else value


class Contacts(Listing):
    """The customers."""

    name = "contacts"

    def build(self, fields: dict[str, Any]) -> ContactFilter:
        stage, presence, added = fields["stage"], fields["presence"], fields["added"]
        typed = {
            "stage": Stage(stage) if stage else None,
            "presence": Presence(presence) if presence else None,
            "added": Added(**added) if added else None,
        }
        return ContactFilter(**{**fields, **typed})

    def header(self, t: Words) -> list[str]:
        return [
            *(t("csv_name"), t("csv_company"), t("csv_phone"), t("f_owner"), t("f_channel"), t("f_tag")),
            *(t("f_stage"), t("col_added"), t("csv_lost"), t("csv_states"), t("csv_id")),
        ]

    def count(self, session: Session, which: ContactFilter, most: int) -> int:
        return count_contacts(session, which, most=most)

    def page(
        self, session: Session, which: ContactFilter, before: Place | None, limit: int, reading: Reading
    ) -> tuple[list[list[str]], Place | None]:
        found = list_contacts(session, which, before=before, limit=limit)
        lines = [_contact(card, reading) for card in load_cards(session, found)]
        return lines, (found[-1].created_at, found[-1].id) if len(found) == limit else None


class Followups(Listing):
    """The log of follow-ups."""

    name = "followups"

    def build(self, fields: dict[str, Any]) -> FollowupFilter:
        kind = fields["kind"]
        return FollowupFilter(**{**fields, "kind": FollowupKind(kind) if kind else None})

    def header(self, t: Words) -> list[str]:
        return [
            *(t("csv_at"), t("f_staff"), t("f_kind"), t("col_name"), t("csv_content")),
            *(t("csv_next_step"), t("csv_next_at"), t("csv_id")),
        ]

    def count(self, session: Session, which: FollowupFilter, most: int) -> int:
        return count_followups(session, most=most, **_asked(which))

    def page(
        self, session: Session, which: FollowupFilter, before: Place | None, limit: int, reading: Reading
    ) -> tuple[list[list[str]], Place | None]:
        found = list_followups(session, before=before, limit=limit, **_asked(which))
        people = staff_by_id(session, {row.staff_id for row in found})
        names = contact_names(session, {row.contact_id for row in found})
        lines = [
            [
                reading.stamp(row.at),
                people[row.staff_id].name,
                reading.t(f"followup_{row.kind}"),
                names[row.contact_id],
                row.content,
                row.next_step or "",
                reading.stamp(row.next_at),
                row.contact_id,
            ]
            for row in found
        ]
        return lines, (found[-1].at, found[-1].id) if len(found) == limit else None


LISTINGS: dict[str, Listing] = {one.name: one for one in (Contacts(), Followups())}


def _asked(which: FollowupFilter) -> dict[str, Any]:
    kinds = [which.kind] if which.kind else []
    return {"staff_id": which.staff_id, "since": which.since, "until": which.until, "kinds": kinds}


def _contact(card: ContactCard, reading: Reading) -> list[str]:
    contact, t = card.contact, reading.t
    phone = contact.phone if reading.whole else mask_phone(contact.phone)
    states = [f"{person.name} {t(f'state_{row.state.value}')}" for row, person in card.relations]
    return [
        contact.name,
        contact.corp_name or "",
        phone or "",
        card.owner.name if card.owner else "",
        card.channel.name if card.channel else "",
        t("join_words").join(dict.fromkeys(row.tag.name for row in card.tags)),
        t.of(STAGES, contact.stage.value),
        reading.stamp(contact.created_at),
        reading.stamp(contact.lost_at),
        t("semicolon").join(states),
        contact.id,
    ]
