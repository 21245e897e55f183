"""``/console/settings/corp``: connecting the corp step by step, with the doctor's checks beside each step."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request

from bot.check.findings import Finding, Level
from bot.check.steps import Fact, Step
from bot.web.console import settings
from bot.web.console.door import Console, Visit
from bot.web.console.logs import need_whole_reach
from bot.words.sentences import shown
from scrm.accounts.roles import ACCOUNTS_WRITE

ALL = "all"


@dataclass(frozen=True)
class Told:
    """One finding as a person reads it."""

    level: str
    title: str
    text: str
    advice: str


@dataclass(frozen=True)
class Part:
    """A step: what is configured, and what was found if it was looked at; ``level`` is the worst of it."""

    name: str
    facts: list[Fact]
    found: list[Told] | None
    level: str


def register(console: Console) -> None:
    """Put the page at ``/console/settings/corp``; ``?step=`` looks at one step, or at ``all``."""

    @console.get("/settings/corp", ACCOUNTS_WRITE)
    def settings_corp(visit: Visit) -> Response:
        need_whole_reach(visit)
        asked = request.args.get("step", "")
        parts = [_part(visit, step, looks=asked in (ALL, step.value)) for step in Step]
        return visit.page(
            "console/corp.html",
            tabs=settings.tabs(visit),
            parts=parts,
            answer=_answer(visit, parts),
            callback_url=visit.site.connection.callback_url,
            host=visit.site.connection.host,
            is_sandbox=visit.site.sandbox_url is not None,
        )


def _part(visit: Visit, step: Step, *, looks: bool) -> Part:
    connection = visit.site.connection
    if not looks:
        return Part(step.value, connection.facts(step), None, "")
    found = connection.look(step, visit.site.database, visit.now)
    levels = [one.level for one in found]
    worst = Level.FAIL if Level.FAIL in levels else Level.WARN if Level.WARN in levels else Level.OK
    return Part(step.value, connection.facts(step), [_told(visit, one) for one in found], worst.value)


def _told(visit: Visit, found: Finding) -> Told:
    t = visit.t
    title = t.find(f"check_{found.id}") or found.title
    return Told(found.level.value, title, shown(t, found.text), shown(t, found.advice))


def _answer(visit: Visit, parts: list[Part]) -> str:
    t = visit.t
    found = [one for part in parts for one in part.found or []]
    if not found:
        return t("corp_answer")
    fails = sum(1 for one in found if one.level == Level.FAIL.value)
    warns = sum(1 for one in found if one.level == Level.WARN.value)
    if not fails and not warns:
        return t("corp_all_well", n=len(found))
    return t("corp_found", n=len(found), fails=fails, warns=warns)
