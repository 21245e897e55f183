"""A backup under load, more life, a restore: nothing goes out before a person says so, and nothing twice after."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from scrm.outbox.models import CallState, OutboxCall
from tests.forked import Forked
from tests.rig import Rig

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
# what a second time would be seen or cost something; reads and sets of tags are the same after a second call
SENDERS = 6  # bot.runtime.OTHER_THREADS
ONCE = ("externalcontact/send_welcome_msg", "message/send", "externalcontact/add_contact_way")


def lianke(rig: Rig, *arguments: str, code: int = 0) -> str:
    """Run a command as a person would; what it said."""
    said = rig.home / f"{'-'.join(arguments[:2]).replace('/', '_')}-{time.monotonic_ns()}.txt"
    ran = Forked(("-m", "bot", "--config", str(rig.config_path), *arguments), said)
    assert ran.wait(60) == code, said.read_text()
    return said.read_text()


def effects(rig: Rig) -> list[dict[str, Any]]:
    return rig.get("/ledger")


def doubled(rig: Rig) -> dict[Any, int]:
    """Effects that somebody got twice, by what he saw."""
    seen: Counter[Any] = Counter()
    for item in effects(rig):
        body = item["body"]
        if item["api"] == ONCE[0]:
            seen["welcome", body["welcome_code"]] += 1
        elif item["api"] == ONCE[1]:
            card = body["textcard"]
            seen["notice", body["touser"], card["title"]] += 1
        elif item["api"] == ONCE[2]:
            seen["way", body["state"]] += 1
    return {key: count for key, count in seen.items() if count > 1}


def readyz(rig: Rig) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(f"{rig.base}/readyz", timeout=10).json()
    return answer


def scan_many(rig: Rig, names: range) -> None:
    for number in names:
        rig.scan(f"客户{number}")


def count_notices(rig: Rig, state: CallState) -> int:
    with rig.database.read() as session:
        which = (OutboxCall.api == ONCE[1], OutboxCall.state == state)
        return session.scalar(select(func.count()).select_from(OutboxCall).where(*which)) or 0


def waiting(rig: Rig) -> int:
    with rig.database.read() as session:
        states = OutboxCall.state.in_((CallState.PENDING, CallState.SENDING))
        return session.scalar(select(func.count()).select_from(OutboxCall).where(states)) or 0


def test_a_restore_sends_nothing_until_a_person_resumes_and_nothing_twice(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        # given a backup taken in the middle of scans, while every sender waits for an answer, and more scans later
        rig.start()
        rig.make_channel()
        rig.post("/faults", {"api": "message/send", "mode": "timeout", "delay_ms": 9000, "times": 1000})
        load = threading.Thread(target=scan_many, args=(rig, range(16)))
        load.start()
        rig.until("all senders wait", lambda: count_notices(rig, CallState.SENDING) == SENDERS, 30)
        rig.until("notices queue", lambda: count_notices(rig, CallState.PENDING) > 0, 30)
        lianke(rig, "backup", "--to", str(tmp_path / "backup"))
        rig.delete("/faults")
        load.join()
        scan_many(rig, range(16, 20))
        rig.drain()
        before = effects(rig)
        assert "restore_running" in lianke(rig, "restore", str(backup_of(tmp_path)), "--overwrite", code=1)
        assert rig.stop() == 0
        assert doubled(rig) == {}

        # when it is restored, and nobody has it open any more
        rig.database.dispose()
        assert "restore_not_empty" in lianke(rig, "restore", str(backup_of(tmp_path)), code=1)
        told = lianke(rig, "restore", str(backup_of(tmp_path)), "--overwrite")
        assert "发送已暂停" in told
        assert count_notices(rig, CallState.SENDING) == count_notices(rig, CallState.PENDING) == 0
        assert (
            count_notices(rig, CallState.UNKNOWN) > SENDERS
        )  # those under way, and those that went out since

        # then the product works, says that it is paused, and sends nothing, not even to somebody new
        rig.start()
        rig.scan("新来的")
        rig.until("the new scan is owed its calls", lambda: waiting(rig) > 0, 30)
        time.sleep(3)
        assert effects(rig) == before
        assert "outbox: paused" in readyz(rig)["degraded"]
        assert "发送已暂停" in lianke(rig, "outbox", "status")

        # and after the resume every call ends, the new customer is served, and nobody got anything twice
        lianke(rig, "outbox", "resume", "--yes")
        rig.drain()
        assert doubled(rig) == {}
        assert len(effects(rig)) > len(before)
        assert "outbox: paused" not in readyz(rig)["degraded"]
        assert left_open(rig) == []


def left_open(rig: Rig) -> list[str]:
    """Calls that neither ended nor are listed for a person."""
    with rig.database.read() as session:
        rows = session.scalars(
            select(OutboxCall).where(
                OutboxCall.state.in_((CallState.PENDING, CallState.SENDING, CallState.UNKNOWN)),
                OutboxCall.available_at.is_not(None),
            )
        )
        return [f"{row.id} {row.api} {row.state}" for row in rows]


def backup_of(home: Path) -> Path:
    [path] = (home / "backup").iterdir()
    return path
