"""A sync against the real sandbox: whatever callbacks were lost, our tables become the platform's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from bot.scheduler.jobs import every_night_reconcile
from bot.wechat.wecom import WeComClient
from bot.workers.sync import SyncProgress, resume_sync, run_sync
from handlers.context import Corp
from scrm import clock
from scrm.accounts import service as accounts
from scrm.accounts.models import Department, Staff, StaffStatus
from scrm.channels.models import Channel, ChannelCode, ChannelStaff, ChannelTag, Scan
from scrm.contacts import service as contacts
from scrm.contacts.models import (
    Contact,
    ContactIdentity,
    IdentityKind,
    Relation,
    RelationState,
)
from scrm.db import Database
from scrm.errors import Conflict
from scrm.inbox.models import EventState, InboxEvent
from scrm.inbox.service import Arrival, record
from scrm.jobs import service as jobs
from scrm.jobs.models import Job, JobState
from scrm.outbox.commands import from_json
from scrm.outbox.models import CallState, OutboxCall
from scrm.sync import service as sync
from scrm.tags.models import ContactTag, Tag
from scrm.timeline.models import TimelineEntry
from tests.sandbox_fixture import SandboxServer

pytestmark = pytest.mark.timeout(60)

CORP = Corp(tz=ZoneInfo("Asia/Shanghai"), agent_id=1000002, base_url="http://127.0.0.1:8000")
EXHIBITION, WEBSITE = "etDefaultTagExhibition0000000001", "etDefaultTagWebsite0000000000002"
WAY = "c" * 32


class Killed(BaseException):
    """Stands for SIGKILL: nothing may catch it and tidy up."""


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(short_pages=True) as box:
        yield box


@pytest.fixture
def box(server: SandboxServer) -> SandboxServer:
    server.post("/sandbox/reset")
    return server


class World:
    """Our side: a database, a client to the sandbox, and syncs."""

    def __init__(self, database: Database, box: SandboxServer) -> None:
        self.database, self.box = database, box
        secrets = {"app": box.settings.secret, "contact": box.settings.contact_secret}
        self.client = WeComClient(box.settings.corp_id, secrets, box.api_base)
        self.progress: list[SyncProgress] = []

    def start(self) -> int:
        with self.database.write() as session:
            return sync.start_sync(session, created_by="test", now=clock.now()).id

    def sync(self, job_id: int | None = None, **more: Any) -> Job:
        return run_sync(
            self.database,
            self.client,
            job_id or self.start(),
            corp=CORP,
            clock=clock.now,
            on_progress=self.progress.append,
            sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
            **more,
        )

    def relations(self) -> dict[tuple[str, str], RelationState]:
        query = (
            select(Staff.userid, Contact.name, Relation.state)
            .join(Relation, Relation.staff_id == Staff.id)
            .join(Contact, Contact.id == Relation.contact_id)
        )
        with self.database.read() as session:
            return {(userid, name): state for userid, name, state in session.execute(query)}

    def tags(self) -> set[tuple[str, str, str]]:
        query = (
            select(Staff.userid, Contact.name, Tag.name)
            .join(ContactTag, ContactTag.staff_id == Staff.id)
            .join(Contact, Contact.id == ContactTag.contact_id)
            .join(Tag, Tag.id == ContactTag.tag_id)
        )
        with self.database.read() as session:
            return {(userid, name, tag) for userid, name, tag in session.execute(query)}

    def count(self, model: Any, *where: Any) -> int:
        with self.database.read() as session:
            return session.scalar(select(func.count()).select_from(model).where(*where)) or 0


@pytest.fixture
def world(database: Database, box: SandboxServer) -> Iterator[World]:
    made = World(database, box)
    yield made
    made.client.close()


def fill(box: SandboxServer, *, customers: int = 0, ways: bool = True) -> None:
    """A contact way for both reps, and customers of zhangsan that were there before us."""
    old = int((clock.now() - timedelta(days=30)).timestamp())
    people = [
        {
            "external_userid": f"wm{number:030d}",
            "name": f"老客户{number}",
            "unionid": f"o{number}",
            "relations": [{"userid": "zhangsan", "createtime": old, "tag_ids": [WEBSITE]}],
        }
        for number in range(customers)
    ]
    body: dict[str, Any] = {"customers": people}
    if ways:
        body["ways"] = [{"config_id": WAY, "state": "ch_test", "user": ["zhangsan", "lisi"]}]
    box.post("/sandbox/load", body)


@pytest.fixture
def channel(world: World) -> str:
    """Our channel for the sandbox's contact way, made after a first sync."""
    fill(world.box)
    assert world.sync().state is JobState.DONE
    now = clock.now()
    with world.database.write() as session:
        made = Channel(name="展会渠道", welcomes=[{"text": "您好 {customer}"}], created_at=now)
        session.add(made)
        session.flush()
        for userid in ("zhangsan", "lisi"):
            staff = accounts.ensure_staff(session, userid, now=now)
            session.add(ChannelStaff(channel_id=made.id, staff_id=staff.id))
        tag = session.scalars(select(Tag).where(Tag.wecom_id == EXHIBITION)).one()
        session.add(ChannelTag(channel_id=made.id, tag_id=tag.id))
        users = ["zhangsan", "lisi"]
        session.add(
            ChannelCode(
                channel_id=made.id, state="ch_test", config_id=WAY, users=users, wanted=users, updated_at=now
            )
        )
    return made.id


