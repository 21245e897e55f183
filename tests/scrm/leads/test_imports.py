"""Contacts from CSV: what is read, what is refused, and that a second run creates nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm import seal
from scrm.accounts import service as accounts
from scrm.accounts.models import Staff
from scrm.channels.models import Channel, ChannelStaff
from scrm.contacts.models import Contact, ContactIdentity
from scrm.errors import Conflict, Invalid
from scrm.leads import imports, making
from scrm.leads import service as leads
from scrm.leads.imports import Judged, Tally, Verdict
from scrm.routing.models import Assignment
from scrm.timeline.models import TimelineEntry

HEADER = "姓名,手机,公司,渠道,备注"


def run(session: Session, text: str, now: datetime, encoding: str = "utf-8") -> tuple[Tally, list[Judged]]:
    """Import a whole file, as the command does."""
    sheet, tally, seen = imports.read_sheet(text.encode(encoding)), Tally(), set[str]()
    every: list[Judged] = []
    for number, rows in enumerate(imports.batches(sheet)):
        judged = imports.judge_batch(session, sheet, rows, seen)
        at = now + timedelta(seconds=number)
        making.create_batch(session, judged, tally, actor="system", file="a.csv", now=at)
        every += judged
    return tally, every


def staff(session: Session, *userids: str, now: datetime) -> list[Staff]:
    made = [accounts.ensure_staff(session, userid, now=now) for userid in userids]
    for row in made:
        row.serves = True
    session.flush()
    return made


def channel(session: Session, name: str, people: list[Staff], now: datetime) -> Channel:
    made = Channel(name=name, created_at=now)
    session.add(made)
    session.flush()
    session.add_all(ChannelStaff(channel_id=made.id, staff_id=row.id) for row in people)
    session.flush()
    return made


# --- one row


def test_a_row_becomes_a_contact_with_owner_source_and_entry(session: Session, now: datetime):
    (rep,) = staff(session, "zhangsan", now=now)
    expo = channel(session, "展会", [rep], now)

    tally, _ = run(session, f"{HEADER}\n王一,+86 138-0013-8000,甲公司,展会,要报价", now)

    contact = session.scalars(select(Contact)).one()
    assert (contact.name, contact.phone, contact.corp_name) == ("王一", "13800138000", "甲公司")
    assert contact.phone_index == seal.ring().blind_index("13800138000")
    assert (contact.owner_id, contact.first_channel_id, contact.first_source_at) == (rep.id, expo.id, now)
    entries = {row.kind: row for row in session.scalars(select(TimelineEntry))}
    assert entries["contact.imported"].detail == {
        "channel": "展会",
        "remark": "要报价",
        "file": "a.csv",
        "line": 2,
    }
    assert "owner.assigned" in entries
    assert (tally.created, tally.ownerless, tally.total) == (1, 0, 1)


def test_the_number_is_taken_for_everybody_else_too(session: Session, now: datetime):
    run(session, f"{HEADER}\n王一,13800138000,,,", now)

    with pytest.raises(Conflict):
        leads.create_lead(
            session, name="x", phone="13800138000", corp_name=None, channel=None, actor="system", now=now
        )


def test_without_anybody_to_own_it_the_contact_stays_and_is_counted(session: Session, now: datetime):
    tally, _ = run(session, f"{HEADER}\n王一,13800138000,,,", now)

    assert session.scalars(select(Contact.owner_id)).all() == [None]
    assert (tally.created, tally.ownerless) == (1, 1)


# --- many rows


def test_owners_take_turns_within_the_channels_pool(session: Session, now: datetime):
    people = staff(session, "a", "b", "c", "outsider", now=now)
    channel(session, "展会", people[:3], now)
    lines = "\n".join(f"客户{n},1380000{n:04d},,展会," for n in range(9))

    run(session, f"{HEADER}\n{lines}", now)

    owners = [row.staff_id for row in session.scalars(select(Assignment).order_by(Assignment.at))]
    assert owners == [row.id for row in sorted(people[:3], key=lambda row: row.id)] * 3


def test_a_second_run_creates_nothing(session: Session, now: datetime):
    staff(session, "a", now=now)
    lines = "\n".join(f"客户{n},138{n:08d},,," for n in range(imports.BATCH * 2 + 5))
    first, _ = run(session, f"{HEADER}\n{lines}", now)
    counts = [len(session.scalars(select(model)).all()) for model in (Contact, Assignment, TimelineEntry)]

    second, _ = run(session, f"{HEADER}\n{lines}", now + timedelta(hours=1))

    assert first.created == 405
    assert (second.created, second.counts[Verdict.KNOWN]) == (0, 405)
    assert [
        len(session.scalars(select(model)).all()) for model in (Contact, Assignment, TimelineEntry)
    ] == counts


def test_numbers_repeat_in_the_file_however_they_are_written(session: Session, now: datetime):
    tally, judged = run(
        session, f"{HEADER}\n王一,13800138000,,,\n王二,0086 138 0013 8000,,,\n王三,+8613800138000,,,", now
    )

    assert [row.verdict for row in judged] == [Verdict.GOOD, Verdict.REPEATED, Verdict.REPEATED]
    assert tally.created == 1


def test_numbers_repeat_across_batches(session: Session, now: datetime):
    lines = "\n".join(f"客户{n},138{n % imports.BATCH:08d},,," for n in range(imports.BATCH + 1))
    sheet, seen = imports.read_sheet(f"{HEADER}\n{lines}".encode()), set[str]()

    judged = [
        row for rows in imports.batches(sheet) for row in imports.judge_batch(session, sheet, rows, seen)
    ]

    assert [row.verdict for row in judged].count(Verdict.REPEATED) == 1
    assert judged[-1].verdict is Verdict.REPEATED


def test_a_number_taken_while_we_judged_is_known_and_leaves_no_contact(session: Session, now: datetime):
    sheet, tally = imports.read_sheet(f"{HEADER}\n王一,13800138000,,,".encode()), Tally()
    judged = imports.judge_batch(session, sheet, sheet.rows, set())
    run(session, f"{HEADER}\n王二,13800138000,,,", now)

    making.create_batch(session, judged, tally, actor="system", file="a.csv", now=now)

    assert (tally.created, tally.counts[Verdict.KNOWN]) == (0, 1)
    assert [row.name for row in session.scalars(select(Contact))] == ["王二"]
    assert len(session.scalars(select(ContactIdentity)).all()) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",13800138000,,,", "缺少姓名"),
        ("王一,,,,", "缺少手机号"),
        ("王一,12345,,,", imports.PHONE_WANTED),
        ("王一,1.38E+10,,,", imports.PHONE_WANTED),
        ("王一,13800138000,,没有的,", "没有渠道「没有的」"),
        (f"{'长' * 129},13800138000,,,", "姓名超过 128 个字"),
        ('"王\n一",13800138000,,,', "姓名含有换行"),
        ("王一,13800138000,,,备注,多一列", "列数比第一行多"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason_and_harms_no_other(
    session: Session, now: datetime, line: str, reason: str
):
    tally, judged = run(session, f"{HEADER}\n{line}\n好的,13900139000,,,", now)

    assert judged[0].verdict is Verdict.BAD
    assert reason in judged[0].reason
    assert (tally.created, tally.counts[Verdict.BAD]) == (1, 1)
    assert [row.name for row in session.scalars(select(Contact))] == ["好的"]


# --- numbers


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("13800138000", "13800138000"),
        ("+86 138 0013 8000", "13800138000"),
        ("86-13800138000", "13800138000"),
        ("0086 (138) 0013-8000", "13800138000"),
        ("+852 9123 4567", "85291234567"),
        ("001 415 555 0100", "14155550100"),
        ("+14155550100", "14155550100"),
        ("12800138000", None),
        ("1380013800", None),
        ("138001380000", None),
        ("+8612345678901", None),
        ("+123456", None),
        ("+1234567890123456", None),
        ("４１５", None),
        ("13800138000.0", None),
        ("", None),
    ],
)
def test_numbers_are_kept_in_one_form(text: str, kept: str | None):
    assert imports.normal_phone(text) == kept


# --- files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_files_as_spreadsheets_save_them_are_read(encoding: str, separator: str):
    text = f"公司{separator}Phone{separator}Name\r\n甲{separator}13800138000{separator}王一\r\n\r\n"

    sheet = imports.read_sheet(text.encode(encoding))

    assert [imports.read_lead(sheet, cells) for _, cells in sheet.rows] == [
        imports.Lead("王一", "13800138000", "甲", None, None)
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "文件是空的"),
        (b"\xff\xff\xff\xff", "既不是 UTF-8 也不是 GBK"),
        (b"a,b\n1,2", "缺少列 姓名"),
        ("姓名\n王一".encode(), "缺少列 手机"),
        ("姓名,手机\n".encode() + b'"' + b"x" * 200_000, "不是合格的 CSV"),
    ],
)
def test_files_that_are_none_are_refused_in_words(content: bytes, said: str):
    with pytest.raises(Invalid) as caught:
        imports.read_sheet(content)

    assert said in caught.value.message


@given(st.text())
def test_what_the_failures_file_holds_is_no_formula_and_reads_back(cell: str):
    written = imports.defused(cell)

    assert not written.startswith(imports.DANGEROUS)
    if imports.read_cell(cell) == cell:
        assert imports.read_cell(written) == cell


def test_the_file_of_failures_can_be_imported_again(session: Session, now: datetime):
    sheet = imports.read_sheet(f"{HEADER}\n=王一,123,,,".encode())
    (bad,) = imports.judge_batch(session, sheet, sheet.rows, set())

    header, cells = imports.failed_header(sheet), imports.failed_row(sheet, bad)

    assert header == [*HEADER.split(","), imports.REASON_COLUMN]
    assert cells == ["'=王一", "123", "", "", "", imports.PHONE_WANTED]
    again = imports.read_sheet(
        "\n".join([",".join(header), ",".join(cells)]).replace("123", "13800138000").encode()
    )
    assert again.ignored == []
    assert imports.failed_header(again) == header
    lead = imports.read_lead(again, again.rows[0][1])
    assert lead == imports.Lead("=王一", "13800138000", None, None, None)
