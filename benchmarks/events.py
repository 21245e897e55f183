"""(3) Events handled per second by one embedded process, as a ratio to plain one-row transactions on the same disk.

Prepared adds lie in the inbox; the inbox worker runs them to empty (contact, relation, scan, tags, owner, timeline and
calls owed). The calls themselves are not made: they are measured by the welcome benchmark.
"""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from benchmarks.config import product_config
from benchmarks.load import XML
from benchmarks.servers import Base, Event
from bot.app import Product, build
from bot.sandbox.settings import SandboxSettings
from bot.workers.inbox_worker import InboxWorker
from handlers.events import envelope
from handlers.xml import parse
from migrations import runner
from scrm.accounts.service import ensure_staff
from scrm.channels.models import Channel, ChannelCode
from scrm.inbox import service as inbox
from scrm.inbox.service import Arrival

BOX = SandboxSettings()
CHUNK = 500


def fill(product: Product, count: int) -> None:
    """A channel, and ``count`` adds by its code that wait in the inbox."""
    now = product.clock()
    with product.database.write() as session:
        ensure_staff(session, "zhangsan", now=now)
        channel = Channel(
            name="bench",
            created_at=now,
            schedule=[],
            welcomes=[{"text": "{customer}您好", "attachments": []}],
        )
        session.add(channel)
        session.flush()
        session.add(
            ChannelCode(channel_id=channel.id, state="ch_000017", users=[], wanted=[], updated_at=now)
        )
    for first in range(0, count, CHUNK):
        arrivals = []
        for number in range(first, min(first + CHUNK, count)):
            at = now - timedelta(seconds=1)
            text = XML.format(corp=BOX.corp_id, at=int(at.timestamp()), n=number)
            kind = envelope(parse(text))
            arrivals.append(
                Arrival(
                    source="wecom",
                    kind=kind.kind,
                    payload=text,
                    received_at=now,
                    lane=kind.lane,
                    priority=kind.priority,
                )
            )
        with product.database.write() as session:
            inbox.record(session, arrivals)


def _plain(path: Path, count: int) -> float:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    Base.metadata.create_all(engine)
    began = time.perf_counter()
    for number in range(count):
        with Session(engine) as session:
            session.connection().exec_driver_sql("PRAGMA synchronous=FULL")
            session.add(Event(kind="add", payload=XML.format(corp="c", at=1, n=number)))
            session.commit()
    return count / (time.perf_counter() - began)


def measure(*, count: int) -> dict[str, Any]:
    """Events per second, plain transactions per second, and the ratio."""
    with tempfile.TemporaryDirectory() as home:
        product = build(product_config(f"sqlite:///{Path(home) / 'ours.db'}", 8000))
        runner.upgrade(product.database)
        fill(product, count)
        worker = InboxWorker(
            product.database, product.corp, product.wakeups, owner="bench", clock=product.clock
        )
        cpu, began = time.process_time(), time.perf_counter()
        while worker.step():
            pass
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        plain = _plain(Path(home) / "plain.db", count)
        product.database.dispose()
    return {
        "events": count,
        "per_second": count / seconds,
        "cpu_ms_per_event": cpu / count * 1000,
        "plain_transactions_per_second": plain,
        "ratio_plain": count / seconds / plain,
    }
