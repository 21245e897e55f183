"""The job ``contacts.import``: a file of contacts that a person uploaded, row by row, each once."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from bot import workbook
from bot.words.sentences import shown
from bot.words.texts import Words
from bot.workers.run import Run
from scrm.accounts.models import Staff
from scrm.contacts.models import Stage
from scrm.jobs import files
from scrm.jobs.models import FileKind
from scrm.leads import imports, making
from scrm.leads.imports import Judged, Sheet, Tally, Verdict
from scrm.leads.making import Choices, Known

KIND = "contacts.import"
PERMISSION = "jobs.write"
DEED = "contacts:imported"


def choices_of(params: Mapping[str, Any]) -> Choices:
    """What was chosen for all rows, as the job keeps it."""
    return Choices(
        known=Known(params.get("known", Known.SKIP)),
        owner_id=params.get("owner_id"),
        channel_id=params.get("channel_id"),
        tag_ids=tuple(params.get("tag_ids", ())),
        stage=Stage(params.get("stage", Stage.LEAD)),
    )


def sheet_of(session: Session, job_id: int, params: Mapping[str, Any]) -> Sheet:
    """The file of a job, read by the columns that were chosen. Raises NotFound, Invalid."""
    sheet = imports.read_table(files.read(session, job_id, FileKind.INPUT))
    columns = params.get("columns")
    return sheet if columns is None else sheet.with_columns(columns)


def import_contacts(run: Run) -> None:
    """Import what is left of the file, and keep the rows that failed for their owner to mend."""
    with run.read() as session:
        sheet = sheet_of(session, run.job.id, run.params)
        batches = list(imports.batches(sheet))
        start, parts = run.cursor.get("batch", 0), run.cursor.get("parts", 0)
        seen = set[str]()
        for rows in batches[:start]:
            imports.judge_batch(session, sheet, rows, seen)
    for number in range(start, len(batches)):
        with run.write() as session:
            parts += _import_batch(run, session, sheet, batches[number], seen, parts)
            done = min((number + 1) * imports.BATCH, len(sheet.rows))
            cursor = {"batch": number + 1, "parts": parts}
            run.progress(session, done=done, total=len(sheet.rows), cursor=cursor)
    if not run.cursor.get("closed"):
        _close(run, sheet, parts)


def _import_batch(
    run: Run,
    session: Session,
    sheet: Sheet,
    rows: imports.Rows,
    seen: set[str],
    part: int,
) -> int:
    """One chunk; how many parts of failures it left (0 or 1)."""
    tally = Tally()
    judged = imports.judge_batch(session, sheet, rows, seen)
    making.create_batch(
        session,
        judged,
        tally,
        actor=_author(run, session),
        file=str(run.params["filename"]),
        now=run.now(),
        choices=choices_of(run.params),
        key=f"import:{run.job.id}",
    )
    counts = tally.counts
    run.report(
        {
            "created": tally.created,
            "updated": tally.updated,
            "known": counts[Verdict.KNOWN] - tally.updated,
            "repeated": counts[Verdict.REPEATED],
            "bad": counts[Verdict.BAD],
            "ownerless": tally.ownerless,
            "tags_put": tally.tagged.count,
            "tags_local": tally.tagged.local,
            "tags_nobody": tally.tagged.nobody,
        }
    )
    bad = [[row.line, row.reason] for row in judged if row.verdict is Verdict.BAD]
    if bad:
        text = json.dumps(bad, ensure_ascii=False).encode()
        files.add_piece(session, run.job.id, FileKind.WORK, "bad.json", text, n=part, now=run.now())
    return int(bool(bad))


def _close(run: Run, sheet: Sheet, parts: int) -> None:
    """The failures become a workbook, and the deed goes into the audit trail."""
    run.beat()
    with run.read() as session:
        bad = [
            line for piece in files.pieces(session, run.job.id, FileKind.WORK) for line in json.loads(piece)
        ]
    t = Words(run.params.get("lang", "zh"))
    content = _failed(t, sheet, dict(bad)) if bad else b""
    filename = t("import_failed_file", name=str(run.params["filename"]).rsplit(".", 1)[0])
    with run.write() as session:
        if content:
            files.save(session, run.job, FileKind.FAILED, filename, content, now=run.now())
        files.drop(session, run.job.id, FileKind.WORK)
        counts = {name: value for name, value in run.found.items() if isinstance(value, int)}
        run.record(session, DEED, "job", str(run.job.id), file=run.params["filename"], **counts)
        cursor = {"batch": len(list(imports.batches(sheet))), "parts": parts, "closed": True}
        run.progress(session, done=len(sheet.rows), total=len(sheet.rows), cursor=cursor)


def _failed(t: Words, sheet: Sheet, reasons: Mapping[int, str]) -> bytes:
    """The rows as they came, each with its reason: mended, the workbook can be imported again.

    In the language of whoever started it; the rows that were bad are kept in Chinese until then.
    """
    target = io.BytesIO()
    rows = (
        imports.failed_row(sheet, Judged(line, cells, Verdict.BAD, shown(t, reasons[line])), whole=True)
        for line, cells in sheet.rows
        if line in reasons
    )
    workbook.write(target, imports.failed_header(sheet, t("import_reason"), whole=True), rows)
    return target.getvalue()


def _author(run: Run, session: Session) -> str:
    """Whoever started it, as timelines name people."""
    if run.actor is None:
        return run.job.created_by
    staff = session.get(Staff, run.actor.staff_id) if run.actor.staff_id else None
    return f"staff:{staff.userid}" if staff else f"account:{run.actor.name}"
