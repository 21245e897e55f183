"""Calls about a contact: greet, read, tag, note; and read their group chats."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from scrm.outbox.commands.base import PRIORITY_EFFECT, PRIORITY_WELCOME, Command, digest
from scrm.outbox.models import Recovery

WELCOME_CODE_TTL = timedelta(seconds=20)  # semantics: the code dies 20 s after the add (path/92137)
WELCOME_DEADLINE = timedelta(seconds=18)  # we stop 2 s earlier: a welcome must not be half sent


@dataclass(frozen=True, kw_only=True)
class SendWelcome(Command):
    """Greet a new contact. The code works once, for 20 seconds; a later call is answered 41051 or 41050."""

    api = "externalcontact/send_welcome_msg"
    priority = PRIORITY_WELCOME
    recovery = Recovery.REPEAT
    timeline = "welcome"

    welcome_code: str
    userid: str
    external_userid: str
    text: str
    rep_name: str = ""
    customer_name: str | None = None
    attachments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def effect_key(self) -> str:
        return f"welcome:{digest(self.welcome_code)}"

    @property
    def lane(self) -> str:
        return f"welcome:{digest(self.userid, self.external_userid)}"

    def request(self) -> dict[str, Any]:
        """The request before names and media ids are filled in, which happens at send time."""
        return {
            "welcome_code": self.welcome_code,
            "text": {"content": self.text},
            "attachments": self.attachments,
        }


@dataclass(frozen=True, kw_only=True)
class FetchContact(Command):
    """Read a contact's profile and relations. The answer returns as an event; so does the final failure."""

    api = "externalcontact/get"
    method = "GET"
    priority = PRIORITY_EFFECT - 1
    recovery = Recovery.REPEAT
    is_read = True
    keeps_answer = True

    external_userid: str

    @property
    def effect_key(self) -> str:
        return f"fetch:{self.external_userid}:{self.unique}"

    @property
    def lane(self) -> str:
        return f"fetch:{self.external_userid}"

    def request(self) -> dict[str, Any]:
        return {"external_userid": self.external_userid}


@dataclass(frozen=True, kw_only=True)
class FetchGroup(Command):
    """Read a group chat and its members. ``version``: the member list an event announced; ``turn``: how often asked."""

    api = "externalcontact/groupchat/get"
    recovery = Recovery.REPEAT
    is_read = True
    keeps_answer = True

    chat_id: str
    version: str = ""
    turn: int = 1

    @property
    def effect_key(self) -> str:
        return f"group:{self.chat_id}:{self.unique}:{self.turn}"[:160]

    @property
    def lane(self) -> str:
        return f"chat:{self.chat_id}"

    def request(self) -> dict[str, Any]:
        return {"chat_id": self.chat_id, "need_name": 1}


@dataclass(frozen=True, kw_only=True)
class MarkTags(Command):
    """Set and clear corp tags on one (staff, contact) pair; set semantics, so repeating is harmless."""

    api = "externalcontact/mark_tag"
    recovery = Recovery.REPEAT
    timeline = "tag"

    userid: str
    external_userid: str
    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)

    @property
    def effect_key(self) -> str:
        return f"tag:{self.userid}:{self.external_userid}:{self.unique}"[:160]

    @property
    def lane(self) -> str:
        return f"pair:{digest(self.userid, self.external_userid)}"

    def request(self) -> dict[str, Any]:
        body: dict[str, Any] = {"userid": self.userid, "external_userid": self.external_userid}
        if self.add:
            body["add_tag"] = self.add
        if self.remove:
            body["remove_tag"] = self.remove
        return body


@dataclass(frozen=True, kw_only=True)
class SetRemark(Command):
    """Set what a rep noted of one contact; what is None stays.

    Remark and company have at most 20 characters, the description 150; only a WeChat user has a company; the numbers
    replace those that are there, ``[]`` clears them (path/92115).
    """

    api = "externalcontact/remark"
    recovery = Recovery.REPEAT
    timeline = "remark"

    userid: str
    external_userid: str
    remark: str | None = None
    description: str | None = None
    company: str | None = None
    mobiles: list[str] | None = None

    @property
    def effect_key(self) -> str:
        return f"remark:{self.userid}:{self.external_userid}:{self.unique}"[:160]

    @property
    def lane(self) -> str:
        return f"pair:{digest(self.userid, self.external_userid)}"

    def request(self) -> dict[str, Any]:
        body: dict[str, Any] = {"userid": self.userid, "external_userid": self.external_userid}
        if self.remark is not None:
            body["remark"] = self.remark
        if self.description is not None:
            body["description"] = self.description
        if self.company is not None:
            body["remark_company"] = self.company
        if self.mobiles is not None:
            body["remark_mobiles"] = self.mobiles or [""]
        return body
