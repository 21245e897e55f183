"""The channel wizard's form: what was sent, what is wrong with it in plain words, and the spec it makes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from werkzeug.datastructures import MultiDict

from bot.web.contact.forms import clean
from bot.words.sentences import shown
from bot.words.texts import Words
from scrm.accounts.hours import Hours
from scrm.channels import checks
from scrm.channels.queries import ChannelDetails
from scrm.channels.rules import MAX_USERS, TEXT_MAX_BYTES, minutes
from scrm.channels.spec import ChannelSpec
from scrm.errors import ScrmError
from scrm.tags.rules import MAX_NAME

ALWAYS, OFFICE, CUSTOM = "always", "office", "custom"
SHIFTS = (ALWAYS, OFFICE, CUSTOM)
WEEK = range(1, 8)
LINKS = checks.MAX_ATTACHMENTS
MAX_TITLE = 128
MAX_CHANNEL_NAME = 64
FEN = 100

Errors = dict[str, str]


@dataclass(frozen=True)
class Draft:
    """The form as it was sent, or as it is first shown. ``days``: weekday → (from, to)."""

    name: str = ""
    staff: list[str] = field(default_factory=list)
    shift: str = ALWAYS
    days: dict[int, tuple[str, str]] = field(default_factory=dict)
    daily_limit: str = ""
    backup_staff: list[str] = field(default_factory=list)
    text: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    tag_new: str = ""
    tag_group: str = ""
    cost: str = ""
    office: list[dict[str, Any]] = field(
        default_factory=lambda: Hours().schedule()
    )  # the corp's hours as shifts

    @property
    def fingerprint(self) -> str:
        """What makes two sendings the same one."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()

    def link(self, number: int) -> tuple[str, str]:
        """The title and address in the row of this number."""
        return self.links[number] if number < len(self.links) else ("", "")

    def day(self, weekday: int) -> tuple[str, str]:
        """From when to when on this weekday."""
        return self.days.get(weekday, ("", ""))

    def attachments(self) -> list[dict[str, Any]]:
        """As the domain writes them, whatever is wrong with them."""
        links = [
            {"msgtype": "link", "link": {"title": title, "url": url}}
            for title, url in self.links
            if title or url
        ]
        return [*links, *({"msgtype": "image", "image": {"media": one}} for one in self.images)]

    def off_days(self) -> list[int]:
        """The weekdays without a shift of their own."""
        worked = [day for shift in self.office for day in shift["weekdays"]]
        on = {ALWAYS: list(WEEK), OFFICE: worked}.get(self.shift, [day for day in WEEK if any(self.day(day))])
        return [day for day in WEEK if day not in on]


def read(form: MultiDict[str, str], hours: Hours | None = None) -> Draft:
    """What was sent, without what no database keeps and nobody sees; ``hours`` are the corp's."""
    line = lambda name: " ".join(clean(form.get(name, "")).split())  # noqa: E731
    titles, urls = form.getlist("link_title"), form.getlist("link_url")
    rows = list(zip(titles, urls, strict=False))[:LINKS]
    return Draft(
        name=line("name"),
        staff=list(dict.fromkeys(form.getlist("staff"))),
        shift=form.get("shift", ALWAYS),
        days={day: (line(f"from_{day}"), line(f"to_{day}")) for day in WEEK},
        daily_limit=line("daily_limit"),
        backup_staff=list(dict.fromkeys(form.getlist("backup_staff"))),
        text=clean(form.get("text", "")),
        links=[(" ".join(clean(title).split()), clean(url)) for title, url in rows],
        images=list(dict.fromkeys(form.getlist("image"))),
        tags=list(dict.fromkeys(form.getlist("tags"))),
        tag_new=line("tag_new"),
        tag_group=line("tag_group"),
        cost=line("cost"),
        office=(hours or Hours()).schedule(),
    )


