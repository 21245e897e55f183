"""The steady load and the burst, on a cluster of real processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from benchmarks.load import percentile
from tests.databases import Place
from tests.load.compare import Found, compare
from tests.load.crowd import SCANS, Crowd
from tests.load.fire import Fired, fire
from tests.load.rig import FEW, ROLES, Books, LoadRig

SETTLE_S = 3600.0
ACK_S = 5.0  # WeCom waits no longer
Tell = Callable[[str], None]


@dataclass
class Loaded:
    """A run: what was measured, and what the judge found."""

    figures: dict[str, str] = field(default_factory=dict)
    found: Found = field(default_factory=Found)


def steady(home: Path, server: Place, *, rate: float, seconds: float, seed: int, tell: Tell) -> Loaded:
    """Callbacks of the usual mix at fixed times, whatever the answers."""
    return _run(home, server, Crowd(int(rate * seconds), seed=seed), rate, tell)


def burst(home: Path, server: Place, *, count: int, seed: int, few: bool = False, tell: Tell) -> Loaded:
    """Scans at once."""
    return _run(home, server, Crowd(count, SCANS, seed=seed), None, tell, few=few)


def _run(
    home: Path, server: Place, crowd: Crowd, rate: float | None, tell: Tell, *, few: bool = False
) -> Loaded:
    with LoadRig(home, database=server.empty(home), crowd=crowd) as rig:
        rig.start_roles(FEW if few else tuple(ROLES))
        codes = rig.make_channels()
        fire(rig.sandbox, crowd.before(), 50.0)
        rig.settle(SETTLE_S)
        acts = crowd.acts(codes)
        with rig.books() as books:
            before = books.value("SELECT coalesce(max(seq), 0) FROM delivery")
        tell(f"{len(acts)} callbacks, {f'{rate:.0f} a second' if rate else 'at once'}")
        spent, began = rig.cpu_seconds(), time.monotonic()
        fired = fire(rig.sandbox, acts, rate)
        tell(f"fired in {fired.seconds:.1f} s")
        drained = rig.settle(SETTLE_S)
        with rig.books() as books:
            loaded = Loaded(_figures(books, before, fired, drained), compare(rig.database, books))
        loaded.figures["processor"] = _costs(spent, rig.cpu_seconds(), len(acts), time.monotonic() - began)
        return loaded


def _figures(books: Books, before: int, fired: Fired, drained: float) -> dict[str, str]:
    since = "FROM delivery WHERE seq > ?"
    count, first, last = books.all(f"SELECT count(*), min(at), max(at) {since}", before)[0]
    tries = books.all("SELECT ms, status FROM attempt WHERE delivery > ?", before)
    acks = [row["ms"] for row in tries if row["status"] == 200]
    refused = [row for row in tries if row["status"] != 200]
    greetings = _greetings(books, before)
    return {
        "callbacks": f"{count} in {last - first:.1f} s, {count / max(last - first, 0.001):.0f} a second",
        "fired late": f"p99 {percentile(fired.lateness, 0.99) * 1000:.0f} ms"
        if fired.lateness
        else "at once",
        "answer": f"p50 {percentile(acks, 0.5):.1f} ms, p99 {percentile(acks, 0.99):.1f} ms, max {max(acks):.0f} ms",
        "tries that were not answered 200": f"{len(refused)} {sorted({row['status'] for row in refused})}",
        "welcome": _spread(greetings),
        "all work done": f"{drained:.1f} s after the last callback",
    }


def _costs(before: dict[str, float], after: dict[str, float], count: int, seconds: float) -> str:
    each = {kind: (after[kind] - before[kind]) / count * 1000 for kind in after}
    by_kind = ", ".join(f"{kind} {ms:.1f}" for kind, ms in each.items())
    used = sum(each.values()) * count / 1000 / seconds
    load = " ".join(f"{one:.0f}" for one in os.getloadavg())
    return f"ms a callback: {by_kind}; {used:.2f} cores used of {os.cpu_count()}; load average {load}"


def _greetings(books: Books, before: int) -> list[float]:
    """Seconds from a callback's making to the welcome on the phone."""
    made = {}
    for row in books.all(
        "SELECT at, xml FROM delivery WHERE seq > ? AND change_type = 'add_external_contact'", before
    ):
        made[row["xml"].split("<ExternalUserID><![CDATA[")[1].split("]]")[0]] = row["at"]
    return [
        row["at"] - made[row["customer"]]
        for row in books.all("SELECT at, customer FROM message WHERE kind = 'welcome'")
        if row["customer"] in made
    ]


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return f"{len(seconds)} on phones, after p50 {p50:.2f} s, p99 {p99:.2f} s, max {max(seconds):.2f} s"


def too_slow(loaded: Loaded) -> bool:
    """Whether WeCom would have given up on a callback for good."""
    return loaded.found.undelivered > 0


def stamp() -> str:
    """For the log."""
    return datetime.now().astimezone().strftime("%H:%M:%S")
