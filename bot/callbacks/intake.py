"""Makes events durable: requests that wait at the same moment share one commit.

A commit costs a disk sync; 32 requests that share it cost hardly more than one. Nobody is answered before the
commit that holds his event has returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy.exc import OperationalError

from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.inbox.service import Arrival

log = structlog.get_logger(__name__)

BATCH = 64
MAX_WAITING = 5_000


class Unavailable(Exception):
    """The event is not durable: answer 503, so that the platform sends it again."""


class Intake:
    """One per process, used from one event loop."""

    def __init__(self, database: Database, recorded: Callable[[int], None]) -> None:
        self._database = database
        self._recorded = recorded  # told how many events are new, after each commit
        self._waiting: list[tuple[Arrival, asyncio.Future[None]]] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._drain: asyncio.Task[None] | None = None

    async def record(self, arrival: Arrival) -> None:
        """Return once the event is committed. Raises Unavailable when it could not be."""
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable("too many events wait")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, done))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._run())
        await done

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            failed = await loop.run_in_executor(self._writer, self._commit, [arrival for arrival, _ in batch])
            for index, (_, done) in enumerate(batch):
                if done.done():  # the client went away; the event is kept all the same
                    continue
                if index in failed:
                    done.set_exception(Unavailable("the database cannot write"))
                else:
                    done.set_result(None)

    def _commit(self, arrivals: list[Arrival]) -> set[int]:
        """The indexes that did not become durable. One bad row does not fail its neighbours."""
        if self._try(arrivals) is None:
            return set()
        if len(arrivals) == 1:
            return {0}
        failed = set()
        for index, arrival in enumerate(arrivals):
            error = self._try([arrival])
            if error is not None:
                failed.add(index)
            if isinstance(
                error, OperationalError
            ):  # not the row's fault: the rest would wait as long, in vain
                return failed.union(range(index, len(arrivals)))
        return failed

    def _try(self, arrivals: list[Arrival]) -> Exception | None:
        """Commit these; what went wrong, if anything did. Never raises: a request without answer waits for ever."""
        try:
            self._write(arrivals)
        except Exception as error:  # noqa: BLE001 - see above
            log.error("inbox_write_failed", events=len(arrivals), error=str(error.__cause__ or error))  # noqa: TRY400 - one line
            return error
        return None

    def _write(self, arrivals: list[Arrival]) -> None:
        with self._database.write_connection() as connection:
            new = inbox.record(connection, arrivals)
        if new:
            self._recorded(new)

    def close(self) -> None:
        """Wait for the commit under way."""
        self._writer.shutdown(wait=True)
