"""A day in simulated time: the platform's callbacks and faults, our jobs at their hours, what is left at the end."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from prometheus_client import REGISTRY
from sqlalchemy import func, select

from bot.scheduler.jobs import JOBS
from bot.scheduler.retention import KEEP_PAYLOADS
from scrm.channels.models import MediaFile
from scrm.inbox.models import InboxEvent
from scrm.models import Base
from scrm.outbox.models import OutboxCall
from tests.databases import Place
from tests.load import day
from tests.load.compare import Found, compare
from tests.load.crowd import CHANNELS, SCANS, Act, Crowd
from tests.load.day import Moment
from tests.load.runs import Loaded, Tell
from tests.load.simulated import Simulated

STEP = timedelta(seconds=60)  # no rest is longer: the jobs of seconds tick so often
LONG_AGO = timedelta(days=31)  # events of then have lost their payload in the morning
LOST_BEFORE_SYNC = timedelta(minutes=20)
NIGHTLY = (3, 10)  # of the sync, local time
GROWN = 1.10  # memory at the end against noon: more is a leak
MB = 1024 * 1024


@dataclass
class Watch:
    """How the process does, hour by hour."""

    resident: dict[str, float] = field(default_factory=dict)  # MB
    threads: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)

    def look(self, label: str) -> None:
        status = dict(
            line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
        )
        self.resident[label] = round(int(status["VmRSS"].split()[0]) / 1024, 1)
        self.threads[label] = int(status["Threads"])
        self.files[label] = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a list of names suffices


class Soak:
    """``Soak(home, place, …).run()``."""

    def __init__(
        self, home: Path, place: Place, *, begins: str, hours: float, count: int, seed: int, tell: Tell
    ) -> None:
        self._tell = tell
        self._begins, self._hours, self._seed = begins, hours, seed
        self.crowd = Crowd(count, seed=seed)
        self.unheard = Crowd(6, {"scan": 1, "remark": 1, "remove": 1}, seed=seed, first=100_000)
        self.long_ago = Crowd(10, SCANS, seed=seed, first=200_000)
        crowds = [self.crowd, self.unheard, self.long_ago]
        self.rig = Simulated(home, database=place.empty(home), crowds=crowds)
        self.watch = Watch()
        self.wrong_shifts: list[str] = []
        self.faults: list[Moment] = []
        self.checks = 0

    def run(self) -> Loaded:
        with self.rig:
            start = self._start()
            self._prologue(start)
            end = start + timedelta(hours=self._hours)
            moments = self._plan(start, end)
            self._tell(f"{len(moments)} moments from {start:%m-%d %H:%M} to {end:%m-%d %H:%M}")
            self._walk(moments, start, end)
            self._end()
            found = compare(self.rig.database, self.rig.books)
            self._judge(found, start)
            return Loaded(self._figures(start), found)

    def _start(self) -> datetime:
        """The next time it is ``begins``, local time, with a month of the past before it."""
        local = self.rig.time.now().astimezone(self.rig.zone) + LONG_AGO + timedelta(days=1)
        hour, minute = map(int, self._begins.split(":"))
        return local.replace(hour=hour, minute=minute, second=0, microsecond=0)

    def _prologue(self, start: datetime) -> None:
        """A month ago: the corp is read, channels are made, some customers come and are greeted with a picture."""
        rig = self.rig
        rig.go_to(start - LONG_AGO)
        rig.tick()
        rig.work()
        self.codes = [*rig.make_channels(), self._make_channel_with_shifts()]
        for act in self.long_ago.acts(self.codes):
            self._act(act.path, act.body)
            rig.work()
        rig.go_to(start - timedelta(minutes=1))
        rig.tick()
        rig.work()
        for act in self.crowd.before():
            self._act(act.path, act.body)
        rig.work()

    def _make_channel_with_shifts(self) -> str:
        rig, picture = self.rig, io.BytesIO()
        Image.new("RGB", (200, 200), "teal").save(picture, "PNG")
        answer = rig._http.post(
            f"{rig.base}/api/v1/media",
            files={"file": ("名片.png", picture.getvalue(), "image/png")},
            headers={"Authorization": f"Bearer {rig.token}"},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        attachment = {"msgtype": "image", "image": {"media": answer.json()["id"]}}
        staff = sorted({userid for shift in day.SHIFTS.values() for userid in shift})
        return rig.make(
            {
                "name": "轮班渠道",
                "staff": staff,
                "tags": ["来源/展会"],
                "schedule": day.shifts(),
                "welcome": {"text": "{customer}您好", "attachments": [attachment]},
            }
        )["state"]

    def _plan(self, start: datetime, end: datetime) -> list[Moment]:
        self.faults = day.faults(start, end)
        moments = [*day.timed(self.crowd.acts(self.codes), start, end, seed=self._seed), *self.faults]
        sync = start.replace(hour=NIGHTLY[0], minute=NIGHTLY[1])
        if start < sync - LOST_BEFORE_SYNC:
            unheard: list[Act] = self.unheard.acts(self.codes)
            moments += [
                Moment(
                    sync - LOST_BEFORE_SYNC + timedelta(minutes=n),
                    act.path,
                    {**act.body, "lost": True},
                    "lost",
                )
                for n, act in enumerate(unheard)
            ]
        return sorted(moments, key=lambda moment: moment.at)

    def _walk(self, moments: list[Moment], start: datetime, end: datetime) -> None:
        """To whatever comes first: a moment, a row that falls due, a tick."""
        rig, hour, number = self.rig, 0, 0
        due = rig.work()
        while rig.time.now() < end:
            coming = moments[number].at if number < len(moments) else end
            rig.go_to(min(coming, due or end, rig.time.now() + STEP))
            now = rig.time.now()
            while number < len(moments) and moments[number].at <= now:
                self._act(moments[number].path, moments[number].body)
                number += 1
            rig.tick()
            due = rig.work()
            if now >= start + timedelta(hours=hour):
                self._hour(hour, now)
                hour += 1
        assert number == len(moments)

    def _hour(self, hour: int, now: datetime) -> None:
        self.watch.look(str(hour))
        self._check_shift(now)
        if hour % 4 == 0:
            self._tell(
                f"hour {hour}: {self.watch.resident[str(hour)]} MB, {self.watch.threads[str(hour)]} threads"
            )

    def _check_shift(self, now: datetime) -> None:
        """Whoever scans now meets who is on duty; a change of shift has two minutes, for the job runs each minute."""
        body = self.rig.books.value("SELECT body_json FROM way WHERE state = ?", self.codes[CHANNELS])
        local = now.astimezone(self.rig.zone)
        right = [sorted(day.on_shift(at)) for at in (local, local - timedelta(minutes=2))]
        serving = sorted(json.loads(body)["user"])
        self.checks += 1
        if serving not in right:
            self.wrong_shifts.append(f"{local:%H:%M} {right[0]} are on duty, the way has {serving}")

    def _act(self, path: str, body: dict[str, Any]) -> None:
        answer = self.rig.post(path, body)
        status = answer.get("callback_status")
        assert status in (None, 200, 0 if body.get("lost") else 200), (path, body, answer)

    def _end(self) -> None:
        """What waits for its time has it."""
        rig = self.rig
        while (due := rig.work()) is not None:
            rig.go_to(due)
            rig.tick()
        self.watch.look("end")

    def _judge(self, found: Found, start: datetime) -> None:
        found.differ("shifts that the contact way did not follow", self.wrong_shifts)
        found.differ(
            "welcomes expired though the platform was well", [at for at in found.expired if not self._ill(at)]
        )
        failed = [
            f"{job.name}: {count:.0f}"
            for job in JOBS
            if (
                count := REGISTRY.get_sample_value(
                    "lianke_job_runs_total", {"job": job.name, "outcome": "failed"}
                )
            )
        ]
        found.differ("jobs that failed", failed)
        pruned = start.replace(hour=3, minute=40)
        with self.rig.database.read() as session:
            old = session.execute(
                select(InboxEvent.id, InboxEvent.payload).where(
                    InboxEvent.received_at < pruned - KEEP_PAYLOADS
                )
            ).all()
            media = session.scalars(select(MediaFile.uploaded_at)).all()
            without = session.scalars(
                select(OutboxCall.reason).where(OutboxCall.reason.like("%个附件%"))
            ).all()
        if start < pruned < start + timedelta(hours=self._hours):
            found.lines["events older than 30 days"] = len(old)
            found.differ("old payloads that are left", [row.id for row in old if row.payload is not None])
        found.differ(
            "media not renewed", [at for at in media if at is None or at < start - timedelta(hours=1)]
        )
        found.differ("welcomes without their picture", list(without))

    def _ill(self, at: datetime) -> bool:
        """Whether a welcome that was owed then may have met a fault; it strikes at the first call after it is armed."""
        struck = self.rig.books.all("SELECT at FROM call WHERE note LIKE 'fault%'")
        return any(
            row["at"] - 20 <= at.timestamp() <= row["at"] + day.PAUSED.total_seconds() for row in struck
        )

    def leaks(self) -> list[str]:
        """Memory, threads or files that grew after the busiest hours began."""
        watch, noon = self.watch, "12"
        if noon not in watch.resident:
            return []
        found = []
        if watch.resident["end"] > GROWN * watch.resident[noon]:
            found.append(
                f"memory grew from {watch.resident[noon]} MB at hour 12 to {watch.resident['end']} MB"
            )
        for name, seen in (("threads", watch.threads), ("open files", watch.files)):
            if seen["end"] > seen[noon] + 5:
                found.append(f"{name} grew from {seen[noon]} to {seen['end']}")
        return found

    def _figures(self, start: datetime) -> dict[str, str]:
        rig = self.rig
        tokens = dict(rig.books.all("SELECT kind, count(*) FROM token GROUP BY kind"))
        fetched = rig.books.value(
            "SELECT count(*) FROM call WHERE api = 'gettoken' AND errcode = 0 AND at >= ?", start.timestamp()
        )
        with rig.database.read() as session:
            tables = {
                table.name: session.scalar(select(func.count()).select_from(table))
                for table in Base.metadata.sorted_tables
            }
        memory = self.watch.resident
        faults = Counter(
            row["note"] for row in rig.books.all("SELECT note FROM call WHERE note LIKE 'fault%'")
        )
        return {
            "memory in MB by hour": " ".join(f"{hour}={size}" for hour, size in memory.items()),
            "threads by hour": " ".join(str(count) for count in self.watch.threads.values()),
            "open files by hour": " ".join(str(count) for count in self.watch.files.values()),
            "access tokens issued, with the month before": str(tokens),
            "gettoken calls in the day, both secrets": str(fetched),
            "shifts looked at": str(self.checks),
            "faults suffered": str(dict(faults)),
            "rows": str({name: count for name, count in tables.items() if count}),
            "database size": f"{size_of(rig) / MB:.1f} MB",
        }


def size_of(rig: Simulated) -> int:
    """Bytes the database holds."""
    query = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        "postgresql": "SELECT pg_database_size(current_database())",
        "mysql": "SELECT sum(data_length + index_length) FROM information_schema.tables"
        " WHERE table_schema = database()",
    }[rig.database.dialect]
    with rig.database.engine.connect() as connection:
        return int(connection.exec_driver_sql(query).scalar())


def soak(
    home: Path, place: Place, *, hours: float = 24, begins: str = "00:00", count: int, seed: int, tell: Tell
) -> Loaded:
    """One day, or a part of it."""
    made = Soak(home, place, begins=begins, hours=hours, count=count, seed=seed, tell=tell)
    loaded = made.run()
    loaded.found.differ("leaks", made.leaks())
    return loaded
