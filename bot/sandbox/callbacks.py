"""Delivery of callbacks: encrypted, signed, three attempts of five seconds (callbacks.md §1).

A delivery's row is written with the change that causes it, so a killed and restarted sandbox still sends it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import Any

import aiohttp

from bot.sandbox.events import Event
from bot.sandbox.settings import SandboxSettings
from bot.sandbox.state import State, iso
from bot.wechat.crypto import CallbackCrypto

logger = logging.getLogger(__name__)
ACCEPTED = 200  # the only status that acknowledges
KEEPALIVE_S = 4.0  # below what servers keep idle connections for: a stale one would cost an attempt


class Callbacks:
    """Queues events in the database and posts them to the callback URL, many at a time."""

    def __init__(self, state: State, settings: SandboxSettings) -> None:
        self.state = state
        self.settings = settings
        self._crypto = CallbackCrypto(settings.token, settings.encoding_aes_key, settings.corp_id)
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(settings.callback_connections)
        self._tasks: set[asyncio.Task[int]] = set()

    async def start(self) -> None:
        """Open the connection pool and send what a killed sandbox left unsent."""
        connector = aiohttp.TCPConnector(
            limit=self.settings.callback_connections, keepalive_timeout=KEEPALIVE_S
        )
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        for row in self.state.all("SELECT seq FROM delivery WHERE state = 'pending' ORDER BY seq"):
            self.send(row["seq"])

    async def stop(self) -> None:
        """Drop what is under way (it stays pending in a file database) and close the connections."""
        await self.cancel()
        if self._session is not None:
            await self._session.close()

    async def cancel(self) -> None:
        """Stop all deliveries under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where callbacks go: the URL saved by /sandbox/verify, else the configured one."""
        return self.state.get_meta("callback_url", self.settings.callback_url)

    def queue(self, event: Event, *, lost: bool = False) -> int:
        """Write the delivery down (inside the caller's transaction); answers its seq for ``send``."""
        return self.state.insert(
            "delivery", at=self.state.now(), event=event.event, change_type=event.change_type, xml=event.xml,
            state="lost" if lost else "pending",
        )  # fmt: skip

    def send(self, seq: int, *, delay_s: float = 0.0) -> asyncio.Task[int]:
        """Start sending a queued delivery; the task answers 200, or 0 when nobody accepted it."""
        task = asyncio.create_task(self._deliver(seq, delay_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, seq: int, delay_s: float) -> int:
        row = self.state.one("SELECT * FROM delivery WHERE seq = ?", seq)
        if row is None or row["state"] == "lost":
            return 0
        if delay_s:
            await asyncio.sleep(delay_s)
        started = time.perf_counter()
        status = 0
        attempts = self.settings.callback_attempts if self.url else 0
        for number in range(row["attempts"], attempts):
            if number:
                await asyncio.sleep(self.settings.callback_spacing_s)
            status = await self.attempt(seq, row["xml"])
            if status == ACCEPTED:
                break
        accepted = status == ACCEPTED
        self.state.run(
            "UPDATE delivery SET state = ?, status = ?, ms = ? WHERE seq = ?",
            "delivered" if accepted else "failed", status if accepted else 0,
            round((time.perf_counter() - started) * 1000, 3), seq,
        )  # fmt: skip
        return status if accepted else 0

    async def attempt(self, seq: int, xml: str) -> int:
        """One POST with fresh prefix, nonce and timestamp. Answers the status, 0 without an answer."""
        status, error = 0, ""
        async with self._slots:
            started = time.perf_counter()
            try:
                status = await self._post(xml)
            except TimeoutError:
                error = f"no answer within {self.settings.callback_timeout_s} s"
            except (aiohttp.ClientError, OSError, ValueError) as problem:
                error = f"{type(problem).__name__}: {problem}"
            ms = round((time.perf_counter() - started) * 1000, 3)
        with self.state.transaction():
            self.state.insert("attempt", delivery=seq, at=self.state.now(), status=status, ms=ms, error=error)
            self.state.run("UPDATE delivery SET attempts = attempts + 1 WHERE seq = ?", seq)
        if status != ACCEPTED:
            logger.warning("callback not accepted seq=%s status=%s %s", seq, status, error)
        return status

    async def _post(self, xml: str) -> int:
        if self._session is None:
            raise ValueError("callbacks are not started")
        query, body = self.envelope(xml)
        timeout = aiohttp.ClientTimeout(total=self.settings.callback_timeout_s)
        async with self._session.post(
            self.url, params=query, data=body, headers={"Content-Type": "text/xml"}, timeout=timeout,
            allow_redirects=False,
        ) as answer:  # fmt: skip
            await answer.read()
            return answer.status

    def envelope(self, xml: str) -> tuple[dict[str, str], bytes]:
        """Signed query and encrypted body of one POST. Signed with real time, unless ``callback_own_clock``."""
        encrypted = self._crypto.encrypt(xml.encode())
        signed_at = self.state.now() if self.settings.callback_own_clock else time.time()
        timestamp, nonce = str(int(signed_at)), str(secrets.randbelow(9 * 10**9) + 10**9)
        query = {"msg_signature": self._crypto.sign(timestamp, nonce, encrypted), "timestamp": timestamp}
        body = (
            f"<xml><ToUserName><![CDATA[{self.settings.corp_id}]]></ToUserName>"
            f"<AgentID><![CDATA[{self.settings.agent_id}]]></AgentID>"
            f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        )
        return {**query, "nonce": nonce}, body.encode()

    async def verify(self, url: str) -> dict[str, Any]:
        """The GET check the console makes when a callback URL is saved; saves the URL when it passes."""
        if self._session is None:
            raise ValueError("callbacks are not started")
        echo = str(secrets.randbelow(9 * 10**18) + 10**18)
        encrypted = self._crypto.encrypt(echo.encode())
        timestamp, nonce = str(int(time.time())), str(secrets.randbelow(9 * 10**9) + 10**9)
        signature = self._crypto.sign(timestamp, nonce, encrypted)
        query = {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce, "echostr": encrypted}
        status, body = 0, b""
        try:
            timeout = aiohttp.ClientTimeout(total=self.settings.callback_timeout_s)
            async with self._session.get(url, params=query, timeout=timeout, allow_redirects=False) as answer:
                status, body = answer.status, await answer.read()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as problem:
            logger.warning("verification failed url=%s %s: %s", url, type(problem).__name__, problem)
        ok = status == ACCEPTED and body == echo.encode()
        if ok:
            self.state.set_meta("callback_url", url)
        return {"ok": ok, "status": status, "callback_url": self.url}

    def last(self) -> int | None:
        """The newest delivery that was really sent or is under way."""
        seq: int | None = self.state.value("SELECT max(seq) FROM delivery WHERE state != 'lost'")
        return seq

    def deliveries(self, after: int = 0) -> list[dict[str, Any]]:
        rows = self.state.all("SELECT * FROM delivery WHERE seq > ? ORDER BY seq", after)
        return [{**dict(row), "at": iso(row["at"])} for row in rows]

    def attempts(self, seq: int) -> list[dict[str, Any]]:
        rows = self.state.all(
            "SELECT at, status, ms, error FROM attempt WHERE delivery = ? ORDER BY rowid", seq
        )
        return [{**dict(row), "at": iso(row["at"])} for row in rows]
