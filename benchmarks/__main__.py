"""``make bench``: run the benchmarks, print a table with the targets, write ``results/ingest.json``."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import events, ingest, welcome

RESULTS = Path(__file__).parent / "results" / "ingest.json"
PARTS = ("ingest", "welcome", "events")
# key → (target in words, whether a value meets it); None: told, no target
TARGETS: dict[str, tuple[str, Any]] = {
    "ratio_wechatpy": ("≥ 1.5", lambda value: value >= 1.5),
    "ratio_naive": ("≥ 8", lambda value: value >= 8),
    "ratio_noop": ("—", None),
    "welcome_p99_ms": ("< 1000", lambda value: value < 1000),
    "burst_expired": ("0", lambda value: value == 0),
    "events_per_second": ("—", None),
    "events_ratio_plain": ("—", None),
}


def _ingest(*, quick: bool) -> dict[str, Any]:
    figures = ingest.measure(rounds=2 if quick else 5, seconds=2 if quick else 5)
    ours = figures["ours"]["per_second"]
    ratios = {f"ratio_{name}": ours / figures[name]["per_second"] for name in ("wechatpy", "naive", "noop")}
    return {**ratios, "ingest": figures}


def _welcome(console: Console, *, quick: bool) -> dict[str, Any]:
    figures = welcome.measure(
        rate=50, seconds=10 if quick else 60, burst=100 if quick else 1000, tell=console.print
    )
    return {
        "welcome_p99_ms": figures["steady"]["p99_ms"],
        "burst_expired": figures["burst"]["expired"],
        "welcome": figures,
    }


def _events(*, quick: bool) -> dict[str, Any]:
    figures = events.measure(count=500 if quick else 5000)
    return {
        "events_per_second": figures["per_second"],
        "events_ratio_plain": figures["ratio_plain"],
        "events": figures,
    }


def _machine() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "versions": {name: version(name) for name in ("granian", "flask", "sqlalchemy", "wechatpy")},
    }


def _show(console: Console, results: dict[str, Any]) -> None:
    table = Table("key", "measured", "target", "")
    for key, (target, meets) in TARGETS.items():
        if key in results:
            mark = "" if meets is None else "✓" if meets(results[key]) else "✗"
            table.add_row(key, f"{results[key]:.2f}", target, mark)
    console.print(table)
    for name, figures in results.get("ingest", {}).items():
        console.print(
            f"{name:9s} {figures['per_second']:8.0f}/s  p50 {figures['p50_ms']:6.1f} ms"
            f"  p99 {figures['p99_ms']:6.1f} ms  {figures['statuses']}"
        )
    for name, figures in results.get("welcome", {}).items():
        console.print(name, {key: round(value, 1) for key, value in figures.items()})


@click.command()
@click.option("--quick", is_flag=True, help="Short runs, to see that it works; the figures mean little.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only these parts.")
def main(*, quick: bool, only: tuple[str, ...]) -> None:
    """Run the benchmarks in one go, interleaved where they are compared."""
    console = Console()
    wanted = only or PARTS
    results: dict[str, Any] = {"quick": quick, "machine": _machine()}
    if "ingest" in wanted:
        results |= _ingest(quick=quick)
    if "welcome" in wanted:
        results |= _welcome(console, quick=quick)
    if "events" in wanted:
        results |= _events(quick=quick)
    _show(console, results)
    if not only and not quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        console.print(f"→ {RESULTS}")


if __name__ == "__main__":
    main()
