"""A sync against the real sandbox heals group chats too; and callbacks end to end leave the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bot.workers import sync as worker
from scrm.contacts.models import Contact
from scrm.db import Database
from scrm.groups.models import GroupChat, GroupMember
from scrm.jobs.models import Job, JobState
from scrm.timeline.models import TimelineEntry
from tests.flows.test_reconcile import World, customer
from tests.sandbox_fixture import SandboxServer

pytestmark = pytest.mark.timeout(60)
LOST: dict[str, Any] = {"lost": True}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as box:
        yield box


@pytest.fixture
def world(database: Database, server: SandboxServer) -> Iterator[World]:
    server.post("/sandbox/reset")
    server.post("/sandbox/load", {"customers": [customer("小王", "zhangsan"), customer("小李", "lisi")]})
    made = World(database, server)
    yield made
    made.client.close()


def make(world: World, name: str, owner: str = "zhangsan", **more: Any) -> str:
    body = {"owner": owner, "name": name, "customers": ["小王"], **LOST, **more}
    chat_id: str = world.box.post("/sandbox/groups", body)["chat_id"]
    return chat_id


def synced(world: World) -> Job:
    job = world.sync()
    assert job.state is JobState.DONE, job.error
    return job


def state(world: World) -> dict[str, set[str]]:
    """Name → members, of the groups that are not over."""
    found: dict[str, set[str]] = {}
    query = (
        select(GroupChat.name, GroupMember.userid)
        .join(GroupMember, GroupMember.group_id == GroupChat.id)
        .where(GroupChat.dismissed_at.is_(None), GroupMember.left_at.is_(None))
    )
    with world.database.read() as session:
        for name, userid in session.execute(query):
            found.setdefault(name, set()).add(userid)
    return found


WANG = customer("小王", "zhangsan")["external_userid"]
LI = customer("小李", "lisi")["external_userid"]


def test_a_first_sync_takes_the_groups_over(world: World) -> None:
    make(world, "老客户", staff=["lisi"])
    make(world, "新客户", owner="lisi")

    job = synced(world)

    assert state(world) == {"老客户": {"zhangsan", "lisi", WANG}, "新客户": {"lisi", WANG}}
    assert sorted(job.report["groups_added"]) == ["新客户", "老客户"]
    assert "group_members_joined" not in job.report
    with world.database.read() as session:
        told = session.scalars(
            select(TimelineEntry.kind)
            .join(Contact, Contact.id == TimelineEntry.contact_id)
            .where(Contact.name == "小王", TimelineEntry.kind.like("group.%"))
        ).all()
    assert told == ["group.joined", "group.joined"]
    last = world.progress[-1]
    assert last.done == last.total


def test_a_second_sync_finds_nothing(world: World) -> None:
    make(world, "老客户")
    synced(world)

    assert synced(world).report == {"missed_welcomes": [], "missed_welcomes_count": 0}


def test_whatever_callbacks_are_lost_a_sync_heals_the_groups(world: World) -> None:
    stays, over = make(world, "老客户"), make(world, "临时群")
    synced(world)
    deeds: list[tuple[str, str, dict[str, Any]]] = [
        (stays, "join", {"customers": ["小李", "路人"], "scene": 3}),
        (stays, "leave", {"member": "小王"}),
        (stays, "rename", {"name": "新名"}),
        (over, "dismiss", {}),
    ]
    for chat, deed, body in deeds:
        world.box.post(f"/sandbox/groups/{chat}/{deed}", body | LOST)

    report = synced(world).report

    assert (report["group_members_joined"], report["group_members_left"]) == (2, 1)
    assert report["groups_gone"] == ["临时群"]
    (members,) = state(world).values()
    assert {"zhangsan", LI} < members
    assert (len(members), WANG in members, list(state(world))) == (3, False, ["新名"])


def test_groups_are_read_by_pages_and_by_owners_where_there_are_many(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GROUP_LIMIT", 2)
    with SandboxServer(group_owner_cap=2) as crowded:
        crowded.post("/sandbox/load", {"customers": [customer("小王", "zhangsan"), customer("小李", "lisi")]})
        world = World(database, crowded)
        for n in range(5):
            make(world, f"群{n}", owner="lisi" if n % 2 else "zhangsan")

        synced(world)
        world.client.close()

    assert sorted(state(world)) == [f"群{n}" for n in range(5)]


def test_who_may_not_see_groups_gets_the_rest_of_the_sync(world: World) -> None:
    make(world, "老客户")
    fault = {"api": "externalcontact/groupchat/list", "mode": "errcode", "errcode": 48002, "times": 9}
    world.box.post("/sandbox/faults", fault)

    job = synced(world)

    assert state(world) == {}
    assert any("客户群没有核对" in line for line in job.report["warnings"])
