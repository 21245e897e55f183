"""What the gate in front of the platform holds back, read from it when ``/metrics`` is."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.workers.limits import Gate


class GateCollector(Collector):
    """The gate of this process: each process paces its own calls."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def collect(self) -> Iterator[Metric]:
        """Refusals by reason, and which APIs are left alone now."""
        refusals = CounterMetricFamily(
            "lianke_gate_refusals_total", "Times a call had to wait, by reason", labels=["api", "reason"]
        )
        held = GaugeMetricFamily(
            "lianke_api_held_back", "1 while the platform or the network holds an API back", labels=["api"]
        )
        for state in self._gate.snapshot():
            held.add_metric([state.api], float(state.degraded))
            for reason, count in state.refused.items():
                refusals.add_metric([state.api, reason.value], count)
        yield refusals
        yield held
