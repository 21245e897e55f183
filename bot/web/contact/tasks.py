"""Tasks as pages show them, with what is ready to be sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.api.people import contact_names, staff_by_id
from bot.web.bidi import plain
from bot.web.library import cover_url
from bot.web.site import Screen
from bot.web.times import Moment
from scrm.library.models import Material
from scrm.library.queries import messages_of
from scrm.tasks.models import Task, TaskState
from scrm.tasks.queries import TaskFilter, list_by_due

SHOWN = 20


@dataclass(frozen=True)
class MaterialLine:
    """A material of a task. ``message`` is what the client is given, as JSON; empty while its file is on its way."""

    title: str
    message: str


@dataclass(frozen=True)
class TaskCard:
    """A task as it is shown. ``texts`` and ``materials`` are ready to send; ``is_mine``: the visitor may act on it."""

    id: str
    contact_id: str
    contact: str
    title: str
    staff: str
    due: Moment
    is_late: bool
    is_today: bool
    is_mine: bool
    texts: list[str]
    materials: list[MaterialLine]

    @property
    def can_send(self) -> bool:
        """Whether there is something to send, and all of it can be."""
        return bool(self.texts or self.materials) and all(one.message for one in self.materials)


def open_tasks(session: Session, contact_id: str) -> list[Task]:
    """The contact's open tasks, soonest due first."""
    return list_by_due(session, TaskFilter(contact_id=contact_id, state=TaskState.OPEN), limit=SHOWN)


def cards(
    screen: Screen, session: Session, rows: Sequence[Task], *, acts: Callable[[Task], bool]
) -> list[TaskCard]:
    """The tasks as they are shown, with two queries however many; two more where there are materials."""
    names = contact_names(session, {row.contact_id for row in rows})
    people = staff_by_id(session, {row.staff_id for row in rows})
    materials = _materials(screen, session, rows)
    today = screen.calendar.today
    found = []
    for row in rows:
        day = screen.calendar.local(row.due_at).date()
        found.append(
            TaskCard(
                id=row.id,
                contact_id=row.contact_id,
                contact=plain(names.get(row.contact_id, "")).strip() or screen.t("no_name"),
                title=plain(row.title),
                staff=plain(people[row.staff_id].name),
                due=screen.calendar.moment(row.due_at),
                is_late=row.due_at < screen.now and day < today,
                is_today=day == today,
                is_mine=acts(row),
                texts=[str(one["text"]) for one in row.content if one.get("kind") == "text"],
                materials=[materials[key] for key in _material_ids([row])],
            )
        )
    return found


def _material_ids(rows: Sequence[Task]) -> list[str]:
    return [
        str(one.get("material_id")) for row in rows for one in row.content if one.get("kind") == "material"
    ]


def _materials(screen: Screen, session: Session, rows: Sequence[Task]) -> dict[str, MaterialLine]:
    """Material → how it is shown; one that was deleted says so and cannot be sent."""
    ids = _material_ids(rows)
    if not ids:
        return {}
    found = dict.fromkeys(ids, MaterialLine(screen.t("task_material_gone"), ""))
    live = select(Material).where(Material.id.in_(ids), Material.deleted_at.is_(None))
    items = list(session.scalars(live))
    messages = messages_of(
        session,
        items,
        contact=None,
        staff=None,
        cover_url=lambda key: cover_url(screen.site, key),
        now=screen.now,
    )
    for item in items:
        ready = messages[item.id]
        message = json.dumps(ready[0], ensure_ascii=False) if ready else ""
        found[item.id] = MaterialLine(plain(item.title), message)
    return found
