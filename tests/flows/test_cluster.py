"""A cluster on real servers: its processes and its servers die while customers come; the ledgers agree afterwards.

Longer, by chance, and with networks and a platform that fail: ``make chaos``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster_rig import ClusterRig
from tests.databases import Place, Unreachable
from tests.judge import judge
from tests.private_servers import PrivatePostgresql, make_empty

pytestmark = [pytest.mark.chaos, pytest.mark.redis, pytest.mark.timeout(600)]
CODE_SECONDS = 20.0
SMALL = ("web-1", "web-2", "welcome-1", "rest-1", "scheduler-1")


@pytest.mark.parametrize("engine", ["mariadb"], indirect=True)
def test_a_cluster_loses_and_doubles_nothing_while_its_processes_die(place: Place, tmp_path: Path):
    with ClusterRig(tmp_path, database=place.empty(tmp_path)) as rig:
        rig.start_all(SMALL)
        rig.make_channel()
        scans = 0
        for role in SMALL[1:]:
            for _ in range(4):
                rig.scan(f"{role} {scans}")
                scans += 1
            rig.kill_role(role)
            if role.startswith("welcome"):
                rig.redis.client.flushall()  # the messages under way are lost with it
            rig.scan(f"{role} is dead {scans}")
            scans += 1
            rig.start_role(role)
            rig.until_working(role)
        rig.drain(240)
        verdict = judge(rig)

    assert verdict.wrong == [], verdict
    assert verdict.scans == scans, verdict
    assert verdict.welcomes["sent"] > 0, verdict


@pytest.fixture
def postgresql() -> Iterator[PrivatePostgresql]:
    """A server to be crashed. Skips where there is none to start; with CI set that is a failure."""
    try:
        with PrivatePostgresql() as server:
            yield server
    except (OSError, Unreachable) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.mark.postgresql
def test_a_cluster_goes_on_while_its_servers_are_away(postgresql: PrivatePostgresql, tmp_path: Path):
    with ClusterRig(tmp_path, database=make_empty(postgresql)) as rig:
        rig.start_all(SMALL)
        rig.make_channel()

        # Redis is dead: it is told, and workers poll, also one that starts meanwhile
        rig.redis.kill()
        rig.until("readyz tells of Redis", lambda: "redis: away" in rig.readiness()["degraded"], 60)
        scans = greet(rig, "Redis 已停")
        rig.kill_role("welcome-1")
        rig.start_role("welcome-1")
        scans += greet(rig, "Redis 未起")
        assert rig.readiness()["status"] == "degraded"
        rig.redis.start()
        rig.until("readyz is well again", lambda: rig.readiness()["status"] == "ok", 60)

        # the database crashes with callbacks on their way, and a web dies
        scans += pour(rig, "数据库崩溃前")
        postgresql.crash()
        scans += pour(rig, "数据库已停")
        rig.kill_role("web-1")
        postgresql.start()
        scans += pour(rig, "只剩一个网页进程")
        rig.drain(240)
        verdict = judge(rig)

    assert verdict.wrong == [], verdict
    assert verdict.scans == scans, verdict


def pour(rig: ClusterRig, name: str) -> int:
    for number in range(4):
        rig.scan(f"{name} {number}")
    return 4


def greet(rig: ClusterRig, name: str) -> int:
    """Scan until a customer is greeted; how many did. On a busy machine a start may take longer than a code lives."""
    for number in range(1, 9):
        customer = rig.scan(f"{name} {number}")
        end = time.monotonic() + CODE_SECONDS
        while time.monotonic() < end:
            if any(phone["messages"] for phone in rig.get("/customers") if phone["id"] == customer):
                return number
            time.sleep(0.2)
    raise AssertionError(f"nobody was greeted: {name}\n{rig.tail()}")


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_cluster_hands_over_and_stops_in_good_order(place: Place, tmp_path: Path):
    with ClusterRig(tmp_path, database=place.empty(tmp_path)) as rig:
        rig.start_all(("web-1", "welcome-1", "rest-1", "scheduler-1", "scheduler-2"))
        rig.make_channel()
        rig.scan("甲")
        rig.drain(60)
        assert rig.leaders() == 1

        log = tmp_path / "scheduler-1.log"
        leader = "scheduler-1" if "leader_elected" in log.read_text() else "scheduler-2"
        assert rig.stop_role(leader) == 0
        rig.until("the other scheduler leads", lambda: rig.leaders() == 2, 30)
        for role in list(rig.processes):
            if role != "web-1":
                assert rig.stop_role(role) == 0, (role, rig.tail())
        rig.scan("乙")  # nobody works, nothing is lost
        for role in ("welcome-1", "rest-1"):
            rig.start_role(role)
        rig.drain(120)

        verdict = judge(rig)
    assert (verdict.wrong, verdict.scans) == ([], 2)
