"""Idempotency-Key: the same POST takes effect once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from bot.api import contacts as contact_views
from bot.api import idempotency
from scrm.accounts.models import IdempotencyKey
from scrm.contacts.models import Contact

KEY = {"Idempotency-Key": "order-1"}
LEAD = {"name": "李雷"}


def test_the_same_request_again_gets_the_same_answer(world):
    first = world.post("/contacts", LEAD, headers=KEY)
    again = world.post("/contacts", LEAD, headers=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_data() == first.get_data()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert (world.count(Contact), world.wakes) == (1, 1)


@pytest.mark.parametrize(
    ("path", "body"), [("/contacts", {"name": "韩梅梅"}), ("/tags", {"group": "来源", "names": ["展会"]})]
)
def test_another_request_under_the_key_is_422(world, path, body):
    world.post("/contacts", LEAD, headers=KEY)
    answer = world.post(path, body, headers=KEY)
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "idempotency_key_reused")
    assert world.count(Contact) == 1


def test_a_key_belongs_to_its_token(world):
    world.post("/contacts", LEAD, headers=KEY)
    world.post("/contacts", LEAD, headers=KEY, role="sales")
    assert world.count(Contact) == 2


def test_a_refusal_is_kept_and_a_malformed_request_is_not(world):
    world.post("/contacts", {"name": "李雷", "phone": "13800000000"})
    body = {"name": "韩梅梅", "phone": "13800000000"}
    first = world.post("/contacts", body, headers=KEY)
    again = world.post("/contacts", body, headers=KEY)
    assert (first.status_code, again.status_code) == (409, 409)
    assert again.json["error"]["code"] == "phone_taken"
    assert again.headers["Idempotency-Replayed"] == "true"

    other = {"Idempotency-Key": "order-2"}
    assert world.post("/contacts", {"nome": "x"}, headers=other).status_code == 422
    assert world.post("/contacts", {"name": "x"}, headers=other).status_code == 201


@pytest.mark.parametrize("fault", [RuntimeError("boom"), OperationalError("", {}, Exception("locked"))])
def test_a_fault_of_ours_frees_the_key_and_leaves_nothing(world, monkeypatch, fault):
    def broken(*_args, **_more):
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(contact_views.routing, "assign", broken)
        assert world.post("/contacts", LEAD, headers=KEY).status_code in (500, 503)
    assert (world.count(Contact), world.count(IdempotencyKey)) == (0, 0)
    assert world.post("/contacts", LEAD, headers=KEY).status_code == 201


@pytest.mark.parametrize("attempt", range(5))
def test_ten_at_once_make_one_row(world, attempt):
    answers, start = [], threading.Barrier(10)

    def send():
        start.wait()
        answers.append(world.client.application.test_client().post(
            "/api/v1/contacts",
            json=LEAD,
            headers={**KEY, "Authorization": f"Bearer {world.tokens['admin']}"},
        ))  # fmt: skip

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert world.count(Contact) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.get_data() for answer in answers if answer.status_code == 201}) == 1
    busy = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json["error"]["code"] for answer in busy} <= {"idempotency_key_in_use"}


def test_while_the_first_runs_the_second_is_409_and_a_dead_first_is_taken_over(world):
    with world.database.read() as session:
        token_id = next(row.id for row in session.query(contact_views_token()) if row.name == "admin")
    stamp = idempotency.request_hash("POST", "/api/v1/contacts?", b'{"name": "\\u674e\\u96f7"}')
    dead = idempotency.begin(world.database, token_id, "order-1", stamp, now=world.now)

    assert world.post("/contacts", LEAD, headers=KEY).status_code == 409
    world.now += idempotency.IN_FLIGHT
    assert world.post("/contacts", LEAD, headers=KEY).status_code == 201

    with pytest.raises(Exception, match="idempotency_key_in_use"):
        dead.save_alone(201, "{}")  # the one that was slow, not dead, changes nothing any more
    assert world.count(Contact) == 1


def contact_views_token():
    from scrm.accounts.models import ApiToken

    return ApiToken


def test_after_seven_days_a_key_is_new(world):
    world.post("/contacts", LEAD, headers=KEY)
    world.now += timedelta(days=7)
    assert world.post("/contacts", {"name": "韩梅梅"}, headers=KEY).status_code == 201
    assert world.count(Contact) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "ключ".encode().decode("latin-1")])
def test_a_strange_key_is_refused(world, key):
    answer = world.post("/contacts", LEAD, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "idempotency_key_invalid")
    assert world.count(Contact) == 0
