"""The product on its stand with a corp, channels, and time that a test may move: what every flow starts from."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import requests
from sqlalchemy import func, select

from bot.app import Product, build
from bot.config import Config
from bot.wechat.crypto import CallbackCrypto
from bot.wechat.transport import Timeout
from bot.workers.limits import Gate
from bot.workers.sender import Client
from bot.workers.sync import run_sync
from scrm import clock as real_clock
from scrm.ids import new_id
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxCall
from scrm.sync import service as sync
from tests.stand import BOX, Stand

IMPATIENT = Timeout(connect=1.0, read=0.4)
LINK = {"msgtype": "link", "link": {"title": "产品手册", "url": "https://example.com/handbook"}}
UNFINISHED = (CallState.PENDING, CallState.SENDING)


class MovableTime:
    """The machine's time plus what ``advance`` added; ``monotonic`` for what measures."""

    def __init__(self) -> None:
        self._added = timedelta()

    def __call__(self) -> datetime:
        return real_clock.now() + self._added

    def monotonic(self) -> float:
        return time.monotonic() + self._added.total_seconds()

    def advance(self, seconds: float) -> None:
        self._added += timedelta(seconds=seconds)


class Impatient:
    """The real client, waiting less long for an answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def call(
        self,
        api: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        secret: str = "contact",
        timeout: Timeout = IMPATIENT,
    ) -> dict[str, Any]:
        return self._client.call(
            api, body, params=params, secret=secret, timeout=min(timeout, IMPATIENT, key=lambda t: t.read)
        )

    def upload_media(self, kind: Any, filename: str, data: bytes) -> Any:
        return self._client.upload_media(kind, filename, data)


class Scene(Stand):
    """A stand whose corp is read, with helpers in the words of the story: scan, leave, what came of it."""

    def __init__(self, home: Path, **sandbox: Any) -> None:
        self.time = MovableTime()
        super().__init__(home, make=self._make, **{"member_messages_per_minute": 0, **sandbox})
        self._crypto = CallbackCrypto(BOX.token, BOX.encoding_aes_key, BOX.corp_id)

    def _make(self, config: Config) -> Product:
        product = build(config, clock=self.time)
        gate = Gate(clock=self.time.monotonic)
        self.real_client = product.client
        return dataclasses.replace(product, client=Impatient(product.client), gate=gate)

    def __enter__(self) -> Self:
        with self.product.database.write() as session:
            job = sync.start_sync(session, created_by="test", now=self.time()).id
        run_sync(
            self.product.database,
            self.real_client,  # type: ignore[arg-type]
            job,
            corp=self.product.corp,
            clock=self.time,
            sleep=lambda seconds: time.sleep(min(seconds, 0.02)),
        )
        super().__enter__()
        return self

    # --- acting

    def channel(self, name: str, **fields: Any) -> dict[str, Any]:
        """A channel with its code made by the platform."""
        body = {"name": name, "staff": ["zhangsan"], "welcome": {"text": "您好，欢迎！"}, **fields}
        answer = self.api("POST", "/channels", body, headers={"Idempotency-Key": new_id()})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        assert made["code_state"] == "ready", made
        return made

    def scan(self, customer: str, channel: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """The customer scans; answers the sandbox's answer, the callback being acknowledged."""
        answer: dict[str, Any] = self.box.post(
            "/sandbox/scan", {"customer": customer, "code": channel["state"], **more}
        )
        return answer

    def post_callback(self, xml: str) -> int:
        """Post a callback as the platform would, its text being what the test says."""
        now, nonce = str(int(self.time().timestamp())), "1234567890"
        encrypted = self._crypto.encrypt(xml.encode())
        query = {
            "msg_signature": self._crypto.sign(now, nonce, encrypted),
            "timestamp": now,
            "nonce": nonce,
        }
        body = f"<xml><ToUserName>{BOX.corp_id}</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        url = f"{self.base}/callback/wecom"
        return requests.post(url, params=query, data=body.encode(), timeout=10).status_code

    def fault(self, api: str, **how: Any) -> None:
        self.box.post("/sandbox/faults", {"api": api, "times": 1, **how})

    def move(self, seconds: float) -> None:
        """Let time pass, here and at the platform."""
        self.time.advance(seconds)
        self.box.post("/sandbox/clock", {"advance_s": seconds})
        self.product.wakeups.wake()

    # --- waiting

    def settle(self, *, until: Callable[[], Any] | None = None, seconds: float = 15.0) -> None:
        """Wait until no event and no call is left to do now or later, moving time to what is due later."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            busy, next_at = self._open_work()
            if not busy and (until is None or until()):
                return
            if next_at is not None and next_at > self.time():
                self.move((next_at - self.time()).total_seconds() + 0.01)
            time.sleep(0.01)
        raise AssertionError(f"not settled within {seconds} s: {self.open_rows()}")

    def _open_work(self) -> tuple[bool, datetime | None]:
        """Whether work is left, and when the earliest is due if nothing is due or under way now."""
        with self.product.database.read() as session:
            events = session.scalar(
                select(func.count()).where(InboxEvent.state.in_((EventState.PENDING, EventState.LEASED)))
            )
            rows = session.execute(
                select(OutboxCall.state, OutboxCall.available_at).where(
                    OutboxCall.state.in_((*UNFINISHED, CallState.UNKNOWN)),
                    OutboxCall.available_at.is_not(None),
                )
            ).all()
        if events or not rows:
            return bool(events or rows), None
        if any(state == CallState.SENDING for state, _ in rows):
            return True, None
        return True, min(at for _, at in rows)

    def open_rows(self) -> list[Any]:
        with self.product.database.read() as session:
            events = session.execute(
                select(InboxEvent.kind, InboxEvent.state, InboxEvent.error).where(
                    InboxEvent.state.not_in((EventState.DONE, EventState.IGNORED))
                )
            ).all()
            calls = session.execute(
                select(OutboxCall.api, OutboxCall.state, OutboxCall.reason, OutboxCall.available_at).where(
                    OutboxCall.state != CallState.SENT
                )
            ).all()
        return [*events, *calls]

    # --- looking

    def contact(self, customer_id: str) -> dict[str, Any]:
        """The contact as REST shows it."""
        for item in self.all("/contacts"):
            if any(identity["value"] == customer_id for identity in item["identities"]):
                return item
        raise AssertionError(f"no contact {customer_id}")

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list, newest first as REST gives them."""
        items: list[dict[str, Any]] = []
        cursor, mark = None, "&" if "?" in path else "?"
        while True:
            page = self.api("GET", f"{path}{mark}limit=200" + (f"&cursor={cursor}" if cursor else "")).json()
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items

    def timeline(self, contact: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Oldest first."""
        return self.all(f"/contacts/{contact['id']}/timeline")[::-1]

    def calls(self, contact: Mapping[str, Any], api: str) -> list[dict[str, Any]]:
        """The contact's calls of one API, in detail, oldest first."""
        listed = self.all(f"/calls?contact={contact['id']}&api={api}")[::-1]
        return [self.api("GET", f"/calls/{item['id']}").json() for item in listed]

    def customer(self, customer_id: str) -> dict[str, Any]:
        """The customer's phone, as the sandbox keeps it."""
        found: dict[str, Any] = self.box.get(f"/sandbox/customers/{customer_id}")
        return found

    def ledger(self, api: str = "", after: int = 0) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.box.get(f"/sandbox/ledger?after={after}&api={api}")["items"]
        return items

    def ledger_of(self, api: str, customer_id: str) -> list[dict[str, Any]]:
        """Accepted effects about one customer. Notices name the contact in their link, welcomes only by code."""
        if api == "externalcontact/send_welcome_msg":
            return self.customer(customer_id)["messages"]
        if api == "message/send":
            mark = self.contact(customer_id)["id"]
            return [item for item in self.ledger(api) if mark in item["body"]["textcard"]["url"]]
        return [item for item in self.ledger(api) if item["body"].get("external_userid") == customer_id]

    def instant(self, text: str) -> datetime:
        return datetime.fromisoformat(text).astimezone(UTC)
