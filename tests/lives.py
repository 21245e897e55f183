"""What customers and reps do on the platform during a test, at moments a seed decides.

Most customers scan once. Some live on: they leave and come back, reps edit and delete them. Of these, half take the
next step when the last one's callback was accepted, so that the order in which we hear of them is the true one; half do
not wait, and callbacks that must be sent again arrive in another order.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import requests

from tests.rig import Rig

LIVELY = 0.25  # the share of customers who do more than scan
AT_ONCE = 12  # customers who live on at the same moment
APART = 1.1  # seconds between two steps that may read the same: WeCom's time stamps are seconds, a twin is a resend
STORIES: Sequence[Sequence[str]] = (
    ("leave", "scan"),
    ("edit", "leave", "scan", "edit"),
    ("remove", "scan"),
    ("edit", "edit"),
    ("leave",),
    ("remove",),
    ("leave", "scan", "leave"),
    ("edit", "remove", "scan", "edit", "leave", "scan"),
)
CHANNEL_SECONDS = 180.0  # a key whose web died is free again after two minutes
AGAIN = (409, 429, 500, 502, 503)


class Lives:
    """``start``, then ``finish``: raises what went wrong meanwhile. ``scans`` counts customers."""

    def __init__(self, rig: Rig, seed: int, rate: float, *, channels: bool = False) -> None:
        self._rig, self._chance, self._rate = rig, random.Random(seed), rate
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(AT_ONCE + 2, thread_name_prefix="life")
        self._running: list[Future[None]] = []
        self._lively: list[Future[None]] = []
        self._makes_channels = channels
        self.scans = 0
        self.channels: list[str] = []

    def start(self) -> None:
        self._running.append(self._pool.submit(self._pour))
        if self._makes_channels:
            self._running.append(self._pool.submit(self._make_channels))

    def finish(self) -> None:
        """No new customers; those who live on come to their end."""
        self._over.set()
        for life in (*self._running, *self._lively):
            life.result()
        self._pool.shutdown()

    def _pour(self) -> None:
        """New customers at random moments, ``rate`` a second on average."""
        while not self._over.wait(self._chance.expovariate(self._rate)):
            name = f"客户{self.scans:05d}"
            lives_on, story = self._chance.random() < LIVELY, self._chance.choice(STORIES)
            own = random.Random(self._chance.random())
            self.scans += 1
            if lives_on and sum(not life.done() for life in self._lively) < AT_ONCE:
                self._lively.append(self._pool.submit(self._live, name, story, own))
            else:
                self._rig.scan(name)

    def _live(self, name: str, story: Sequence[str], chance: random.Random) -> None:
        """One customer's steps with one rep."""
        mode = chance.choice(("sync", "async"))
        scanned = self._rig.post("/scan", {"customer": name, "code": self._rig.code, "mode": mode})
        pair = {"customer": scanned["customer_id"], "staff": scanned["staff"], "mode": mode}
        for number, step in enumerate(story):
            time.sleep(APART + chance.expovariate(1.0))
            if step == "scan":
                self._rig.post("/scan", {**pair, "code": self._rig.code})
            elif step == "edit":
                self._rig.post("/edit", {**pair, "remark": f"{name[2:]}-{number}"})
            else:
                self._rig.post(f"/{step}", pair)

    def _make_channels(self) -> None:
        """One after another, over REST; a request whose answer was lost is sent again under its key."""
        while not self._over.is_set():
            name = f"渠道{len(self.channels) + 1}"
            end = time.monotonic() + CHANNEL_SECONDS
            while not self._is_made(name):
                assert time.monotonic() < end, f"{name} was not made within {CHANNEL_SECONDS} s"
                time.sleep(1.0)
            self.channels.append(name)
            self._over.wait(5.0)

    def _is_made(self, name: str) -> bool:
        try:
            answer = self._rig.post_channel(name, key=f"chaos-{name[2:]}")
        except requests.RequestException:
            return False
        assert answer.status_code == 201 or answer.status_code in AGAIN, answer.text
        return answer.status_code == 201