def test_a_first_sync_takes_over_the_whole_corp(world: World) -> None:
    fill(world.box, customers=120)

    job = world.sync()

    assert job.state is JobState.DONE, job.error
    assert (job.report["contacts_added_count"], len(world.relations())) == (120, 120)
    assert set(world.relations().values()) == {RelationState.ACTIVE}
    assert job.report["staff_added_count"] == world.count(Staff) == 3
    assert job.report["departments_added"] == world.count(Department) == 3
    assert job.report["tags_added_count"] == world.count(Tag) == 3
    assert world.tags() == {("zhangsan", f"老客户{n}", "官网") for n in range(120)}
    assert world.count(ContactIdentity, ContactIdentity.kind == IdentityKind.UNIONID) == 120
    assert job.report["missed_welcomes"] == []  # they were there before we listened
    assert world.count(OutboxCall) == 0
    last = world.progress[-1]
    assert last.done == last.total == job.done
    assert [step.done for step in world.progress] == sorted(step.done for step in world.progress)


def test_a_second_sync_finds_nothing(world: World) -> None:
    fill(world.box, customers=30)
    world.sync()
    entries = world.count(TimelineEntry)

    report = world.sync().report

    assert report == {"missed_welcomes": [], "missed_welcomes_count": 0}
    assert world.count(TimelineEntry) == entries


def test_a_missed_add_is_healed_and_its_welcome_reported_not_sent(world: World, channel: str) -> None:
    scan = {"customer": "小王", "code": "ch_test", "staff": "zhangsan", "lost": True}
    world.box.post("/sandbox/scan", scan)

    job = world.sync()

    assert job.report["contacts_added"] == ["小王（张三）"]
    (missed,) = job.report["missed_welcomes"]
    assert missed.startswith("小王（张三）")
    assert world.relations() == {("zhangsan", "小王"): RelationState.ACTIVE}
    assert world.tags() == {("zhangsan", "小王", "展会")}
    with world.database.read() as session:
        contact = session.scalars(select(Contact)).one()
        kinds = {call.command_kind for call in session.scalars(select(OutboxCall))}
        told = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "welcome.not_owed")).one()
    assert (contact.first_channel_id, contact.owner_id is not None) == (channel, True)
    assert kinds == {"MarkTags", "FetchContact"}
    assert told.detail["reason"] == "callback_missed"
    assert world.count(Scan) == 1

    assert world.sync().report["missed_welcomes"] == []


def test_tags_edited_on_the_platform_are_taken_over(world: World, channel: str) -> None:
    world.box.post("/sandbox/load", {"customers": [customer("小王", "zhangsan", [EXHIBITION])]})
    world.sync()
    assert world.tags() == {("zhangsan", "小王", "展会")}

    edit = {
        "staff": "zhangsan",
        "customer": "小王",
        "add_tags": ["官网"],
        "remove_tags": ["展会"],
        "lost": True,
    }
    world.box.post("/sandbox/edit", edit)
    job = world.sync()

    assert job.report["tags_fixed"] == 1
    assert world.tags() == {("zhangsan", "小王", "官网")}


def customer(name: str, userid: str, tag_ids: list[str] | None = None) -> dict[str, Any]:
    number = f"{sum(map(ord, name)):030d}"
    relation = {"userid": userid, "tag_ids": tag_ids or []}
    return {"external_userid": f"wm{number}", "name": name, "relations": [relation]}


