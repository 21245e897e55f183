"""The company gets into database and sandbox once, the two agree, and one action empties both of customers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from bot.config import Config, load_config
from bot.demo import groups, seed
from bot.demo.child import Sandbox
from bot.demo.places import EXAMPLE, CannotStart, Places
from scrm.accounts.models import Staff
from scrm.channels.models import Channel, ChannelCode, MediaFile
from scrm.contacts.models import Contact
from scrm.contacts.service import ensure_contact
from scrm.db import Database
from scrm.groups.models import GroupChat
from scrm.groups.queries import count_moves
from scrm.groups.rules import parse_group
from scrm.groups.service import apply_group
from scrm.ids import new_id
from scrm.library.models import LibraryUse, Material, Reply
from scrm.outbox.models import CallState, OutboxCall
from scrm.timeline.models import TimelineEntry
from tests.sandbox_fixture import SandboxServer

TZ = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(EXAMPLE, environ={})


@pytest.fixture(scope="module")
def seeded_file(migrated_file: Path, config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company, written once and copied for each test."""
    path = tmp_path_factory.mktemp("seeded") / "demo.db"
    shutil.copy(migrated_file, path)
    made = Database(f"sqlite:///{path}")
    assert seed.ensure_seeded(made, config, now=NOW, tz=TZ)
    with made.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    made.dispose()
    return path


