"""One person asks: by the console's and sidebar's cookie, or through a program that acts for them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, event
from werkzeug.test import TestResponse

from scrm.accounts.roles import Reach, Role
from tests.bot.access.walk import API, BODIES, Address
from tests.bot.access.world import MARKS, MINE, OWN_MARKS, PLACES, SEEN, World

OF_JOBS = ("/console/jobs", "/console/audit", f"{API}/jobs")
CHANGES, OPEN_CHANGES = ("INSERT", "UPDATE", "DELETE"), "changed"


class Asking:
    """What a person is answered. Every answer is looked through for what they must not see."""

    def __init__(self, world: World, role: Role, reach: Reach) -> None:
        world.become(role, reach)
        self.world = world
        self.saw: set[str] = set()
        self._programs = world.app.test_client()
        self._token = world.token("admin")
        self.open("GET", f"{API}/segments")  # that a token was used is noted, at most once a minute
        page = world.client.get("/console/password").text
        self._csrf = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]

    def ask(self, address: Address, places: Mapping[str, str]) -> TestResponse:
        """This address about these objects, with a form that would do."""
        ids = {name: self.world.id(kind, places[name]) for name, kind in address.parts.items()}
        make = BODIES.get(address.endpoint)
        form = make(self.world, ids) if make else None
        return self.open(address.method, address.url(self.world, places), form)

    def open(self, method: str, url: str, form: dict[str, Any] | None = None) -> TestResponse:
        """Any request; its answer holds nothing of what this person must not see."""
        answer = self._program(method, url, form) if url.startswith(API) else self._browser(method, url, form)
        self._look(method, url, answer)
        return answer

    def _program(self, method: str, url: str, form: dict[str, Any] | None) -> TestResponse:
        said = {"data": json.dumps(form), "content_type": "application/json"} if form is not None else {}
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._programs.open(url, method=method, headers=headers, **said)

    def _browser(self, method: str, url: str, form: dict[str, Any] | None) -> TestResponse:
        client = self.world.client
        if method == "GET":
            return client.get(url, follow_redirects=True)
        return client.open(url, method=method, data={"csrf_token": self._csrf, **(form or {})})

    def _look(self, method: str, url: str, answer: TestResponse) -> None:
        text = text_of(answer)
        leaked = {mark for mark in self._hidden(url) if mark in text}
        assert not leaked, (self.world.role, self.world.reach, method, url, leaked)
        self.saw |= {mark for mark in (*MARKS.values(), *OWN_MARKS.values()) if mark in text}

    def _hidden(self, url: str) -> set[str]:
        """Marks of customers out of reach, and of others' own; not of their files where one may read of all jobs."""
        hidden = {MARKS[place] for place in PLACES if place not in SEEN[self.world.reach]}
        if not url.startswith(OF_JOBS) or not self.world.may("jobs.read"):
            hidden |= {OWN_MARKS[place] for place in PLACES if place != MINE}
        return hidden


def text_of(answer: TestResponse) -> str:
    """What a person can read in it: a workbook's cells too."""
    if not answer.data.startswith(b"PK"):
        return answer.data.decode("utf-8", "replace")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as pack:
        return "".join(pack.read(name).decode("utf-8", "replace") for name in pack.namelist())


class Changes:
    """The statements that changed rows and were committed, since somebody last looked."""

    def __init__(self, engine: Engine) -> None:
        self._kept: list[str] = []
        event.listen(engine, "after_cursor_execute", self._note)
        event.listen(engine, "commit", self._commit)
        event.listen(engine, "rollback", lambda connection: connection.info.pop(OPEN_CHANGES, None))

    def _note(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(CHANGES) and cursor.rowcount:
            connection.info.setdefault(OPEN_CHANGES, []).append(statement)

    def _commit(self, connection: Connection) -> None:
        self._kept.extend(connection.info.pop(OPEN_CHANGES, ()))

    def taken(self) -> list[str]:
        """What was changed since the last time."""
        kept, self._kept = self._kept, []
        return kept