def platform(box: SandboxServer) -> tuple[set[tuple[str, str]], set[tuple[str, str, str]]]:
    """Who is listed with whom, and with which tags, as the platform says."""
    pairs, tagged, cursor = set(), set(), ""
    names = {tag["id"]: tag["name"] for group in tag_groups(box) for tag in group["tag"]}
    while True:
        body = {"userid_list": ["zhangsan", "lisi"], "limit": 100, "cursor": cursor}
        answer = box.api("externalcontact/batch/get_by_user", body)
        for item in answer["external_contact_list"]:
            pair = (item["follow_info"]["userid"], item["external_contact"]["name"])
            pairs.add(pair)
            tagged |= {(*pair, names[tag_id]) for tag_id in item["follow_info"]["tag_id"]}
        cursor = answer["next_cursor"]
        if not cursor:
            return pairs, tagged


def tag_groups(box: SandboxServer) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = box.api("externalcontact/get_corp_tag_list", {})["tag_group"]
    return groups


def send_marks(world: World) -> None:
    """What the outbox worker does with tags that are owed."""
    with world.database.write() as session:
        for call in session.scalars(select(OutboxCall).where(OutboxCall.command_kind == "MarkTags")):
            if call.state is CallState.PENDING:
                world.box.api(call.api, from_json(call.command_kind, call.command).request())
                call.state, call.done_at = CallState.SENT, clock.now()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_callbacks_are_lost_a_sync_makes_the_tables_equal(
    world: World, channel: str, seed: int
) -> None:
    chance = Random(seed)
    for _ in range(3):
        for _ in range(25):
            meddle(world.box, chance)
        assert world.sync().state is JobState.DONE
        send_marks(world)

        pairs, tagged = platform(world.box)
        active = {pair for pair, state in world.relations().items() if state is RelationState.ACTIVE}
        assert active == pairs
        assert world.tags() >= tagged
        assert {entry for entry in world.tags() if entry[:2] in pairs} == tagged
        world.box.post("/sandbox/clock", {"advance_s": 2})


def meddle(box: SandboxServer, chance: Random) -> None:
    """One change on the platform whose callback never comes; impossible ones are refused and do nothing."""
    pair = {"staff": chance.choice(["zhangsan", "lisi"]), "customer": f"客户{chance.randrange(12)}"}
    act = chance.choice(["scan", "scan", "remove", "edit"])
    tags = {chance.choice(["add_tags", "remove_tags"]): [chance.choice(["展会", "官网", "转介绍"])]}
    body = {**pair, "lost": True} | ({"code": "ch_test"} if act == "scan" else {})
    box.request("POST", f"/sandbox/{act}", body | (tags if act == "edit" else {}))


def test_a_relation_the_rep_ended_is_removed_and_a_lost_one_stays_lost(world: World, channel: str) -> None:
    world.box.post(
        "/sandbox/load", {"customers": [customer("小王", "zhangsan"), customer("小李", "zhangsan")]}
    )
    world.sync()
    world.box.post("/sandbox/remove", {"staff": "zhangsan", "customer": "小王", "lost": True})
    world.box.post("/sandbox/leave", {"staff": "zhangsan", "customer": "小李", "lost": True})
    with world.database.write() as session:  # this callback did arrive
        staff = accounts.ensure_staff(session, "zhangsan", now=clock.now())
        lost = customer("小李", "zhangsan")["external_userid"]
        contacts.record_ended(session, lost, staff, at=clock.now(), state=RelationState.LOST)

    job = world.sync()

    assert job.report["relations_gone"] == ["小王（张三）"]
    assert world.relations() == {
        ("zhangsan", "小王"): RelationState.REMOVED,
        ("zhangsan", "小李"): RelationState.LOST,
    }

    assert "relations_gone" not in world.sync().report


def test_a_lost_customer_who_came_back_unnoticed_is_regained(world: World, channel: str) -> None:
    world.box.post("/sandbox/load", {"customers": [customer("小王", "zhangsan")]})
    world.sync()
    external = customer("小王", "zhangsan")["external_userid"]
    with world.database.write() as session:
        staff = accounts.ensure_staff(session, "zhangsan", now=clock.now())
        relation = session.scalars(select(Relation)).one()
        contacts.record_ended(session, external, staff, at=relation.event_at, state=RelationState.LOST)
    world.box.post("/sandbox/leave", {"staff": "zhangsan", "customer": "小王", "lost": True})
    world.box.post("/sandbox/clock", {"advance_s": 5})
    scan = {"customer": external, "code": "ch_test", "staff": "zhangsan", "lost": True}
    world.box.post("/sandbox/scan", scan)

    job = world.sync()

    assert job.report["relations_regained"] == ["小王（张三）"]
    assert world.relations() == {("zhangsan", "小王"): RelationState.ACTIVE}


