"""Every route × role × reach: what is out of reach is not found, nothing of it is told, and nothing of it changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product as combined

import pytest

from scrm.accounts.roles import Reach, Role
from tests.bot.access.asking import Asking, Changes
from tests.bot.access.walk import (
    ALSO,
    API,
    BODIES,
    BY_NAME,
    BY_RULE,
    IN_OWN_FOLDERS,
    NOT_BY_PROGRAM,
    OF_CUSTOMERS,
    OF_PERSONS,
    OF_THE_COMPANY,
    OF_WHOLE_REACH,
    OPEN,
    SIDEBAR_FORMS,
    Address,
    addresses,
)
from tests.bot.access.world import MARKS, MINE, OWN_MARKS, SEEN, Kind, World

PEOPLE = [pytest.param(role, reach, id=f"{role}-{reach}") for role, reach in combined(Role, Reach)]
OK, FAILURE, FORBIDDEN, NOT_FOUND = 200, 400, 403, 404
NEEDED = {  # queries without which there is no answer
    f"{API}/folders": "?kind=replies",
    f"{API}/trace": "?external_userid=wm-mine",
    "/sidebar/open": "?external_userid=wm-mine",
}


def _may(world: World, address: Address) -> bool:
    permissions = {address.permission, ALSO.get(address.endpoint, "")} - {""}
    partly = world.reach is not Reach.ALL
    if partly and address.rule.startswith(OF_WHOLE_REACH):
        return False
    if partly and address.rule.startswith(API) and permissions & NOT_BY_PROGRAM:
        return False
    return all(world.may(permission) for permission in permissions)


def test_whatever_an_address_can_name_is_somebodys_and_no_table_is_out_of_date(world: World):
    whose = [OF_CUSTOMERS, OF_PERSONS, IN_OWN_FOLDERS, {Kind.JOB}, set(OF_THE_COMPANY)]
    walked = addresses(world.app)

    assert sorted(kind for kinds in whose for kind in kinds) == sorted(Kind)
    assert {kind for one in walked for kind in one.parts.values()} | {
        Kind.MATERIAL_FOLDER,
        Kind.COVER,
    } == set(Kind)
    assert {rule.rule for rule in world.app.url_map.iter_rules()} >= OPEN
    assert {one.endpoint for one in walked} >= BODIES.keys()
    forms = {one.endpoint for one in walked if one.rule.startswith("/sidebar/contacts") and one.writes}
    assert forms == SIDEBAR_FORMS.keys()
    named = {name for one in walked for name in one.parts}
    assert named == BY_NAME.keys()
    assert all(any(one.rule.startswith(start) for one in walked) for start, _ in BY_RULE)


@pytest.mark.parametrize(("role", "reach"), PEOPLE)
def test_what_is_out_of_reach_is_not_found_and_does_not_change(
    world: World, changes: Changes, role: Role, reach: Reach
):
    asking = Asking(world, role, reach)
    walked = [one for one in addresses(world.app) if one.parts]
    changes.taken()
    wrong = [told for address in walked for told in _walk(world, asking, changes, address)]
    assert not wrong, "\n".join(wrong)


def _walk(world: World, asking: Asking, changes: Changes, address: Address) -> Iterator[str]:
    """What is answered wrong at this address, in words."""
    may = _may(world, address)
    for places in address.aims(world, may=may):
        there = address.sees(world, places)
        if there and may and address.writes:
            continue  # it would be done
        status, changed = asking.ask(address, places).status_code, changes.taken()
        told = f"{address.method} {address.rule} {places}: {status}"
        if not may and address.rule.startswith("/sidebar"):
            wanted = status == (FORBIDDEN if address.finds_customer(world, places) else NOT_FOUND)
        elif not may:
            wanted = status == FORBIDDEN
        else:
            wanted = status < FAILURE if there else status == NOT_FOUND
        if not wanted:
            yield told
        if changed and (address.writes or not there):
            yield f"{told} changed {changed}"


@pytest.mark.parametrize(("role", "reach"), PEOPLE)
def test_lists_and_counts_tell_of_nobody_out_of_reach(world: World, role: Role, reach: Reach):
    asking = Asking(world, role, reach)
    for address in addresses(world.app):
        if address.parts or address.writes:
            continue
        url = address.url(world, {}) + NEEDED.get(address.rule, "")
        status = asking.open("GET", url).status_code
        wanted = OK if _may(world, address) else FORBIDDEN
        assert status == wanted, (role, reach, address.rule, status)
    assert asking.saw >= {MARKS[place] for place in SEEN[reach]} | {OWN_MARKS[MINE]}
