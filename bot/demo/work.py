"""How reps look after a contact: the first answer, follow-ups, stages, tags and remarks, each in their own manner."""

# ruff: noqa: PLR2004 - shares, minutes and counts are plain numbers
from __future__ import annotations

import math
from datetime import datetime, timedelta

from bot.demo import company, names, phrases
from bot.demo.book import Book
from bot.demo.fates import LADDER, Second, moment_between, stage_before
from bot.demo.ids import at_work, is_working
from bot.demo.lives import Life, Story
from scrm.followups.models import Followup
from scrm.tags.models import TagSource

TOUCHES = (0.75, 1.5, 2.4, 3.6, 5.2, 7.0)  # follow-ups by level, of a rep who writes as much as most
HOT_TOUCHES = 20
JUST_NOW = timedelta(minutes=1)
INTERESTED, WATCHING, COLD = "意向/高意向", "意向/观望", "意向/无意向"


def look_after(story: Story, life: Life) -> None:
    """Everything after the greeting, until now or until the contact leaves."""
    book = story.book
    _part(story, life)
    first = _first_answer(book, life)
    times = _touches(book, life, first)
    hand_over = len(times) // 2 if life.fate.second is Second.INTRODUCED else None
    for number, at in enumerate(times):
        if number == hand_over:
            before = at - timedelta(minutes=book.rng.uniform(3, 25))
            story.second_rep(life, max(before, life.arrival.at + (at - life.arrival.at) / 2))
        if book.has_room(life.contact):
            _touch(story, life, at, number, times)
    if hand_over is not None and not times:
        story.second_rep(life, moment_between(book, life.arrival.at + timedelta(hours=2), book.now))
    _respond(book, life)


def _part(story: Story, life: Life) -> None:
    """Leaving, coming back and meeting a second rep by another code."""
    book, fate, born = story.book, life.fate, life.arrival.at
    age = book.now - born
    source = life.arrival.source
    if fate.leaves:
        hasty = source is not None and source.spec.name == company.ADS
        days = book.rng.expovariate(1 / (0.6 if hasty else 6.0))
        at = born + min(timedelta(days=days, minutes=4), age * book.rng.uniform(0.3, 0.9))
        story.lose(life, life.arrival.userid, at, by_rep=book.rng.random() < 0.06)
    if fate.returns:
        left = born + age * book.rng.uniform(0.1, 0.4)
        story.lose(life, life.arrival.userid, left)
        back = left + min(timedelta(days=book.rng.uniform(0.5, 9)), age * 0.4)
        story.regain(life, life.arrival.userid, back, source.spec.name if source else None)
    if fate.second in (Second.SCANNED_AGAIN, Second.OWNER_GONE):
        story.second_rep(life, born + age * book.rng.uniform(0.25, 0.8))


def _first_answer(book: Book, life: Life) -> datetime | None:
    """When the rep first answers; None when it never happened, or not yet."""
    member, rng = life.member, book.rng
    if rng.random() < member.forgets and life.fate.level == 0 and not life.arrival.is_lead:
        return None
    start = max([life.arrival.at, *(row["added_at"] for row in life.relations.values() if row["regained"])])
    on_shift = is_working(start, book.tz) or life.arrival.userid in company.SDRS
    minutes = member.answers_in * math.exp(rng.gauss(0, 0.7))
    at = (start if on_shift else at_work(start, book.tz, rng)) + timedelta(minutes=minutes)
    if life.ends_at is not None and at >= life.ends_at:
        return None
    return at if at < book.now - JUST_NOW else None


def _touches(book: Book, life: Life, first: datetime | None) -> list[datetime]:
    """When follow-ups happen: the first answer, then spread over as long as such a customer is worked on."""
    if first is None:
        return []
    rng, level = book.rng, life.fate.level
    wanted = HOT_TOUCHES if life.fate.hot else TOUCHES[level] * life.member.writes * rng.uniform(0.5, 1.5)
    count = max(int(wanted + rng.random()), 1 if level or life.arrival.is_lead else 0)
    if count == 0:
        return []
    end = min(book.now, life.ends_at or book.now, first + timedelta(days=4 + level * 8))
    later = (at_work(moment_between(book, first, end), book.tz, rng) for _ in range(count - 1))
    return sorted([first, *(at for at in later if first < at < min(end, book.now - JUST_NOW))])


def _touch(story: Story, life: Life, at: datetime, number: int, times: list[datetime]) -> None:
    """One follow-up and what the rep does on the occasion."""
    book, level = story.book, life.fate.level
    reached = math.ceil(level * (number + 1) / len(times)) if level else 0
    before = 0 if number == 0 else math.ceil(level * number / len(times))
    _follow_up(book, life, at, reached, is_last=number == len(times) - 1)
    for rung in range(before, reached):
        if book.has_room(life.contact):
            _advance(book, life, rung, at + timedelta(seconds=40 + 20 * rung))
    if number == 0:
        _learn(story, life, at + timedelta(seconds=75))
    elif number == 2:
        _tag_more(book, life, at + timedelta(seconds=80))


