"""An application with nothing but the API in it, for tests and for trying it out."""

from __future__ import annotations

from collections.abc import Callable

from apiflask import APIFlask

from bot.api import PREFIX, create_api
from handlers.context import Corp
from scrm.clock import Clock
from scrm.db import Database


def create_api_app(database: Database, *, clock: Clock, wake: Callable[[], None], corp: Corp) -> APIFlask:
    """The API alone, mounted where the product mounts it."""
    app = APIFlask(__name__, enable_openapi=False)
    app.register_blueprint(create_api(database, clock=clock, wake=wake, corp=corp), url_prefix=PREFIX)
    return app
