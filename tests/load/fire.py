"""Acts at their times, whether the ones before have been answered or not: an open loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from tests.load.crowd import Act

CONNECTIONS = 200
ANSWER_S = 300  # an act that is refused or lost for so long fails the run


@dataclass
class Fired:
    """How the firing itself went, in seconds: late is a machine that is too slow to fire at this rate."""

    seconds: float
    lateness: list[float] = field(default_factory=list)


def fire(sandbox: str, acts: Sequence[Act], rate: float | None) -> Fired:
    """``rate`` acts a second, or all at once. Raises when the sandbox refuses one."""
    try:
        return asyncio.run(_fire(sandbox, acts, rate))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _fire(sandbox: str, acts: Sequence[Act], rate: float | None) -> Fired:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=ANSWER_S)
    fired = Fired(0.0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        began = time.monotonic()

        async def do(act: Act) -> None:
            body = {**act.body, "mode": "async"}
            async with session.post(f"{sandbox}/sandbox{act.path}", json=body) as answer:
                if answer.status != 200:
                    raise AssertionError(f"{act}: {answer.status} {await answer.text()}")

        async with asyncio.TaskGroup() as group:
            for number, act in enumerate(acts):
                if rate is not None:
                    due = began + number / rate
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    fired.lateness.append(time.monotonic() - due)
                group.create_task(do(act))
        fired.seconds = time.monotonic() - began
    return fired
