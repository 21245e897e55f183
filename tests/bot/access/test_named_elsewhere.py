"""Ids and words that are not part of an address's path: in queries and in forms; and whole files of exports."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product as combined
from typing import Any

import pytest

from scrm.accounts.roles import ASSIGN, EXPORT, Reach, Role
from tests.bot.access.asking import Asking, Changes, text_of
from tests.bot.access.walk import API
from tests.bot.access.world import FAR, MARKS, MINE, NEAR, SEEN, Kind, World
from tests.bot.web.console.test_import import Works

ROLES = [
    role for role in Role if role not in (Role.SDR, Role.SUCCESS)
]  # as sales: the paths are walked as all
PEOPLE = [pytest.param(role, reach, id=f"{role}-{reach}") for role, reach in combined(ROLES, Reach)]
PARTIAL = [one for one in PEOPLE if one.values[1] is not Reach.ALL]
REFUSED = (403, 404, 422)


def _out_of_reach(reach: Reach) -> str:
    """The nearest place that is out of this reach."""
    return NEAR if reach is Reach.OWN else FAR


# --- queries: the customer of a place is looked for by id, by name, by WeCom's ids

LOOKED_UP = (
    "/console/changes?of=contact&id={contact}",
    "/sidebar/open?external_userid=wm-{place}",
    "/sidebar/open?chat_id=wr{place}",
)
SEARCHED = (
    "/console/contacts?q=客户{most}",
    "/console/contacts?q=1390000000{n}",
    "/console/search?q=客户{most}",
    "/console/followups?staff={userid}",
    "/console/groups?group_q=群{most}",
    "/sidebar/home?q=客户{most}",
    "/api/v1/contacts?q=客户{most}",
    "/api/v1/contacts?owner={userid}",
    "/api/v1/tasks?contact={contact}",
    "/api/v1/followups?contact={contact}",
    "/api/v1/groups?owner={userid}",
)


def _filled(world: World, url: str, place: str) -> str:
    mark = MARKS[place]
    return url.format(
        contact=world.id(Kind.CONTACT, place),
        place=place,
        most=mark[:-1],  # what is asked for may be shown again; what is told is the whole mark
        n=list(MARKS).index(place),
        userid=world.people[place].userid,
    )


@pytest.mark.parametrize(("role", "reach"), PEOPLE)
def test_what_is_looked_for_is_found_within_reach_only(world: World, role: Role, reach: Reach):
    asking = Asking(world, role, reach)
    places = {MINE, _out_of_reach(reach)}
    for url, place in combined(LOOKED_UP, places):
        status = asking.open("GET", _filled(world, url, place)).status_code
        assert (status == 404) is (place not in SEEN[reach]), (url, place, status)
    for url, place in combined(SEARCHED, places):
        told = text_of(asking.open("GET", _filled(world, url, place)))
        assert (MARKS[place] in told) is (place in SEEN[reach]), (url, place)


# --- forms: an own object is changed by naming one that is out of reach


def _forms(world: World, far: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    def of(kind: Kind, place: str = far) -> str:
        return world.id(kind, place)

    mine, contact = of(Kind.CONTACT, MINE), of(Kind.CONTACT)
    sidebar = {"form": world.form_of(mine), "task": of(Kind.TASK)}
    reply = f"/console/library/replies/{of(Kind.REPLY, MINE)}"
    yield "POST", "/console/contacts/bulk/start", {"id": contact, "deed": "tag", "tag_id": of(Kind.TAG)}
    yield "POST", "/console/contacts/bulk/start", {"id": contact, "deed": "owner", "staff": "wangmin"}
    yield "POST", f"/console/contacts/{mine}/owner", {"staff": world.people[far].userid}
    yield "POST", reply, {"title": "x", "text": "x", "material": of(Kind.MATERIAL)}
    yield "POST", reply, {"title": "x", "text": "x", "folder": of(Kind.REPLY_FOLDER)}
    for deed in ("done", "skip", "reopen", "later"):
        yield "POST", f"/sidebar/contacts/{mine}/tasks/{deed}", sidebar
    yield "POST", f"/sidebar/contacts/{mine}/library/{of(Kind.REPLY)}/uses", {**sidebar, "way": "chat"}
    task = {"staff": "wangmin", "title": "x", "due_at": "2026-11-25T10:00:00+08:00"}
    yield "POST", "/api/v1/tasks", {"contact": contact, **task}
    yield "PATCH", f"/api/v1/replies/{of(Kind.REPLY, MINE)}", {"folder": of(Kind.REPLY_FOLDER)}
    yield "POST", "/api/v1/replies", {"folder": of(Kind.REPLY_FOLDER), "title": "x", "text": "x"}


@pytest.mark.parametrize(("role", "reach"), PARTIAL)
def test_a_form_that_names_what_is_out_of_reach_changes_nothing(
    world: World, changes: Changes, role: Role, reach: Reach
):
    asking = Asking(world, role, reach)
    changes.taken()
    for method, url, form in _forms(world, _out_of_reach(reach)):
        status = asking.open(method, url, form).status_code
        assert status in REFUSED, (url, form, status)
        assert changes.taken() == [], (url, form)


# --- in whose name a program writes that acts for a person

NAMED = (
    ("/contacts/{contact}/followups", {"kind": "note", "content": "x"}),
    ("/followups/{followup}/comments", {"text": "x"}),
    ("/tasks", {"contact": "{theirs}", "title": "x", "due_at": "2026-11-25T10:00:00+08:00"}),
)


@pytest.mark.parametrize(("role", "reach"), PEOPLE)
def test_a_persons_program_writes_in_no_name_that_is_not_theirs_to_give(
    world: World, changes: Changes, role: Role, reach: Reach
):
    asking = Asking(world, role, reach)
    ids = {kind: world.id(Kind(kind), MINE) for kind in ("contact", "followup")}
    changes.taken()
    for (path, fields), place in combined(NAMED, MARKS):
        ids["theirs"] = world.id(Kind.CONTACT, place)  # a task is about a customer the rep sees
        body = {name: value.format(**ids) for name, value in fields.items()}
        answer = asking.open(
            "POST", f"{API}{path.format(**ids)}", {**body, "staff": world.people[place].userid}
        )
        gives = world.may(ASSIGN) and place in SEEN[reach]
        if world.may("followups.write") and (place == MINE or gives):
            assert answer.status_code == 201, (path, place, answer.text)
            assert changes.taken()
            continue
        code = "not_in_their_name" if world.may("followups.write") else "forbidden"
        assert (answer.status_code, answer.json["error"]["code"]) == (403, code), (path, place)
        assert changes.taken() == [], (path, place)


# --- exports


@pytest.fixture
def works(world: World) -> Iterator[Works]:
    made = Works(world)
    yield made
    made.close()


def _exported(asking: Asking, works: Works) -> Iterator[str]:
    """What is in each file, of each list, at once and in the background."""
    for of in ("contacts", "followups"):
        yield text_of(asking.open("POST", f"/console/{of}/export"))
        for form in ("csv", "xlsx"):
            asked = asking.open("POST", f"/console/{of}/export/all", {"format": form})
            works.run()
            yield text_of(asking.open("GET", f"{asked.headers['Location']}/files/result"))


@pytest.mark.parametrize(("role", "reach"), PEOPLE)
def test_an_export_holds_whom_the_person_sees_and_nobody_else(
    world: World, works: Works, role: Role, reach: Reach
):
    asking = Asking(world, role, reach)
    if not world.may(EXPORT):
        assert asking.open("POST", "/console/contacts/export").status_code == 403
        return
    files = list(_exported(asking, works))
    assert len(files) == 6
    for text in files:
        assert {place for place, mark in MARKS.items() if mark in text} == set(SEEN[reach])


def test_a_file_is_made_of_what_the_person_sees_when_it_is_made(world: World, works: Works):
    asking = Asking(world, Role.MANAGER, Reach.ALL)
    asked = asking.open("POST", "/console/contacts/export/all", {"format": "csv"})
    asking = Asking(world, Role.MANAGER, Reach.OWN)
    works.run()

    text = text_of(asking.open("GET", f"{asked.headers['Location']}/files/result"))

    assert {place for place, mark in MARKS.items() if mark in text} == {MINE}