@pytest.fixture
def company(seeded_file: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "demo.db"
    shutil.copy(seeded_file, path)
    made = Database(f"sqlite:///{path}")
    yield made
    made.dispose()


@pytest.fixture
def box() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


def control(box: SandboxServer, tmp_path: Path) -> Sandbox:
    return Sandbox(Places(tmp_path, 1, int(box.url.rsplit(":", 1)[1])))


def count(database: Database, model: type) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_the_company_is_written_once(company: Database, config: Config) -> None:
    assert not seed.ensure_seeded(company, config, now=NOW + timedelta(days=3), tz=TZ)

    assert count(company, Contact) == 2400
    assert count(company, MediaFile) == 5
    with company.read() as session:
        waiting = session.scalars(select(OutboxCall.api).where(OutboxCall.state == CallState.PENDING)).all()
    assert waiting == ["media/upload"] * 5


def test_a_database_with_other_contacts_is_left_alone(database: Database, config: Config) -> None:
    with database.write() as session:
        ensure_contact(session, "wmRealCustomer", at=NOW)

    with pytest.raises(CannotStart, match="不会改动"):
        seed.ensure_seeded(database, config, now=NOW, tz=TZ)
    with pytest.raises(CannotStart, match="不会清空"):
        seed.empty(database, now=NOW)
    assert count(database, Contact) == 1


def test_the_sandbox_is_told_once_what_the_database_knows(
    company: Database, box: SandboxServer, tmp_path: Path
) -> None:
    sandbox = control(box, tmp_path)

    assert seed.fill_sandbox(company, sandbox, now=NOW)
    assert not seed.fill_sandbox(company, sandbox, now=NOW)

    customers = box.get("/sandbox/customers")["items"]
    # leads have no WeChat; one is known to the platform alone, others only from groups
    assert len(customers) == 2400 - 40 + 1 + len(groups.STRANGERS)
    assert len(box.get("/sandbox/staff")["items"]) == 12
    assert len(box.get("/sandbox/ways")["items"]) == 6
    assert sum(bool(one["tags"]) for one in customers) > 2000
    alone = [one for one in customers if one["name"] == "何建国"]
    assert len(alone) == 1


def test_the_sandbox_is_told_again_when_its_database_is_gone(company: Database, tmp_path: Path) -> None:
    with company.write() as session:
        ensure_contact(session, "wmAddedLater00000000000000000001", at=NOW)

    with SandboxServer() as fresh:
        assert seed.fill_sandbox(company, control(fresh, tmp_path), now=NOW)
        assert fresh.get("/sandbox/customers/wmAddedLater00000000000000000001")["staff"] == []


def test_emptying_leaves_staff_tags_and_channels_and_stays_empty(
    company: Database, config: Config, box: SandboxServer, tmp_path: Path
) -> None:

    assert seed.empty(company, now=NOW) == 2400

    assert not seed.ensure_seeded(company, config, now=NOW, tz=TZ)
    for model in seed.ABOUT_CUSTOMERS:
        assert count(company, model) == 0, model
    assert (count(company, Staff), count(company, Channel)) == (12, 6)
    seed.fill_sandbox(company, control(box, tmp_path), now=NOW)
    assert box.get("/sandbox/customers")["items"] == []
    assert len(box.get("/sandbox/ways")["items"]) == 6


def test_a_later_start_catches_up(company: Database) -> None:
    with company.write() as session:
        for file in session.scalars(select(MediaFile)):
            file.media_id, file.uploaded_at = new_id(), NOW

    later = NOW + timedelta(days=4)
    seed.catch_up(company, "http://127.0.0.1:9999", now=later, tz=TZ)

    with company.read() as session:
        codes = session.scalars(select(ChannelCode)).all()
        owed = session.scalars(select(OutboxCall.api).where(OutboxCall.created_at == later)).all()
    assert {str(code.qr_url).partition("/sandbox/")[0] for code in codes} == {"http://127.0.0.1:9999"}
    assert owed.count("media/upload") == 5
    assert "externalcontact/update_contact_way" in owed  # the website's day is new: its SDRs serve again


def test_groups_agree_in_database_and_sandbox(company: Database, box: SandboxServer, tmp_path: Path) -> None:
    seed.fill_sandbox(company, control(box, tmp_path), now=NOW)

    answer = box.api("externalcontact/groupchat/list", {"limit": 1000})
    chats = {item["chat_id"] for item in answer["group_chat_list"]}
    with company.read() as session:
        ours = {row.chat_id: row for row in session.scalars(select(GroupChat))}
        before = session.scalar(select(func.count()).select_from(TimelineEntry))
    assert chats == {chat_id for chat_id, row in ours.items() if row.dismissed_at is None}
    assert (len(ours), len(chats)) == (12, 11)

    with company.write() as session:  # reading all of them changes nothing
        for chat_id in chats:
            body = {"chat_id": chat_id, "need_name": 1}
            seen = parse_group(box.api("externalcontact/groupchat/get", body))
            assert seen is not None
            changes = apply_group(session, seen, at=NOW + timedelta(minutes=1))
            row = ours[chat_id]
            assert (changes.joined, changes.left) == (0, 0), row.name
            assert (seen.name, seen.notice, seen.opened_at) == (row.name, row.notice, row.opened_at)
            members = [one.userid.startswith("wm") or one.userid.startswith("wo") for one in seen.members]
            assert (sum(members), len(members)) == (row.customers, row.customers + row.colleagues)
        session.flush()
        after = session.scalar(select(func.count()).select_from(TimelineEntry))
    # a timeline that was full has no entry for a group yet
    assert 0 <= after - before < 40
    with company.read() as session:
        moves = count_moves(session, [row.id for row in ours.values()], since=NOW - timedelta(days=7))
        assert sum(one.joined for one in moves.values()) > 20
        assert sum(one.left for one in moves.values()) > 3


def test_reps_have_something_to_send_and_have_sent_it(company: Database) -> None:
    with company.read() as session:
        replies = session.scalars(select(Reply)).all()
        assert len(replies) >= 24
        assert count(company, Material) >= 10
        uses = dict(
            session.execute(
                select(LibraryUse.item_id, func.count(LibraryUse.id)).group_by(LibraryUse.item_id)
            ).all()
        )
        assert all(row.used == uses.get(row.id, 0) for row in replies)
        assert sum(uses.values()) > 150
        assert max(session.scalars(select(LibraryUse.at))) < NOW
        assert any(row.used == 0 for row in replies)

    seed.empty(company, now=NOW)
    with company.read() as session:
        assert set(session.scalars(select(Reply.used))) == {0}
