"""An upgrade restarts workers and schedulers, too: what is in the air is answered and written down before they end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.runtime import STOP_SECONDS
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall
from tests.cluster_rig import ClusterRig
from tests.databases import Place
from tests.judge import judge

pytestmark = [pytest.mark.redis, pytest.mark.postgresql, pytest.mark.timeout(300)]
EXIT_SECONDS = 5  # after the drain, as in the units
SLOW = {"mode": "errcode", "errcode": -1, "times": 1, "delay_ms": 3000}
CALLING = {"welcome-1": "externalcontact/send_welcome_msg", "rest-1": "message/send"}
STOPPED = (*CALLING, "scheduler-1")


def in_the_air(rig: ClusterRig) -> set[str]:
    with rig.database.read() as session:
        return set(session.scalars(select(OutboxCall.api).where(OutboxCall.state == CallState.SENDING)))


def stop_in_mid_call(rig: ClusterRig) -> list[int]:
    """SIGTERM to each worker as soon as its call is in the air, and to the scheduler; the exit codes.

    Raises when one takes longer than systemd waits.
    """
    waiting = dict(CALLING)

    def all_are_told() -> bool:
        for role in [role for role, api in waiting.items() if api in in_the_air(rig)]:
            rig.processes[role].send_signal(signal.SIGTERM)
            del waiting[role]
        return not waiting

    rig.until("each worker was stopped in a call", all_are_told, 30)
    rig.processes["scheduler-1"].send_signal(signal.SIGTERM)
    return [rig.processes.pop(role).wait(STOP_SECONDS + EXIT_SECONDS) for role in STOPPED]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_calls_in_the_air_end_before_their_worker(place: Place, tmp_path: Path) -> None:
    with ClusterRig(tmp_path, database=place.empty(tmp_path)) as rig:
        for role in ("web-1", *STOPPED):
            rig.start_role(role)
        for role in ("web-1", *STOPPED):
            rig.until_working(role)
        rig.make_channel()
        for api in CALLING.values():
            rig.post("/faults", {"api": api, **SLOW})

        rig.scan("甲")
        assert stop_in_mid_call(rig) == [0, 0, 0], rig.tail()

        # both got WeCom's answer, "busy", and it is written down: neither is left in the air
        with rig.database.read() as session:
            calls = session.execute(
                select(OutboxCall.api, OutboxCall.state, OutboxAttempt.errcode)
                .join(OutboxAttempt, OutboxAttempt.outbox_id == OutboxCall.id)
                .where(OutboxCall.api.in_(CALLING.values()))
            ).all()
        assert {tuple(call) for call in calls} == {(api, CallState.UNKNOWN, -1) for api in CALLING.values()}

        for role in STOPPED:
            rig.start_role(role)
        rig.drain(60)
        verdict = judge(rig)
    assert (verdict.wrong, verdict.scans) == ([], 1)
