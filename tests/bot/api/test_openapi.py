"""The OpenAPI document says what the API does; schemathesis tries to prove it wrong."""

from __future__ import annotations

import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS  # noqa: F401 - registers them
from schemathesis.specs.openapi import checks as promises

from bot.api import all_routes, openapi_document
from bot.api.docs import CSP
from scrm.accounts.models import ApiToken


def test_the_document_is_openapi_3_1_and_open_to_all(world):
    answer = world.get("/openapi.json", role=None)
    assert answer.status_code == 200
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["servers"] == [{"url": "/api/v1"}]


def test_every_route_is_in_it_with_its_errors(world):
    paths = openapi_document()["paths"]
    for route in all_routes():
        operation = paths[re.sub(r"<(\w+)>", r"{\1}", route.path)][route.method.lower()]
        assert str(route.status) in operation["responses"]
        for status in ("401", "403", "422", "500"):
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}
        names = [parameter["name"] for parameter in operation["parameters"]]
        assert ("Idempotency-Key" in names) == (route.method == "POST")


def test_every_reference_leads_somewhere(world):
    document = openapi_document()
    text = json.dumps(document)
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in document["components"]["schemas"]


def test_the_page_is_plain_html_of_our_own(world):
    page = world.get("/docs", role=None)
    text = page.get_data(as_text=True)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert page.headers["Content-Security-Policy"] == CSP
    assert "<script" not in text
    assert "style=" not in text
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text)
    for route in all_routes():
        assert f'id="{route.name}"' in text
    assert world.get("/docs.css", role=None).mimetype == "text/css"


CHECKED = (
    schemathesis.checks.not_a_server_error,
    promises.status_code_conformance,
    promises.content_type_conformance,
    promises.response_schema_conformance,
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_schemathesis_sends_is_answered_otherwise_than_documented(world, make, monkeypatch, mode):
    monkeypatch.setattr("bot.api.channel_codes.WAIT_S", 0.0)
    staff, tag = make.staff(), make.tag()
    make.contact(staff=staff, tags=(tag,), external="wmAAA")
    make.channel()
    app = world.client.application
    schema = schemathesis.openapi.from_dict(openapi_document())
    schema.config.generation.update(modes=[mode])
    token = world.tokens["admin"]
    for result in schema.get_all_operations():
        operation = result.ok()
        _try(operation, app, token, mode)
    assert world.count(ApiToken) > 0


def _try(operation, app, token, mode):
    @settings(
        max_examples=8,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def run(case):
        response = case.call(
            app=app, base_url="http://localhost/api/v1", headers={"Authorization": f"Bearer {token}"}
        )
        case.validate_response(response, checks=list(CHECKED))

    from hypothesis import given

    given(case=operation.as_strategy(generation_mode=mode))(run)()
