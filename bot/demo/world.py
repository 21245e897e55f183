"""The whole made-up company as rows, ready to be inserted: channels, contacts, and what happened in sixty days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from bot.demo import company, ids
from bot.demo.book import Book, Row
from bot.demo.crowd import gather
from bot.demo.duties import plan_tasks
from bot.demo.fates import decide
from bot.demo.groups import gather_groups
from bot.demo.lives import Life, Story
from bot.demo.wire import Wire
from bot.demo.work import look_after
from scrm.channels.models import Channel, ChannelCode, ChannelStaff, ChannelState, ChannelTag, Scan
from scrm.channels.rules import MEDIA_FIELDS, PoolMember, pool
from scrm.db import Base
from scrm.timeline.models import TimelineEntry

SEED = 20260301


@dataclass(frozen=True)
class World:
    """Rows by table, in an order that foreign keys allow; customers only the platform knows (see ``wire``)."""

    rows: dict[type[Base], list[Row]]
    platform_only: list[dict[str, Any]]


def make_world(
    *,
    now: datetime,
    tz: tzinfo,
    media: Mapping[str, str],
    corp: Mapping[str, Any],
    sandbox_url: str,
    after_call: int = 0,
) -> World:
    """The world as of ``now``. ``media`` maps the files' names to the ids they are stored under.

    ``after_call`` is the last outbox id that is taken already.
    """
    book = Book(seed=SEED, now=now, tz=tz)
    channels = _open_channels(book, media)
    story = Story(book, channels)
    arrivals = gather(book)
    lives: list[Life] = []
    for arrival, fate in zip(arrivals, decide(book, arrivals), strict=True):
        life = story.begin(arrival, fate)
        look_after(story, life)
        lives.append(life)
    wire = Wire(book, channels, corp, after_call)
    wire.write(lives)
    plan_tasks(book)
    _set_codes(book, channels, sandbox_url)
    gather_groups(book, lives, SEED)
    book.rows[TimelineEntry].sort(key=lambda row: row["at"])
    return World(book.rows, wire.platform_only)


def _open_channels(book: Book, media: Mapping[str, str]) -> dict[str, Row]:
    """Channels with pool, tags and code. What stories need of each, by name."""
    found = {}
    for source in company.SOURCES:
        spec = source.spec
        at = min(book.now - timedelta(days=source.created_days_ago), book.now)
        row = book.add(
            Channel,
            id=book.new_id(at),
            name=spec.name,
            kind="wecom",
            state=ChannelState.ACTIVE,
            schedule=spec.schedule,
            daily_limit=spec.daily_limit,
            welcomes=[_with_media(welcome, media) for welcome in spec.all_welcomes()],
            remark_template=spec.remark_template,
            skip_verify=True,
            cost_fen=spec.cost_fen,
            created_at=at,
            created_by=f"staff:{company.ADMIN}",
            updated_at=None,
            updated_by=None,
        )
        _add_members(book, row["id"], source)
        for name in spec.tags:
            book.add(ChannelTag, channel_id=row["id"], tag_id=book.tags[name]["id"])
        found[spec.name] = {
            "id": row["id"],
            "name": spec.name,
            "remark_template": spec.remark_template,
            "tags": spec.tags,
            "welcomes": row["welcomes"],
            "way_state": f"ch_{ids.platform_id('', 'state:' + spec.name, 12)}",
            "config_id": ids.config_id(spec.name),
        }
    return found


def _with_media(welcome: Mapping[str, Any], media: Mapping[str, str]) -> dict[str, Any]:
    """The welcome with the stored files' ids where it names files."""
    attachments = []
    for item in welcome.get("attachments", []):
        kind = item["msgtype"]
        body = dict(item[kind])
        if kind in MEDIA_FIELDS:
            body[MEDIA_FIELDS[kind]] = media[body[MEDIA_FIELDS[kind]]]
        attachments.append({"msgtype": kind, kind: body})
    return {**welcome, "attachments": attachments} if attachments else dict(welcome)


def _add_members(book: Book, channel_id: str, source: company.Source) -> None:
    spec = source.spec
    for userid in (*spec.staff, *spec.backup_staff):
        book.add(
            ChannelStaff,
            channel_id=channel_id,
            staff_id=book.staff[userid]["id"],
            weight=spec.weights.get(userid, 1),
            daily_limit=spec.daily_limits.get(userid),
            is_backup=userid in spec.backup_staff,
        )


def _set_codes(book: Book, channels: Mapping[str, Row], sandbox_url: str) -> None:
    """Each channel's code, with the members who serve right now: by shift, limit and leave."""
    local = book.now.astimezone(book.tz)
    taken: dict[tuple[str, str], set[str]] = {}
    for scan in book.rows[Scan]:
        if scan["at"].astimezone(book.tz).date() == local.date():
            taken.setdefault((scan["channel_id"], scan["staff_id"]), set()).add(scan["contact_id"])
    for source in company.SOURCES:
        spec, channel = source.spec, channels[source.spec.name]
        members = [
            PoolMember(
                userid=userid,
                is_backup=userid in spec.backup_staff,
                available=not book.staff[userid]["on_leave"],
                taken_today=len(taken.get((channel["id"], book.staff[userid]["id"]), ())),
                daily_limit=spec.daily_limits.get(userid),
            )
            for userid in (*spec.staff, *spec.backup_staff)
        ]
        serving = pool(members, spec.schedule, spec.daily_limit, local)
        book.add(
            ChannelCode,
            id=book.new_id(book.now - timedelta(days=source.created_days_ago)),
            channel_id=channel["id"],
            state=channel["way_state"],
            config_id=channel["config_id"],
            qr_url=f"{sandbox_url}/sandbox/qr/{channel['config_id']}.png",
            users=serving.users,
            wanted=serving.users,
            pool_reason=serving.reason,
            error=None,
            updated_at=book.now,
        )
