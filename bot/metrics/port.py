"""A port of its own for ``/metrics``, for processes that serve nothing else: workers and schedulers."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import REGISTRY, Collector

from bot.metrics.gate import GateCollector
from bot.workers.limits import Gate


class _All(Collector):
    """Everything this process counts, and what its gate holds back."""

    def __init__(self, gate: Gate) -> None:
        self._gate = GateCollector(gate)

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        yield from self._gate.collect()


def open_metrics(gate: Gate, port: int, host: str) -> None:
    """Serve this process's metrics until it ends. Raises OSError where the port is taken."""
    registry = CollectorRegistry()
    registry.register(_All(gate))
    start_http_server(port, addr=host, registry=registry)
