"""Calls about members: tell them something, read them and their departments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from scrm.outbox.commands.base import PRIORITY_NOTICE, Command
from scrm.outbox.models import Recovery

DUPLICATE_CHECK = timedelta(seconds=1800)  # message/send drops an identical request this long (path/90236)


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
        return self.key_of(self.userid, self.unique)

    @staticmethod
    def key_of(userid: str, unique: str) -> str:
        """What makes a message to this member, for this reason, one effect."""
        return f"notice:{userid}:{unique}"[:160]

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
