"""A dataclass for each call we can owe WeCom.

Each says which API it is, how urgent, what makes it unique, what to do when its outcome is unknown, and turns itself
into the request. Sources: developer.work.weixin.qq.com, the page of each API.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Literal

from scrm.outbox.models import Recovery

WELCOME_CODE_TTL = timedelta(seconds=20)  # semantics: the code dies 20 s after the add (path/92137)
WELCOME_DEADLINE = timedelta(seconds=18)  # we stop 2 s earlier: a welcome must not be half sent
DUPLICATE_CHECK = timedelta(seconds=1800)  # message/send drops an identical request this long (path/90236)

PRIORITY_WELCOME, PRIORITY_PERSON, PRIORITY_EFFECT, PRIORITY_NOTICE, PRIORITY_UPKEEP = 0, 2, 4, 5, 8

Secret = Literal["app", "contact"]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """Base of all commands. ``unique`` is the caller's part of the effect key where the fields do not suffice."""

    api: ClassVar[str]
    method: ClassVar[Literal["GET", "POST"]] = "POST"
    secret: ClassVar[Secret] = "contact"
    priority: ClassVar[int] = PRIORITY_EFFECT
    recovery: ClassVar[Recovery] = Recovery.OPERATOR
    keeps_answer: ClassVar[bool] = False  # the answer comes back as an inbox event ``answer.<api>``
    is_read: ClassVar[bool] = (
        False  # changes nothing on the platform: an unknown outcome is simply tried again
    )
    timeline: ClassVar[str | None] = None  # the noun of timeline entries about the outcome

    unique: str = ""

    @property
    @abstractmethod
    def effect_key(self) -> str:
        """What makes the effect unique: the same key is owed once, whatever caused it."""

    @property
    def lane(self) -> str | None:
        return None

    @abstractmethod
    def request(self) -> dict[str, Any]:
        """The body (POST) or the query (GET)."""


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
        return f"welcome:{_digest(self.welcome_code)}"

    @property
    def lane(self) -> str:
        return f"welcome:{_digest(self.userid, self.external_userid)}"

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
        return f"pair:{_digest(self.userid, self.external_userid)}"

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
        return f"pair:{_digest(self.userid, self.external_userid)}"

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


@dataclass(frozen=True, kw_only=True)
class NotifyStaff(Command):
    """An app message (text card) to one member. Identical requests are dropped by the platform for 30 minutes."""

    api = "message/send"
    secret = "app"
    priority = PRIORITY_NOTICE
    recovery = Recovery.WINDOW
    timeline = "notice"

    userid: str
    agent_id: int
    title: str
    description: str
    url: str
    button: str = "查看客户"
    staff: str = ""  # the member's name, for the timeline

    @property
    def effect_key(self) -> str:
        return f"notice:{self.userid}:{self.unique}"[:160]

    def request(self) -> dict[str, Any]:
        card = {"title": self.title, "description": self.description, "url": self.url, "btntxt": self.button}
        return {
            "touser": self.userid,
            "msgtype": "textcard",
            "agentid": self.agent_id,
            "textcard": card,
            "enable_duplicate_check": 1,
            "duplicate_check_interval": int(DUPLICATE_CHECK.total_seconds()),
        }


@dataclass(frozen=True, kw_only=True)
class AddContactWay(Command):
    """Create a channel's contact way. Not repeatable: after an unknown outcome it is looked up by its state."""

    api = "externalcontact/add_contact_way"
    priority = PRIORITY_PERSON
    recovery = Recovery.LOOKUP
    keeps_answer = True

    channel_id: str
    state: str
    users: list[str]
    remark: str = ""
    skip_verify: bool = True

    @property
    def effect_key(self) -> str:
        return f"way:add:{self.state}"

    @property
    def lane(self) -> str:
        return f"way:{self.state}"

    def request(self) -> dict[str, Any]:
        return {
            "type": 2,
            "scene": 2,
            "remark": self.remark[:30],
            "skip_verify": self.skip_verify,
            "state": self.state,
            "user": self.users,
        }


@dataclass(frozen=True, kw_only=True)
class UpdateContactWay(Command):
    """Replace the user list of a contact way; the printed QR stays valid."""

    api = "externalcontact/update_contact_way"
    priority = PRIORITY_PERSON
    recovery = Recovery.REPEAT
    keeps_answer = True

    config_id: str
    state: str
    users: list[str]

    @property
    def effect_key(self) -> str:
        return f"way:update:{self.config_id}:{self.unique}"[:160]

    @property
    def lane(self) -> str:
        return f"way:{self.state}"

    def request(self) -> dict[str, Any]:
        return {"config_id": self.config_id, "user": self.users}


