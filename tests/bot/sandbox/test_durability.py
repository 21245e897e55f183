"""A killed sandbox forgets nothing it answered, and a burst of scans is delivered without one lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox_fixture import CallbackReceiver, SandboxServer

BURST = 300


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """``python -m bot.sandbox`` on a file database."""

    def __init__(self, database: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.command = [
            sys.executable, "-m", "bot.sandbox", "--port", self.url.rsplit(":", 1)[1], "--database", str(database),
            "--callback-url", "http://127.0.0.1:9/", "--callback-spacing-s", "30",
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                requests.get(f"{self.url}/sandbox/clock", timeout=1)
            except requests.ConnectionError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the sandbox did not start")

    def stop(self, number: int) -> int:
        os.kill(self.process.pid, number)
        return self.process.wait(10)

    def get(self, path: str, **query: Any) -> Any:
        return requests.get(self.url + path, params=query, timeout=5).json()

    def post(self, path: str, body: Any) -> Any:
        return requests.post(self.url + path, json=body, timeout=5).json()


@pytest.mark.chaos
def test_kill_and_restart_keeps_world_ledger_tokens_and_undelivered_callbacks(tmp_path: Path) -> None:
    box = Process(tmp_path / "sandbox.db")
    secret = {"corpid": "ww1a2b3c4d5e6f7a8b", "corpsecret": "sandbox-app-secret"}
    token = box.get("/qyapi/cgi-bin/gettoken", **secret)["access_token"]
    way = {"type": 2, "scene": 2, "user": ["lisi"], "state": "ch_1"}
    box.post(f"/qyapi/cgi-bin/externalcontact/add_contact_way?access_token={token}", way)
    scanned = box.post("/sandbox/scan", {"customer": "Wang", "code": "ch_1", "mode": "async"})
    ledger = box.get("/sandbox/ledger")

    assert box.stop(signal.SIGKILL) == -signal.SIGKILL
    box.start()

    assert box.get("/sandbox/ledger") == ledger
    assert len(ledger["items"]) == 1
    assert box.get("/qyapi/cgi-bin/gettoken", **secret)["access_token"] == token
    assert box.get("/sandbox/customers/Wang")["id"] == scanned["customer_id"]
    assert box.get("/sandbox/callbacks")["items"][0]["state"] == "pending"
    assert box.stop(signal.SIGTERM) == 0


def test_undelivered_callback_is_sent_after_a_restart(tmp_path: Path) -> None:
    database = str(tmp_path / "sandbox.db")
    way = {"type": 2, "scene": 2, "user": ["lisi"], "state": "ch_1"}
    with SandboxServer(database=database, callback_url="http://127.0.0.1:9/", callback_spacing_s=30.0) as box:
        box.api("externalcontact/add_contact_way", way)
        scanned = box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1", "mode": "async"})

    receiver = CallbackReceiver()
    with SandboxServer(database=database, callback_url=receiver.url) as box:
        (event,) = receiver.wait_for(1)
    receiver.stop()

    assert event["ExternalUserID"] == scanned["customer_id"]


def test_burst_of_scans_is_delivered_whole(box: SandboxServer, receiver: CallbackReceiver) -> None:
    box.api(
        "externalcontact/add_contact_way",
        {"type": 2, "scene": 2, "user": ["zhangsan", "lisi"], "state": "ch_1"},
    )

    def scan(number: int) -> str:
        body = {"customer": f"客户{number}", "code": "ch_1", "mode": "async"}
        answer = requests.post(f"{box.url}/sandbox/scan", json=body, timeout=10).json()
        return str(answer["customer_id"])

    with ThreadPoolExecutor(8) as pool:
        customers = set(pool.map(scan, range(BURST)))

    events = receiver.wait_for(BURST, 15)
    assert {event["ExternalUserID"] for event in events} == customers
    assert len(customers) == len(events) == BURST
