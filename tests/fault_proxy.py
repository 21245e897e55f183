"""A TCP proxy that spoils what goes through it: the network between the product and what it speaks to.

``with FaultProxy(port) as proxy``: whoever connects to ``proxy.port`` speaks to ``port``, until told otherwise.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

T = TypeVar("T")
CHUNK = 65_536
PATIENCE = 60.0  # seconds; the machine may be busy
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is unsent is thrown away, the other side is told by RST


@dataclass(eq=False)
class _Link:
    """One client's connection, and ours to the server once it is there."""

    here: asyncio.StreamWriter
    there: asyncio.StreamWriter | None = None
    answered: int = 0  # bytes of answers since ``cut_after``

    def end(self, *, reset: bool = False) -> None:
        for writer in (self.here, self.there):
            if writer is None:
                continue
            if reset:
                with suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class FaultProxy:
    """Faults last until ``heal``; they hold for connections that are open and for those to come."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._place = socket.socket()  # bound and never listening: keeps the port ours while we refuse
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port: int = self._place.getsockname()[1]
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay = 0.0
        self._cut_after, self._cuts_left = 0, 0
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self._place.close()

    # --- faults

    def cut(self, *, reset: bool = False) -> int:
        """End all connections now (``reset``: by RST); how many there were. New ones are taken."""
        return self._do(self._cut(reset=reset))

    def refuse(self) -> None:
        """End all connections, and refuse new ones."""
        self._do(self._refuse())

    def hold(self) -> None:
        """A black hole: connections are taken, and nothing passes. What was sent arrives late, after ``heal``."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def delay(self, seconds: float) -> None:
        """Every piece, either way, arrives so much later."""
        self._delay = seconds

    def cut_after(self, size: int, times: int = 1) -> None:
        """The next ``times`` connections on which ``size`` bytes have been answered from now on are ended there."""
        self._do(self._arm(size, times))

    def heal(self) -> None:
        """Everything passes again."""
        self._do(self._heal())

    @property
    def cuts_left(self) -> int:
        """How many connections ``cut_after`` is still to end."""
        return self._cuts_left

    # --- in the loop

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._take, "127.0.0.1", self.port, reuse_port=True, backlog=512
        )

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut(reset=False)

    async def _cut(self, *, reset: bool) -> int:
        links = list(self._links)
        for link in links:
            link.end(reset=reset)
        return len(links)

    async def _arm(self, size: int, times: int) -> None:
        for link in self._links:
            link.answered = 0
        self._cut_after, self._cuts_left = size, times

    async def _heal(self) -> None:
        self._delay, self._cuts_left = 0.0, 0
        self._flowing.set()
        if self._server is None:
            await self._listen()

    async def _close(self) -> None:
        await self._refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link, task = _Link(writer), asyncio.current_task()
        assert task is not None
        self._links.add(link)
        self._tasks.add(task)
        try:
            await self._flowing.wait()
            from_server, link.there = await asyncio.open_connection(*self._target)
            await self._both_ways(link, reader, from_server)
        except (OSError, asyncio.CancelledError):  # the server refuses, or a side is gone
            link.end(reset=True)
        finally:
            self._links.discard(link)
            self._tasks.discard(task)

    async def _both_ways(
        self, link: _Link, from_client: asyncio.StreamReader, from_server: asyncio.StreamReader
    ) -> None:
        """Until either side ends; what it sent before is passed on."""
        assert link.there is not None
        pumps = [
            asyncio.ensure_future(self._pump(from_client, link.there)),
            asyncio.ensure_future(self._pump(from_server, link.here, answers_of=link)),
        ]
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in done:
                pump.result()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        link.here.close()
        link.there.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers_of: _Link | None = None
    ) -> None:
        while data := await reader.read(CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._flowing.wait()
            if answers_of is not None and self._cuts_left:
                answers_of.answered += len(data)
                surplus = answers_of.answered - self._cut_after
                if surplus >= 0:
                    self._cuts_left -= 1
                    writer.write(data[: len(data) - surplus])
                    await writer.drain()
                    answers_of.end()
                    return
            writer.write(data)
            await writer.drain()
