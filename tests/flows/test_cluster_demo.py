"""``lianke demo --cluster`` as a visitor runs it: from nothing, with a process killed, until it is told to end."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.databases import REDIS_URL, Place
from tests.flows.test_demo import Demo

pytestmark = [pytest.mark.redis, pytest.mark.postgresql, pytest.mark.timeout(400)]
PARTS = ["sandbox", "welcome", "worker-1", "worker-2", "scheduler-1", "scheduler-2", "web"]
LISTED = re.compile(r"([a-z]+(?:-\d)?) +(\d+)  var/cluster/(?:[a-z]+(?:-\d)?)\.log")


def until(what: str, probe: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def demo(place: Place, tmp_path: Path) -> Iterator[Demo]:
    url = place.empty(tmp_path)
    made = Demo(
        tmp_path, ("-m", "bot", "demo", "--cluster", "--database", url, "--redis", REDIS_URL)
    )  # fmt: skip
    yield made
    made.close()


def named(demo: Demo, name: str) -> int:
    return sum(one["name"] == name for one in demo.api("/contacts?limit=50")["items"])


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_visitor_is_greeted_by_a_cluster_that_mends_itself(demo: Demo) -> None:
    # given
    demo.start()
    until("the summary", lambda: "联客演示已就绪" in demo.output())
    pids = {name: int(pid) for name, pid in LISTED.findall(demo.output())}
    assert list(pids) == PARTS
    channel = demo.api("/channels")["items"][0]["state"]

    # a customer is greeted once, and the same callback again does nothing
    assert len(demo.scan("访客", channel)) == 1
    demo.box("/resend", {"times": 3})
    until("the visitor's name", lambda: named(demo, "访客"))
    assert named(demo, "访客") == 1

    # a worker that dies is started again, and told
    os.kill(pids["welcome"], signal.SIGKILL)
    until("it is told", lambda: "welcome 已重新启动" in demo.output())
    assert f"welcome（pid {pids['welcome']}）意外结束：信号 SIGKILL" in demo.output()
    until(
        "it hears messages",
        lambda: (demo.folder / "var/cluster/welcome.log").read_text().count("ready.") == 2,
    )
    demo.scan("死后来的访客", channel)

    # told to end it leaves nothing running and nothing of the embedded demo touched
    assert demo.end(signal.SIGTERM) == 0
    assert not [name for name, pid in pids.items() if is_alive(pid)]
    assert sorted(path.name for path in (demo.folder / "var").glob("demo.*")) == ["demo.json", "demo.lock"]
    assert "Traceback" not in demo.output()
