"""``make bench``: run the benchmarks, print a table with the targets, write what was measured to ``results/``."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import cluster, events, ingest, pages, scale, welcome

RESULTS = Path(__file__).parent / "results"
FILES = {
    "ingest.json": ("ingest", "welcome", "events"),
    "servers.json": ("servers",),
    "cluster.json": ("cluster",),
    "scale.json": ("scale",),
    "pages.json": ("pages",),
}
PARTS = tuple(part for parts in FILES.values() for part in parts)
# key → (target in words, whether a value meets it); None: told, no target
TARGETS: dict[str, tuple[str, Any]] = {
    "ratio_wechatpy": ("≥ 1.5", lambda value: value >= 1.5),
    "ratio_naive": ("≥ 8", lambda value: value >= 8),
    "ratio_noop": ("—", None),
    "welcome_p99_ms": ("< 1000", lambda value: value < 1000),
    "burst_expired": ("0", lambda value: value == 0),
    "events_per_second": ("—", None),
    "events_ratio_plain": ("—", None),
    "servers_ratio_plain": ("—", None),
    "servers_ratio_noop": ("—", None),
    "cluster_ratio_more_workers": ("—", None),
    "scale_worst_growth_p99": ("≤ 1.5", lambda value: value <= scale.GROWTH_TARGET),
    "pages_worst_p99_ms": (f"≤ {pages.TARGET_MS}", lambda value: value <= pages.TARGET_MS),
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


def _servers(*, quick: bool) -> dict[str, Any]:
    """Ingest on PostgreSQL and MariaDB; the ratios told are the lower of both."""
    figures = ingest.measure_servers(rounds=2 if quick else 5, seconds=2 if quick else 5)
    ratios = {
        f"servers_ratio_{name}": min(
            one["ours"]["per_second"] / one[name]["per_second"] for one in figures.values()
        )
        for name in ("plain", "noop")
        if figures
    }
    return {**ratios, "servers": figures}


def _cluster(*, quick: bool) -> dict[str, Any]:
    figures = cluster.measure(count=300 if quick else 5000)
    return {"cluster_ratio_more_workers": figures["ratio_more_workers"], "cluster": figures}


def _scale(console: Console, *, quick: bool) -> dict[str, Any]:
    sizes, rounds = (scale.QUICK_SIZES, 20) if quick else (scale.SIZES, 300)
    figures = scale.measure(sizes=sizes, rounds=rounds, tell=console.print)
    growths = [one["growth_p99"] for engine in figures.values() for one in engine["questions"].values()]
    return {"scale_worst_growth_p99": max(growths), "scale": figures}


def _pages(console: Console, *, quick: bool) -> dict[str, Any]:
    size, rounds = (pages.QUICK_SIZE, 5) if quick else (pages.SIZE, 100)
    figures = pages.measure(size=size, rounds=rounds, tell=console.print)
    worst = max(one["p99_ms"] for engine in figures.values() for one in engine["pages"].values())
    return {"pages_worst_p99_ms": worst, "pages": figures}


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
    for engine, contenders in results.get("servers", {}).items():
        told = ", ".join(f"{name} {figures['per_second']:.0f}/s" for name, figures in contenders.items())
        console.print(f"{engine}: {told}")
    for number, figures in results.get("cluster", {}).get("workers", {}).items():
        cost = ", ".join(f"{part} {each:.1f} ms" for part, each in figures["cpu_ms_per_event"].items())
        console.print(f"{number} workers: {figures['per_second']:.0f} events/s; per event {cost}")
    for engine, figures in results.get("scale", {}).items():
        console.print(_growth(engine, figures))
    for engine, figures in results.get("pages", {}).items():
        console.print(_costs(engine, figures["pages"]))
    for name, figures in results.get("welcome", {}).items():
        console.print(name, {key: round(value, 1) for key, value in figures.items()})


def _growth(engine: str, figures: dict[str, Any]) -> Table:
    sizes = [f"{size:,}" for size in figures["sizes"]]
    table = Table(
        engine, *(f"p99 ms, {size}" for size in sizes), "growth p50", "growth p99", "times a row by key"
    )
    for name, one in figures["questions"].items():
        p99 = [f"{each:.1f}" for each in one["p99_ms"]]
        table.add_row(
            name,
            *p99,
            *(f"{one[key]:.2f}" for key in ("growth_p50", "growth_p99", "ratio_to_key_p50")),
        )
    return table


def _costs(engine: str, figures: dict[str, Any]) -> Table:
    table = Table(engine, "p50 ms", "p99 ms", "plain SQL ms", "times its SQL", "statements")
    for name, one in figures.items():
        cells = (one["p50_ms"], one["p99_ms"], one["sql_p50_ms"], one["ratio_to_sql"])
        table.add_row(name, *(f"{cell:.1f}" for cell in cells), " ".join(map(str, one["queries"])))
    return table


def _write(console: Console, head: dict[str, Any], found: dict[str, dict[str, Any]]) -> None:
    """Each file whose parts were all measured."""
    RESULTS.mkdir(exist_ok=True)
    for file, parts in FILES.items():
        if found.keys() >= set(parts):
            told = head | {key: value for part in parts for key, value in found[part].items()}
            path = RESULTS / file
            path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            console.print(f"→ {path}")


@click.command()
@click.option("--quick", is_flag=True, help="Short runs, to see that it works; the figures mean little.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only these parts.")
def main(*, quick: bool, only: tuple[str, ...]) -> None:
    """Run the benchmarks in one go, interleaved where they are compared."""
    console = Console()
    head: dict[str, Any] = {"quick": quick, "machine": _machine()}
    measure: dict[str, Callable[[], dict[str, Any]]] = {
        "ingest": lambda: _ingest(quick=quick),
        "welcome": lambda: _welcome(console, quick=quick),
        "events": lambda: _events(quick=quick),
        "servers": lambda: _servers(quick=quick),
        "cluster": lambda: _cluster(quick=quick),
        "scale": lambda: _scale(console, quick=quick),
        "pages": lambda: _pages(console, quick=quick),
    }
    found = {part: measure[part]() for part in only or PARTS}
    _show(console, {key: value for figures in found.values() for key, value in figures.items()})
    if not quick:
        _write(console, head, found)


if __name__ == "__main__":
    main()
