"""Calls about channels: their contact ways, and the files their welcomes use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scrm.outbox.commands.base import PRIORITY_PERSON, Command
from scrm.outbox.models import Recovery


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
