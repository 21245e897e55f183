"""Tags as WeCom lists them, as values, and what differs. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scrm.errors import Invalid

MAX_NAME = 30  # characters of a tag's name (path/92117)


@dataclass(frozen=True)
class TagSeen:
    """A tag of get_corp_tag_list or add_corp_tag."""

    wecom_id: str
    name: str
    position: int
    deleted: bool


@dataclass(frozen=True)
class GroupSeen:
    """A tag group with those of its tags that were asked for."""

    wecom_id: str
    name: str
    position: int
    deleted: bool
    tags: list[TagSeen] = field(default_factory=list)


def parse_groups(groups: Iterable[Mapping[str, Any]]) -> list[GroupSeen]:
    """From ``tag_group`` objects; personal tags, which have no id, are left out. A deleted group takes its tags."""
    return [
        GroupSeen(
            wecom_id=str(group["group_id"]),
            name=str(group.get("group_name") or "")[:64],
            position=_position(group),
            deleted=bool(group.get("deleted")),
            tags=[
                TagSeen(
                    str(tag["id"]),
                    str(tag.get("name") or "")[:64],
                    _position(tag),
                    bool(tag.get("deleted") or group.get("deleted")),
                )
                for tag in group.get("tag") or ()
                if tag.get("id")
            ],
        )
        for group in groups
        if group.get("group_id")
    ]


def _position(item: Mapping[str, Any]) -> int:
    return min(int(item.get("order") or 0), 2**31 - 1)  # WeCom goes to 2^32, our column to 2^31


def check_names(group_name: str, names: Collection[str]) -> None:
    """Raise Invalid unless WeCom would take these names."""
    fields = {}
    if not group_name.strip() or len(group_name) > MAX_NAME:
        fields["group"] = f"标签组名称需为 1 到 {MAX_NAME} 个字"
    wrong = [name for name in names if not name.strip() or len(name) > MAX_NAME]
    if wrong or not names:
        fields["names"] = f"标签名称需为 1 到 {MAX_NAME} 个字" + (f"：{'、'.join(wrong)}" if wrong else "")
    if fields:
        raise Invalid("tag_name_invalid", "；".join(fields.values()), fields)


def possible_names(text: str) -> list[tuple[str | None, str]]:
    """What ``text`` may mean: a tag of that very name, or "group/name" at any of its slashes."""
    meanings: list[tuple[str | None, str]] = [(None, text)]
    parts = text.split("/")
    meanings += [("/".join(parts[:cut]), "/".join(parts[cut:])) for cut in range(1, len(parts))]
    return meanings


@dataclass(frozen=True)
class PairTags:
    """The corp tags WeCom lists for one (staff, contact) pair."""

    contact_id: str
    staff_id: str
    wecom_tag_ids: Collection[str]

    @property
    def pair(self) -> tuple[str, str]:
        """Return what identifies the pair."""
        return (self.contact_id, self.staff_id)


def difference(
    listed: Collection[str], held: Collection[str], unsettled: Collection[str]
) -> tuple[set[str], set[str]]:
    """What to add to and remove from ``held`` so that it says ``listed``; ``unsettled`` ids are not judged."""
    there, here, wait = set(listed), set(held), set(unsettled)
    return there - here - wait, here - there - wait
