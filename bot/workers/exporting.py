"""The jobs ``contacts.export`` and ``followups.export``: all rows of a list as a file, read page by page."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import IO, Any

from bot import workbook
from bot.listings import Listing, Place, Reading
from bot.words.texts import Words
from bot.workers.run import Run
from scrm.accounts.roles import EXPORT
from scrm.jobs import files
from scrm.jobs.models import FileKind
from scrm.leads.sheets import defused

PERMISSION = EXPORT
MOST = 1_000_000  # rows; a worksheet ends a little later
CHUNK = 1_000
_BOM = "\ufeff"  # without it Excel takes UTF-8 for something else


def kind_of(listing: Listing) -> str:
    """The name of the job that exports this list."""
    return f"{listing.name}.export"


def exports(listing: Listing) -> Callable[[Run], None]:
    """What a job of ``kind_of(listing)`` does."""

    def export(run: Run) -> None:
        _Export(run, listing).all_rows()

    return export


class _Export:
    """Rows are kept in pieces as they are read. CSV is then whole; a workbook is made of the pieces at the end."""

    def __init__(self, run: Run, listing: Listing) -> None:
        self.run, self.listing = run, listing
        self.which: Any = listing.unpack(run.params["which"])
        self.is_csv = run.params["format"] == "csv"
        self.kind = FileKind.RESULT if self.is_csv else FileKind.WORK
        self.t = Words(run.params["lang"])

    def all_rows(self) -> None:
        """Go on behind the last page that was kept, then make the file."""
        if "pieces" not in self.run.cursor:
            self._count()
        while not self.run.cursor.get("read"):
            self._page()
        if not self.run.cursor.get("made"):
            self._make()

    def _reading(self) -> Reading:
        actor = self.run.actor
        return Reading(self.t, self.run.corp.tz, actor is None or actor.may("pii.read"))

    def _count(self) -> None:
        with self.run.read() as session:
            total = self.listing.count(session, self.which, MOST)
        with self.run.write() as session:
            self.run.progress(session, done=0, total=total, cursor={"pieces": 0})

    def _page(self) -> None:
        cursor, done = self.run.cursor, self.run.job.done
        with self.run.read() as session:
            limit = min(CHUNK, MOST - done)
            lines, place = self.listing.page(session, self.which, _place(cursor), limit, self._reading())
        n, done = cursor["pieces"], done + len(lines)
        content = self._csv(lines, first=n == 0) if self.is_csv else zlib.compress(json.dumps(lines).encode())
        with self.run.write() as session:
            files.add_piece(
                session,
                self.run.job.id,
                self.kind,
                str(self.run.params["filename"]),
                content,
                n=n,
                now=self.run.now(),
            )
            self.run.report({"rows": len(lines)})
            after = [place[0].isoformat(), place[1]] if place else None
            step = {"pieces": n + 1, "before": after, "read": place is None or done >= MOST}
            self.run.progress(session, done=done, total=max(done, self.run.job.total or 0), cursor=step)

    def _csv(self, lines: Sequence[Sequence[str]], *, first: bool) -> bytes:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        if first:
            buffer.write(_BOM)
            writer.writerow(self.listing.header(self.t))
        writer.writerows([defused(cell) for cell in line] for line in lines)
        return buffer.getvalue().encode()

    def _make(self) -> None:
        run = self.run
        if not self.is_csv:
            with run.write() as session:
                files.drop(session, run.job.id, FileKind.RESULT)  # what a run left that was cut off here
            with tempfile.TemporaryFile() as target:
                workbook.write(target, self.listing.header(self.t), self._kept())
                self._keep(target)
        with run.write() as session:
            files.drop(session, run.job.id, FileKind.WORK)
            phones = "whole" if self._reading().whole else "masked"
            told = {"rows": run.job.done, "phones": phones, "format": run.params["format"]}
            deed = f"{self.listing.name}:exported"
            run.record(session, deed, "job", str(run.job.id), filters=run.params["about"], **told)
            run.progress(session, done=run.job.done, total=run.job.done, cursor={**run.cursor, "made": True})

    def _kept(self) -> Iterator[list[str]]:
        for n in range(self.run.cursor["pieces"]):
            self.run.beat()
            with self.run.read() as session:
                content = files.piece(session, self.run.job.id, FileKind.WORK, n)
            yield from json.loads(zlib.decompress(content or zlib.compress(b"[]")))

    def _keep(self, target: IO[bytes]) -> None:
        target.seek(0)
        n = 0
        while content := target.read(files.PIECE):
            with self.run.write() as session:
                name = str(self.run.params["filename"])
                files.add_piece(
                    session, self.run.job.id, FileKind.RESULT, name, content, n=n, now=self.run.now()
                )
            n += 1


def _place(cursor: dict[str, Any]) -> Place | None:
    before = cursor.get("before")
    return (datetime.fromisoformat(before[0]), before[1]) if before else None
