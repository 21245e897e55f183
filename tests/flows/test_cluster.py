"""A cluster on a real server and Redis: one of each kind dies while scans pour in; the ledgers agree afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster_rig import ROLES, ClusterRig
from tests.databases import Place
from tests.rig import judge

pytestmark = [pytest.mark.chaos, pytest.mark.redis, pytest.mark.timeout(300)]
ONE_OF_EACH = [
    role for role in ROLES if not role.endswith("-2")
]  # the others: ``python -m tests.cluster_chaos``
SERVERS = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)


@SERVERS
def test_a_cluster_loses_and_doubles_nothing_while_its_processes_die(place: Place, tmp_path: Path):
    with ClusterRig(tmp_path, database=place.empty(tmp_path)) as rig:
        rig.start_all()
        rig.make_channel()
        scans = 0
        for role in ONE_OF_EACH:
            for _ in range(4):
                rig.scan(f"{role} {scans}")
                scans += 1
            rig.kill_role(role)
            if role.startswith("welcome"):
                rig.redis.flushdb()  # the messages under way are lost with it
            rig.scan(f"{role} is dead {scans}")
            scans += 1
            rig.start_role(role)
            rig.until_working(role)
        rig.drain(150)
        verdict = judge(rig)

    assert verdict.wrong == [], verdict
    assert verdict.scans + verdict.undelivered == scans
    assert verdict.welcomes["sent"] > 0, verdict


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_cluster_hands_over_and_stops_in_good_order(place: Place, tmp_path: Path):
    with ClusterRig(tmp_path, database=place.empty(tmp_path)) as rig:
        rig.start_all()
        rig.make_channel()
        rig.scan("甲")
        rig.drain(30)
        assert rig.leaders() == 1

        log = tmp_path / "scheduler-1.log"
        leader = "scheduler-1" if "leader_elected" in log.read_text() else "scheduler-2"
        assert rig.stop_role(leader) == 0
        rig.until("the other scheduler leads", lambda: rig.leaders() == 2, 15)
        for role in list(rig.processes):
            if role != "web":
                assert rig.stop_role(role) == 0, (role, rig.tail())
        rig.scan("乙")  # nobody works, nothing is lost
        for role in ("welcome-1", "rest-1"):
            rig.start_role(role)
        rig.drain(60)

        verdict = judge(rig)
    assert (verdict.wrong, verdict.scans) == ([], 2)
