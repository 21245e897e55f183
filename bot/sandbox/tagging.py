"""Deleting tags, for the API and the console alike. Deleted ones stay readable by id, marked ``deleted``."""

from __future__ import annotations

from bot.sandbox.state import State


def delete_tag(state: State, tag_id: str) -> None:
    """The tag leaves every customer, and its group goes with its last tag."""
    group_id = state.value("SELECT group_id FROM tag WHERE id = ?", tag_id)
    state.run("UPDATE tag SET deleted = 1 WHERE id = ?", tag_id)
    state.run("DELETE FROM relation_tag WHERE tag_id = ?", tag_id)
    if not state.value("SELECT 1 FROM tag WHERE group_id = ? AND deleted = 0", group_id):
        state.run("UPDATE tag_group SET deleted = 1 WHERE id = ?", group_id)


def delete_group(state: State, group_id: str) -> None:
    """The group and all its tags."""
    for row in state.all("SELECT id FROM tag WHERE group_id = ? AND deleted = 0", group_id):
        delete_tag(state, row["id"])
    state.run("UPDATE tag_group SET deleted = 1 WHERE id = ?", group_id)
