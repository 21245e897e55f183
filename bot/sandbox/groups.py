"""Group chats with customers as the platform keeps them: an owner, members, and a version of the member list."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.sandbox.people import EXTERNAL_ID, EXTERNAL_ID_LENGTH
from bot.sandbox.state import State, dump

STAFF, CUSTOMER = 1, 2  # member.type
INVITED, BY_LINK, BY_CODE = 1, 2, 3  # member.join_scene


@dataclass(frozen=True)
class Joining:
    """Somebody who becomes a member. ``scene``: 1 invited, 2 by an invitation link, 3 by a group's code."""

    userid: str
    at: float
    scene: int = INVITED
    invitor: str = ""
    state: str = ""

    @property
    def is_customer(self) -> bool:
        """An external_userid, not a member of the corp."""
        return bool(EXTERNAL_ID.fullmatch(self.userid)) and len(self.userid) >= EXTERNAL_ID_LENGTH


def put_group(
    state: State, chat_id: str, *, name: str, owner: str, notice: str, at: float, members: Sequence[Joining]
) -> None:
    """Make or overwrite a group; its owner is a member whether named among ``members`` or not."""
    state.insert(
        "group_chat", id=chat_id, name=name, owner=owner, notice=notice, created_at=at,
        version=_version(chat_id, members),
    )  # fmt: skip
    state.run("DELETE FROM group_member WHERE chat = ?", chat_id)
    for member in (Joining(owner, at), *members):
        _put_member(state, chat_id, member)


def _put_member(state: State, chat_id: str, member: Joining) -> None:
    state.insert(
        "group_member", chat=chat_id, userid=member.userid, type=CUSTOMER if member.is_customer else STAFF,
        joined_at=int(member.at), scene=member.scene, invitor=member.invitor, state=member.state,
    )  # fmt: skip


def _version(*parts: object) -> str:
    return hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest()


def find_group(state: State, chat_id: str) -> sqlite3.Row | None:
    """The group, dismissed ones too."""
    return state.one("SELECT * FROM group_chat WHERE id = ?", chat_id)


def members_of(state: State, chat_id: str) -> list[sqlite3.Row]:
    """Who is in, with names, in the order they joined."""
    return state.all(
        "SELECT m.*, coalesce(c.name, s.name, '') AS name, coalesce(c.unionid, '') AS unionid,"
        " coalesce(c.avatar, s.avatar, '') AS avatar"
        " FROM group_member m LEFT JOIN customer c ON m.type = 2 AND c.id = m.userid"
        " LEFT JOIN staff s ON m.type = 1 AND s.userid = m.userid"
        " WHERE m.chat = ? ORDER BY m.joined_at, m.type, m.userid", chat_id,
    )  # fmt: skip


def member_fields(row: sqlite3.Row) -> dict[str, Any]:
    """A member in an answer; what does not apply is absent."""
    fields = {
        "userid": row["userid"],
        "type": row["type"],
        "join_time": int(row["joined_at"]),
        "join_scene": row["scene"],
        "group_nickname": "",
        "name": row["name"],
    }
    if row["unionid"]:
        fields["unionid"] = row["unionid"]
    if row["state"] and row["scene"] == BY_CODE:
        fields["state"] = row["state"]
    if row["invitor"]:
        fields["invitor"] = {"userid": row["invitor"]}
    return fields


def member_list(state: State, group: sqlite3.Row, *, lag_s: float) -> tuple[str, list[dict[str, Any]]]:
    """Version and members as groupchat/get shows them: for ``lag_s`` after a change still those before."""
    if group["before_json"] and state.now() < group["changed_at"] + lag_s:
        before = json.loads(group["before_json"])
        return before["version"], before["members"]
    return group["version"], [member_fields(row) for row in members_of(state, group["id"])]


def change_members(
    state: State, group: sqlite3.Row, *, joining: Sequence[Joining] = (), leaving: Sequence[str] = ()
) -> str:
    """Let people in and out; answers the version after."""
    chat_id = group["id"]
    before = dump({"version": group["version"], "members": member_list(state, group, lag_s=0)[1]})
    for userid in leaving:
        state.run("DELETE FROM group_member WHERE chat = ? AND userid = ?", chat_id, userid)
    for member in joining:
        _put_member(state, chat_id, member)
    version = _version(group["version"], joining, leaving, state.now())
    state.run(
        "UPDATE group_chat SET version = ?, changed_at = ?, before_json = ? WHERE id = ?",
        version, state.now(), before, chat_id,
    )  # fmt: skip
    return version
