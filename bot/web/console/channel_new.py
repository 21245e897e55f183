"""``/console/channels/new``: a channel in three parts on one page, with the customer's phone beside it."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from bot.web.console import channel_forms as forms
from bot.web.console.channel_forms import Draft, Errors
from bot.web.console.channel_page import shift_text
from bot.web.console.door import LONGEST_NONCE, Console, Visit
from bot.web.console.phone import phone_of
from bot.web.failures import Closed
from scrm.accounts.hours import Hours, get_hours
from scrm.accounts.models import IdempotencyKey
from scrm.accounts.queries import list_reps
from scrm.channels import service
from scrm.channels.queries import describe, get_channel, newest_images
from scrm.dialects import insert_ignore
from scrm.errors import ScrmError
from scrm.ids import new_token
from scrm.tags.queries import list_groups
from scrm.tags.service import create_tags


def register(console: Console) -> None:
    """Put the pages at ``/console/channels/new``."""

    @console.get("/channels/new", "channels.write")
    def channel_new(visit: Visit) -> Response:
        # The placeholders stay placeholders: they are the operator's to use.
        copied = request.args.get("copy", "")
        if copied:
            return _wizard(visit, _copy_of(visit, copied), new_token(12), {})
        sample = visit.t("welcome_sample", customer="{customer}", rep="{rep}")
        return _wizard(visit, Draft(text=sample, office=_hours(visit).schedule()), new_token(12), {})

    @console.post("/channels/new", "channels.write")
    def channel_make(visit: Visit) -> Response:
        draft, nonce = forms.read(request.form, _hours(visit)), request.form.get("nonce", "")
        if not nonce or len(nonce) > LONGEST_NONCE:
            raise Closed("form")
        if "preview" in request.form:  # without script
            return _wizard(visit, draft, nonce, {})
        errors = forms.problems(draft, visit.t)
        if errors:
            return _wizard(visit, draft, nonce, errors)
        try:
            channel_id = _make_once(visit, draft, nonce)
        except ScrmError as error:
            return _wizard(visit, draft, nonce, forms.told(error, visit.t))
        if channel_id is None:
            return _wizard(visit, draft, new_token(12), {"form": visit.t("wrong_used")})
        visit.site.wake()
        return make_response(redirect(visit.url("channel_page", channel_id=channel_id, told="made"), 303))

    @console.post("/channels/preview", "channels.write")
    def channel_preview(visit: Visit) -> Response:
        draft = forms.read(request.form, _hours(visit))
        with visit.read() as session:
            names = {row.userid: row.name for row in list_reps(session, seen=None)}
        html = render_template(
            "console/_preview.html", screen=visit, t=visit.t, **_preview(visit, draft, names)
        )
        return make_response(html)


def _hours(visit: Visit) -> Hours:
    with visit.read() as session:
        return get_hours(session)


def _copy_of(visit: Visit, channel_id: str) -> Draft:
    """The form filled with another channel, under a name of its own. Raises NotFound."""
    with visit.read() as session:
        details = describe(session, [get_channel(session, channel_id)])[channel_id]
    name = visit.t("channel_copy_name", name=details.channel.name)[: forms.MAX_CHANNEL_NAME]
    return forms.draft_of(details, name, _hours(visit))


def _preview(visit: Visit, draft: Draft, names: dict[str, str]) -> dict[str, object]:
    first = next((names[one] for one in draft.staff if one in names), "")
    return {
        "phone": phone_of(visit.t, draft.text, draft.attachments(), first),
        "gap": forms.gap(draft, names, visit.t),
    }


def _wizard(visit: Visit, draft: Draft, nonce: str, errors: Errors) -> Response:
    with visit.read() as session:
        people, groups, images = list_reps(session, seen=None), list_groups(session), newest_images(session)
    names = {row.userid: row.name for row in people}
    return visit.page(
        "console/channel_new.html",
        422 if errors else 200,
        draft=draft,
        nonce=nonce,
        errors=errors,
        people=people,
        groups=[group for group in groups if group.tags],
        group_names=[group.group.name for group in groups],
        images=images,
        shifts=forms.SHIFTS,
        week=forms.WEEK,
        link_rows=forms.LINKS,
        office=visit.t("semicolon").join(shift_text(visit, shift) for shift in draft.office),
        **_preview(visit, draft, names),
    )


def _make_once(visit: Visit, draft: Draft, nonce: str) -> str | None:
    """The channel's id, the same for the same form sent again; None where the form made another one before.

    The session is not limited to the visitor's contacts: who may serve now follows from everybody's scans of today.
    """
    with visit.site.database.write() as session:
        if not _claim(visit, session, draft, nonce):
            return _made_before(visit, session, draft, nonce)
        tags = list(draft.tags)
        if draft.tag_new:
            visit.actor.require("tags.write")
            create_tags(
                session, draft.tag_group, [draft.tag_new], actor=visit.actor.audit_name, now=visit.now
            )
            tags.append(f"{draft.tag_group}/{draft.tag_new}")
        spec = replace(forms.spec_of(draft), tags=tags)
        channel = service.create_channel(
            session, spec, actor=visit.actor.audit_name, now=visit.now, tz=visit.site.tz
        )
        _remember(visit, session, nonce, channel.id)
        visit.record(session, "channel:created", "channel", channel.id, name=channel.name)
        return channel.id


def _claim(visit: Visit, session: Session, draft: Draft, nonce: str) -> bool:
    row = {
        "token_id": visit.actor.account_id,
        "key": f"form:{nonce}",
        "request_hash": draft.fingerprint,
        "created_at": visit.now,
    }
    return insert_ignore(session, IdempotencyKey, [row]) == 1


def _mine(visit: Visit, nonce: str) -> tuple[ColumnElement[bool], ...]:
    return (IdempotencyKey.token_id == visit.actor.account_id, IdempotencyKey.key == f"form:{nonce}")


def _remember(visit: Visit, session: Session, nonce: str, channel_id: str) -> None:
    session.execute(update(IdempotencyKey).where(*_mine(visit, nonce)).values(body=channel_id))


def _made_before(visit: Visit, session: Session, draft: Draft, nonce: str) -> str | None:
    kept = session.execute(
        select(IdempotencyKey.request_hash, IdempotencyKey.body).where(*_mine(visit, nonce))
    ).one()
    return kept.body if kept.request_hash == draft.fingerprint else None