def draft_of(details: ChannelDetails, name: str, hours: Hours) -> Draft:
    """The form that makes a channel like this one. Of several welcomes the first; hours by member stay behind.

    ``hours`` are the corp's.
    """
    channel = details.channel
    welcome = channel.welcomes[0] if channel.welcomes else {}
    kept = welcome.get("attachments") or []
    links = [
        (one["link"].get("title", ""), one["link"].get("url", "")) for one in kept if one["msgtype"] == "link"
    ]
    return Draft(
        name=name,
        staff=details.staff,
        shift=_shift_of(channel.schedule, hours),
        days=_days_of(channel.schedule),
        daily_limit=str(channel.daily_limit or ""),
        backup_staff=details.backup_staff,
        text=welcome.get("text") or "",
        links=links,
        images=[
            one["image"]["media"] for one in kept if one["msgtype"] == "image" and one["image"].get("media")
        ],
        tags=[f"{tag.group}/{tag.name}" for tag in details.tags],
        office=hours.schedule(),
    )


def _shift_of(schedule: Sequence[Mapping[str, Any]], hours: Hours) -> str:
    if not schedule:
        return ALWAYS
    return OFFICE if [dict(one) for one in schedule] == hours.schedule() else CUSTOM


def _days_of(schedule: Sequence[Mapping[str, Any]]) -> dict[int, tuple[str, str]]:
    days: dict[int, tuple[str, str]] = {}
    for shift in schedule:
        for day in shift.get("weekdays") or WEEK:
            days.setdefault(day, (shift.get("from") or "00:00", shift.get("to") or "24:00"))
    return days


def problems(draft: Draft, words: Words) -> Errors:
    """Everything wrong that can be told without the database: field → what to do."""
    found: Errors = {}
    if not draft.name:
        found["name"] = words("wrong_name")
    elif len(draft.name) > MAX_CHANNEL_NAME:
        found["name"] = words("wrong_name_long")
    found |= pool_problems(draft, words)
    found |= _shift_problems(draft, words)
    found |= welcome_problems(draft, words)
    if draft.tag_new and not draft.tag_group:
        found["tag_group"] = words("wrong_tag_group")
    elif len(draft.tag_new) > MAX_NAME or len(draft.tag_group) > MAX_NAME:
        found["tag_new"] = words("wrong_tag_name")
    if _fen(draft.cost) is None:
        found["cost"] = words("wrong_cost")
    return found


def pool_problems(draft: Draft, words: Words) -> Errors:
    """Reps, backups and their limit."""
    found: Errors = {}
    if not draft.staff:
        found["staff"] = words("wrong_staff")
    elif len(draft.staff) > MAX_USERS:
        found["staff"] = words("wrong_staff_many")
    if set(draft.staff) & set(draft.backup_staff):
        found["backup_staff"] = words("wrong_backup")
    limit = _whole(draft.daily_limit)
    if draft.daily_limit and (limit is None or not 1 <= limit <= checks.MAX_LIMIT):
        found["daily_limit"] = words("wrong_limit")
    return found


def welcome_problems(draft: Draft, words: Words) -> Errors:
    """The text and what hangs on it."""
    found: Errors = {}
    size = len(draft.text.encode("utf-8", "replace"))
    if size > TEXT_MAX_BYTES:
        found["text"] = words("wrong_welcome_long", now=size)
    count = len(draft.attachments())
    if not draft.text and not count:
        found["text"] = words("wrong_welcome_empty")
    if count > checks.MAX_ATTACHMENTS:
        found["links"] = words("wrong_attachments", now=count)
    for number, (title, url) in enumerate(draft.links):
        if not title and not url:
            continue
        if not title or len(title) > MAX_TITLE:
            found[f"link_title_{number}"] = words("wrong_link_title")
        if checks.url_problems(url, "url"):
            found[f"link_url_{number}"] = words("wrong_link_url")
    return found


