"""An application with nothing but the API in it, for tests and for trying it out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

from apiflask import APIFlask

from bot.api import PREFIX, create_api
from scrm.clock import Clock
from scrm.db import Database


def create_api_app(database: Database, *, clock: Clock, wake: Callable[[], None], tz: tzinfo) -> APIFlask:
    """The API alone, mounted where the product mounts it."""
    app = APIFlask(__name__, enable_openapi=False)
    app.register_blueprint(create_api(database, clock=clock, wake=wake, tz=tz), url_prefix=PREFIX)
    return app
