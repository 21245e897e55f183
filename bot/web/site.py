"""What every page needs: the parts of the product it reads, and one request's language, time and addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, make_response, render_template, request, url_for

from bot.check.steps import Connection
from bot.web.links import Links
from bot.web.times import Calendar
from bot.wechat.pictures import Pictures
from bot.wechat.wecom import WeComClient
from bot.words.texts import Words, choose
from handlers.context import Corp
from scrm.accounts.look import Look
from scrm.db import Database

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Platform:
    """The corp as pages speak of it, and the client that speaks to WeCom for it."""

    corp_id: str
    agent_id: int
    client: WeComClient


@dataclass(frozen=True)
class Site:
    """The product as pages use it. ``sandbox_url`` is where the platform's double is, if it is one."""

    database: Database
    clock: Callable[[], datetime]
    tz: tzinfo
    links: Links
    platform: Platform
    connection: Connection
    locale: str
    base_url: str
    is_secure: bool
    sandbox_url: str | None
    corp: Corp
    pictures: Pictures
    redis_url: str  # of a cluster; empty for one process
    wake: Callable[[], None]  # tells the workers that a commit may have left work to do

    @cached_property
    def assets(self) -> dict[str, str]:
        """Static file → the beginning of its hash: an address that never changes its content."""
        files = (path for path in STATIC.rglob("*") if path.is_file())
        return {
            path.relative_to(STATIC).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for path in files
        }


class Screen:
    """One request as its page sees it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.look: Look = g.get("look") or Look()  # of the account that is in, if any
        asked = request.args.get("lang")
        self.t = Words(choose(asked, request.accept_languages, site.locale, self.look.language))
        self._lang = self.t.language if asked else None  # said in the address: links keep it
        self.now = site.clock()
        self.calendar = Calendar(self.now, site.tz, self.t)

    def url(self, endpoint: str, **parts: Any) -> str:
        """An address of ours in the language of this one."""
        return url_for(f"web.{endpoint}", **{"lang": self._lang, **parts})

    def asset(self, name: str) -> str:
        """A static file, to be kept by browsers for ever."""
        return url_for("web.static", filename=name, v=self.site.assets[name])

    @property
    def is_language_said(self) -> bool:
        """Whether the address says the language, so that links should too."""
        return self._lang is not None

    def here(self) -> str:
        """This very address, to come back to after a switch; the console's front where it was no page."""
        return request.full_path.rstrip("?") if request.method == "GET" else "/console"

    def other_language(self) -> str:
        """This very address in the other language."""
        return f"?{_query({**request.args.to_dict(), 'lang': self.t.other})}"

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """The answer."""
        html = render_template(template, screen=self, t=self.t, **values)
        response = make_response(html, status)
        response.headers["Content-Language"] = self.t.html
        response.headers["Vary"] = "Accept-Language, Cookie"
        return response


def _query(values: dict[str, str]) -> str:
    return urlencode({key: value for key, value in values.items() if key != "token"})
