"""``/console/tags``: the corp's tag groups and tags, how many have each, and what WeCom says to changes."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.calls import explanation
from bot.web.bidi import plain
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.drill import tools
from bot.web.console.once import made_once
from bot.web.console.refusals import said
from bot.web.contact.forms import clean
from scrm.errors import Invalid, ScrmError
from scrm.tags import catalogue, service
from scrm.tags.catalogue import GroupCount, TagLine, Trouble
from scrm.tags.rules import MAX_NAME

MAX_NAMES = 100  # tags made at once
LONGEST_SEARCH = 64


@dataclass(frozen=True)
class Told:
    """How a change at WeCom stands: ``waiting`` or ``refused``, why, and the call that says more."""

    state: str
    why: str
    call_id: int


@dataclass(frozen=True)
class Line:
    """A tag in the list."""

    id: str
    name: str
    group: str
    count: int
    told: Told | None


@dataclass(frozen=True)
class Draft:
    """The form of new tags: the group by name, one tag per line."""

    group: str = ""
    names: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    def listed(self) -> list[str]:
        """The names, without empty lines and second mentions."""
        return list(dict.fromkeys(name.strip() for name in self.names.splitlines() if name.strip()))


@dataclass(frozen=True)
class Shown:
    """What the address asks for: a group's page, or a search."""

    q: str
    group: GroupCount | None
    lines: list[TagLine]
    after: str | None


def register(console: Console) -> None:
    """Put the pages at ``/console/tags``."""

    @console.get("/tags", "contacts.read")
    def tag_catalogue(visit: Visit) -> Response:
        try:
            return _page(visit, Draft())
        except Invalid:  # a cursor we never made
            return redirect(visit.url("tag_catalogue"), 303)  # type: ignore[return-value]

    @console.post("/tags", "tags.write")
    def tag_make(visit: Visit) -> Response:
        draft = Draft(clean(request.form.get("group", "")).strip(), clean(request.form.get("names", "")))
        draft.errors.update(_problems(visit, draft))
        if draft.errors:
            return _page(visit, draft)
        try:
            with visit.write() as session:
                actor = visit.actor.audit_name
                names = draft.listed()

                def make() -> str:
                    made = service.create_tags(session, draft.group, names, actor=actor, now=visit.now)
                    told = plain("、".join(tag.name for tag in made))[:200]
                    group_id = made[0].group_id
                    visit.record(
                        session, "tags:created", "tag_group", group_id, group=draft.group, names=told
                    )
                    return group_id

                group_id = made_once(visit, session, "tags", make)
        except ScrmError as error:
            draft.errors["names"] = said(error, visit.t)
            return _page(visit, draft)
        visit.site.wake()
        return see_other(visit.url("tag_catalogue", group=group_id, made=len(names)))


def _problems(visit: Visit, draft: Draft) -> dict[str, str]:
    t = visit.t
    found: dict[str, str] = {}
    if not draft.group or len(draft.group) > MAX_NAME:
        found["group"] = t("tags_wrong_group", n=MAX_NAME)
    names = draft.listed()
    long = [plain(name) for name in names if len(name) > MAX_NAME]
    if not names:
        found["names"] = t("tags_wrong_none")
    elif len(names) > MAX_NAMES:
        found["names"] = t("tags_wrong_many", n=len(names), most=MAX_NAMES)
    elif long:
        found["names"] = t("tags_wrong_long", n=MAX_NAME, names=t("join_words").join(long[:3]))
    return found


def _page(visit: Visit, draft: Draft) -> Response:
    with visit.read() as session:
        groups = catalogue.list_group_counts(session)
        shown = _shown(session, groups)
        counts = catalogue.count_holders(session, [line.tag.id for line in shown.lines])
        open_ = catalogue.list_unconfirmed(session)
        troubles = catalogue.troubles(session, [*shown.lines, *open_])
        kept = catalogue.refused_deletions(session)
    lines = [
        Line(
            line.tag.id, plain(line.tag.name), plain(line.group), counts[line.tag.id],
            told(visit, troubles.get(line.tag.id)),
        )
        for line in shown.lines
    ]  # fmt: skip
    return visit.page(
        "console/tags.html",
        422 if draft.errors else 200,
        groups=groups,
        shown=shown,
        lines=lines,
        answer=_answer(visit, groups, troubles),
        kept=[(plain(name), told(visit, trouble)) for name, trouble in kept],
        draft=draft,
        made=request.args.get("made", type=int),
        most=MAX_NAMES,
        full=catalogue.PAGE,
        **tools(visit),
    )


def _shown(session: Session, groups: list[GroupCount]) -> Shown:
    q = clean(request.args.get("q", "")).strip()[:LONGEST_SEARCH]
    if q:
        return Shown(q, None, catalogue.search_tags(session, q), None)
    wanted = request.args.get("group", "")
    group = next((one for one in groups if one.group.id == wanted), groups[0] if groups else None)
    if group is None:
        return Shown("", None, [], None)
    cursor = request.args.get("after", "")
    after = paging.decode(cursor, int, str) if cursor else None
    rows = catalogue.list_group_tags(session, group.group.id, after=after, limit=catalogue.PAGE + 1)
    page, next_ = paging.cut(rows, catalogue.PAGE, lambda tag: (tag.position, tag.id))
    return Shown("", group, [TagLine(tag, group.group.name) for tag in page], next_)


def _answer(visit: Visit, groups: list[GroupCount], troubles: dict[str, Trouble]) -> str:
    t, refused = visit.t, sum(1 for trouble in troubles.values() if trouble.is_refused)
    waiting = len(troubles) - refused
    parts = [t("tags_answer", groups=len(groups), tags=sum(one.tags for one in groups))]
    parts += [t("tags_answer_waiting", n=waiting)] if waiting else []
    parts += [t("tags_answer_refused", n=refused)] if refused else []
    return t("semicolon").join(parts) + t("stop")


def told(visit: Visit, trouble: Trouble | None) -> Told | None:
    """The state of a change at WeCom, in words."""
    if trouble is None:
        return None
    meaning = explanation(trouble.errcode, visit.t.language)
    why = visit.t("tags_refused_why", code=trouble.errcode, what=meaning.message) if meaning else ""
    return Told("refused" if trouble.is_refused else "waiting", why, trouble.call_id)