@dataclass(frozen=True, kw_only=True)
class AddCorpTags(Command):
    """Create corp tags in a group, by name: names that exist are not created twice, so repeating is harmless."""

    api = "externalcontact/add_corp_tag"
    priority = PRIORITY_PERSON
    recovery = Recovery.REPEAT
    keeps_answer = True

    group_name: str
    names: list[str]

    @property
    def effect_key(self) -> str:
        return f"tags:add:{self.unique or _digest(self.group_name, *self.names)}"

    @property
    def lane(self) -> str:
        return "corp-tags"

    def request(self) -> dict[str, Any]:
        return {"group_name": self.group_name, "tag": [{"name": name} for name in self.names]}


@dataclass(frozen=True, kw_only=True)
class EditCorpTag(Command):
    """Rename a corp tag or tag group (``name``), or put it elsewhere (``order``, bigger first)."""

    api = "externalcontact/edit_corp_tag"
    recovery = Recovery.REPEAT
    priority = PRIORITY_PERSON

    wecom_id: str
    name: str = ""
    order: int | None = None

    @property
    def effect_key(self) -> str:
        return f"tags:edit:{self.wecom_id}:{self.unique}"[:160]

    @property
    def lane(self) -> str:
        return "corp-tags"

    def request(self) -> dict[str, Any]:
        body: dict[str, Any] = {"id": self.wecom_id}
        if self.name:
            body["name"] = self.name
        if self.order is not None:
            body["order"] = self.order
        return body


@dataclass(frozen=True, kw_only=True)
class DeleteCorpTags(Command):
    """Delete corp tags; deleting an absent one is answered 40068 and counts as done."""

    api = "externalcontact/del_corp_tag"
    recovery = Recovery.REPEAT
    priority = PRIORITY_PERSON

    tag_ids: list[str]

    @property
    def effect_key(self) -> str:
        return f"tags:delete:{_digest(*self.tag_ids)}:{self.unique}"

    @property
    def lane(self) -> str:
        return "corp-tags"

    def request(self) -> dict[str, Any]:
        return {"tag_id": self.tag_ids}


@dataclass(frozen=True, kw_only=True)
class FetchTags(Command):
    """Re-read corp tags: of the given tag or group ids, or all of them."""

    api = "externalcontact/get_corp_tag_list"
    recovery = Recovery.REPEAT
    is_read = True
    keeps_answer = True

    tag_ids: list[str] = field(default_factory=list)
    group_ids: list[str] = field(default_factory=list)

    @property
    def effect_key(self) -> str:
        return f"tags:fetch:{self.unique}"[:160]

    @property
    def lane(self) -> str:
        return "corp-tags"

    def request(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.group_ids:
            body["group_id"] = self.group_ids
        elif self.tag_ids:
            body["tag_id"] = self.tag_ids
        return body


@dataclass(frozen=True, kw_only=True)
class FetchStaff(Command):
    """Re-read one member."""

    api = "user/get"
    method = "GET"
    secret = "app"
    recovery = Recovery.REPEAT
    is_read = True
    keeps_answer = True

    userid: str

    @property
    def effect_key(self) -> str:
        return f"staff:fetch:{self.userid}:{self.unique}"[:160]

    def request(self) -> dict[str, Any]:
        return {"userid": self.userid}


@dataclass(frozen=True, kw_only=True)
class FetchDepartments(Command):
    """Re-read the department tree."""

    api = "department/list"
    method = "GET"
    secret = "app"
    recovery = Recovery.REPEAT
    is_read = True
    keeps_answer = True

    @property
    def effect_key(self) -> str:
        return f"departments:fetch:{self.unique}"[:160]

    def request(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, kw_only=True)
class UploadMedia(Command):
    """Upload one of our media files so that welcomes can use it; the id lives 3 days, a second upload is harmless."""

    api = "media/upload"
    recovery = Recovery.REPEAT
    priority = PRIORITY_PERSON
    keeps_answer = True

    media_file_id: str
    kind: str
    filename: str

    @property
    def effect_key(self) -> str:
        return f"media:{self.media_file_id}:{self.unique}"[:160]

    @property
    def lane(self) -> str:
        return f"media:{self.media_file_id}"

    def request(self) -> dict[str, Any]:
        return {"type": self.kind, "filename": self.filename}


COMMANDS: Mapping[str, type[Command]] = {
    command.__name__: command
    for command in (
        SendWelcome,
        FetchContact,
        FetchGroup,
        MarkTags,
        SetRemark,
        NotifyStaff,
        AddContactWay,
        UpdateContactWay,
        AddCorpTags,
        EditCorpTag,
        DeleteCorpTags,
        FetchTags,
        FetchStaff,
        FetchDepartments,
        UploadMedia,
    )
}


def to_json(command: Command) -> dict[str, Any]:
    """The command's fields, to be kept in its row."""
    return dict(vars(command))


def from_json(kind: str, fields: Mapping[str, Any]) -> Command:
    """The command a row holds; KeyError for a kind this code does not know."""
    return COMMANDS[kind](**fields)
