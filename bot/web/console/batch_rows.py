"""Channels from a sheet: what each row means, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.web.console import channel_forms as forms
from bot.web.console.channel_forms import Draft, Errors
from bot.web.contact.forms import clean
from bot.words.texts import Words
from scrm.errors import Invalid

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("名称", "渠道名称", "name"),
    "staff": ("成员", "员工", "接待成员", "staff"),
    "tags": ("标签", "tags"),
    "daily_limit": ("每日上限", "daily_limit", "daily limit"),
    "text": ("欢迎语", "welcome text", "welcome"),
}
NEEDED = ("name", "staff", "text")
MOST = 200
_BETWEEN = re.compile(r"[,，;；、\n]+")


@dataclass(frozen=True)
class Row:
    """A row: its number in the sheet, the channel it means, what is wrong with it."""

    line: int
    draft: Draft
    errors: Errors = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What a row may name: members by userid and by name (None: two have it), tags by ``group/name``."""

    staff: Mapping[str, str | None]
    tags: Mapping[str, str | None]
    names: frozenset[str]  # of channels that are there


def read_rows(table: Sequence[Sequence[str]], known: Known, words: Words) -> list[Row]:
    """The rows below the heading. Raises Invalid where a column is missing."""
    header = [cell.casefold() for cell in table[0]]
    places = {
        key: next((header.index(one) for one in named if one in header), None)
        for key, named in COLUMNS.items()
    }
    missing = [COLUMNS[key][0] for key in NEEDED if places[key] is None]
    if missing:
        told = words("batch_columns", names=words("comma").join(missing))
        raise Invalid("batch_columns", told, {"file": told})
    if len(table) == 1:
        told = words("batch_no_rows")
        raise Invalid("batch_no_rows", told, {"file": told})
    rows = [_row(line, cells, places, known, words) for line, cells in enumerate(table[1:], 2)]
    return _repeated(rows, words)


def _row(
    line: int, cells: Sequence[str], places: Mapping[str, int | None], known: Known, words: Words
) -> Row:
    def cell(key: str) -> str:
        at = places[key]
        return clean(cells[at]) if at is not None and at < len(cells) else ""

    staff, strangers = _resolved(cell("staff"), known.staff)
    tags, unknown = _resolved(cell("tags"), known.tags)
    draft = Draft(
        name=" ".join(cell("name").split()),
        staff=staff,
        tags=tags,
        daily_limit=cell("daily_limit"),
        text=cell("text"),
    )
    errors = forms.problems(draft, words)
    if strangers:
        errors["staff"] = words("batch_staff", names=words("comma").join(strangers))
    if unknown:
        errors["tags"] = words("batch_tags", names=words("comma").join(unknown))
    if draft.name in known.names:
        errors["name"] = words("batch_name_taken")
    return Row(line, draft, errors)


def _resolved(text: str, known: Mapping[str, str | None]) -> tuple[list[str], list[str]]:
    """What is known of the things named, in their own words; and the names nobody or more than one has."""
    wanted = dict.fromkeys(part.strip() for part in _BETWEEN.split(text) if part.strip())
    found = {name: known.get(name) for name in wanted}
    return [key for key in found.values() if key is not None], [
        name for name, key in found.items() if key is None
    ]


def _repeated(rows: list[Row], words: Words) -> list[Row]:
    first: dict[str, int] = {}
    checked = []
    for row in rows:
        line = first.setdefault(row.draft.name, row.line)
        twice = {"name": words("batch_name_twice", line=line)} if line != row.line and row.draft.name else {}
        checked.append(replace(row, errors={**row.errors, **twice}))
    return checked
