"""``/console/settings``: the pages of settings as tabs, and what each is for."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request

from bot.web.console.door import ANYBODY, Console, Visit
from scrm.accounts.roles import ACCOUNTS_WRITE

# endpoint, permission, endpoints of the same family
PAGES: tuple[tuple[str, ...], ...] = (
    ("settings_people", ACCOUNTS_WRITE, "account_page", "account_make", "account_role", "account_reset"),
    ("settings_tokens", ACCOUNTS_WRITE, "token_make"),
    ("settings_corp", ACCOUNTS_WRITE),
    ("settings_hours", "channels.read", "hours_save"),
    ("settings_logo", "channels.read", "logo_save"),
    ("settings_language", ANYBODY),
)
FAMILY = tuple(name for endpoint, _, *parts in PAGES for name in (endpoint, *parts))


@dataclass(frozen=True)
class Tab:
    """A page of settings the visitor may open."""

    name: str
    url: str
    is_here: bool


def tabs(visit: Visit) -> list[Tab]:
    """The pages of settings the visitor may open, the one they are on marked."""
    here = (request.endpoint or "").removeprefix("web.")
    return [
        Tab(name, visit.url(name), here in (name, *parts))
        for name, permission, *parts in PAGES
        if visit.opens(name, permission)
    ]


def register(console: Console) -> None:
    """Put the page at ``/console/settings``."""

    @console.get("/settings", ANYBODY)
    def settings(visit: Visit) -> Response:
        return visit.page("console/settings_home.html", tabs=tabs(visit))
