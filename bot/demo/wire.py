"""What went over the wire lately: events and calls of the last contacts, and the few that went wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.demo.book import Book, Row
from bot.demo.company import DEFAULT_WELCOME
from bot.demo.lives import Life
from bot.sandbox.events import Event, contact_event
from scrm.channels.rules import choose_welcome, names_customer
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox import service as outbox
from scrm.outbox.commands import (
    WELCOME_DEADLINE,
    Command,
    FetchContact,
    MarkTags,
    NotifyStaff,
    SendWelcome,
    SetRemark,
    to_json,
)
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall, Recovery

RECENT = 30
ADDED = "wecom.change_external_contact.add_external_contact"


class Wire:
    """Writes inbox and outbox rows. ``corp``: corp_id, agent_id, base_url."""

    def __init__(
        self, book: Book, channels: Mapping[str, Row], corp: Mapping[str, Any], after_call: int
    ) -> None:
        self.book = book
        self.channels = channels
        self.corp = corp
        self.after_call = after_call
        self.platform_only: list[dict[str, Any]] = []
        self.events: list[Row] = []
        self.calls: list[Row] = []
        self.tries: dict[int, list[Row]] = {}

    def write(self, lives: Sequence[Life]) -> None:
        """All rows, numbered in the order of time."""
        from bot.demo import troubles  # noqa: PLC0415 - it writes by means of this class

        met = sorted(self._met(lives), key=lambda life: life.arrival.at)
        chosen = troubles.write(self, met)
        for life in met[-RECENT:]:
            if life not in chosen:
                self._scan_story(life)
        self._number()

    def _met(self, lives: Sequence[Life]) -> list[Life]:
        return [life for life in lives if life.external and life.arrival.source and not life.fate.returns]

    def _number(self) -> None:
        """Ids by time, then references by id."""
        self.events.sort(key=lambda row: row["received_at"])
        self.calls.sort(key=lambda row: row["created_at"])
        numbers = {id(row): number for number, row in enumerate(self.events, 1)}
        for number, row in enumerate(self.calls, self.after_call + 1):
            cause = row.pop("cause")
            tries = self.tries.pop(id(row))
            self.book.add(OutboxCall, id=number, caused_by=numbers[id(cause)] if cause else None, **row)
            numbers[id(row)] = number
            for n, attempt in enumerate(tries, 1):
                self.book.add(OutboxAttempt, outbox_id=number, n=n, **attempt)
        for row in self.events:
            call = row.pop("call", None)
            self.book.add(InboxEvent, id=numbers[id(row)], caused_by_call=numbers.get(id(call)), **row)

    def event(
        self,
        kind: str,
        payload: str,
        at: datetime,
        *,
        lane: str | None,
        state: EventState = EventState.DONE,
        **more: Any,
    ) -> Row:
        """One inbox row."""
        row: Row = {
            "source": "answer" if kind.startswith("answer.") else "wecom",
            "dedupe_key": hashlib.sha256(payload.encode()).hexdigest(),
            "kind": kind,
            "state": state,
            "payload": payload,
            "received_at": at,
            "sent_at": at.replace(microsecond=0) if not kind.startswith("answer.") else None,
            "request_id": None if kind.startswith("answer.") else self.book.ids.external()[2:14],
            "error": None,
            "done_at": at + timedelta(milliseconds=self.book.rng.uniform(12, 60)),
            "lane": lane,
            "priority": 3,
            "attempts": 1,
            "available_at": at,
            "lease_owner": None,
            "lease_token": None,
        }
        self.events.append(row | more)
        return self.events[-1]

    def callback(self, event: Event, at: datetime, external: str, **more: Any) -> Row:
        """The inbox row of a callback about a contact."""
        kind = f"wecom.{event.event}.{event.change_type}"
        return self.event(kind, event.xml, at, lane=f"contact:{external}", **{"priority": 0, **more})

    def call(self, command: Command, at: datetime, life: Life | None, cause: Row | None, **more: Any) -> Row:
        """One outbox row with its attempt; sent, unless told otherwise."""
        took = timedelta(milliseconds=self.book.rng.uniform(35, 160))
        row: Row = {
            "effect_key": command.effect_key,
            "api": command.api,
            "command_kind": type(command).__name__,
            "command": to_json(command),
            "request": outbox.request_text(command) if command.recovery == Recovery.WINDOW else None,
            "lane": command.lane,
            "priority": command.priority,
            "state": CallState.SENT,
            "recovery": command.recovery,
            "attempts": 1,
            "attempt_limit": outbox.MAX_ATTEMPTS,
            "uncertain": False,
            "available_at": at,
            "lease_owner": None,
            "lease_token": None,
            "expires_at": None,
            "repeat_until": None,
            "errcode": 0,
            "reason": None,
            "contact_id": life.contact["id"] if life else None,
            "created_at": at,
            "done_at": at + took,
            "cause": cause,
        }
        self.calls.append(row | more)
        row = self.calls[-1]
        self.tries[id(row)] = [] if row["state"] == CallState.SKIPPED else [self.attempt(row, at, took)]
        return row

    def attempt(self, row: Row, at: datetime, took: timedelta, **more: Any) -> Row:
        """One try at a call."""
        found: Row = {
            "started_at": at,
            "finished_at": at + took,
            "errcode": row["errcode"],
            "http_status": 200,
            "bytes_sent": True,
            "error": row["reason"],
        }
        return found | more

    def add_event(self, life: Life, userid: str, at: datetime, code: str, state: str) -> Event:
        """The callback of an add, as the platform writes it."""
        fields = [("State", state), ("WelcomeCode", code)]
        return contact_event(
            self.corp["corp_id"],
            at.timestamp(),
            "add_external_contact",
            userid,
            str(life.external),
            list(fields),
        )

    def _scan_story(self, life: Life) -> None:
        """From the callback to the notice, as it went for most."""
        userid = life.arrival.userid
        at = life.arrival.at + timedelta(milliseconds=180)
        channel = self.channels[life.arrival.source.spec.name] if life.arrival.source else None
        if channel is None:
            return
        code = self.book.ids.external() + self.book.ids.external()
        event = self.callback(
            self.add_event(life, userid, at, code, channel["way_state"]), at, str(life.external)
        )
        greeting = self.greeting(life, userid, code, channel)
        named = names_customer(greeting.text)
        deadline = {"expires_at": at.replace(microsecond=0) + WELCOME_DEADLINE}
        self.call(greeting, at + timedelta(milliseconds=40), life, event, **deadline)
        self._fetch(life, userid, at, event, skipped=named)
        self._upkeep(life, userid, at, event, channel)

    def greeting(self, life: Life, userid: str, code: str, channel: Row) -> SendWelcome:
        """The welcome owed to the contact."""
        local = life.arrival.at.astimezone(self.book.tz)
        welcome = choose_welcome(channel["welcomes"] or [DEFAULT_WELCOME], local)
        return SendWelcome(
            welcome_code=code,
            userid=userid,
            external_userid=str(life.external),
            text=welcome.text if welcome else "",
            rep_name=self.book.staff[userid]["name"],
            attachments=welcome.attachments if welcome else [],
        )

    def _fetch(self, life: Life, userid: str, at: datetime, event: Row, *, skipped: bool) -> None:
        stamp = int(at.timestamp())
        fetch = FetchContact(external_userid=str(life.external), unique=f"add:{userid}:{stamp}")
        more: Row = {}
        if skipped:
            more = {
                "state": CallState.SKIPPED,
                "reason": "欢迎语发送时已读取客户资料",
                "errcode": None,
                "attempts": 0,
            }
        call = self.call(fetch, at + timedelta(milliseconds=42), life, event, **more)
        profile = {
            "external_userid": life.external,
            "name": life.contact["name"],
            "type": life.contact["wechat_type"],
        }
        answer = {
            "errcode": 0,
            "errmsg": "ok",
            "external_contact": profile,
            "follow_user": [{"userid": userid}],
        }
        body = {"state": "sent", "command": {"external_userid": life.external}, "answer": answer}
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        lane = f"fetch:{life.external}"
        self.event("answer.externalcontact/get", text, at + timedelta(milliseconds=300), lane=lane, call=call)

    def _upkeep(self, life: Life, userid: str, at: datetime, event: Row, channel: Row) -> None:
        """Tags, remark and the notice to the rep."""
        stamp, external = int(at.timestamp()), str(life.external)
        tags = [self.book.tags[name]["wecom_id"] for name in channel["tags"]]
        mark = MarkTags(
            userid=userid, external_userid=external, add=tags, unique=f"channel:{channel['id']}:{stamp}"
        )
        self.call(mark, at + timedelta(milliseconds=41), life, event)
        remark = life.relations[userid]["remark"]
        if channel["remark_template"] and remark:
            command = SetRemark(userid=userid, external_userid=external, remark=remark, unique=f"add:{stamp}")
            self.call(command, at + timedelta(milliseconds=420), life, event)
        self.call(
            self.notice(life, userid, at, channel["name"]), at + timedelta(milliseconds=421), life, event
        )

    def notice(self, life: Life, userid: str, at: datetime, channel: str) -> NotifyStaff:
        """The app message that tells the rep."""
        name = self.book.staff[userid]["name"]
        clock = at.astimezone(self.book.tz).strftime("%m-%d %H:%M")
        return NotifyStaff(
            userid=userid,
            agent_id=self.corp["agent_id"],
            title=f"新客户：{life.contact['name']}"[:40],
            description=f"来源：{channel}\n扫「{channel}」的渠道活码，企业微信分给 {name}\n添加时间：{clock}"[
                :170
            ],
            url=f"{self.corp['base_url']}/sidebar/contacts/{life.contact['id']}",
            unique=f"{life.contact['id']}:{int(at.timestamp())}",
        )
