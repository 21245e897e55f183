"""A dozen group chats of the company: whose, who is in, who joined lately, who left. Read back they say the same."""

# ruff: noqa: PLR2004 - shares and days are plain numbers
from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.demo import company, ids
from bot.demo.book import Book, Row
from bot.demo.lives import Life
from scrm.groups.models import GroupChat, GroupMember, MemberKind

LATELY = timedelta(days=7)
INVITED, BY_LINK, BY_CODE = 1, 2, 3  # join_scene (path/92122)
STRANGERS = (
    "阿强（车队）",
    "Lily",
    "远达物流-小吴",
    "老马拉货",
    "宁波港小陈",
    "顺发调度",
    "刘姐",
    "华南跑冷链",
)


@dataclass(frozen=True)
class Chat:
    """A group made ``days`` ago, and ``size`` of the owner's customers who came, of ``channel`` if it is named."""

    name: str
    owner: str
    colleagues: tuple[str, ...]
    days: int
    size: int
    channel: str | None = None
    notice: str = ""
    strangers: int = 0
    over_days: int | None = None


CHATS = (
    Chat("上海物流展 2026 交流群", company.EARLY, (company.LATE, company.EAST_BOSS, company.MARKETER), 21, 86,
         company.FAIR, "展会优惠截止本月底：首月租金减免 50%。有用车需求请直接 @陈思远。", strangers=3),
    Chat("启程挂车 · 用车问答一群", company.LATE, (company.EARLY, company.CARE), 45, 64,
         notice="工作日 9:00–18:00 有人答疑；报修请打 400-000-0000。", strangers=2),
    Chat("启程挂车 · 用车问答二群", company.WEEKEND, (company.LATE, company.CARE), 12, 38),
    Chat("白皮书读者群", company.EARLY, (company.MARKETER,), 33, 52, company.PAPER,
         "每周三晚 8 点：全生命周期成本答疑直播。", strangers=1),
    Chat("华东车队长俱乐部", "zhoulei", (company.EAST_BOSS, "xujianing"), 50, 41, notice="十二月线下聚会报名中。"),
    Chat("宁波港集卡用车", "xujianing", (company.EAST_BOSS,), 28, 23, strangers=1),
    Chat("华南冷链运力群", "liangzhiqiang", (company.SOUTH_BOSS,), 39, 29, strangers=1),
    Chat("佛山—东莞厢式车", "huangxiaotong", (company.SOUTH_BOSS, "liangzhiqiang"), 31, 18),
    Chat("老客户续租服务群", company.CARE, ("zhoulei", "liangzhiqiang"), 55, 33,
         notice="续租请提前 30 天联系孙丽，老客户 9.5 折。"),
    Chat("销售一部重点客户", company.EAST_BOSS, ("zhoulei", "xujianing"), 26, 14),
    Chat("骨架车拼租意向", "zhoulei", (), 6, 9),
    Chat("节前运力临时群", company.LATE, (company.EARLY,), 58, 27, over_days=40),
)  # fmt: skip


def gather_groups(book: Book, lives: Sequence[Life], seed: int) -> None:
    """Write the groups into the book. Chance of its own, so that nothing else of the world changes."""
    rng = random.Random(seed)  # noqa: S311 - a made-up world needs no secrecy
    strangers = iter(STRANGERS)
    for chat in CHATS:
        made = _second(book.now - timedelta(days=chat.days, hours=rng.uniform(1, 9)))
        over = _second(book.now - timedelta(days=chat.over_days)) if chat.over_days is not None else None
        group = book.add(
            GroupChat,
            id=book.new_id(made),
            chat_id=ids.platform_id("wr", f"group:{chat.name}"),
            name=chat.name,
            owner_id=book.staff[chat.owner]["id"],
            notice=chat.notice or None,
            opened_at=made,
            dismissed_at=over,
            read_at=book.now,
            customers=0,
            colleagues=0,
        )
        for userid in (chat.owner, *chat.colleagues):
            _add_colleague(book, group, userid, chat.owner)
        for life in _choose(lives, chat, over or book.now, rng):
            _add_customer(book, group, life, chat, over or book.now, rng)
        for _ in range(chat.strangers):
            _add_stranger(book, group, next(strangers), rng)