def test_an_event_that_came_in_meanwhile_beats_what_was_read(world: World, channel: str) -> None:
    """The platform did not list the pair yet, but its add came in while we read."""
    now = clock.now()
    external = "wm" + "7" * 30
    with world.database.write() as session:
        staff = accounts.ensure_staff(session, "zhangsan", now=now)
        contacts.record_added(session, external, staff, at=now)
        later = now + timedelta(minutes=1)
        arrival = Arrival("wecom", "wecom.x", "<xml/>", later, lane=f"contact:{external}", quarantined=False)
        record(session, [arrival])

    world.sync()

    assert list(world.relations().values()) == [RelationState.ACTIVE]


def test_staff_who_came_and_left_unnoticed(world: World) -> None:
    world.sync()
    world.box.post("/sandbox/staff_change", {"op": "delete", "userid": "wangwu", "lost": True})
    created = {"op": "create", "userid": "zhaoliu", "name": "赵六", "department": [2], "lost": True}
    world.box.post("/sandbox/staff_change", created)

    report = world.sync().report

    assert (report["staff_added"], report["staff_left"]) == (["赵六"], ["王五"])
    with world.database.read() as session:
        left = accounts.find_staff(session, "wangwu")
        assert left is not None
        assert (left.status, left.serves) == (StaffStatus.LEFT, False)


def test_tags_renamed_and_deleted_unnoticed(world: World) -> None:
    world.sync()
    world.box.post(
        "/sandbox/tag_change", {"op": "update", "id": EXHIBITION, "name": "线下展会", "lost": True}
    )
    world.box.post("/sandbox/tag_change", {"op": "delete", "id": WEBSITE, "lost": True})

    report = world.sync().report

    assert report["tags_renamed"] == ["展会 → 线下展会"]
    assert report["tags_deleted"] == ["官网"]


def test_contact_ways_are_compared_with_their_channels(world: World, channel: str) -> None:
    world.box.api("externalcontact/update_contact_way", {"config_id": WAY, "user": ["wangwu"]})

    assert world.sync().report["ways_healed"] == ["展会渠道"]
    with world.database.read() as session:
        code = session.scalars(select(ChannelCode)).one()
    assert code.users == code.wanted == ["wangwu"]

    world.box.api("externalcontact/del_contact_way", {"config_id": WAY})
    assert world.sync().report["ways_gone"] == ["展会渠道"]
    assert "ways_gone" not in world.sync().report


def test_a_way_whose_creation_went_unanswered_is_found(world: World, channel: str) -> None:
    with world.database.write() as session:
        session.scalars(select(ChannelCode)).one().config_id = None

    assert world.sync().report["ways_healed"] == ["展会渠道"]

    with world.database.read() as session:
        code = session.scalars(select(ChannelCode)).one()
    assert (code.config_id, code.qr_url is not None) == (WAY, True)


