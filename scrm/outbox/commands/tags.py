"""Calls about the corp's tags: make, rename, order, delete, read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scrm.outbox.commands.base import PRIORITY_PERSON, Command, digest
from scrm.outbox.models import Recovery


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
        return f"tags:add:{self.unique or digest(self.group_name, *self.names)}"

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
        return f"tags:delete:{digest(*self.tag_ids)}:{self.unique}"

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
