"""``/console/tags/<id>`` and ``/console/tags/groups/<id>``: one tag or group, who set it, and changing it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request
from sqlalchemy.orm import Session

from bot.api.people import staff_by_id
from bot.web.bidi import plain
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.drill import tools
from bot.web.console.refusals import said
from bot.web.console.tags import told
from bot.web.contact.forms import clean
from scrm.errors import Conflict, Invalid
from scrm.tags import arranging, catalogue, service
from scrm.tags.arranging import Where
from scrm.tags.catalogue import TagLine

CHANGE = "settings.write"  # what a tag is called, and whether there is one, is everybody's matter


@dataclass(frozen=True)
class Setter:
    """Who or what set the tag, and on how many."""

    text: str
    count: int


def register(console: Console) -> None:
    """Put the pages of one tag and one group, and what changes them."""
    _declare_tag(console)
    _declare_group(console)


def _declare_tag(console: Console) -> None:
    @console.get("/tags/<tag_id>", "contacts.read")
    def tag_page(visit: Visit, tag_id: str) -> Response:
        return _tag(visit, tag_id)

    @console.post("/tags/<tag_id>/rename", CHANGE)
    def tag_rename(visit: Visit, tag_id: str) -> Response:
        return _rename_tag(visit, tag_id, _name())

    @console.post("/tags/<tag_id>/move", CHANGE)
    def tag_move(visit: Visit, tag_id: str) -> Response:
        where = request.form.get("where", "")
        with visit.write() as session:
            tag = service.get_tag(session, tag_id)
            if where in [*Where]:
                arranging.move_tag(session, tag_id, Where(where), now=visit.now)
                visit.record(session, "tag:moved", "tag", tag_id, name=tag.name, where=where)
        visit.site.wake()
        return see_other(visit.url("tag_catalogue", group=tag.group_id, _anchor=f"tag-{tag_id}"))

    @console.post("/tags/<tag_id>/delete", CHANGE)
    def tag_delete(visit: Visit, tag_id: str) -> Response:
        with visit.site.database.write() as session:  # off everybody, seen by the visitor or not
            count = catalogue.count_holders(session, [tag_id])[tag_id]
            tag = service.delete_tag(session, tag_id, actor=visit.actor.audit_name, now=visit.now)
            visit.record(session, "tag:deleted", "tag", tag_id, name=tag.name, contacts=count)
        visit.site.wake()
        return see_other(visit.url("tag_catalogue", group=tag.group_id))


def _declare_group(console: Console) -> None:
    @console.get("/tags/groups/<group_id>", "contacts.read")
    def tag_group_page(visit: Visit, group_id: str) -> Response:
        return _group(visit, group_id)

    @console.post("/tags/groups/<group_id>/rename", CHANGE)
    def tag_group_rename(visit: Visit, group_id: str) -> Response:
        return _rename_group(visit, group_id, _name())

    @console.post("/tags/groups/<group_id>/delete", CHANGE)
    def tag_group_delete(visit: Visit, group_id: str) -> Response:
        with visit.site.database.write() as session:
            group = arranging.get_group(session, group_id)
            count = catalogue.count_all_holders(session, group_id)
            gone = arranging.delete_group(session, group_id, now=visit.now)
            detail = {"name": group.name, "tags": len(gone), "contacts": count}
            visit.record(session, "tag_group:deleted", "tag_group", group_id, **detail)
        visit.site.wake()
        return see_other(visit.url("tag_catalogue"))


def _rename_tag(visit: Visit, tag_id: str, name: str) -> Response:
    try:
        with visit.write() as session:
            was = service.get_tag(session, tag_id).name
            tag = service.rename_tag(session, tag_id, name, actor=visit.actor.audit_name, now=visit.now)
            visit.record(session, "tag:renamed", "tag", tag_id, before=was, after=tag.name)
    except (Invalid, Conflict) as error:
        return _tag(visit, tag_id, name=name, problem=said(error, visit.t))
    visit.site.wake()
    return see_other(visit.url("tag_page", tag_id=tag_id, done="renamed"))


def _rename_group(visit: Visit, group_id: str, name: str) -> Response:
    try:
        with visit.write() as session:
            was = arranging.get_group(session, group_id).name
            group = arranging.rename_group(session, group_id, name, now=visit.now)
            visit.record(session, "tag_group:renamed", "tag_group", group_id, before=was, after=group.name)
    except (Invalid, Conflict) as error:
        return _group(visit, group_id, name=name, problem=said(error, visit.t))
    visit.site.wake()
    return see_other(visit.url("tag_group_page", group_id=group_id, done="renamed"))


def _name() -> str:
    return clean(request.form.get("name", "")).strip()


def _tag(visit: Visit, tag_id: str, *, name: str | None = None, problem: str = "") -> Response:
    with visit.read() as session:
        tag = service.get_tag(session, tag_id)
        group = arranging.get_group(session, tag.group_id)
        trouble = catalogue.troubles(session, [TagLine(tag, group.name)]).get(tag_id)
        count = catalogue.count_holders(session, [tag_id])[tag_id]
        setters = _setters(visit, session, tag_id)
        last = catalogue.last_set_at(session, tag_id)
    with visit.site.database.read() as session:
        affected = catalogue.count_holders(session, [tag_id])[tag_id]
    return visit.page(
        "console/tag.html",
        422 if problem else 200,
        tag=tag,
        group=group,
        name=tag.name if name is None else name,
        problem=problem,
        told=told(visit, trouble),
        count=count,
        affected=affected,
        setters=setters,
        newest=catalogue.MAX_SET,
        last=visit.calendar.moment(last) if last else None,
        is_done=request.args.get("done") == "renamed",
        may_change=visit.may(CHANGE),
        **tools(visit),
    )


def _setters(visit: Visit, session: Session, tag_id: str) -> list[Setter]:
    found = catalogue.who_set(session, tag_id)
    people = staff_by_id(session, {row.staff_id for row in found})
    return [
        Setter(visit.t(f"tag_by_{row.source}", name=plain(people[row.staff_id].name)), row.count)
        for row in found
    ]


def _group(visit: Visit, group_id: str, *, name: str | None = None, problem: str = "") -> Response:
    with visit.site.database.read() as session:
        group = arranging.get_group(session, group_id)
        affected = catalogue.count_all_holders(session, group_id)
        tags = catalogue.list_group_tags(session, group_id, limit=catalogue.PAGE)
    return visit.page(
        "console/tag_group.html",
        422 if problem else 200,
        group=group,
        tags=[plain(tag.name) for tag in tags],
        name=group.name if name is None else name,
        problem=problem,
        affected=affected,
        is_done=request.args.get("done") == "renamed",
        may_change=visit.may(CHANGE),
        **tools(visit),
    )
