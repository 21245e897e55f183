"""A port of its own for ``/metrics``, for processes that serve nothing else: workers and schedulers."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import REGISTRY, Collector

from bot.app import Product
from bot.metrics.database import measure
from bot.metrics.gate import GateCollector


class _All(Collector):
    """What ``/metrics`` of a web process tells: what this process counts, its gate, and the database, measured now.

    Left unmeasured the database's gauges would be told as 0, which reads as "the database is down".
    """

    def __init__(self, product: Product) -> None:
        self._product = product
        self._gate = GateCollector(product.gate)

    def collect(self) -> Iterator[Metric]:
        measure(self._product.database, self._product.clock())
        yield from REGISTRY.collect()
        yield from self._gate.collect()


def open_metrics(product: Product, port: int) -> None:
    """Serve this process's metrics until it ends. Raises OSError where the port is taken."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_All(product))
    start_http_server(port, addr=product.config.server.host, registry=registry)
