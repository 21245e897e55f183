"""What starts the processes: units, compose file, manifests. Commands exist, and everybody waits for the drain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bot.cli import main
from bot.runtime import STOP_SECONDS

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text("utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
KUBERNETES = (DEPLOY / "kubernetes/README.md").read_text("utf-8")
PROMETHEUS = (DEPLOY / "prometheus/prometheus.yaml").read_text("utf-8")
QUEUES = {"welcome", "outgoing", "inbound", "background"}
METRICS = {"welcome": 9111, "outgoing": 9112, "inbound": 9113, "background": 9114, "scheduler": 9115}
EXIT_SECONDS = 5  # after the drain


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


def manifests() -> list[dict[str, Any]]:
    fences = re.findall(r"^```yaml\n(.*?)^```", KUBERNETES, re.MULTILINE | re.DOTALL)
    return [document for fence in fences for document in yaml.safe_load_all(fence)]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in manifests():
        if manifest["kind"] in ("Deployment", "Job"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def command_lines() -> Iterator[list[str]]:
    """The arguments every file gives to ``lianke``, with what systemd puts in for its specifiers."""
    for path in UNITS:
        prefix = path.stem.rstrip("@")
        words = {"%i": "9111" if "worker" in prefix else "8000", "%j": prefix.rpartition("-")[2]}
        line = unit(path)["Service"]["ExecStart"]
        for specifier, value in words.items():
            line = line.replace(specifier, value)
        yield line.split()[1:]
    yield from (service["command"] for service in OURS.values())
    yield from (pod["containers"][0]["args"] for _, pod in pods())


@pytest.mark.parametrize("words", sorted({tuple(line) for line in command_lines()}))
def test_commands_exist(words: tuple[str, ...]) -> None:
    context = click.Context(main)
    command = main.get_command(context, words[0])
    assert command is not None
    command.make_context(words[0], list(words[1:]), parent=context, resilient_parsing=False)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_waits_for_the_drain_and_is_hardened(path: Path) -> None:
    service = unit(path)["Service"]
    assert float(service["TimeoutStopSec"]) == STOP_SECONDS + EXIT_SECONDS
    assert service["User"] == "lianke"
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "MemoryDenyWriteExecute"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""


def test_the_target_starts_every_part() -> None:
    text = (DEPLOY / "systemd/lianke-cluster.target").read_text("utf-8")
    wanted = {name for line in re.findall(r"^Wants=(.*)$", text, re.MULTILINE) for name in line.split()}
    assert {name for name in wanted if "worker" in name} == {
        f"lianke-worker-{queue}@{METRICS[queue]}.service" for queue in QUEUES
    }
    assert {f"lianke-worker-{queue}@.service" for queue in QUEUES} <= {path.name for path in UNITS}
    assert {"lianke-scheduler.service", "lianke-web@8000.service", "lianke-web@8001.service"} <= wanted


def test_compose_runs_every_part_after_one_migration() -> None:
    queues = {line[2] for line in compose_lines() if line[0] == "worker"}
    assert queues == QUEUES
    assert COMPOSE["services"]["migrate"]["restart"] == "no"
    for name, service in OURS.items():
        assert service["stop_grace_period"] == f"{STOP_SECONDS + EXIT_SECONDS:.0f}s", name
        if name != "migrate":
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name


def compose_lines() -> list[list[str]]:
    return [service["command"] for service in OURS.values()]


def scraped(text: str) -> dict[str, set[int]]:
    """Which ports Prometheus reads of each part."""
    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert job["job_name"] == "lianke"  # the alerts and the dashboard ask for it
    return {
        group["labels"]["part"]: {int(target.rpartition(":")[2]) for target in group["targets"]}
        for group in job["static_configs"]
    }


def test_prometheus_reads_every_process_the_target_starts() -> None:
    assert scraped(PROMETHEUS) == {"web": {8000, 8001}} | {part: {port} for part, port in METRICS.items()}
    scheduler = unit(DEPLOY / "systemd/lianke-scheduler.service")["Service"]["ExecStart"]
    assert scheduler.endswith(f"--metrics-port {METRICS['scheduler']}")


def test_prometheus_finds_every_process_of_the_compose_file() -> None:
    found = re.findall(r"names: \[(.+?)\], type: A, port: (\d+)", PROMETHEUS)
    asked = {name: int(port) for names, port in found for name in names.split(", ")}
    served = {
        name: int(service["command"][-1]) if "--metrics-port" in service["command"] else 8000
        for name, service in OURS.items()
        if name != "migrate"
    }
    assert asked == served


def test_every_pod_shows_its_metrics() -> None:
    ports = {name: pod["containers"][0].get("ports") for name, pod in pods() if "migrate" not in name}
    assert ports == {
        "web": [{"name": "http", "containerPort": 8000}],
        "worker-welcome": [{"name": "metrics", "containerPort": METRICS["welcome"]}],
    }
    assert "regex: http|metrics" in PROMETHEUS


def test_compose_holds_no_secret_and_shows_no_port_to_the_world() -> None:
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or value.startswith("${"), f"{name} {key}"


def test_the_example_environment_names_every_required_key() -> None:
    text = (DEPLOY / "docker/lianke.env.example").read_text("utf-8")
    named = set(re.findall(r"^(LIANKE_\w+)=", text, re.MULTILINE))
    wecom = ("CORP_ID", "AGENT_ID", "SECRET", "CONTACT_SECRET", "TOKEN", "ENCODING_AES_KEY")
    app = ("BASE_URL", "SECRET_KEY", "ENCRYPTION_KEYS")
    assert {f"LIANKE_WECOM__{key}" for key in wecom} | {f"LIANKE_APP__{key}" for key in app} <= named


def test_pods_outlive_their_drain_and_probe_the_right_paths() -> None:
    found = dict(pods())
    for name, pod in found.items():
        if "migrate" in name:
            continue
        slept = 5 if "lifecycle" in pod["containers"][0] else 0
        assert pod["terminationGracePeriodSeconds"] == STOP_SECONDS + EXIT_SECONDS + slept, name
    web = found["web"]["containers"][0]
    assert web["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert web["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]


def test_the_dockerfile_installs_what_the_lock_says_and_runs_as_nobody() -> None:
    text = (DEPLOY / "docker/Dockerfile").read_text("utf-8")
    bootstrap = (DEPLOY / "bootstrap_steps.py").read_text("utf-8")
    assert (
        re.search(r"^ARG UV_VERSION=(.+)$", text, re.MULTILINE)[1]
        == re.search(r'UV_VERSION = "(.+)"', bootstrap)[1]
    )
    syncs = re.findall(r"uv sync .*", text)
    assert len(syncs) == 2
    assert all("--frozen --no-dev" in line for line in syncs)
    assert text.rindex("USER 10001:10001") < text.index("ENTRYPOINT")
