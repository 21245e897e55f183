"""``/console/import``: contacts from a file, looked at before anything is written, then made in the background."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from flask import Response, make_response, render_template, request
from sqlalchemy.orm import Session

from bot import workbook
from bot.api.people import find_staff
from bot.web.bidi import plain
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.import_words import template_rows
from bot.web.contact.forms import clean
from bot.words.sentences import shown
from bot.workers import importing as work
from scrm.accounts.queries import list_reps
from scrm.channels.models import Channel
from scrm.channels.queries import MAX_PAGE, list_channels
from scrm.contacts.models import Stage
from scrm.errors import Invalid, NotFound
from scrm.jobs import files
from scrm.jobs import service as jobs
from scrm.jobs.models import FileKind, Job
from scrm.leads import imports
from scrm.leads.imports import Judged, Sheet, Verdict
from scrm.leads.making import Known
from scrm.leads.sheets import COLUMNS, REQUIRED
from scrm.tags.models import Tag
from scrm.tags.queries import list_groups
from scrm.timeline.rules import STAGES

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 100_000
SHOWN = 50
LONGEST_NAME = 120


@dataclass(frozen=True)
class Line:
    """A row in the preview."""

    number: int
    cells: list[str]
    verdict: str
    text: str


@dataclass(frozen=True)
class Form:
    """What was chosen for the file; ``wrong`` says what cannot be so, by field."""

    columns: dict[str, int]
    choices: dict[str, Any]
    wrong: dict[str, str]


def register(console: Console) -> None:
    """Put the pages at ``/console/import``."""

    @console.get("/import", work.PERMISSION)
    def import_new(visit: Visit) -> Response:
        return _upload_page(visit)

    @console.get("/import/template", work.PERMISSION)
    def import_template(visit: Visit) -> Response:
        return _template(visit)

    @console.post("/import", work.PERMISSION)
    def import_upload(visit: Visit) -> Response:
        return _upload(visit)

    @console.get("/import/<int:job_id>", work.PERMISSION)
    def import_page(visit: Visit, job_id: int) -> Response:
        return _preview(visit, job_id, request.args)

    @console.get("/import/<int:job_id>/check", work.PERMISSION)
    def import_check(visit: Visit, job_id: int) -> Response:
        return _check(visit, job_id)

    @console.post("/import/<int:job_id>", work.PERMISSION)
    def import_start(visit: Visit, job_id: int) -> Response:
        return _start(visit, job_id)

    @console.post("/import/<int:job_id>/drop", work.PERMISSION)
    def import_drop(visit: Visit, job_id: int) -> Response:
        with visit.write() as session:
            _draft(visit, session, job_id)
            jobs.drop_draft(session, job_id)
        return see_other(visit.url("import_new"))


def _upload_page(visit: Visit, error: str = "") -> Response:
    return visit.page(
        "console/import.html",
        422 if error else 200,
        error=error,
        columns=[
            (visit.t(f"import_{name}"), name in REQUIRED, visit.t(f"import_{name}_how")) for name in COLUMNS
        ],
        most_rows=f"{MAX_ROWS:,}",
    )


def _template(visit: Visit) -> Response:
    """A workbook to fill in: the columns, an example, and on a second sheet what may stand where."""
    with visit.read() as session:
        channels, _ = list_channels(session, limit=MAX_PAGE)
    header, example, notes = template_rows(visit.t, [row.name for row in channels])
    target = io.BytesIO()
    workbook.write(target, header, [example], notes=notes, about=visit.t("import_notes"))
    response = make_response(target.getvalue())
    response.mimetype = workbook.MIMETYPE
    name = f"lianke-contacts-{visit.t.language}.xlsx"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _upload(visit: Visit) -> Response:
    """Keep the file as a draft, if it can be read at all."""
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        return _upload_page(visit, visit.t("import_no_file"))
    content = upload.stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return _upload_page(visit, visit.t("import_too_large", n=MAX_BYTES // 1024 // 1024))
    try:
        sheet = imports.read_table(content)
    except Invalid as error:
        return _upload_page(visit, shown(visit.t, error.message))
    if len(sheet.rows) > MAX_ROWS:
        return _upload_page(visit, visit.t("import_too_long", rows=f"{len(sheet.rows):,}", n=f"{MAX_ROWS:,}"))
    if not sheet.rows:
        return _upload_page(visit, visit.t("import_no_rows"))
    filename = clean(PurePath(upload.filename.replace("\\", "/")).name)[-LONGEST_NAME:] or "contacts"
    with visit.write() as session:
        job = jobs.start_job(
            session,
            work.KIND,
            params={"filename": filename, "account_id": visit.actor.account_id},
            created_by=visit.actor.audit_name,
            lane=f"{work.KIND}:{visit.actor.account_id}",
            queue=True,
            draft=True,
            now=visit.now,
        )
        files.save(session, job, FileKind.INPUT, filename, content, now=visit.now)
    return see_other(visit.url("import_page", job_id=job.id))


def _draft(visit: Visit, session: Session, job_id: int) -> Job:
    """The visitor's own file that was not confirmed yet. Raises NotFound."""
    job = jobs.get_job(session, job_id)
    if job.kind != work.KIND or job.created_by != visit.actor.audit_name or not jobs.is_draft(job):
        raise NotFound("import_not_found", "没有这次导入，或它已经开始")
    return job


