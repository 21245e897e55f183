"""The head of a profile: who this is, from where, whose and why, with which tags. Values only; templates lay out."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from bot.api.contacts import mask_phone
from bot.web.bidi import isolated, plain
from bot.web.site import Screen
from bot.web.times import Moment
from scrm.accounts.models import Staff
from scrm.contacts.models import Relation, RelationState
from scrm.contacts.queries import ContactCard
from scrm.followups.models import Followup
from scrm.routing.models import Assignment
from scrm.routing.rules import sentence
from scrm.tags.models import TagSource
from scrm.tags.queries import ContactTagRow
from scrm.timeline.rules import STAGES

HUES = 6
ENDED = (RelationState.LOST, RelationState.REMOVED)


@dataclass(frozen=True)
class TagLine:
    """A tag and who set it."""

    id: str
    name: str
    group: str
    by: str


@dataclass(frozen=True)
class RelationLine:
    """A member the contact is or was connected with."""

    name: str
    state: str
    is_live: bool
    at: Moment | None
    answered: Moment | None
    remark: str | None


@dataclass(frozen=True)
class OwnerLine:
    """Whose the contact is, or was, since when and why."""

    text: str
    why: str
    at: Moment | None


@dataclass(frozen=True)
class NextStep:
    """What the newest follow-up plans."""

    what: str
    due: Moment
    is_late: bool


@dataclass(frozen=True)
class Profile:
    """The head of the page."""

    name: str
    initial: str
    hue: int
    stage: str
    source: str
    since: str
    since_full: str
    owner: OwnerLine
    owners_before: list[OwnerLine]
    tags: list[str]
    tag_lines: list[TagLine]
    phone: str | None
    company: str | None
    relations: list[RelationLine]
    banner: str | None
    next: NextStep | None


def build(
    screen: Screen,
    card: ContactCard,
    assignments: list[Assignment],
    latest: Followup | None,
    *,
    me: Staff | None,
) -> Profile:
    """The head of this contact's page for ``me``, the member who looks; None for somebody who is no member."""
    contact = card.contact
    name = plain(contact.name).strip() or screen.t("no_name")
    mine = next((row for row, person in card.relations if me and person.id == me.id), None)
    shown = mine or next((row for row, _ in card.relations), None)
    added = shown.added_at if shown and shown.added_at else None
    since = screen.calendar.moment(added or contact.created_at)
    owner, before = _owners(screen, card, assignments, me)
    tag_lines = [_tag(screen, card, row) for row in card.tags]
    return Profile(
        name=name,
        initial=initial(name),
        hue=zlib.crc32(contact.id.encode()) % HUES,
        stage=screen.t.of(STAGES, contact.stage.value),
        source=_source(screen, card, shown),
        since=screen.t("since" if added else "since_lead", at=since.text),
        since_full=since.full,
        owner=owner,
        owners_before=before,
        tags=list(dict.fromkeys(line.name for line in tag_lines)),
        tag_lines=tag_lines,
        phone=mask_phone(contact.phone),
        company=plain(contact.corp_name) if contact.corp_name else None,
        relations=_relations(screen, card),
        banner=_banner(screen, mine),
        next=_next(screen, latest),
    )


def initial(name: str) -> str:
    """What stands in the avatar's place: the first letter or character; a name of signs alone has a dot."""
    return next((character.upper() for character in name if character.isalnum()), "·")[:1]


def _source(screen: Screen, card: ContactCard, shown: Relation | None) -> str:
    if card.channel:
        return card.channel.name
    if shown is None:
        return screen.t("unknown_source")
    return screen.t.find(f"add_way_{shown.add_way}") or screen.t("direct")


def _owners(
    screen: Screen, card: ContactCard, assignments: list[Assignment], me: Staff | None
) -> tuple[OwnerLine, list[OwnerLine]]:
    """The present owner and the ones before, newest first."""
    owner = card.owner
    lines = [
        OwnerLine(
            str(row.detail.get("staff", "")),
            sentence(
                row.reason, {key: isolated(value) for key, value in row.detail.items()}, screen.t.locale
            ),
            screen.calendar.moment(row.at),
        )
        for row in assignments
    ]
    current = assignments[0] if assignments and owner and assignments[0].staff_id == owner.id else None
    if owner is None:
        return OwnerLine(screen.t("unowned"), "", None), lines
    text = screen.t("mine") if me and owner.id == me.id else screen.t("owned_by", name=owner.name)
    if current is None:
        return OwnerLine(text, screen.t("why_unknown"), None), lines
    return OwnerLine(text, lines[0].why, lines[0].at), lines[1:]


def _tag(screen: Screen, card: ContactCard, row: ContactTagRow) -> TagLine:
    people = {person.id: person.name for _, person in card.relations}
    channel = card.channel
    source = screen.t(f"tag_source_{row.link.source.value}")
    if row.link.source is TagSource.CHANNEL and channel and row.link.source_ref == channel.id:
        source = screen.t("tag_source_channel_named", channel=channel.name)
    staff = people.get(row.link.staff_id, screen.t("nothing"))
    at = screen.calendar.moment(row.link.set_at).text
    return TagLine(row.tag.id, row.tag.name, row.group, screen.t("tag_by", source=source, staff=staff, at=at))


def _relations(screen: Screen, card: ContactCard) -> list[RelationLine]:
    lines = []
    for relation, person in card.relations:
        at = relation.lost_at if relation.state in ENDED else relation.added_at
        lines.append(
            RelationLine(
                name=person.name,
                state=screen.t(f"state_{relation.state.value}"),
                is_live=relation.state in (RelationState.ACTIVE, RelationState.HALF),
                at=screen.calendar.moment(at) if at else None,
                answered=screen.calendar.moment(relation.first_response_at)
                if relation.first_response_at
                else None,
                remark=isolated(relation.remark) or None,
            )
        )
    return lines


def _banner(screen: Screen, mine: Relation | None) -> str | None:
    if mine is None or mine.state not in ENDED:
        return None
    at = screen.calendar.moment(mine.lost_at or mine.event_at)
    return screen.t(f"banner_{mine.state.value}", at=at.text)


def _next(screen: Screen, latest: Followup | None) -> NextStep | None:
    if latest is None or latest.next_at is None:
        return None
    return NextStep(
        latest.next_step or screen.t("followups"),
        screen.calendar.due(latest.next_at),
        screen.calendar.local(latest.next_at).date() < screen.calendar.today,
    )
