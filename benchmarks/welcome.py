"""(2) From the scan to the accepted welcome: open-loop load for a minute, and a burst at once.

Measured by the sandbox's own clock, from the moment the relation and its callback were made to the moment the
welcome was on the customer's phone. Nothing waits for an answer before the next scan goes out.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.load import percentile
from benchmarks.stage import Stage

EXTERNAL = re.compile(r"<ExternalUserID><!\[CDATA\[(.+?)\]\]>")
DONE_WITHIN_S = 300.0


async def scan_all(stage: Stage, names: list[str], rate: float | None) -> None:
    """Scan at fixed times (``rate`` a second), or all at once; each request on its own."""
    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.monotonic()

        async def scan(number: int, name: str) -> None:
            if rate is not None:
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            body = {"customer": name, "code": stage.code, "mode": "async"}
            async with session.post(f"{stage.sandbox}/sandbox/scan", json=body) as answer:
                answer.raise_for_status()

        await asyncio.gather(*(scan(number, name) for number, name in enumerate(names)))


def run(stage: Stage, label: str, count: int, rate: float | None) -> dict[str, Any]:
    """One load; what became of each of its scans."""
    seq = max((item["seq"] for item in stage.box("/callbacks")["items"]), default=0)
    cpu, box_cpu, began = stage.cpu_seconds(), stage.cpu_seconds(sandbox=True), time.time()
    asyncio.run(scan_all(stage, [f"{label}{number}" for number in range(count)], rate))
    scanned = time.time()
    quiet = stage.wait_until_quiet(DONE_WITHIN_S)
    cpu, box_cpu = stage.cpu_seconds() - cpu, stage.cpu_seconds(sandbox=True) - box_cpu
    deliveries = stage.box(f"/callbacks?after={seq}")["items"]
    phones = {item["id"]: item for item in stage.box("/customers")["items"]}
    latencies, unwelcomed, untagged = [], 0, 0
    for delivery in deliveries:
        phone = phones[EXTERNAL.search(delivery["xml"])[1]]  # type: ignore[index]
        untagged += not phone["tags"]
        if not phone["messages"]:
            unwelcomed += 1
            continue
        latencies.append((at(phone["messages"][0]["at"]) - at(delivery["at"])).total_seconds() * 1000)
    return {
        "scans": len(deliveries),
        "per_second": count / (scanned - began),
        "p50_ms": percentile(latencies, 0.50),
        "p99_ms": percentile(latencies, 0.99),
        "max_ms": max(latencies, default=float("nan")),
        "expired": unwelcomed,
        "undelivered": sum(item["state"] != "delivered" for item in deliveries),
        "untagged": untagged,
        "all_effects_after_s": quiet - scanned,
        "cpu_ms_per_scan": cpu / count * 1000,
        "sandbox_cpu_ms_per_scan": box_cpu / count * 1000,
    }


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def measure(
    *, rate: float, seconds: float, burst: int, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """The steady load and the burst, each on a stage of its own that was warmed up.

    Of its own, because our side of the platform's quota counts the minute before: 50 scans a second for a minute
    are 12,000 calls, all that we allow ourselves of the 20,000 an address has.
    """
    results = {}
    for name, count, pace in (("steady", int(rate * seconds), rate), ("burst", burst, None)):
        tell(f"{count} scans, {pace:.0f} a second" if pace else f"{count} scans at once")
        with tempfile.TemporaryDirectory() as home, Stage(Path(home)) as stage:
            run(stage, "预热", 20, 20.0)
            results[name] = run(stage, name, count, pace)
    return results