def _preview(visit: Visit, job_id: int, given: Mapping[str, Any], status: int = 200) -> Response:
    with visit.read() as session:
        job = _draft(visit, session, job_id)
        sheet = work.sheet_of(session, job_id, {})
        form = _read(visit, session, sheet, given)
        sheet = sheet.with_columns(form.columns)
        rows = sheet.rows[:SHOWN]
        judged = [] if sheet.missing else imports.judge_batch(session, sheet, rows, set())
        choices = _choices(visit, session)
    names = list(COLUMNS)
    return visit.page(
        "console/import_preview.html",
        status,
        job=job,
        sheet=sheet,
        form=form,
        names=names,
        required=REQUIRED,
        lines=[_line(visit, sheet, row) for row in judged],
        missing=[visit.t(f"import_{name}") for name in sheet.missing],
        ignored=[plain(name) for name in sheet.ignored],
        total=f"{len(sheet.rows):,}",
        choices=choices,
        check_url=visit.url(
            "import_check", job_id=job_id, **{f"col_{k}": v for k, v in form.columns.items()}
        ),
    )


def _line(visit: Visit, sheet: Sheet, row: Judged) -> Line:
    cells = [
        plain(row.cells[sheet.known[name]])
        if name in sheet.known and sheet.known[name] < len(row.cells)
        else ""
        for name in COLUMNS
    ]
    text = shown(visit.t, row.reason) if row.reason else visit.t(f"import_is_{row.verdict}")
    return Line(row.line, cells, row.verdict.value, text)


def _check(visit: Visit, job_id: int) -> Response:
    """How all rows would fare now, for the preview's top."""
    counts: Counter[Verdict] = Counter()
    with visit.read() as session:
        _draft(visit, session, job_id)
        sheet = work.sheet_of(session, job_id, {})
        sheet = sheet.with_columns(_columns(sheet, request.args))
        seen = set[str]()
        for rows in [] if sheet.missing else imports.batches(sheet):
            counts.update(row.verdict for row in imports.judge_batch(session, sheet, rows, seen))
    html = render_template("console/_import_counts.html", screen=visit, t=visit.t, counts=counts)
    return make_response(html)


def _start(visit: Visit, job_id: int) -> Response:
    """Confirmed: the job may begin."""
    with visit.write() as session:
        job = _draft(visit, session, job_id)
        sheet = work.sheet_of(session, job_id, {})
        form = _read(visit, session, sheet, request.form)
        ready = not form.wrong and not sheet.with_columns(form.columns).missing
        if ready:
            jobs.submit(
                session,
                job_id,
                {**form.choices, "columns": form.columns, "lang": visit.t.language},
                now=visit.now,
            )
            visit.record(
                session,
                "contacts:import_started",
                "job",
                str(job_id),
                file=job.params["filename"],
                rows=len(sheet.rows),
            )
    if not ready:
        return _preview(visit, job_id, request.form, 422)
    visit.site.wake()
    return see_other(visit.url("job_page", job_id=job_id))


def _columns(sheet: Sheet, given: Mapping[str, Any]) -> dict[str, int]:
    """Which column is which: as chosen, or as guessed where nothing was."""
    if not any(f"col_{name}" in given for name in COLUMNS):
        return dict(sheet.known)
    chosen = {name: str(given.get(f"col_{name}", "")) for name in COLUMNS}
    width = len(sheet.header)
    return {
        name: int(text)
        for name, text in chosen.items()
        if text.isascii() and text.isdigit() and int(text) < width
    }


def _read(visit: Visit, session: Session, sheet: Sheet, given: Mapping[str, Any]) -> Form:
    columns, wrong = _columns(sheet, given), dict[str, str]()
    owner, channel = str(given.get("owner", "")), str(given.get("channel", ""))
    known, stage = str(given.get("known", Known.SKIP)), str(given.get("stage", Stage.LEAD))
    tags = given.getlist("tag") if hasattr(given, "getlist") else []
    staff = find_staff(session, owner) if owner else None
    if owner and (staff is None or not visit.sees_staff(staff.id)):
        wrong["owner"] = visit.t("import_owner_gone")
    if channel and session.get(Channel, channel) is None:
        wrong["channel"] = visit.t("import_channel_gone")
    found = {row.id for row in session.query(Tag).filter(Tag.id.in_(tags[:SHOWN]), Tag.deleted_at.is_(None))}
    if set(tags) - found:
        wrong["tag"] = visit.t("tag_gone")
    if known not in list(Known) or stage not in list(Stage):
        wrong["known"] = visit.t("stage_wrong")
        known, stage = Known.SKIP, Stage.LEAD
    choices = {
        "known": known,
        "stage": stage,
        "owner_id": staff.id if staff else None,
        "owner": owner,
        "channel_id": channel or None,
        "tag_ids": sorted(found),
    }
    return Form(columns, choices, wrong)


def _choices(visit: Visit, session: Session) -> dict[str, list[Any]]:
    channels, _ = list_channels(session, limit=MAX_PAGE)
    return {
        "owner": [(row.userid, plain(row.name)) for row in list_reps(session, seen=visit.actor.sees)],
        "channel": [(row.id, plain(row.name)) for row in channels],
        "tag": [
            (plain(row.group.name), [(tag.id, plain(tag.name)) for tag in row.tags])
            for row in list_groups(session)
        ],
        "stage": [(key, visit.t.pick(words)) for key, words in STAGES.items()],
        "known": [(one.value, visit.t(f"import_known_{one}")) for one in Known],
    }