def _shift_problems(draft: Draft, words: Words) -> Errors:
    if draft.shift not in SHIFTS:
        return {"shift": words("wrong_shift")}
    if draft.shift != CUSTOM:
        return {}
    if not any(any(times) for times in draft.days.values()):
        return {"shift": words("wrong_shift_empty")}
    return {
        f"day_{day}": words("wrong_shift_time", day=words(f"day_{day}"))
        for day, (start, end) in draft.days.items()
        if (start or end) and (minutes(start) is None or minutes(end) is None or start == "24:00")
    }


def spec_of(draft: Draft) -> ChannelSpec:
    """The channel that a draft without problems means; its new tag is named by the caller."""
    return ChannelSpec(
        name=draft.name,
        staff=draft.staff,
        tags=draft.tags,
        welcome=welcome_of(draft),
        schedule=schedule_of(draft),
        daily_limit=_whole(draft.daily_limit),
        backup_staff=draft.backup_staff,
        cost_fen=_fen(draft.cost) or 0,
    )


def welcome_of(draft: Draft) -> dict[str, Any]:
    """The welcome that greets at any time."""
    welcome: dict[str, Any] = {"text": draft.text}
    if draft.attachments():
        welcome["attachments"] = draft.attachments()
    return welcome


def schedule_of(draft: Draft) -> list[dict[str, Any]]:
    """The shifts; days with the same hours share one."""
    if draft.shift == OFFICE:
        return [dict(shift) for shift in draft.office]
    if draft.shift != CUSTOM:
        return []
    hours: dict[tuple[str, str], list[int]] = {}
    for day in WEEK:
        if any(draft.day(day)):
            hours.setdefault(draft.day(day), []).append(day)
    return [{"weekdays": days, "from": start, "to": end} for (start, end), days in hours.items()]


def limit_of(draft: Draft) -> int | None:
    """The daily limit; None for none."""
    return _whole(draft.daily_limit)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 - any int


def _fen(text: str) -> int | None:
    """Yuan as fen, 0 for nothing; None where it is no amount."""
    if not text:
        return 0
    try:
        fen = Decimal(text.replace(",", "").removeprefix("¥")) * FEN
    except InvalidOperation:
        return None
    good = fen.is_finite() and fen == fen.to_integral_value() and 0 <= fen <= checks.MAX_FEN
    return int(fen) if good else None


# the domain's codes and paths → our fields and words
_CODES = {
    "channel_name_taken": ("name", "wrong_name_taken"),
    "channel_without_staff": ("staff", "wrong_nobody"),
}
_FIELDS = {"staff": "staff", "backup_staff": "backup_staff", "tags": "tags", "daily_limit": "daily_limit"}
_FIELDS |= {"schedule": "shift", "name": "name", "cost_fen": "cost", "names": "tag_new", "group": "tag_group"}
_WORDS = {"staff": "wrong_staff_gone", "backup_staff": "wrong_staff_gone"}


def told(error: ScrmError, words: Words) -> Errors:
    """What the domain refused, at the fields of the form."""
    if error.code in _CODES:
        name, key = _CODES[error.code]
        return {name: words(key)}
    found: Errors = {}
    for path, text in error.fields.items():
        name = _FIELDS.get(path.partition("[")[0].partition(".")[0], "text")
        found.setdefault(name, _said(name, text, words))
    return found or {"name": _said("name", error.message, words)}


def _said(name: str, text: str, words: Words) -> str:
    if name in _WORDS:
        return words(_WORDS[name])
    return shown(words, text)


def gap(draft: Draft, names: Mapping[str, str], words: Words) -> str | None:
    """Who answers when nobody is on duty, as a sentence; None where somebody always is."""
    if draft.shift == ALWAYS:
        return None
    off = words("join_words").join(words(f"day_{day}") for day in draft.off_days())
    when = words("gap_days", days=off) if off else words("gap_outside")
    backups = words("join_words").join(names.get(one, one) for one in draft.backup_staff)
    who = words("gap_backup", names=backups) if backups else words("gap_all")
    return words("shift_gap", when=when, who=who)