@pytest.mark.parametrize("deadly", [1, 3, 5, 8, 10, 12, 14])
def test_a_killed_sync_goes_on_where_it_was(
    world: World, deadly: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world.box, customers=33)
    job_id = world.start()
    read: list[str] = []
    original = WeComClient.call

    def call(self: WeComClient, api: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if len(read) + 1 == deadly and "killed" not in read:
            read.append("killed")
            raise Killed
        answer = original(self, api, *args, **kwargs)
        read.append(f"{api} {args} {kwargs}")
        return answer

    monkeypatch.setattr(WeComClient, "call", call)
    monkeypatch.setattr("bot.workers.sync.PAGE_LIMIT", 10)
    with pytest.raises(Killed):
        world.sync(job_id)

    assert world.start() == job_id
    job = world.sync(job_id)

    assert job.state is JobState.DONE, job.error
    assert len(set(read)) == len(read) >= 15  # nothing that was read is read again
    assert len(world.relations()) == job.report["contacts_added_count"] == 33
    assert job.report["staff_added_count"] == 3
    assert world.count(InboxEvent, InboxEvent.state != EventState.DONE) == 0


def test_one_sync_at_a_time(world: World) -> None:
    job_id = world.start()
    with world.database.write() as session:
        assert jobs.claim_job(session, job_id=job_id, owner="other", now=clock.now()) is not None

    with pytest.raises(Conflict):
        world.start()
    with pytest.raises(Conflict):
        world.sync(job_id)


def test_the_scheduler_starts_none_beside_another_and_resumes_what_was_left(world: World) -> None:
    args: dict[str, Any] = {"corp": CORP, "clock": clock.now}
    assert resume_sync(world.database, world.client, **args) is None
    job_id = world.start()

    resumed = resume_sync(world.database, world.client, **args)
    assert resumed is not None
    assert (resumed.id, resumed.state) == (job_id, JobState.DONE)

    with world.database.write() as session:
        other = sync.start_sync(session, created_by="cli", now=clock.now())
        jobs.claim_job(session, job_id=other.id, owner="other", now=clock.now())
    product: Any = SimpleNamespace(database=world.database, clock=clock.now)
    assert every_night_reconcile(product) == 0
    assert resume_sync(world.database, world.client, **args) is None
    with world.database.write() as session:
        jobs.cancel(session, other.id, now=clock.now())
    assert every_night_reconcile(product) == 1
    nightly = resume_sync(world.database, world.client, **args)
    assert nightly is not None
    assert (nightly.state, nightly.created_by) == (JobState.DONE, "scheduler")


def test_a_cancelled_sync_stops(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world.box, customers=50)
    job_id = world.start()
    original = WeComClient.call

    def call(self: WeComClient, api: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if api == "externalcontact/batch/get_by_user":
            with world.database.write() as session:
                jobs.cancel(session, job_id, now=clock.now())
        return original(self, api, *args, **kwargs)

    monkeypatch.setattr(WeComClient, "call", call)

    assert world.sync(job_id).state is JobState.CANCELLED
    assert world.relations() == {}


def test_a_platform_that_is_away_leaves_the_sync_to_be_resumed(world: World) -> None:
    world.box.post("/sandbox/faults", {"api": "department/list", "mode": "http", "status": 502, "times": 5})

    job = world.sync()

    assert job.state is JobState.PENDING
    assert job.error is not None
    assert job.available_at is not None
    assert job.available_at > clock.now()
    world.box.delete("/sandbox/faults")
    with world.database.write() as session:
        row = jobs.get_job(session, job.id)
        row.available_at = clock.now()
    assert world.sync(job.id).state is JobState.DONE


def test_a_short_fault_is_read_again(world: World) -> None:
    fill(world.box, customers=5)
    world.box.post(
        "/sandbox/faults",
        {"api": "externalcontact/batch/get_by_user", "mode": "errcode", "errcode": 45033, "times": 2},
    )

    assert world.sync().state is JobState.DONE
    assert len(world.relations()) == 5


def test_missing_rights_are_told_to_a_person(world: World) -> None:
    world.box.post(
        "/sandbox/faults",
        {"api": "externalcontact/get_follow_user_list", "mode": "errcode", "errcode": 48002, "times": 9},
    )

    job = world.sync()

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "48002" in job.error
    world.box.delete("/sandbox/faults")


def test_one_unreadable_member_does_not_hide_the_others(world: World) -> None:
    fill(world.box, customers=5)
    world.sync()
    world.box.post("/sandbox/load", {"customers": [customer("小王", "lisi")]})
    original = world.client.call

    def followers(api: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        answer = original(api, *args, **kwargs)
        if api == "externalcontact/get_follow_user_list":  # loses the right just after we asked
            change = {"op": "update", "userid": "zhangsan", "follow_user": False, "lost": True}
            world.box.post("/sandbox/staff_change", change)
        return answer

    world.client.call = followers  # type: ignore[method-assign]
    report = world.sync().report

    assert report["unreadable_staff"] == ["zhangsan"]
    assert report["contacts_added"] == ["小王（李四）"]
    assert "relations_gone" not in report


def test_a_rep_whose_customers_all_vanish_is_not_believed(world: World) -> None:
    fill(world.box, customers=40)
    world.sync()
    for number in range(25):
        gone = {"staff": "zhangsan", "customer": f"老客户{number}", "lost": True}
        world.box.post("/sandbox/remove", gone)

    report = world.sync().report

    assert "25" in report["warnings"][0]
    assert set(world.relations().values()) == {RelationState.ACTIVE}
