"""Contacts from a file: what becomes of each row, and the file of those that failed. Writes nothing: ``making`` does.

A phone number is what makes a person: a row whose number came earlier in the file is repeated, one whose number a
contact has is known. Where that contact is out of reach of whoever imports, the row is bad: nothing of them is told or
changed, and nobody gets a second contact with the number.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from scrm import seal
from scrm.channels.models import Channel
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind
from scrm.contacts.queries import phone_digits
from scrm.leads.carrying import Tagged
from scrm.leads.sheets import (
    BATCH,
    COLUMNS,
    DANGEROUS,
    MAX_BYTES,
    MAX_ROWS,
    REASON_COLUMN,
    REASONS,
    Sheet,
    batches,
    defused,
    read_cell,
    read_sheet,
    read_table,
)

__all__ = [
    "BATCH",
    "DANGEROUS",
    "MAX_BYTES",
    "MAX_ROWS",
    "REASON_COLUMN",
    "Judged",
    "Lead",
    "Rows",
    "Sheet",
    "Tally",
    "Verdict",
    "batches",
    "defused",
    "failed_header",
    "failed_row",
    "judge_batch",
    "normal_phone",
    "read_cell",
    "read_lead",
    "read_sheet",
    "read_table",
]

Rows = Sequence[tuple[int, list[str]]]  # line numbers and cells

LONGEST = {"name": 128, "company": 128, "remark": 500}
PHONE_WANTED = "手机号不正确：应为 1 开头的 11 位大陆手机号，或以 + 开头的国际号码"

HIDDEN = "这个手机号已属于一位您无权查看的客户，没有导入；需要时请联系管理员"

_contacts = cast("Table", Contact.__table__)  # not narrowed: a number is one person's, whoever may see them
_identities = cast("Table", ContactIdentity.__table__)
_MAINLAND = re.compile(r"(?:(?:\+|00)?86)?(1[3-9]\d{9})")
_INTERNATIONAL = re.compile(r"(?:\+|00)([1-9]\d{6,14})")  # ITU-T E.164: at most 15 digits
_SEPARATORS = re.compile(r"[ \-().（）\u00a0]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Lead:
    """A row that may become a contact. ``phone`` is in the form in which numbers are kept."""

    name: str
    phone: str
    company: str | None
    channel: str | None
    remark: str | None


class Verdict(StrEnum):
    """What becomes of a row."""

    GOOD = "good"
    REPEATED = "repeated"  # the number came earlier in this file
    KNOWN = "known"  # a contact has the number
    BAD = "bad"


@dataclass(frozen=True)
class Judged:
    """One row and its verdict; ``reason`` says what is wrong with a bad one."""

    line: int
    cells: list[str]
    verdict: Verdict
    reason: str = ""
    lead: Lead | None = None
    channel_id: str | None = None
    contact_id: str | None = None  # who has the number, where they may be seen


@dataclass
class Tally:
    """How the rows of a file fared. ``ownerless`` are created contacts for whom nobody was free."""

    counts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    created: int = 0
    updated: int = 0
    ownerless: int = 0
    tagged: Tagged = field(default_factory=Tagged)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def normal_phone(text: str) -> str | None:
    """Answer a number in the form in which numbers are kept, or None: mainland mobiles, or E.164 with + or 00."""
    bare = _SEPARATORS.sub("", text)
    mainland = _MAINLAND.fullmatch(bare)
    if mainland:
        return phone_digits(mainland[1])
    if re.match(r"(?:\+|00)86", bare):
        return None
    abroad = _INTERNATIONAL.fullmatch(bare)
    return phone_digits(abroad[1]) if abroad else None


# --- judging


def read_lead(sheet: Sheet, cells: Sequence[str]) -> Lead | str:
    """Read one row as a lead, or answer what is wrong with it."""
    if len(cells) > len(sheet.header) and any(cell.strip() for cell in cells[len(sheet.header) :]):
        return "这一行的列数比第一行多：含逗号的内容请用英文双引号括起来"
    values = {
        column: read_cell(cells[number]) if number < len(cells) else ""
        for column, number in sheet.known.items()
    }
    if not values["name"]:
        return "缺少姓名"
    if not values["phone"]:
        return "缺少手机号"
    phone = normal_phone(values["phone"])
    if phone is None:
        return PHONE_WANTED
    for column, longest in LONGEST.items():
        value = values.get(column, "")
        if len(value) > longest:
            return f"{COLUMNS[column][0]}超过 {longest} 个字"
        if column != "remark" and _CONTROL.search(value):
            return f"{COLUMNS[column][0]}含有换行或控制字符"
    return Lead(
        values["name"],
        phone,
        values.get("company") or None,
        values.get("channel") or None,
        values.get("remark") or None,
    )


def judge_batch(session: Session, sheet: Sheet, rows: Rows, seen: set[str]) -> list[Judged]:
    """Say of each row what becomes of it. ``seen`` holds the numbers of earlier batches, and grows."""
    read = [(line, cells, read_lead(sheet, cells)) for line, cells in rows]
    leads = [lead for _, _, lead in read if isinstance(lead, Lead)]
    holders = _holders(session, {lead.phone for lead in leads})
    channels = _channels(session, {lead.channel for lead in leads if lead.channel})
    visible = set(session.scalars(select(Contact.id).where(Contact.id.in_(set(holders.values())))))
    return [_judge(line, cells, lead, seen, holders, visible, channels) for line, cells, lead in read]


def _judge(
    line: int,
    cells: list[str],
    lead: Lead | str,
    seen: set[str],
    holders: Mapping[str, str],
    visible: Container[str],
    channels: Mapping[str, str],
) -> Judged:
    if isinstance(lead, str):
        return Judged(line, cells, Verdict.BAD, lead)
    if lead.channel and lead.channel not in channels:
        return Judged(line, cells, Verdict.BAD, f"没有渠道「{lead.channel}」：请先新建，或核对名称")
    if lead.phone in seen:
        return Judged(line, cells, Verdict.REPEATED, lead=lead)
    seen.add(lead.phone)
    holder = holders.get(lead.phone)
    if holder is not None and holder not in visible:
        return Judged(line, cells, Verdict.BAD, HIDDEN)
    verdict = Verdict.KNOWN if holder else Verdict.GOOD
    return Judged(
        line, cells, verdict, lead=lead, channel_id=channels.get(lead.channel or ""), contact_id=holder
    )


def _holders(session: Session, phones: set[str]) -> dict[str, str]:
    """Number → the contact that has it, also one that the session does not show; looked up by blind index."""
    by_index = {seal.ring().blind_index(phone): phone for phone in phones}
    if not by_index:
        return {}
    owner, named = _contacts.c, _identities.c
    owned = select(owner.phone_index, owner.id).where(owner.phone_index.in_(by_index))
    known = select(named.value, named.contact_id).where(
        named.kind == IdentityKind.PHONE, named.value.in_(by_index)
    )
    found = (row for query in (known, owned) for row in session.execute(query))
    return {by_index[index]: key for index, key in found if index}


def _channels(session: Session, names: set[str]) -> dict[str, str]:
    if not names:
        return {}
    rows = session.execute(select(Channel.name, Channel.id).where(Channel.name.in_(names)))
    return dict(iter(rows))


def failed_header(sheet: Sheet, reason: str = REASON_COLUMN, *, whole: bool = False) -> list[str]:
    """The first line of the file of failures: the columns as they came, and that of the reason, one of ``REASONS``.

    Cells are made safe for CSV; ``whole``, as they came, for a workbook, whose texts are never formulas.
    """
    safe = str if whole else defused
    return [*[safe(sheet.header[number]) for number in _kept(sheet)], reason]


def failed_row(sheet: Sheet, row: Judged, *, whole: bool = False) -> list[str]:
    """A bad row for the file of failures: the cells as they came, and the reason at the end."""
    safe = str if whole else defused
    cells = [row.cells[number] if number < len(row.cells) else "" for number in _kept(sheet)]
    return [*[safe(cell) for cell in cells], row.reason]


def _kept(sheet: Sheet) -> list[int]:
    """Columns that go into the file of failures: all but the reasons of an earlier one."""
    return [number for number, name in enumerate(sheet.header) if name not in REASONS]
