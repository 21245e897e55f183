"""Tokens over REST: who may do what, and that everything else is one uniform refusal."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest

from bot.api import all_routes
from scrm.accounts import tokens
from scrm.accounts.models import ApiToken, IdempotencyKey
from scrm.db import Base

ROUTES = list(all_routes())


def path_of(route):
    """The route's path with ids of nobody in it."""
    nobody = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    return re.sub(r"<(\w+)>", lambda part: "999999" if part[1] in route.numbers else nobody, route.path)


def rows_of(world):
    with world.database.read() as session:
        return {
            table.name: session.execute(table.select()).all()
            for table in Base.metadata.sorted_tables
            if table.name != "api_token"
        }


@pytest.mark.parametrize("role", list(tokens.ROLES))
def test_each_role_reaches_exactly_the_routes_of_its_scopes(world, role):
    for route in ROUTES:
        answer = world.call(route.method, path_of(route), role=role)
        allowed = route.scope in tokens.ROLES[role]
        where = f"{route.method} {route.path} as {role}: {answer.status_code}"
        if allowed:
            assert answer.status_code not in (401, 403, 405, 500, 503), where
        else:
            assert answer.status_code == 403, where
            assert answer.json["error"]["code"] == "forbidden", where


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_without_a_token_every_route_answers_401_and_does_nothing(world, route):
    before = rows_of(world)
    for header in (None, "", "Bearer", "Bearer ", "Basic eDp5", "Bearer lk_" + "A" * 43, "Bearer ключ"):
        headers = {} if header is None else {"Authorization": header}
        answer = world.call(route.method, path_of(route), {"name": "x"}, role=None, headers=headers)
        assert answer.status_code == 401
        assert answer.json["error"]["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert rows_of(world) == before


def test_a_role_that_may_not_changes_nothing(world):
    before = rows_of(world)
    for route in ROUTES:
        if route.writes:
            headers = {"Idempotency-Key": "k"}
            world.call(route.method, path_of(route), {"name": "x"}, role="readonly", headers=headers)
    assert rows_of(world) == before
    assert world.count(IdempotencyKey) == 0


def test_every_scope_has_a_route_and_every_route_a_known_scope():
    assert {route.scope for route in ROUTES} | {"pii.read"} == set(tokens.ALL_SCOPES)


def test_an_expired_or_revoked_token_is_refused_at_once(world):
    assert world.get("/contacts").status_code == 200
    with world.database.write() as session:
        admin = session.query(ApiToken).filter_by(name="admin").one()
        tokens.revoke(session, admin.id, now=world.now)
    assert world.get("/contacts").status_code == 401

    assert world.get("/contacts", role="readonly").status_code == 200
    world.now += timedelta(days=30)
    assert world.get("/contacts", role="readonly").status_code == 401


def test_the_use_of_a_token_is_written_down_at_most_once_a_minute(world):
    def used():
        with world.database.read() as session:
            return session.query(ApiToken).filter_by(name="admin").one().last_used_at

    start = world.now
    assert used() is None
    world.get("/contacts")
    assert used() == start
    world.now = start + timedelta(seconds=59)
    world.get("/contacts")
    assert used() == start
    world.now = start + timedelta(seconds=60)
    world.get("/contacts")
    assert used() == world.now


def test_only_the_hash_of_a_token_is_kept(world, tmp_path):
    plaintext = world.tokens["admin"]
    with world.database.read() as session:
        hashes = {row.token_hash for row in session.query(ApiToken)}
    assert hashlib.sha256(plaintext.encode()).hexdigest() in hashes
    for file in tmp_path.glob("lianke.db*"):
        assert plaintext.encode() not in file.read_bytes()


def test_the_scheme_is_read_in_any_case(world):
    answer = world.get("/contacts", role=None, headers={"Authorization": f"bearer {world.tokens['admin']}"})
    assert answer.status_code == 200
