"""The product and the sandbox as real processes with files of their own, to be killed; and the judge of what is left.

The sandbox's ledger and phones are the truth. The judge compares them with the senders' own ledger.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import requests
from sqlalchemy import func, select

from bot.app import build, wecom_client
from bot.config import load_config
from bot.workers.sync import run_sync
from migrations import runner
from scrm import clock
from scrm.accounts import tokens
from scrm.contacts.models import ContactIdentity
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall
from scrm.sync import service as sync
from scrm.timeline.models import TimelineEntry
from tests.stand import BOX, free_port

CALLBACK_ATTEMPTS, CALLBACK_SPACING_S = 8, 2.0  # outlasts a restart on a busy machine
CONFIG = """
[app]
base_url = "{base}"
secret_key = "{secret}"
encryption_keys = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
[server]
port = {port}
[database]
url = "{database}"
[wecom]
corp_id = "{box.corp_id}"
agent_id = {box.agent_id}
secret = "{box.secret}"
contact_secret = "{box.contact_secret}"
token = "{box.token}"
encoding_aes_key = "{box.encoding_aes_key}"
api_base = "{sandbox}/qyapi"
"""
KILLED = 137


class Rig:
    """``with Rig(home) as rig``: the sandbox runs and a channel exists; ``rig.start()`` starts the product."""

    def __init__(self, home: Path, *, database: str = "", more: str = "") -> None:
        self.home = home
        self.port, self.sandbox_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.sandbox = f"http://127.0.0.1:{self.sandbox_port}"
        self.config_path = home / "config.toml"
        self.config_path.write_text(
            CONFIG.format(
                base=self.base,
                secret="s" * 40,
                port=self.port,
                database=database or f"sqlite:///{home}/lianke.db",
                box=BOX,
                sandbox=self.sandbox,
            )
            + more
        )
        self._box: subprocess.Popen[bytes] | None = None
        self._served: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._http.trust_env = False

    # --- processes

    def __enter__(self) -> Self:
        options = {
            "port": self.sandbox_port,
            "database": self.home / "sandbox.db",
            "callback-url": f"{self.base}/callback/wecom",
            "callback-attempts": CALLBACK_ATTEMPTS,
            "callback-spacing-s": CALLBACK_SPACING_S,
            "rate-per-minute": 0,
            "rate-per-hour": 0,
            "member-messages-per-minute": 0,
            "member-messages-per-hour": 0,
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self._box = self._spawn("sandbox", "-m", "bot.sandbox", *arguments)
        self.until("the sandbox answers", lambda: self._answers(f"{self.sandbox}/sandbox/clock"), 60)
        self._prepare()
        return self

    def _spawn(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.home / f"{name}.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _prepare(self) -> None:
        """Migrate, read the corp, make an API token and, over REST, a channel with tags and a welcome by name."""
        config = load_config(self.config_path, {})
        product = build(config)
        self.database = product.database
        runner.upgrade(self.database)
        with self.database.write() as session:
            _, self.token = tokens.create_token(
                session, name="rig", role="admin", ttl=timedelta(days=1), now=clock.now()
            )
            job = sync.start_sync(session, created_by="rig", now=clock.now()).id
        client = wecom_client(config)
        run_sync(self.database, client, job, corp=product.corp, clock=clock.now, sleep=lambda _: None)
        client.close()

    def make_channel(self) -> None:
        """Over REST; the product must run."""
        body = {"name": "渠道", "staff": ["zhangsan", "lisi", "wangwu"], "tags": ["来源/展会"]}
        answer = self._http.post(
            f"{self.base}/api/v1/channels",
            json={**body, "welcome": {"text": "{customer}您好"}},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        self.code: str = answer.json()["state"]
        assert answer.json()["code_state"] == "ready", answer.text

    def start(self) -> None:
        """Start ``lianke serve`` and wait until it answers."""
        self.launch()
        self.until("the product answers", self.is_up, 60)

    def launch(self) -> None:
        self._served = self._spawn("serve", "-m", "bot", "--config", str(self.config_path), "serve")

    def is_up(self) -> bool:
        return self._answers(f"{self.base}/healthz")

    def kill(self) -> None:
        """SIGKILL, as a machine dies."""
        assert self._served is not None
        os.killpg(self._served.pid, signal.SIGKILL)
        self._served.wait(30)
        self._served = None

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        assert self._served is not None
        self._served.send_signal(signal.SIGTERM)
        code = self._served.wait(40)
        self._served = None
        return code

    def __exit__(self, *_: object) -> None:
        for child in (self._served, self._box):
            if child is not None and child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait(30)
        self._http.close()
        self.database.dispose()

    # --- acting and looking

    def _answers(self, url: str) -> bool:
        try:
            return self._http.get(url, timeout=2).ok
        except requests.RequestException:
            return False

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._http.post(f"{self.sandbox}/sandbox{path}", json=body or {}, timeout=60)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str) -> list[dict[str, Any]]:
        answer = self._http.get(f"{self.sandbox}/sandbox{path}", timeout=60)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def scan(self, customer: str) -> str:
        """A scan whose callback the sandbox goes on delivering by itself; answers the customer's id."""
        body = {"customer": customer, "code": self.code, "mode": "async"}
        return str(self.post("/scan", body)["customer_id"])

    def until(self, what: str, probe: Callable[[], Any], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.tail()}")
            time.sleep(0.05)

    def tail(self) -> str:
        """The last words of the product, for whoever reads a failure."""
        path = self.home / "serve.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""

    def drain(self, seconds: float = 90.0) -> None:
        """Wait until every callback has ended and no work is left."""
        self.until("all callbacks ended", lambda: not self._undelivered(), seconds)
        self.until("all work is done", lambda: not self._unfinished(), seconds)

    def _undelivered(self) -> list[dict[str, Any]]:
        return [item for item in self.get("/callbacks") if item["state"] == "pending"]

    def _unfinished(self) -> int:
        open_events = InboxEvent.state.in_((EventState.PENDING, EventState.LEASED))
        open_calls = OutboxCall.state.in_((CallState.PENDING, CallState.SENDING, CallState.UNKNOWN))
        with self.database.read() as session:
            events = session.scalar(select(func.count()).select_from(InboxEvent).where(open_events)) or 0
            calls = session.scalar(
                select(func.count())
                .select_from(OutboxCall)
                .where(open_calls, OutboxCall.available_at.is_not(None))
            )
        return events + (calls or 0)


