"""Every address of the applications, filled in with ids of the world, and what each person must be answered.

Nothing here lists routes: they come from the maps of the applications. What is listed is what an id in an address
names, and for forms what must be sent so that nothing but the id can be the reason of a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from bot.api import all_routes
from scrm.accounts.roles import ASSIGN, LIBRARY_OWN, Reach, Role
from tests.bot.access.world import FAR, MINE, NEAR, NOTHING, SEEN, Kind, World

API = "/api/v1"
# Answered without a person behind it: health, what WeCom's client fetches, the ways in, and what no id is part of.
OPEN = {
    *("/", "/healthz", "/readyz", "/metrics", "/static/<path:filename>", "/login/wecom"),
    *("/console/login", "/console/login/wecom", "/sidebar/login"),
    *(f"{API}/", f"{API}/<path:rest>", f"{API}/docs", f"{API}/docs.css", f"{API}/openapi.json"),
}
# What an id in an address names, by the name of the part; first by the beginning of the rule, where that decides.
BY_RULE: tuple[tuple[str, dict[str, Kind]], ...] = (
    ("/console/tags/groups/", {"group_id": Kind.TAG_GROUP}),
    ("/console/library/materials/", {"item_id": Kind.MATERIAL}),
    ("/console/import/", {"job_id": Kind.DRAFT}),
    ("/console/contacts/bulk/", {"job_id": Kind.BULK}),
    ("/library/covers/", {"material_id": Kind.COVER}),
)
BY_NAME = {
    "contact_id": Kind.CONTACT,
    "followup_id": Kind.FOLLOWUP,
    "task_id": Kind.TASK,
    "group_id": Kind.CHAT,
    "reply_id": Kind.REPLY,
    "item_id": Kind.REPLY,
    "material_id": Kind.MATERIAL,
    "folder_id": Kind.REPLY_FOLDER,
    "segment_id": Kind.SEGMENT,
    "job_id": Kind.JOB,
    "nonce": Kind.BATCH,
    "event_id": Kind.EVENT,
    "call_id": Kind.CALL,
    "channel_id": Kind.CHANNEL,
    "tag_id": Kind.TAG,
    "media_file_id": Kind.IMAGE,
    "staff_id": Kind.STAFF,
    "account_id": Kind.ACCOUNT,
    "token_id": Kind.TOKEN,
}
# Parts that name no object, and what stands there.
WORDS = {
    "shelf": "replies",
    "deed": "up",
    "kind": "result",
    "size": "600",
    "which": "new",
    "_part": "stage",
}
SIDEBAR_DEEDS = ("done", "skip", "reopen", "later")
# Whose the objects are. What belongs to the whole company by design is seen by everybody who may open the page.
OF_CUSTOMERS = {Kind.CONTACT, Kind.FOLLOWUP, Kind.TASK, Kind.CHAT}
OF_PERSONS = {Kind.SEGMENT, Kind.DRAFT, Kind.BULK, Kind.BATCH}
IN_OWN_FOLDERS = {Kind.REPLY, Kind.MATERIAL, Kind.REPLY_FOLDER, Kind.MATERIAL_FOLDER}
OF_THE_COMPANY = {
    Kind.CHANNEL: "a source of customers; its figures count, and name nobody",
    Kind.TAG: "the corp's own list, as in WeCom; who carries one is narrowed",
    Kind.TAG_GROUP: "as tags",
    Kind.IMAGE: "pictures of welcome messages",
    Kind.COVER: "pictures of cards that were sent to customers, fetched by their phones",
    Kind.STAFF: "the address book, as in WeCom; numbers of customers only of those one sees",
    Kind.ACCOUNT: "who may enter: for administrators",
    Kind.TOKEN: "programs: for administrators who see all customers",
    Kind.EVENT: "of all customers: for those who see them all",
    Kind.CALL: "as events",
}
# Administrators need to see all customers here: programs may, and the connection serves all.
OF_WHOLE_REACH = ("/console/settings/tokens", "/console/settings/corp")
# What a program does not do for a person who sees only some customers: it counts or changes those of all.
NOT_BY_PROGRAM = {"channels.write", "settings.write", "jobs.write"}
ALSO = {"api.assign_contact": ASSIGN}  # asked of the person behind a program; no scope
# What a form of the sidebar needs; it is refused after the customer was found, so that a foreign one is 404 as ever.
SIDEBAR_FORMS = {
    "web.write_followup": "followups.write",
    "web.move_contact_stage": "contacts.write",
    "web.tag_contact": "tags.write",
    "web.change_contact_details": "contacts.write",
    "web.show_contact_phone": "pii.read",
    "web.add_contact_task": "followups.write",
    "web.change_contact_task": "followups.write",
    "web.sidebar_add_reply": "followups.write",
    "web.sidebar_use": LIBRARY_OWN,
}
# Whose customers tell a reach from the others: the nearest that is out of it, or the farthest that is in it.
EDGES = {Reach.OWN: (NEAR,), Reach.DEPARTMENT: (NEAR, FAR), Reach.ALL: (FAR, NOTHING)}


@dataclass(frozen=True)
class Address:
    """A rule with the objects its parts name; ``permission`` is "" where a session is enough."""

    rule: str
    method: str
    endpoint: str
    permission: str
    parts: Mapping[str, Kind]

    def url(self, world: World, places: Mapping[str, str]) -> str:
        """The address of these objects."""
        filled = {name: world.id(kind, places[name]) for name, kind in self.parts.items()}
        deed = {"deed": SIDEBAR_DEEDS[0]} if self.rule.startswith("/sidebar") else {}
        filled = {**WORDS, **deed, **filled}
        return re.sub(r"<(?:[^:<>]+:)?(\w+)>", lambda found: filled[found[1]], self.rule)

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD")

    def aims(self, world: World, *, may: bool) -> Iterator[dict[str, str]]:
        """Mine; and for each part, the others mine, what tells this reach from the next, or nothing where all is there.

        Whoever may not is asked about what is there and what is not: the answer is one.
        """
        mine = dict.fromkeys(self.parts, MINE)
        yield mine
        for name, kind in self.parts.items():
            if kind in OF_THE_COMPANY or not may:
                others: tuple[str, ...] = (NOTHING,)
            else:
                others = EDGES[world.reach] if kind in OF_CUSTOMERS else (FAR,)
            for place in others:
                yield {**mine, name: place}

    def sees(self, world: World, places: Mapping[str, str]) -> bool:
        """Whether all that is named is there for this person."""
        return all(self._sees(world, kind, places[name]) for name, kind in self.parts.items())

    def finds_customer(self, world: World, places: Mapping[str, str]) -> bool:
        """Whether the customer it is about is there, whatever else it names."""
        return self._sees(world, Kind.CONTACT, places["contact_id"])

    def _sees(self, world: World, kind: Kind, place: str) -> bool:
        if place == NOTHING:
            return False
        if kind in OF_THE_COMPANY:
            return True
        if kind in OF_CUSTOMERS:
            return place in SEEN[world.reach]
        if kind in IN_OWN_FOLDERS:
            return place == MINE and world.may(LIBRARY_OWN)
        if kind is Kind.JOB:
            others = world.may("jobs.read")
            if "failed.xlsx" in self.rule:
                return False  # for the very program that started the import; these were started by people
            if "files" in self.rule:
                others = world.role is Role.ADMIN and world.reach is Reach.ALL
            return place == MINE or others
        assert kind in OF_PERSONS
        return place == MINE


def addresses(app: Flask) -> list[Address]:
    """Every rule that asks who is there. Fails for one whose parts name nothing that the world has."""
    permissions = {(page.rule, page.method): page.permission for page in app.extensions["lianke_console"]}
    permissions |= {(_flask_rule(route.path), route.method): route.scope for route in all_routes()}
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule in OPEN:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            asked = SIDEBAR_FORMS if method == "POST" else {}
            permission = permissions.get((rule.rule, method)) or asked.get(rule.endpoint, "")
            found.append(Address(rule.rule, method, rule.endpoint, permission, _parts(rule)))
    return found


def _flask_rule(path: str) -> str:
    return f"{API}{path}"


def _parts(rule: Rule) -> dict[str, Kind]:
    own = next((kinds for start, kinds in BY_RULE if rule.rule.startswith(start)), {})
    parts = {}
    for name in sorted(rule.arguments - WORDS.keys()):
        kind = own.get(name) or BY_NAME.get(name)
        assert kind is not None, (
            f"{rule.rule}: the world has nothing for <{name}>; add it to tests/bot/access"
        )
        parts[name] = kind
    return parts


# --- what is sent, so that only the id can be the reason of a refusal

Form = Callable[[World, Mapping[str, str]], dict[str, Any]]


def _sidebar(world: World, ids: Mapping[str, str], **fields: str) -> dict[str, Any]:
    """A form of the sidebar about this customer, as a page of ours would carry it."""
    return {"form": world.form_of(ids["contact_id"]), **fields}


def _fixed(_world: World, _ids: Mapping[str, str], **fields: Any) -> dict[str, Any]:
    return dict(fields)


LATER = "2026-11-25T10:00:00+08:00"
BODIES: dict[str, Form] = {
    "web.note_followup": partial(_fixed, kind="note", content="x", next="none", nonce="n1"),
    "web.comment_followup": partial(_fixed, text="x", nonce="n1"),
    "web.change_stage": partial(_fixed, stage="mql"),
    "web.change_segment": partial(_fixed, name="x"),
    "web.reply_change": partial(_fixed, title="x", text="x"),
    "web.material_change": partial(_fixed, title="x", kind="image"),
    "web.write_followup": partial(_sidebar, kind="note", content="x", next="none"),
    "web.move_contact_stage": partial(_sidebar, stage="mql"),
    "web.tag_contact": _sidebar,
    "web.change_contact_details": partial(_sidebar, company="x"),
    "web.show_contact_phone": _sidebar,
    "web.add_contact_task": partial(_sidebar, due="1", title="x"),
    "web.change_contact_task": _sidebar,
    "web.sidebar_use": partial(_sidebar, way="chat"),
    "web.sidebar_add_reply": partial(_sidebar, title="x", text="x"),
    "api.change_contact": partial(_fixed, stage="mql"),
    "api.assign_contact": partial(_fixed, staff="wangmin"),
    "api.add_followup": partial(_fixed, kind="note", content="x", staff="wangmin"),
    "api.change_contact_tags": partial(_fixed, add=["物流"]),
    "api.add_followup_comment": partial(_fixed, text="x"),
    "api.postpone_task": partial(_fixed, due_at=LATER),
    "api.change_reply": partial(_fixed, title="x"),
    "api.change_material": partial(_fixed, title="x"),
    "api.change_folder": partial(_fixed, name="x"),
    "api.rename_tag": partial(_fixed, name="x"),
    "api.change_channel": partial(_fixed, name="x"),
}
