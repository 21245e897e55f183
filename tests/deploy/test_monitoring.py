"""The dashboard and the alerts ask for metrics that exist, and every alert has a page that says what to do."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

import bot
from bot.metrics import database as measured
from bot.metrics.gate import GateCollector
from bot.workers.limits import Gate
from scrm.db import Database

ROOT = Path(__file__).resolve().parents[2]
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text("utf-8"))
DASHBOARD = json.loads((ROOT / "deploy/grafana/lianke.json").read_text("utf-8"))
RUNBOOK = (ROOT / "docs/runbook.md").read_text("utf-8")
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
METRIC = re.compile(r"\blianke_[a-z_]+")
STATES = re.compile(r'lianke_rows{[^}]*?table=~?"([^"]+)"[^}]*?state=~?"([^"]+)"')


def exported() -> set[str]:
    """Every series the program can export, by all its modules, as Prometheus would name them."""
    for module in pkgutil.walk_packages(bot.__path__, "bot."):
        if not module.name.endswith(("__main__", "celery_app")):  # they start something
            importlib.import_module(module.name)
    gates = CollectorRegistry()
    gates.register(GateCollector(Gate()))
    names = set()
    for family in (*REGISTRY.collect(), *gates.collect()):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(
            family.type, ("",)
        )
        names |= {family.name + suffix for suffix in suffixes}
    return names


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def test_every_metric_asked_for_is_exported() -> None:
    asked = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert len(asked) > 15
    assert asked - exported() == set()


def test_one_process_alone_has_no_leader() -> None:
    """Else the alert on the leader would ring in an embedded installation: only ``lianke scheduler`` has the gauge."""
    naming = {
        path.name for path in (ROOT / "bot").rglob("*.py") if "bot.scheduler.leader" in path.read_text()
    }
    assert naming == {"scheduler.py"}


def test_every_metric_of_ours_is_in_the_dashboard() -> None:
    asked = {
        name
        for panel in DASHBOARD["panels"]
        for t in panel.get("targets", ())
        for name in METRIC.findall(t["expr"])
    }
    ours = {
        name for name in exported() if name.startswith("lianke_") and not name.endswith(("_count", "_sum"))
    }
    assert ours - asked == set()


def test_states_asked_for_are_counted(database: Database) -> None:
    counted = {w.name: {state.value for state in w.waiting + w.bad} for w in measured.WATCHED}
    asked = [found for expression in expressions() for found in STATES.findall(expression)]
    assert len(asked) > 6
    for table, states in asked:
        assert set(states.split("|")) <= counted[table], (table, states)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_leads_to_its_section(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert section is not None
    for part in ("**Customers**:", "**Look**:", "**Do**:"):
        assert part in section[1]


def test_the_runbook_has_no_section_without_an_alert() -> None:
    sections = re.findall(r"^## (Lianke\w+)$", RUNBOOK, re.MULTILINE)
    assert sorted(sections) == sorted(rule["alert"] for rule in RULES)


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
