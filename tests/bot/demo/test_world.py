"""The made-up company is what demo-data.md promises, whatever the hour of the first start."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from bot.demo import company, files, names
from bot.demo.world import World, make_world
from scrm.accounts.models import Department, Staff
from scrm.channels import media
from scrm.channels.models import Channel, ChannelCode, Scan
from scrm.channels.spec import spec_problems
from scrm.contacts.models import Contact, ContactIdentity, Relation
from scrm.followups.models import Followup
from scrm.inbox.models import InboxEvent
from scrm.outbox.models import OutboxCall
from scrm.routing.models import Assignment
from scrm.routing.rules import SENTENCES as REASONS
from scrm.routing.rules import sentence
from scrm.tags.models import ContactTag, Tag, TagGroup
from scrm.tasks.models import Task, TaskState
from scrm.timeline.models import TimelineEntry
from scrm.timeline.rules import SENTENCES

TZ = ZoneInfo("Asia/Shanghai")
MONDAY_AFTERNOON = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
MOMENTS = (
    "at",
    "created_at",
    "received_at",
    "lost_at",
    "added_at",
    "first_response_at",
    "set_at",
    "event_at",
    "done_at",
    "closed_at",
)


def make(now: datetime) -> World:
    return make_world(
        now=now,
        tz=TZ,
        media={"poster": "M1", "price_card": "M2", "white_paper": "M3"},
        corp={"corp_id": "ww1a2b3c4d5e6f7a8b", "agent_id": 1000002, "base_url": "http://127.0.0.1:8000"},
        sandbox_url="http://127.0.0.1:9100",
    )


@pytest.fixture(scope="module")
def world() -> World:
    return make(MONDAY_AFTERNOON)


def test_the_company_has_the_size_that_was_promised(world: World) -> None:
    contacts, relations = world.rows[Contact], world.rows[Relation]
    reps = Counter(row["contact_id"] for row in relations)

    assert len(contacts) == 2400
    assert sum(row["lost_at"] is not None for row in contacts) == 192
    assert sum(row["regained"] > 0 for row in relations) == 72
    assert sum(count == 2 for count in reps.values()) == 360
    assert max(reps.values()) == 2
    assert len(world.rows[Staff]) == 12
    assert len(world.rows[Department]) == 6  # five, and the company itself
    assert len(world.rows[Channel]) == 6
    assert [row["name"] for row in world.rows[TagGroup]] == ["来源", "区域", "意向", "车型", "角色", "规模"]
    assert {row["on_leave"] for row in world.rows[Staff] if row["userid"] == "huangxiaotong"} == {True}


def test_names_are_those_of_wechat(world: World) -> None:
    found = [row["name"] for row in world.rows[Contact]]

    assert names.RIGHT_TO_LEFT in found
    assert max(map(len, found)) == 60
    assert sum(len(name) == 3 and "\u4e00" <= name[0] <= "\u9fff" for name in found) > 700
    assert sum(char >= "\U0001f300" for name in found for char in name) > 100
    assert sum(name.isascii() for name in found) > 60
    assert all(name.strip() == name and name for name in found)


def test_timelines_have_three_to_forty_entries_that_all_read_as_sentences(world: World) -> None:
    entries = world.rows[TimelineEntry]
    lengths = Counter(row["contact_id"] for row in entries)

    assert len(lengths) == 2400
    assert 3 <= min(lengths.values()) <= 5
    assert 36 <= max(lengths.values()) <= 40
    assert {row["kind"] for row in entries} <= set(SENTENCES)
    assert [row["at"] for row in entries] == sorted(row["at"] for row in entries)


def test_every_owner_has_a_reason_that_can_be_told(world: World) -> None:
    latest = {row["contact_id"]: row for row in sorted(world.rows[Assignment], key=lambda row: row["at"])}

    for contact in world.rows[Contact]:
        assert latest[contact["id"]]["staff_id"] == contact["owner_id"]
    reasons = {row["reason"] for row in latest.values()}
    assert (
        reasons == {"scanned_code", "added_directly", "owner_gone", "round_robin", "manual"} <= set(REASONS)
    )
    for row in latest.values():
        told = sentence(row["reason"], row["detail"])
        assert "「」" not in told
        assert "  " not in told


def test_what_reps_planned_is_done_skipped_late_or_to_come(world: World) -> None:
    tasks = world.rows[Task]
    planned = {row["id"] for row in world.rows[Followup] if row["next_at"]}

    assert {row["key"].removeprefix("followup:") for row in tasks} == planned
    assert {row["state"] for row in tasks} == set(TaskState)
    open_tasks = [row for row in tasks if row["state"] is TaskState.OPEN]
    assert {row["due_at"] < MONDAY_AFTERNOON for row in open_tasks} == {True, False}
    assert any(row["content"] for row in open_tasks)
    assert all(row["closed_at"] <= MONDAY_AFTERNOON for row in tasks if row["closed_at"])


def test_reps_differ_in_how_fast_they_answer(world: World) -> None:
    userids = {row["id"]: row["userid"] for row in world.rows[Staff]}
    minutes: dict[str, list[float]] = {}
    for row in world.rows[Relation]:
        if row["first_response_at"]:
            assert row["first_response_at"] >= row["added_at"]
            waited = (row["first_response_at"] - row["added_at"]) / timedelta(minutes=1)
            minutes.setdefault(userids[row["staff_id"]], []).append(waited)

    assert median(minutes["chensiyuan"]) < 4
    assert median(minutes["liangzhiqiang"]) > 120
    assert {row["kind"] for row in world.rows[Followup]} == {"note", "call", "visit"}


def test_the_advertisement_is_the_channel_to_stop(world: World) -> None:
    ids = {row["name"]: row["id"] for row in world.rows[Channel]}
    people = {
        name: [row for row in world.rows[Contact] if row["first_channel_id"] == ids[name]] for name in ids
    }
    lost = {
        name: sum(row["lost_at"] is not None for row in rows) / len(rows) for name, rows in people.items()
    }
    won = {name: sum(row["stage"] == "customer" for row in rows) / len(rows) for name, rows in people.items()}

    assert max(lost, key=lambda name: lost[name]) == company.ADS
    assert min(won, key=lambda name: won[name]) == company.ADS
    assert max(won, key=lambda name: won[name]) == company.REFERRAL
    days = Counter(
        row["at"].astimezone(TZ).date() for row in world.rows[Scan] if row["channel_id"] == ids[company.FAIR]
    )
    assert sum(count for _, count in days.most_common(2)) > 590


def test_the_website_has_spent_its_day_and_the_backup_serves(world: World) -> None:
    ids = {row["name"]: row["id"] for row in world.rows[Channel]}
    code = next(row for row in world.rows[ChannelCode] if row["channel_id"] == ids[company.WEBSITE])

    assert (code["users"], code["pool_reason"]) == ([company.SOUTH_BOSS], "backup")


def test_what_went_wrong_is_there_and_explained(world: World) -> None:
    events, calls = world.rows[InboxEvent], world.rows[OutboxCall]
    states, outcomes = Counter(row["state"] for row in events), Counter(row["state"] for row in calls)

    assert (states["quarantined"], states["dead"], states["ignored"]) == (1, 1, 1)
    assert (outcomes["failed"], outcomes["unknown"]) == (2, 1)
    assert all(row["error"] for row in events if row["state"] in ("quarantined", "dead"))
    assert all(row["reason"] for row in calls if row["state"] in ("failed", "unknown"))
    assert not [row for row in events if row["state"] in ("pending", "leased")]
    assert not [row for row in calls if row["state"] in ("pending", "sending")]
    assert len(world.platform_only) == 2


@pytest.mark.parametrize(
    "now",
    [
        MONDAY_AFTERNOON,
        datetime(2026, 11, 22, 16, 5, tzinfo=UTC),  # Monday 00:05
        datetime(2026, 11, 21, 1, 30, tzinfo=UTC),  # Saturday 09:30
        datetime(2027, 2, 28, 15, 59, tzinfo=UTC),  # Sunday 23:59
    ],
)
def test_nothing_is_in_the_future_or_before_its_cause(now: datetime) -> None:
    made = make(now)

    for model, rows in made.rows.items():
        for row in rows:
            ahead = [name for name in MOMENTS if row.get(name) is not None and row[name] > now]
            assert not ahead, (model.__tablename__, ahead, row)
    born = {row["id"]: row["created_at"] for row in made.rows[Contact]}
    assert all(row["at"] >= born[row["contact_id"]] for row in made.rows[TimelineEntry])
    assert all(row["lost_at"] is None or row["lost_at"] >= row["added_at"] for row in made.rows[Relation])
    assert len(born) == 2400


def test_the_same_day_brings_the_same_world(world: World) -> None:
    again = make(MONDAY_AFTERNOON)

    assert again.platform_only == world.platform_only
    assert {model.__tablename__: len(rows) for model, rows in again.rows.items()} == {
        model.__tablename__: len(rows) for model, rows in world.rows.items()
    }
    for model in (Contact, Relation, Scan, Followup, TimelineEntry, ChannelCode):
        assert again.rows[model] == world.rows[model]


def test_ids_are_unique_and_people_get_a_tag_of_a_pair_once(world: World) -> None:
    for model, rows in world.rows.items():
        if "id" in rows[0]:
            assert len({row["id"] for row in rows}) == len(rows), model
    links = [(row["contact_id"], row["staff_id"], row["tag_id"]) for row in world.rows[ContactTag]]
    assert len(set(links)) == len(links)
    values = [(row["kind"], row["value"]) for row in world.rows[ContactIdentity]]
    assert len(set(values)) == len(values)
    assert len({row["wecom_id"] for row in world.rows[Tag]}) == len(world.rows[Tag])


@pytest.mark.parametrize("source", company.SOURCES, ids=lambda source: source.spec.name)
def test_channels_are_what_the_product_would_accept(source: company.Source) -> None:
    assert spec_problems(source.spec) == {}


def test_an_event_of_the_demo_never_counts_as_an_edit(world: World) -> None:
    """Acceptance counts the edits it sends itself."""
    assert not [row for row in world.rows[InboxEvent] if "edit_external_contact" in row["kind"]]


def test_files_are_what_the_platform_takes_and_the_same_each_time(session, now: datetime) -> None:
    made = files.make_files()

    stored = [
        media.store_media(session, kind=one.kind, filename=one.filename, content=one.content, now=now)
        for one in made
    ]
    assert [one.filename for one in stored] == [one.filename for one in made]
    assert [one.content for one in files.make_files()] == [one.content for one in made]
    paper = made[2].content
    assert paper.startswith(b"%PDF-1.4")
    assert paper[int(paper.rsplit(b"startxref\n", 1)[1].split()[0]) :].startswith(b"xref")