def _follow_up(book: Book, life: Life, at: datetime, reached: int, *, is_last: bool) -> None:
    rng, member = book.rng, life.member
    phase = 0 if reached < 2 else 1 if reached < 4 else 2
    kind = rng.choices(("note", "call", "visit"), (0.58, 0.34, 0.02 + 0.09 * phase))[0]
    texts = {"note": phrases.NOTES, "call": phrases.CALLS, "visit": phrases.VISITS}[kind][phase]
    content = phrases.say(rng, texts, **_facts(book, life))
    plans = content not in phrases.DEAD_ENDS and (is_last or rng.random() < 0.4)
    step, due = _next_step(book, life, at, phase) if plans else (None, None)
    row = book.add(
        Followup,
        id=book.new_id(at),
        contact_id=life.contact["id"],
        staff_id=book.staff[member.userid]["id"],
        kind=kind,
        content=content,
        at=at,
        next_step=step,
        next_at=due,
        created_at=at,
        created_by=f"staff:{member.userid}",
    )
    detail = {"staff": member.name, "content": content, "followup_id": row["id"]}
    if step:
        detail["next_step"] = step
    actor, key = f"staff:{member.userid}", f"followup:{row['id']}"
    book.tell(life.contact, f"followup.{kind}", at, actor=actor, detail=detail, key=key)


def _facts(book: Book, life: Life) -> dict[str, object]:
    rng = book.rng
    return {
        **life.facts,
        "truck": rng.choice(phrases.TRUCKS) + "挂车",
        "n": rng.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)),
        "price": rng.randrange(1580, 4200, 20),
        "month": rng.choice((3, 6, 12, 24, 36)),
    }


def _next_step(book: Book, life: Life, at: datetime, phase: int) -> tuple[str | None, datetime | None]:
    if life.ends_at is not None or book.rng.random() < 0.25:
        return None, None
    days = timedelta(days=book.rng.choice((1, 2, 3, 3, 5, 7, 10, 14)))
    return book.rng.choice(phrases.NEXT_STEPS[phase]), at_work(at + days, book.tz, book.rng)


def _advance(book: Book, life: Life, rung: int, at: datetime) -> None:
    before, after = stage_before(rung), LADDER[rung][0]
    life.contact["stage"] = after
    detail, actor = {"before": before, "after": after}, f"staff:{life.member.userid}"
    book.tell(life.contact, "contact.stage_changed", at, actor=actor, detail=detail)


def _learn(story: Story, life: Life, at: datetime) -> None:
    """What the first conversation brings: intention, truck, firm, number, a better remark."""
    book, rng, contact = story.book, story.book.rng, life.contact
    diligent = rng.random() < 0.55 * life.member.writes
    if diligent and life.member.userid in life.relations:
        _tag(book, life, [_intention(book, life), f"车型/{rng.choice(phrases.TRUCKS)}"], at)
    if contact["phone"] is None and rng.random() < 0.22 + 0.14 * life.fate.level:
        actor = f"staff:{life.member.userid}"
        contact["corp_name"] = life.firm
        story.take_phone(life, at)
        detail = {"names": ["公司", "电话"]}
        book.tell(contact, "contact.changed", at + timedelta(seconds=20), actor=actor, detail=detail)
        if life.member.userid in life.relations:
            _write_remark(book, life, at + timedelta(seconds=45))


def _intention(book: Book, life: Life) -> str:
    if life.fate.level >= 3:
        return INTERESTED
    return WATCHING if life.fate.level or book.rng.random() < 0.6 else COLD


def _write_remark(book: Book, life: Life, at: datetime) -> None:
    relation, member = life.relations[life.member.userid], life.member
    relation["remark"] = f"{life.real_name} {names.short_firm(life.firm)}"[:20]
    relation["description"] = phrases.say(book.rng, phrases.DESCRIPTIONS, **_facts(book, life))
    stamp = int(at.timestamp())
    book.tell(
        life.contact,
        "contact.edited",
        at,
        actor=f"staff:{member.userid}",
        detail={"staff": member.name, "userid": member.userid},
        key=f"contact.edited:{life.contact['id']}:{member.userid}:{stamp}",
    )


def _tag_more(book: Book, life: Life, at: datetime) -> None:
    if life.member.userid not in life.relations or book.rng.random() > 0.6 * life.member.writes:
        return
    size = book.rng.choice(("≤20 辆", "≤20 辆", "20–100 辆", ">100 辆"))
    wanted = [f"角色/{life.role}", f"规模/{size}", "区域/" + _region(life.city)]
    held = life.contact["first_channel_id"] is not None and life.arrival.source is not None
    if held and life.arrival.source and "区域/华东" in life.arrival.source.spec.tags:
        wanted.pop()
    _tag(book, life, wanted, at)


def _region(city: str) -> str:
    if city in ("广州", "深圳", "东莞", "佛山", "厦门", "惠州", "中山", "南宁", "长沙"):
        return "华南"
    return "华北" if city in ("济南", "青岛", "天津", "郑州", "临沂") else "华东"


def _tag(book: Book, life: Life, wanted: list[str], at: datetime) -> None:
    if life.ends_at is None and book.has_room(life.contact):
        book.tag(life.contact, book.staff[life.member.userid], wanted, at, TagSource.STAFF)


def _respond(book: Book, life: Life) -> None:
    """The first follow-up after an add is that rep's first response, as ``followups.service`` keeps it."""
    mine: dict[str, list[datetime]] = {}
    for row in reversed(book.rows[Followup]):
        if row["contact_id"] != life.contact["id"]:
            break
        mine.setdefault(row["staff_id"], []).append(row["at"])
    for relation in life.relations.values():
        after = [at for at in mine.get(relation["staff_id"], []) if at >= relation["added_at"]]
        relation["first_response_at"] = min(after, default=None)
