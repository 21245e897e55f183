"""Which columns of the customer list an account wants, and how close the rows are: kept in its browser's cookie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import Response, request

from bot.web.console.door import Console, Visit, safe_next, see_other

COLUMNS = ("owner", "channel", "tag", "stage", "added", "state")
USUAL = COLUMNS
KEPT = timedelta(days=365)


@dataclass(frozen=True)
class Look:
    """How the list looks."""

    columns: tuple[str, ...] = USUAL
    is_dense: bool = False


def register(console: Console) -> None:
    """Put the choice at ``/console/contacts/columns``."""

    @console.post("/contacts/columns", "contacts.read")
    def choose_columns(visit: Visit) -> Response:
        wanted = [name for name in COLUMNS if name in request.form.getlist("column")]
        dense = request.form.get("density") == "dense"
        answer = see_other(safe_next(request.form.get("next", ""), visit.url("contact_list")))
        answer.set_cookie(
            _cookie(visit),
            ".".join((*wanted, *(["dense"] if dense else []))) or "none",
            max_age=KEPT,
            secure=visit.site.is_secure,
            httponly=True,
            samesite="Lax",
            path="/console",
        )
        return answer


def look(visit: Visit) -> Look:
    """What this account chose; everything where it chose nothing."""
    kept = request.cookies.get(_cookie(visit))
    if kept is None:
        return Look()
    parts = kept.split(".")
    return Look(tuple(name for name in COLUMNS if name in parts), "dense" in parts)


def _cookie(visit: Visit) -> str:
    return f"lianke_list_{visit.actor.account_id}"
