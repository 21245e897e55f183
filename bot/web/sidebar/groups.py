"""``/sidebar/groups/<id>``: beside an open group chat, who is in it.

The chat's id comes from the browser and proves nothing: which groups the rep may see is decided by their login alone.
"""

from __future__ import annotations

from flask import Blueprint, Response, redirect

from bot.web import group_view
from bot.web.console.door import Visit
from bot.web.failures import Closed
from bot.web.sidebar.access import find_rep, is_client, to_sidebar_login
from bot.web.site import Site
from scrm.errors import Invalid
from scrm.groups import queries
from scrm.groups.service import find_group

LONGEST_ID = 64


def register(blueprint: Blueprint, site: Site) -> None:
    """Put the page under ``/sidebar/groups``."""

    @blueprint.get("/sidebar/groups/<group_id>")
    def sidebar_group(group_id: str) -> Response:
        rep = find_rep(site)
        if rep is None and is_client():
            return to_sidebar_login()
        if rep is None:
            raise Closed("missing")
        rep.actor.require("contacts.read")
        try:
            with rep.read() as session:
                group = queries.get_group(session, group_id)
                view = group_view.build(rep, session, group, "contact")
        except Invalid:  # a cursor we never made
            return redirect(rep.url("sidebar_group", group_id=group_id), 303)  # type: ignore[return-value]
        return rep.page("sidebar/group.html", group=view, tabs=("customers", "colleagues", "gone"))


def find_open_group(rep: Visit, chat_id: str) -> str | None:
    """Where the page of an open group chat is; None for one the rep may not see, or that was never read."""
    rep.actor.require("contacts.read")
    if not 0 < len(chat_id) <= LONGEST_ID:
        return None
    with rep.read() as session:
        group = find_group(session, chat_id)
    return rep.url("sidebar_group", group_id=group.id) if group else None
