"""``/console/channels/batch``: channels from a sheet, looked at before they are made; all their codes as a file."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict

from flask import Response, request
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.api.channel_codes import CodeState, state_of
from bot.web.bidi import plain
from bot.web.console import channel_forms, qr, sheet
from bot.web.console.batch_rows import COLUMNS, Known, Row, read_rows
from bot.web.console.door import LONGEST_NONCE, Console, Visit, see_other
from bot.web.console.tables import LARGEST, read_table
from bot.web.contact import forms
from bot.web.contact.forms import Claim
from bot.words.sentences import shown
from scrm.accounts.models import IdempotencyKey
from scrm.accounts.queries import list_reps
from scrm.channels import service
from scrm.channels.logo import find_logo, has_logo
from scrm.channels.models import Channel, ChannelCode
from scrm.errors import Invalid, NotFound, ScrmError
from scrm.ids import new_token
from scrm.tags.queries import list_groups

LARGEST_FORM = 3 * LARGEST
CODE_SIZE = 1200


def register(console: Console) -> None:
    """Put the pages at ``/console/channels/batch``."""

    @console.get("/channels/batch", "channels.write")
    def channel_batch(visit: Visit) -> Response:
        return _page(visit)

    @console.get("/channels/batch/sheet.csv", "channels.write")
    def batch_sheet(visit: Visit) -> Response:
        welcome = visit.t("welcome_sample", customer="{customer}", rep="{rep}")
        members = "zhangsan、lisi" if visit.t.language == "zh" else "zhangsan, lisi"
        example = [visit.t("batch_sample_name"), members, visit.t("batch_sample_tag"), "50", welcome]
        place = 0 if visit.t.language == "zh" else -1
        return sheet.answer("channels.csv", [names[place] for names in COLUMNS.values()], [example])

    @console.post("/channels/batch", "channels.write")
    def preview_batch(visit: Visit) -> Response:
        request.max_content_length = LARGEST_FORM
        return _preview(visit)

    @console.post("/channels/batch/make", "channels.write")
    def make_batch(visit: Visit) -> Response:
        request.max_content_length = LARGEST_FORM
        return _make(visit)

    @console.get("/channels/batch/<nonce>", "channels.read")
    def batch_made(visit: Visit, nonce: str) -> Response:
        with visit.read() as session:
            found = _made(visit, session, nonce)
            has = has_logo(session)
        lines = [
            (
                channel.id,
                plain(channel.name),
                state_of(code).value,
                shown(visit.t, code.error) if code and code.error else None,
            )
            for channel, code in found
        ]
        ready = sum(state == CodeState.READY for _, _, state, _ in lines)
        return visit.page(
            "console/channel_batch_made.html", nonce=nonce, lines=lines, ready=ready, has_logo=has
        )

    @console.get("/channels/batch/<nonce>/codes.zip", "channels.read")
    def batch_codes(visit: Visit, nonce: str) -> Response:
        return _zip(visit, nonce)


def _page(visit: Visit, rows: list[Row] | None = None, problem: str = "", nonce: str = "") -> Response:
    good = bool(rows) and not any(row.errors for row in rows or [])
    return visit.page(
        "console/channel_batch.html",
        422 if problem or (rows and not good) else 200,
        rows=rows or [],
        problem=problem,
        is_good=good,
        wrong=sum(bool(row.errors) for row in rows or []),
        nonce=nonce or new_token(12),
        table=json.dumps(_table(rows), ensure_ascii=False) if rows and good else "",
    )


def _table(rows: list[Row]) -> list[list[str]]:
    """The rows as the sheet had them, to be read again when they are made."""
    header = [names[0] for names in COLUMNS.values()]
    lines = [asdict(row.draft) for row in rows]
    cells = [
        [one["name"], "、".join(one["staff"]), "、".join(one["tags"]), one["daily_limit"], one["text"]]
        for one in lines
    ]
    return [header, *cells]


def _known(session: Session) -> Known:
    staff: dict[str, str | None] = {}
    people = list_reps(session, seen=None)
    for row in people:
        staff[row.name] = None if row.name in staff else row.userid
    staff |= {row.userid: row.userid for row in people}
    tags: dict[str, str | None] = {}
    for group in list_groups(session):
        for tag in group.tags:
            whole = f"{group.group.name}/{tag.name}"
            tags[whole] = whole
            tags[tag.name] = None if tag.name in tags else whole
    return Known(staff, tags, frozenset(session.scalars(select(Channel.name))))


def _preview(visit: Visit) -> Response:
    upload = request.files.get("file")
    content = upload.read(LARGEST + 1) if upload else b""
    if not content:
        return _page(visit, problem=visit.t("batch_no_file"))
    try:
        table = read_table(content)
        with visit.read() as session:
            rows = read_rows(table, _known(session), visit.t)
    except Invalid as error:
        return _page(visit, problem=shown(visit.t, next(iter(error.fields.values()), error.message)))
    return _page(visit, rows)


def _make(visit: Visit) -> Response:
    """Make all of them, or none; the same form makes them once."""
    nonce, text = request.form.get("nonce", "")[:LONGEST_NONCE], request.form.get("table", "")
    try:
        table = json.loads(text)
        with (
            visit.site.database.write() as session
        ):  # not limited: who may serve follows from everybody's scans
            claimed = forms.claim(
                session, f"batch:{nonce}", visit.actor.account_id, forms.Draft(content=text), now=visit.now
            )
            if claimed is Claim.FIRST:
                rows = read_rows(table, _known(session), visit.t)
                if any(row.errors for row in rows):
                    raise _Changed(rows)  # noqa: TRY301 - leaving the block is what rolls back
                _create(visit, session, rows, nonce)
    except _Changed as changed:
        return _page(visit, changed.rows)
    except Invalid as error:
        return _page(visit, problem=shown(visit.t, next(iter(error.fields.values()), error.message)))
    except (ValueError, TypeError, AttributeError, IndexError):
        return _page(visit, problem=visit.t("batch_no_file"))
    visit.site.wake()
    return see_other(visit.url("batch_made", nonce=nonce))


class _Changed(Exception):
    """Between looking and making a row went wrong; nothing is made."""

    def __init__(self, rows: list[Row]) -> None:
        super().__init__()
        self.rows = rows


def _create(visit: Visit, session: Session, rows: list[Row], nonce: str) -> None:
    made = []
    for number, row in enumerate(rows):
        spec = channel_forms.spec_of(row.draft)
        try:
            channel = service.create_channel(
                session, spec, actor=visit.actor.audit_name, now=visit.now, tz=visit.site.tz
            )
        except ScrmError as error:
            rows[number] = Row(row.line, row.draft, channel_forms.told(error, visit.t))
            raise _Changed(rows) from error
        visit.record(session, "channel:created", "channel", channel.id, name=channel.name)
        made.append(channel.id)
    mine = (IdempotencyKey.token_id == visit.actor.account_id, IdempotencyKey.key == f"form:batch:{nonce}")
    session.execute(update(IdempotencyKey).where(*mine).values(body=json.dumps(made)))


def _made(visit: Visit, session: Session, nonce: str) -> list[tuple[Channel, ChannelCode | None]]:
    """The visitor's batch of this form, in its order. Raises NotFound."""
    mine = (
        IdempotencyKey.token_id == visit.actor.account_id,
        IdempotencyKey.key == f"form:batch:{nonce[:LONGEST_NONCE]}",
    )
    body = session.scalar(select(IdempotencyKey.body).where(*mine))
    if not body:
        raise NotFound("batch_not_found", "没有这个批次")
    ids = json.loads(body)
    query = select(Channel, ChannelCode).outerjoin(ChannelCode, ChannelCode.channel_id == Channel.id)
    rows = {
        row.Channel.id: (row.Channel, row.ChannelCode)
        for row in session.execute(query.where(Channel.id.in_(ids)))
    }
    return [rows[one] for one in ids if one in rows]


def _zip(visit: Visit, nonce: str) -> Response:
    with visit.read() as session:
        codes = [
            (channel.name, code.qr_url)
            for channel, code in _made(visit, session, nonce)
            if code and code.qr_url
        ]
        logo = find_logo(session) if request.args.get("logo") == "1" else None
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for number, (name, url) in enumerate(codes, 1):
            drawn = qr.png(qr.code_of(visit.site, url), CODE_SIZE, logo)
            packed.writestr(f"{number:03}-{_file_name(name)}.png", drawn)
    answer = Response(out.getvalue(), mimetype="application/zip")
    answer.headers["Content-Disposition"] = 'attachment; filename="codes.zip"'
    return answer


def _file_name(name: str) -> str:
    """The name without what file systems refuse."""
    return "".join(c if c.isalnum() or c in "-_ ()（）" else "_" for c in name).strip()[:60] or "channel"
