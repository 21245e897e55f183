"""What is counted where it happens: errcodes, clocks that differ, jobs that ran."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from bot.app import _observe
from bot.callbacks.wecom import WecomReceiver
from bot.scheduler.jobs import Job, _every
from bot.scheduler.runner import run_guarded
from bot.wechat.crypto import Rejected
from bot.wechat.wecom import CallRecord
from tests.envelopes import NOW, crypto, post

OFFSET = "lianke_callback_clock_offset_seconds"
LAST_SUCCESS = "lianke_job_last_success_timestamp_seconds"


def errcodes(api: str, code: int) -> float:
    labels = {"api": api, "errcode": str(code)}
    return REGISTRY.get_sample_value("lianke_wecom_errcodes_total", labels) or 0


def test_errcodes_are_counted_by_api_and_success_is_none() -> None:
    for code in (84061, 84061, 0, None):
        _observe(CallRecord("counted/here", 12.0, code, 200, 300, "ok" if code == 0 else "Permanent"))

    assert errcodes("counted/here", 84061) == 2
    assert errcodes("counted/here", 0) == 0


def test_the_clock_offset_is_that_of_true_callbacks_only() -> None:
    receiver = WecomReceiver([crypto()], lambda: NOW + timedelta(seconds=12))
    true, forged = post(at=NOW), post(pair=crypto(token="another"), at=NOW - timedelta(hours=1))

    receiver.receive(true.query, true.body)
    with pytest.raises(Rejected):
        receiver.receive(forged.query, forged.body)

    assert REGISTRY.get_sample_value(OFFSET) == 12


def test_only_a_job_that_ran_well_moves_its_time() -> None:
    def fails(_product: object) -> int:
        raise RuntimeError("no")

    before = time.time()
    run_guarded(Job("sweeps", _every(seconds=5), lambda _product: 0), None)
    run_guarded(Job("breaks", _every(seconds=5), fails), None)

    assert REGISTRY.get_sample_value(LAST_SUCCESS, {"job": "sweeps"}) >= before
    assert REGISTRY.get_sample_value(LAST_SUCCESS, {"job": "breaks"}) is None
