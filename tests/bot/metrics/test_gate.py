"""What the gate holds back is told by API and reason."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from bot.metrics.gate import GateCollector
from bot.wechat.errors import QuotaSpent
from bot.workers.limits import Gate

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
API = "externalcontact/mark_tag"


def test_a_paused_api_and_the_calls_it_puts_off() -> None:
    gate = Gate()
    registry = CollectorRegistry()
    registry.register(GateCollector(gate))
    assert gate.admit(API, 5, AT).granted
    assert registry.get_sample_value("lianke_api_held_back", {"api": API}) == 0

    gate.done(API, QuotaSpent(45009, "quota", api=API))
    assert not gate.admit(API, 5, AT).granted
    assert not gate.admit(API, 5, AT).granted

    assert registry.get_sample_value("lianke_api_held_back", {"api": API}) == 1
    assert registry.get_sample_value("lianke_gate_refusals_total", {"api": API, "reason": "paused"}) == 2
