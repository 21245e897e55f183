"""A form that makes something makes it once, however often it is sent: the page gives it a number of its own."""

from __future__ import annotations

from collections.abc import Callable

from flask import request
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.web.console.door import CSRF_FIELD, LONGEST_NONCE, NONCE_FIELD, Visit
from bot.web.contact.forms import Claim, Draft, claim
from scrm.accounts.models import IdempotencyKey


def made_once(visit: Visit, session: Session, noun: str, make: Callable[[], str]) -> str:
    """The id of what ``make`` makes, in this transaction; of what it made where the same form was sent before.

    A form without a number, as a program may send it, always makes. The same number with other content is another
    form: somebody went back and changed it.
    """
    nonce = request.form.get(NONCE_FIELD, "")[:LONGEST_NONCE]
    if not nonce:
        return make()
    draft = Draft(content=_content())
    key = f"{noun}:{nonce}:{draft.fingerprint[:16]}"
    mine = (IdempotencyKey.token_id == visit.actor.account_id, IdempotencyKey.key == f"form:{key}")
    if claim(session, key, visit.actor.account_id, draft, now=visit.now) is not Claim.FIRST:
        return session.scalar(select(IdempotencyKey.body).where(*mine)) or ""
    made = make()
    session.execute(update(IdempotencyKey).where(*mine).values(body=made))
    return made


def _content() -> str:
    """All that was sent but for what is the form's own."""
    fields = [pair for pair in request.form.items(multi=True) if pair[0] not in (CSRF_FIELD, NONCE_FIELD)]
    files = [(name, file.filename) for name, file in request.files.items(multi=True)]
    return repr((sorted(fields), sorted(files)))
