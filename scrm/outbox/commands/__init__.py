"""A dataclass for each call we can owe WeCom, by topic.

Each says which API it is, how urgent, what makes it unique, what to do when its outcome is unknown, and turns itself
into the request. Sources: developer.work.weixin.qq.com, the page of each API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrm.outbox.commands.base import (
    PRIORITY_EFFECT,
    PRIORITY_NOTICE,
    PRIORITY_PERSON,
    PRIORITY_UPKEEP,
    PRIORITY_WELCOME,
    Command,
    Secret,
)
from scrm.outbox.commands.channels import (
    AddContactWay,
    UpdateContactWay,
    UploadMedia,
)
from scrm.outbox.commands.contacts import (
    WELCOME_CODE_TTL,
    WELCOME_DEADLINE,
    FetchContact,
    FetchGroup,
    MarkTags,
    SendWelcome,
    SetRemark,
)
from scrm.outbox.commands.staff import (
    DUPLICATE_CHECK,
    FetchDepartments,
    FetchStaff,
    NotifyStaff,
)
from scrm.outbox.commands.tags import (
    AddCorpTags,
    DeleteCorpTags,
    EditCorpTag,
    FetchTags,
)

__all__ = [
    "COMMANDS",
    "DUPLICATE_CHECK",
    "PRIORITY_EFFECT",
    "PRIORITY_NOTICE",
    "PRIORITY_PERSON",
    "PRIORITY_UPKEEP",
    "PRIORITY_WELCOME",
    "WELCOME_CODE_TTL",
    "WELCOME_DEADLINE",
    "AddContactWay",
    "AddCorpTags",
    "Command",
    "DeleteCorpTags",
    "EditCorpTag",
    "FetchContact",
    "FetchDepartments",
    "FetchGroup",
    "FetchStaff",
    "FetchTags",
    "MarkTags",
    "NotifyStaff",
    "Secret",
    "SendWelcome",
    "SetRemark",
    "UpdateContactWay",
    "UploadMedia",
    "from_json",
    "to_json",
]

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
