"""``python -m bot.demo`` as a visitor runs it: from nothing, killed, on other ports, emptied."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stand import free_port

ROOT = Path(__file__).parents[2]
START_S = 200.0  # a busy machine; how long it really takes is measured by benchmarks, not here
STOP_S = 15.0
KEYS = {
    "base_url",
    "sandbox_url",
    "api_token",
    "console_user",
    "console_password",
    "wecom",
    "official_accounts",
}


class Demo:
    """The demo's process in a folder of its own."""

    def __init__(self, folder: Path, command: Sequence[str] = ("-m", "bot.demo")) -> None:
        self.folder = folder
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.http = requests.Session()
        self.http.trust_env = False
        self.info: dict[str, Any] = {}

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LIANKE_")}
        return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}

    def start(self) -> None:
        ports = {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.command],
                cwd=self.folder,
                env=self.environment(**ports, LIANKE_DATABASE__URL="sqlite:///elsewhere.db"),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            assert self.process.poll() is None, self.output()
            with contextlib.suppress(requests.RequestException):
                if self.http.get(f"http://127.0.0.1:{ports['PORT']}/readyz", timeout=5).status_code == 200:
                    self.info = json.loads((self.folder / "var/demo.json").read_text("utf-8"))
                    return
            time.sleep(0.1)
        pytest.fail(f"not ready: {self.output()}")

    def output(self) -> str:
        return (self.folder / "output.txt").read_text("utf-8", "replace")

    def end(self, number: int) -> int:
        """Send a signal to the product alone; its exit code once it and the sandbox are gone."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(STOP_S)
        end = time.monotonic() + 5
        while time.monotonic() < end and self.sandbox_answers():
            time.sleep(0.05)
        assert not self.sandbox_answers()
        return code

    def sandbox_answers(self) -> bool:
        try:
            self.http.get(f"{self.info['sandbox_url']}/sandbox/clock", timeout=2)
        except requests.RequestException:
            return False
        return True

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.http.close()

    def api(self, path: str) -> Any:
        token = {"Authorization": f"Bearer {self.info['api_token']}"}
        answer = self.http.get(f"{self.info['base_url']}/api/v1{path}", headers=token, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def box(self, path: str, body: Any = None) -> Any:
        url = f"{self.info['sandbox_url']}/sandbox{path}"
        answer = (
            self.http.get(url, timeout=30) if body is None else self.http.post(url, json=body, timeout=30)
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def count_contacts(self) -> int:
        total, cursor = 0, ""
        while True:
            page = self.api(f"/contacts?limit=200{cursor}")
            total += len(page["items"])
            if page["next_cursor"] is None:
                return total
            cursor = f"&cursor={page['next_cursor']}"

    def scan(self, name: str, code: str) -> list[dict[str, Any]]:
        """What the customer got within 2 s of the scan's callback."""
        customer = self.box("/scan", {"customer": name, "code": code})["customer_id"]
        end = time.monotonic() + 2
        while time.monotonic() < end:
            messages = self.box(f"/customers/{customer}")["messages"]
            if messages:
                return list(messages)
            time.sleep(0.02)
        pytest.fail(f"no welcome for {name} within 2 s")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    made = Demo(tmp_path_factory.mktemp("demo"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.mark.timeout(300)
def test_a_visitor_finds_the_company_and_is_greeted(demo: Demo) -> None:
    assert set(demo.info) == KEYS
    assert set(demo.info["wecom"]) == {"corp_id", "token", "encoding_aes_key"}
    assert (demo.info["console_user"], demo.info["official_accounts"]) == ("admin", [])
    channels = demo.api("/channels")["items"]
    assert channels[0]["name"] == "上海物流展 2026"
    assert len(channels) == 6
    assert demo.count_contacts() == 2400

    for number, channel in enumerate(channels):
        greeting = demo.scan(f"访客{number}号", channel["state"])[0]["text"]
        wanted = channel["welcomes"][0]["text"]
        assert ("{customer}" in wanted) == (f"访客{number}号" in greeting)
        assert "{" not in greeting
    assert demo.count_contacts() == 2406
    assert "打开沙箱手机，扫『上海物流展 2026』" in demo.output()
    assert not (demo.folder / "elsewhere.db").exists()


@pytest.mark.timeout(300)
def test_killed_and_started_on_other_ports_it_goes_on_where_it_was(demo: Demo) -> None:
    before, contacts = dict(demo.info), demo.count_contacts()
    customers = len(demo.box("/customers")["items"])

    demo.end(signal.SIGKILL)
    demo.start()

    same = ("api_token", "console_user", "console_password", "wecom")
    assert {key: demo.info[key] for key in same} == {key: before[key] for key in same}
    assert demo.info["base_url"] != before["base_url"]
    assert demo.count_contacts() == contacts
    assert len(demo.box("/customers")["items"]) == customers
    channel = demo.api("/channels")["items"][0]
    assert channel["qr_url"].startswith(demo.info["sandbox_url"])
    demo.scan("重启后的访客", channel["qr_url"])


@pytest.mark.timeout(300)
def test_the_folder_is_one_demos_and_a_port_in_use_is_said(demo: Demo, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot.demo"]

    second = subprocess.run(
        command,
        cwd=demo.folder,
        env=demo.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    port = demo.info["base_url"].rsplit(":", 1)[1]
    taken = subprocess.run(
        command,
        cwd=tmp_path,
        env=demo.environment(PORT=port),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (second.returncode, taken.returncode) == (1, 1)
    assert "已有一个演示在运行" in second.stderr
    assert f"端口 {port} 正被别的程序使用" in taken.stderr
    assert "make demo" in taken.stderr
    assert "Traceback" not in second.stderr + taken.stderr


@pytest.mark.timeout(300)
def test_it_is_emptied_in_one_action_and_ends_on_request(demo: Demo) -> None:
    emptied = subprocess.run(
        [sys.executable, "-m", "bot.demo", "--empty"],
        cwd=demo.folder, env=demo.environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert emptied.returncode == 0, emptied.stderr
    assert "沙箱里的客户也已清空" in emptied.stdout
    assert demo.api("/contacts")["items"] == []
    assert demo.box("/customers")["items"] == []
    assert len(demo.api("/channels")["items"]) == 6
    demo.scan("空库后的访客", demo.api("/channels")["items"][0]["state"])
    assert demo.end(signal.SIGTERM) == 0
    assert "Traceback" not in demo.output()