def _second(at: datetime) -> datetime:
    """As the platform tells times."""
    return at.replace(microsecond=0)


def _choose(lives: Sequence[Life], chat: Chat, until: datetime, rng: random.Random) -> list[Life]:
    """Some of the owner's customers who were there before the group was over."""
    known = [life for life in lives if life.external and life.arrival.at < until - timedelta(hours=1)]
    if chat.channel is not None:
        known = [
            life for life in known if life.arrival.source and life.arrival.source.spec.name == chat.channel
        ]
    known = [life for life in known if chat.owner in life.relations]
    return rng.sample(known, min(chat.size, len(known)))


def _row(book: Book, group: Row, kind: MemberKind, userid: str, joined_at: datetime, **more: Any) -> Row:
    blank: Row = {
        "staff_id": None,
        "contact_id": None,
        "name": "",
        "join_scene": INVITED,
        "invitor": None,
        "state": None,
        "left_at": None,
        "quit_scene": None,
    }
    row = book.add(
        GroupMember,
        id=book.new_id(joined_at),
        group_id=group["id"],
        kind=kind,
        userid=userid,
        joined_at=joined_at,
        **(blank | more),
    )
    if row["left_at"] is None:
        group["customers" if kind is MemberKind.CONTACT else "colleagues"] += 1
    return row


def _add_colleague(book: Book, group: Row, userid: str, owner: str) -> None:
    staff = book.staff[userid]
    invitor = owner if userid != owner else None
    fields = {"staff_id": staff["id"], "name": staff["name"], "invitor": invitor}
    _row(book, group, MemberKind.STAFF, userid, group["opened_at"], **fields)


def _add_customer(
    book: Book, group: Row, life: Life, chat: Chat, until: datetime, rng: random.Random
) -> None:
    first = max(group["opened_at"], life.arrival.at)
    joined = _second(first + (until - first) * rng.random() ** 1.5)
    scene = rng.choices((INVITED, BY_LINK, BY_CODE), weights=(5, 2, 4))[0]
    gone = _second(joined + (until - joined) * rng.random()) if rng.random() < 0.12 else None
    row = _row(
        book,
        group,
        MemberKind.CONTACT,
        str(life.external),
        joined,
        contact_id=life.contact["id"],
        name=life.contact["name"],
        join_scene=scene,
        invitor=chat.owner if scene == INVITED else None,
        state="qun_yhdc" if scene == BY_CODE else None,
        left_at=gone,
        quit_scene=None if gone is None else int(rng.random() < 0.2),
    )
    _tell(book, group, life, row)


def _tell(book: Book, group: Row, life: Life, row: Row) -> None:
    """What the customer's timeline says, as our service writes it."""
    told: dict[str, Any] = {"group": group["name"], "group_id": group["id"]}
    stamp = f"{group['id']}:{row['userid']}:{int(row['joined_at'].timestamp())}"
    entries = [
        ("group.joined", row["joined_at"], {"scene": row["join_scene"], "how": f"join.{row['join_scene']}"})
    ]
    if row["left_at"] is not None:
        how = {"how": f"quit.{row['quit_scene']}"} if row["quit_scene"] else {}
        entries.append(("group.left", row["left_at"], {"scene": row["quit_scene"], **how}))
    for kind, at, detail in entries:
        if book.has_room(life.contact):
            book.tell(life.contact, kind, at, actor="customer", detail=told | detail, key=f"{kind}:{stamp}")


def _add_stranger(book: Book, group: Row, name: str, rng: random.Random) -> None:
    """Somebody a customer brought along: nobody's friend here, and so no contact of ours."""
    joined = _second(book.now - LATELY * rng.random())
    external = ids.platform_id("wm", f"stranger:{name}")
    _row(book, group, MemberKind.CONTACT, external, joined, name=name, join_scene=BY_LINK)
