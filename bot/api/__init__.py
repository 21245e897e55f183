"""REST API v1: one file per resource, declared with ``Routes``; one way through ``serve`` for all of them.

APIFlask's blueprint carries the routes. Its own reading of requests and its OpenAPI are not used: they read JSON
whatever its content type, answer errors in English, and repeat every nested model (docs/adr/0011).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, json, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from bot.api import docs, openapi
from bot.api.catalogue import RESOURCES
from bot.api.errors import http_failure
from bot.api.routes import Route, Services
from bot.api.serve import refuse, request_id, run_route
from handlers.context import Corp
from scrm.clock import Clock
from scrm.db import Database

PREFIX = "/api/v1"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]

__all__ = ["PREFIX", "all_routes", "create_api", "openapi_document"]


def all_routes() -> Iterator[Route]:
    """Every authenticated route of the API, in the order of its documentation."""
    for routes in RESOURCES:
        yield from routes.items


def create_api(database: Database, *, clock: Clock, wake: Callable[[], None], corp: Corp) -> APIBlueprint:
    """The API as a blueprint for ``/api/v1``. ``wake`` is called after each commit that may have left work to do."""
    services = Services(database, clock, wake, corp)
    api = APIBlueprint("api", __name__, enable_openapi=False)
    for route in all_routes():
        view = _view(services, route)
        api.add_url_rule(
            route.path, route.name, view, methods=[route.method], provide_automatic_options=False
        )
    docs.register(api, _docs_page)
    api.add_url_rule("/openapi.json", "openapi", _spec, methods=["GET"])
    api.add_url_rule("/", "root", _no_route, methods=METHODS, provide_automatic_options=False)
    api.add_url_rule("/<path:rest>", "fallback", _no_route, methods=METHODS, provide_automatic_options=False)
    return api


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document; the routes are fixed, so it is made once, when somebody asks: a start need not wait."""
    return openapi.build(list(all_routes()), prefix=PREFIX)


@cache
def _docs_page() -> str:
    return docs.render(openapi_document())


def _spec() -> Response:
    return Response(json.dumps(openapi_document(), ensure_ascii=False), mimetype="application/json")


def _view(services: Services, route: Route) -> Callable[..., Response]:
    def view(**parts: str) -> Response:
        return run_route(services, route, parts)

    return view


def _rules() -> Map:
    rules = [Rule(f"{route.path}", methods=[route.method], endpoint=route.name) for route in all_routes()]
    rules += [Rule(path, methods=["GET"], endpoint=path) for path in ("/openapi.json", "/docs", "/docs.css")]
    return Map(rules)


_RULES = _rules()


def _no_route(rest: str = "") -> Response:
    """No route fits: say whether the path is wrong or only the method."""
    adapter = _RULES.bind("api")
    try:
        adapter.match(f"/{rest}", method=request.method)
    except MethodNotAllowed as error:
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return refuse(http_failure(405, headers={"Allow": allowed}), request_id())
    except NotFound:
        pass
    except Exception:
        current_app.logger.debug("api_fallback", exc_info=True)
    return refuse(http_failure(404), request_id())
