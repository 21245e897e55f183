"""Contacts from a CSV file: read the file, judge each row, create the good ones.

Reading and judging are pure or only read; ``create_batch`` writes. A phone number is what makes a person: one that is
known, or came earlier in the file, is skipped and counted, so a second run of the same file creates nothing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm import seal
from scrm.channels.models import Channel
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind
from scrm.contacts.queries import phone_digits
from scrm.contacts.service import set_phone
from scrm.dialects import insert_ignore
from scrm.errors import Invalid
from scrm.ids import new_id
from scrm.routing import service as routing
from scrm.timeline import service as timeline

BATCH = 200  # rows per transaction: other writers wait no longer than that takes
MAX_BYTES = 50 * 1024 * 1024
MAX_ROWS = 200_000
LONGEST = {"name": 128, "company": 128, "remark": 500}
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("姓名", "name"),
    "phone": ("手机", "手机号", "phone"),
    "company": ("公司", "company"),
    "channel": ("渠道", "channel"),
    "remark": ("备注", "remark"),
}
REQUIRED = ("name", "phone")
REASON_COLUMN = "失败原因"
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a cell that begins so for a formula
PHONE_WANTED = "手机号不正确：应为 1 开头的 11 位大陆手机号，或以 + 开头的国际号码"

_MAINLAND = re.compile(r"(?:(?:\+|00)?86)?(1[3-9]\d{9})")
_INTERNATIONAL = re.compile(r"(?:\+|00)([1-9]\d{6,14})")  # ITU-T E.164: at most 15 digits
_SEPARATORS = re.compile(r"[ \-().（）\u00a0]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Sheet:
    """A file as read: its header, which columns we know, and the raw rows with their line numbers."""

    header: list[str]
    known: Mapping[str, int]
    rows: list[tuple[int, list[str]]]

    @property
    def ignored(self) -> list[str]:
        """Headings nobody reads."""
        used = set(self.known.values())
        others = [name for number, name in enumerate(self.header) if number not in used]
        return [name for name in others if name and name != REASON_COLUMN]


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


@dataclass
class Tally:
    """How the rows of a file fared. ``ownerless`` are created contacts for whom nobody was free."""

    counts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    created: int = 0
    ownerless: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())


# --- reading


def read_sheet(content: bytes) -> Sheet:
    """Read a CSV file in UTF-8 or GBK, separated by comma, semicolon or tab. Raises Invalid for any other."""
    if len(content) > MAX_BYTES:
        raise _refused(f"文件超过 {MAX_BYTES // 1024 // 1024} MB，请拆成几个文件")
    text = _decode(content)
    if not text.strip():
        raise _refused("文件是空的")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = [cell.strip() for cell in next(lines)]
        rows = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise _refused(f"第 {lines.line_num} 行不是合格的 CSV（{error}）") from error
    if len(rows) > MAX_ROWS:
        raise _refused(f"文件有 {len(rows)} 行，最多 {MAX_ROWS} 行，请拆成几个文件")
    return Sheet(header, _known_columns(header), rows)


def _refused(text: str) -> Invalid:
    return Invalid("import_file_invalid", f"不能导入：{text}", {"file": text})


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _refused("文件既不是 UTF-8 也不是 GBK 编码；在 Excel 中请另存为「CSV UTF-8」")


def _delimiter(text: str) -> str:
    first = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _known_columns(header: Sequence[str]) -> dict[str, int]:
    numbers = {name.lower(): number for number, name in reversed(list(enumerate(header)))}
    known: dict[str, int] = {}
    for column, names in COLUMNS.items():
        found = [numbers[name] for name in names if name in numbers]
        if found:
            known[column] = found[0]
    missing = [
        f"{COLUMNS[column][0]}（或 {COLUMNS[column][-1]}）" for column in REQUIRED if column not in known
    ]
    if missing:
        raise _refused(f"第一行缺少列 {'、'.join(missing)}；可用的列：姓名、手机、公司、渠道、备注")
    return known


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


def defused(cell: str) -> str:
    """Make a cell safe to open in a spreadsheet; ``read_cell`` undoes it."""
    return f"'{cell}" if cell.startswith(DANGEROUS) else cell


def read_cell(cell: str) -> str:
    """Strip a cell, and take the quote off one that ``defused`` had marked."""
    text = cell.strip(" \u3000\u00a0")
    return (text[1:] if text.startswith("'") and text[1:].startswith(DANGEROUS) else text).strip()


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


def judge_batch(
    session: Session, sheet: Sheet, rows: Sequence[tuple[int, list[str]]], seen: set[str]
) -> list[Judged]:
    """Say of each row what becomes of it. ``seen`` holds the numbers of earlier batches, and grows."""
    read = [(line, cells, read_lead(sheet, cells)) for line, cells in rows]
    leads = [lead for _, _, lead in read if isinstance(lead, Lead)]
    known = _known_phones(session, {lead.phone for lead in leads})
    channels = _channels(session, {lead.channel for lead in leads if lead.channel})
    return [_judge(line, cells, lead, seen, known, channels) for line, cells, lead in read]


def _judge(
    line: int,
    cells: list[str],
    lead: Lead | str,
    seen: set[str],
    known: set[str],
    channels: Mapping[str, str],
) -> Judged:
    if isinstance(lead, str):
        return Judged(line, cells, Verdict.BAD, lead)
    if lead.channel and lead.channel not in channels:
        return Judged(line, cells, Verdict.BAD, f"没有渠道「{lead.channel}」：请先新建，或核对名称")
    if lead.phone in known:
        return Judged(line, cells, Verdict.KNOWN, lead=lead)
    if lead.phone in seen:
        return Judged(line, cells, Verdict.REPEATED, lead=lead)
    seen.add(lead.phone)
    return Judged(line, cells, Verdict.GOOD, lead=lead, channel_id=channels.get(lead.channel or ""))


def _known_phones(session: Session, phones: set[str]) -> set[str]:
    """Which of these numbers a contact has; looked up by blind index."""
    by_index = {seal.ring().blind_index(phone): phone for phone in phones}
    if not by_index:
        return set()
    owned = select(Contact.phone_index).where(Contact.phone_index.in_(by_index))
    named = select(ContactIdentity.value).where(
        ContactIdentity.kind == IdentityKind.PHONE, ContactIdentity.value.in_(by_index)
    )
    return {by_index[index] for query in (owned, named) for index in session.scalars(query) if index}


def _channels(session: Session, names: set[str]) -> dict[str, str]:
    if not names:
        return {}
    rows = session.execute(select(Channel.name, Channel.id).where(Channel.name.in_(names)))
    return dict(iter(rows))


# --- writing


def create_batch(
    session: Session, judged: Sequence[Judged], tally: Tally, *, actor: str, file: str, now: datetime
) -> None:
    """Create the contacts of the good rows, each with its timeline entry and owner, and count all rows.

    The caller commits. A number that another process took meanwhile counts as known.
    """
    for number, row in enumerate(judged):
        verdict = row.verdict
        if row.lead is not None and verdict is Verdict.GOOD:
            # Instants that differ keep round robin turning: it goes by who was assigned last.
            at = now + timedelta(microseconds=number)
            contact = _create(session, row, row.lead, actor=actor, file=file, at=at)
            if contact is None:
                verdict = Verdict.KNOWN
            else:
                tally.created += 1
                if routing.assign(session, contact.id, channel_id=row.channel_id, now=at) is None:
                    tally.ownerless += 1
        tally.counts[verdict] += 1


def _create(
    session: Session, row: Judged, lead: Lead, *, actor: str, file: str, at: datetime
) -> Contact | None:
    """Make one contact; None when somebody else has taken the number since it was judged."""
    contact = Contact(
        id=new_id(),
        name=lead.name,
        corp_name=lead.company,
        first_channel_id=row.channel_id,
        first_source_at=at if row.channel_id else None,
        created_at=at,
    )
    set_phone(contact, lead.phone)
    identity = {
        "id": new_id(),
        "contact_id": contact.id,
        "kind": IdentityKind.PHONE,
        "value": contact.phone_index,
        "created_at": at,
    }
    with session.begin_nested() as savepoint:
        session.add(contact)
        session.flush()
        if insert_ignore(session, ContactIdentity, [identity]) == 0:
            savepoint.rollback()
            return None
    detail = {"channel": lead.channel, "remark": lead.remark, "file": file, "line": row.line}
    timeline.append(
        session,
        contact.id,
        "contact.imported",
        at=at,
        actor=actor,
        detail={key: value for key, value in detail.items() if value is not None},
        key=f"imported:{contact.id}",
    )
    return contact


def batches(sheet: Sheet) -> Iterator[Sequence[tuple[int, list[str]]]]:
    """The rows in portions of BATCH."""
    for start in range(0, len(sheet.rows), BATCH):
        yield sheet.rows[start : start + BATCH]


def failed_header(sheet: Sheet) -> list[str]:
    """The first line of the file of failures: the columns as they came, and the reason."""
    return [*[defused(sheet.header[number]) for number in _kept(sheet)], REASON_COLUMN]


def failed_row(sheet: Sheet, row: Judged) -> list[str]:
    """A bad row for the file of failures: the cells as they came, made safe, and the reason at the end."""
    cells = [row.cells[number] if number < len(row.cells) else "" for number in _kept(sheet)]
    return [*[defused(cell) for cell in cells], row.reason]


def _kept(sheet: Sheet) -> list[int]:
    """Columns that go into the file of failures: all but the reasons of an earlier one."""
    return [number for number, name in enumerate(sheet.header) if name != REASON_COLUMN]
