"""Whatever goes wrong, the answer has one form."""

from __future__ import annotations

import io
import json

import pytest
from sqlalchemy.exc import OperationalError

from bot.api import serve
from scrm.contacts import queries
from scrm.contacts.models import Contact


def check_form(answer):
    error = answer.json["error"]
    assert set(answer.json) == {"error"}
    assert set(error) == {"code", "message", "request_id", "fields"}
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Request-Id"] == error["request_id"]
    return error


@pytest.mark.parametrize(
    "path", ["/nothing", "/contacts/x/y/z", "/", "", "/events/0", "/events/-1", "/events/abc"]
)
def test_an_unknown_path_is_404(world, path):
    answer = world.get(path)
    assert answer.status_code in (308, 404)
    if answer.status_code == 404:
        assert check_form(answer)["code"] == "not_found"


def test_an_id_beyond_64_bits_is_404(world):
    assert world.get(f"/events/{2**63}").status_code == 404
    assert world.get(f"/calls/{2**63 - 1}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/contacts", "GET, HEAD, POST"),
        ("PUT", "/contacts/x", "GET, HEAD, PATCH"),
        ("TRACE", "/staff", "GET, HEAD"),
        ("OPTIONS", "/events/1/replay", "POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(world, method, path, allowed):
    answer = world.call(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert check_form(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "raw",
    [b"{", b"", b"name=x", b'{"name": NaN}', b'{"name": "\xff"}', b'{"name": "\\ud800"}', b"[" * 100_000],
)
def test_malformed_json_is_400(world, raw):
    answer = world.call("POST", "/contacts", data=raw, content_type="application/json")
    assert answer.status_code == (422 if raw in (b"", b'{"name": NaN}') else 400)
    check_form(answer)
    assert world.count(Contact) == 0


def test_another_content_type_is_415(world):
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        answer = world.call("POST", "/contacts", data=b'{"name":"x"}', content_type=kind)
        assert answer.status_code == 415
        assert check_form(answer)["code"] == "unsupported_media_type"
    assert world.count(Contact) == 0


def test_a_body_over_one_mebibyte_is_413(world):
    big = json.dumps({"name": "x" * 1024 * 1024}).encode()
    answer = world.call("POST", "/contacts", data=big, content_type="application/json")
    assert answer.status_code == 413
    assert check_form(answer)["code"] == "too_large"


def test_a_body_that_hides_its_length_is_413_too(world):
    big = json.dumps({"name": "x" * 1024 * 1024}).encode()
    answer = world.call(
        "POST",
        "/contacts",
        content_type="application/json",
        environ_overrides={
            "wsgi.input": io.BytesIO(big),
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
        },
    )
    assert answer.status_code == 413
    assert check_form(answer)["code"] == "too_large"


def test_the_callers_request_id_comes_back_and_a_strange_one_does_not(world):
    assert world.get("/contacts", headers={"X-Request-Id": "abc-123"}).headers["X-Request-Id"] == "abc-123"
    for strange in ("a b", "x" * 41, "<script>"):
        answered = world.get("/contacts", headers={"X-Request-Id": strange}).headers["X-Request-Id"]
        assert answered != strange
        assert len(answered) == 26


def test_a_fault_of_ours_tells_nothing_about_itself(world, monkeypatch, capsys):
    def broken(*_args, **_more):
        raise RuntimeError("secret inside: lk_hidden")

    monkeypatch.setattr(queries, "list_contacts", broken)
    answer = world.get("/contacts")
    assert answer.status_code == 500
    assert check_form(answer)["code"] == "internal"
    assert "secret" not in answer.get_data(as_text=True)


def test_a_database_that_cannot_is_503_and_may_be_tried_again(world, monkeypatch):
    def broken(*_args, **_more):
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(queries, "list_contacts", broken)
    answer = world.get("/contacts")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "disk" not in answer.get_data(as_text=True)


def test_reading_works_while_the_use_of_the_token_cannot_be_written(world, monkeypatch):
    def broken(*_args, **_more):
        raise OperationalError("UPDATE", {}, Exception("attempt to write a readonly database"))

    monkeypatch.setattr(serve.tokens, "mark_used", broken)
    assert world.get("/contacts").status_code == 200


def test_a_body_where_none_is_needed_must_be_empty(world, make):
    channel = make.channel()
    answer = world.post(f"/channels/{channel.id}/pause", {"why": "holiday"})
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, ["why"])


def test_a_query_where_none_is_known_is_refused(world, make):
    contact = make.contact()
    answer = world.get(f"/contacts/{contact.id}?expand=all")
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, ["expand"])


def test_answers_are_never_cached_nor_sniffed(world):
    for answer in (world.get("/contacts"), world.get("/nothing")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
