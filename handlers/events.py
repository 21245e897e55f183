"""Inbox payload → typed event. WeChat's odd names end here.

The kinds are ``wecom.<Event>[.<ChangeType>]`` and ``wecom.message.<MsgType>`` for callbacks (fields: callbacks.md
§2–§10), ``answer.<api>`` for answers of our own calls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from handlers.xml import parse, text_of

CONTACT = "change_external_contact"
CHAT = "change_external_chat"
TAG = "change_external_tag"
MAX_SECONDS_DIGITS = 11
MAX_ID_DIGITS = 18
STAFF = "change_contact"


@dataclass(frozen=True)
class ContactChanged:
    """A relation between a member and a contact changed."""

    at: datetime
    change: str
    userid: str
    external_userid: str
    state: str = ""
    welcome_code: str = ""
    source: str = ""
    fail_reason: str = ""


@dataclass(frozen=True)
class StaffChanged:
    """A member was created, updated or deleted; since 2022-08-15 hardly more than the id arrives."""

    at: datetime
    change: str
    userid: str
    new_userid: str = ""
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DepartmentChanged:
    """A department was created, renamed, moved or deleted."""

    at: datetime
    change: str
    id: int
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TagChanged:
    """A corp tag or tag group was created, renamed, deleted or re-ordered (names are not included)."""

    at: datetime
    change: str
    tag_id: str | None
    tag_type: str | None
    strategy_id: int | None = None


@dataclass(frozen=True)
class GroupChanged:
    """A group chat was made, changed or dismissed. ``members`` are those who came or went, where the event says."""

    at: datetime
    change: str
    chat_id: str
    detail: str = ""
    quit_scene: int | None = None
    members: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True)
class AppEvent:
    """A member wrote to the app, or used its menu."""

    at: datetime
    kind: str
    userid: str
    content: str = ""
    event_key: str = ""
    msg_id: str = ""


@dataclass(frozen=True)
class Answer:
    """The final answer to one of our own calls; ``answer`` is None unless ``state`` is ``sent``."""

    at: datetime
    api: str
    state: str
    errcode: int | None
    reason: str | None
    command: dict[str, Any]
    answer: dict[str, Any] | None


Event = ContactChanged | StaffChanged | DepartmentChanged | TagChanged | GroupChanged | AppEvent | Answer


class Envelope(NamedTuple):
    """What the accept path needs to know of a callback before it is a row."""

    kind: str
    lane: str | None
    priority: int
    at: datetime | None


def _at(fields: dict[str, Any]) -> datetime | None:
    seconds = text_of(fields, "CreateTime")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= MAX_SECONDS_DIGITS):
        return None
    return datetime.fromtimestamp(int(seconds), UTC)


def envelope(fields: dict[str, Any]) -> Envelope:
    """Kind, lane and priority of a callback. Contacts with a running welcome code go first."""
    message, event = text_of(fields, "MsgType"), text_of(fields, "Event")
    change = text_of(fields, "ChangeType")
    if message and message != "event":
        kind = f"wecom.message.{message}"
    else:
        name = event or text_of(fields, "InfoType") or "unknown"
        kind = f"wecom.{name}.{change}" if change else f"wecom.{name}"
    contact, chat = text_of(fields, "ExternalUserID"), text_of(fields, "ChatId")
    person = text_of(fields, "UserID") or text_of(fields, "FromUserName")
    if contact:
        lane: str | None = f"contact:{contact}"
    elif chat:
        lane = f"chat:{chat}"
    elif event == TAG:
        lane = "corp-tags"
    else:
        lane = f"staff:{person}" if person and person != "sys" else None
    urgent = 0 if text_of(fields, "WelcomeCode") else 2 if event == CONTACT else 5
    return Envelope(kind, lane, urgent, _at(fields))


def _texts(fields: dict[str, Any]) -> dict[str, str]:
    return {tag: value for tag, value in fields.items() if isinstance(value, str)}


def _number(fields: dict[str, Any], tag: str) -> int | None:
    """A number that a BIGINT column can hold; None for anything else."""
    digits = text_of(fields, tag)
    return int(digits) if digits.isdecimal() and len(digits) <= MAX_ID_DIGITS else None


def _members(fields: dict[str, Any]) -> tuple[str, ...]:
    """The ids in MemChangeList; one of them comes as a text, several as a list."""
    listed = fields.get("MemChangeList")
    items = listed.get("Item") if isinstance(listed, dict) else None
    found = items if isinstance(items, list) else [items]
    return tuple(item for item in found if isinstance(item, str) and item)


def _group_changed(fields: dict[str, Any], at: datetime) -> GroupChanged:
    detail = text_of(fields, "UpdateDetail")
    return GroupChanged(
        at,
        text_of(fields, "ChangeType"),
        text_of(fields, "ChatId"),
        detail,
        quit_scene=_number(fields, "QuitScene") if detail == "del_member" else None,
        members=_members(fields),
        version=text_of(fields, "CurMemVer"),
    )


def _callback(kind: str, fields: dict[str, Any], received_at: datetime) -> Event | None:
    at = _at(fields) or received_at
    event, change = text_of(fields, "Event"), text_of(fields, "ChangeType")
    if event == CONTACT and text_of(fields, "UserID") and text_of(fields, "ExternalUserID"):
        return ContactChanged(
            at,
            change,
            text_of(fields, "UserID"),
            text_of(fields, "ExternalUserID"),
            state=text_of(fields, "State"),
            welcome_code=text_of(fields, "WelcomeCode"),
            source=text_of(fields, "Source"),
            fail_reason=text_of(fields, "FailReason"),
        )
    if event == STAFF and change.endswith("_user"):
        return StaffChanged(
            at, change, text_of(fields, "UserID"), text_of(fields, "NewUserID"), _texts(fields)
        )
    if event == STAFF and change.endswith("_party"):
        return DepartmentChanged(at, change, _number(fields, "Id") or 0, _texts(fields))
    if event == TAG:
        return TagChanged(
            at,
            change,
            text_of(fields, "Id") or None,
            text_of(fields, "TagType") or None,
            _number(fields, "StrategyId"),
        )
    if event == CHAT and text_of(fields, "ChatId"):
        return _group_changed(fields, at)
    person = text_of(fields, "FromUserName")
    if person and person != "sys":
        return AppEvent(
            at,
            kind.removeprefix("wecom."),
            person,
            content=text_of(fields, "Content"),
            event_key=text_of(fields, "EventKey"),
            msg_id=text_of(fields, "MsgId"),
        )
    return None


def load(kind: str, payload: str, received_at: datetime) -> Event | None:
    """The typed event of an inbox row; None for a kind we know nothing about. Raises BadXml or ValueError."""
    if kind.startswith("answer."):
        body = json.loads(payload)
        return Answer(
            received_at,
            kind.removeprefix("answer."),
            body.get("state", "sent"),
            body.get("errcode"),
            body.get("reason"),
            body.get("command") or {},
            body.get("answer"),
        )
    return _callback(kind, parse(payload), received_at)