@dataclass
class Verdict:
    """What the judge found. ``wrong`` is empty when every promise was kept."""

    scans: int = 0
    welcomes: Counter[str] = field(default_factory=Counter)
    undelivered: int = 0
    repeated_attempts: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ended = ", ".join(f"{count} {state}" for state, count in sorted(self.welcomes.items()))
        return (
            f"{self.scans} scans ({self.undelivered} never delivered): welcomes {ended}; "
            f"{self.repeated_attempts} calls were tried again; {len(self.wrong)} promises broken"
        )


def judge(rig: Rig) -> Verdict:
    """Compare the platform with our tables, after a drain."""
    found = Verdict()
    phones = {item["id"]: item for item in rig.get("/customers")}
    tagged = Counter(
        item["body"]["external_userid"] for item in rig.get("/ledger?api=externalcontact/mark_tag")
    )
    notices = Counter(
        item["body"]["textcard"]["url"].split("?")[0].rsplit("/", 1)[-1]
        for item in rig.get("/ledger?api=message/send")
    )
    with rig.database.read() as session:
        events = {row.dedupe_key: row for row in session.scalars(select(InboxEvent))}
        calls = list(session.scalars(select(OutboxCall)))
        contacts = dict(session.execute(select(ContactIdentity.value, ContactIdentity.contact_id)).all())
        told = Counter(
            session.execute(
                select(TimelineEntry.contact_id, TimelineEntry.kind).where(
                    TimelineEntry.kind.like("welcome.%")
                )
            ).all()
        )
        tries = session.scalar(select(func.count()).select_from(OutboxAttempt).where(OutboxAttempt.n > 1))
    found.repeated_attempts = tries or 0
    by_contact: dict[tuple[str | None, str], list[OutboxCall]] = {}
    for call in calls:
        by_contact.setdefault((call.contact_id, call.command_kind), []).append(call)
        if call.state not in (CallState.SENT, CallState.EXPIRED, CallState.SKIPPED):
            found.wrong.append(f"call {call.id} {call.api} is left {call.state}: {call.reason}")
    for row in events.values():
        if row.state is not EventState.DONE:
            found.wrong.append(f"event {row.id} {row.kind} is left {row.state}: {row.error}")
    for delivery in rig.get("/callbacks"):
        key = hashlib.sha256(delivery["xml"].encode()).hexdigest()
        if delivery["state"] != "delivered":
            found.undelivered += 1
            continue
        found.scans += 1
        customer = delivery["xml"].split("<ExternalUserID><![CDATA[")[1].split("]]")[0]
        if key not in events:
            found.wrong.append(f"the callback about {customer} was answered 200 and is not in the inbox")
            continue
        contact_id = contacts.get(customer)
        if contact_id is None:
            found.wrong.append(f"{customer} is no contact")
            continue
        _judge_scan(found, phones[customer], by_contact, contact_id, told)
        if tagged[customer] != 1:
            found.wrong.append(f"{customer} was tagged {tagged[customer]} times")
        if notices[contact_id] != 1:
            found.wrong.append(f"the rep of {customer} was told {notices[contact_id]} times")
    return found


def _judge_scan(
    found: Verdict,
    phone: dict[str, Any],
    by_contact: dict[tuple[str | None, str], list[OutboxCall]],
    contact_id: str,
    told: Counter[Any],
) -> None:
    """Greeted once and known as sent, or not greeted and reported as expired."""
    greetings, who = len(phone["messages"]), f"{phone['name']} ({phone['id']})"
    owed = by_contact.get((contact_id, "SendWelcome"), [])
    if len(owed) != 1:
        found.wrong.append(f"{who} is owed {len(owed)} welcomes")
        return
    state = owed[0].state
    presumed = (owed[0].reason or "").startswith("presumed_sent")
    found.welcomes["presumed_sent" if presumed else state.value] += 1
    expected = {CallState.SENT: 1, CallState.EXPIRED: 0}.get(state)
    if greetings != expected:
        found.wrong.append(f"{who} was greeted {greetings} times, the welcome is {state}")
    if state is CallState.EXPIRED and owed[0].done_at is not None and owed[0].expires_at is not None:
        early = owed[0].done_at < owed[0].expires_at and owed[0].errcode is None
        if early:
            found.wrong.append(f"the welcome of {who} was given up before its time")
    if told[contact_id, f"welcome.{state.value}"] != 1:
        found.wrong.append(f"the timeline of {who} does not tell that its welcome is {state}, once")
