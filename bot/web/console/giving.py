"""Give reps tasks: the form that the page of a contact and the deeds on many share, and the task for one contact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from bot.web.bidi import plain
from bot.web.console.door import Visit
from bot.web.contact.forms import FARTHEST, clean
from bot.web.library import told
from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.models import RelationState
from scrm.contacts.queries import ContactCard
from scrm.errors import Invalid, NotFound
from scrm.ids import new_id
from scrm.library.models import FolderKind
from scrm.library.queries import Which, search
from scrm.library.ready import TEAM, Choice, compose, fill_for
from scrm.library.rules import TEXT_MAX
from scrm.tasks.giving import Giver, Order, give_tasks, withdraw_one
from scrm.tasks.models import Task as TaskRow
from scrm.tasks.models import TaskSource, TaskState
from scrm.tasks.notices import App, Gift, tell_of_task
from scrm.tasks.service import MAX_TITLE, get_task

OFFERED = 100  # replies and materials, the most used first
LONGEST_KEY = 64
Content = list[dict[str, Any]]


@dataclass(frozen=True)
class TaskDraft:
    """The form as it was sent, or as it is first shown. ``staff``: a userid; empty, of many, each one's owner."""

    title: str = ""
    due: str = ""
    text: str = ""
    reply: str = ""
    material: str = ""
    staff: str = ""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What carries it to the next page."""
        return [(name, value) for name, value in vars(self).items() if value]


@dataclass(frozen=True)
class Task:
    """A draft that can be given."""

    title: str
    due_at: datetime
    content: Content

    def order(self, staff_id: str | None) -> Order:
        """For this member; None: for each contact's owner."""
        return Order(self.title, self.due_at, staff_id, partial(fill_for, self.content))


def read(form: Mapping[str, str]) -> TaskDraft:
    """What was sent."""
    said = {name: clean(form.get(name, "")) for name in TaskDraft.__dataclass_fields__}
    keys = {name: said[name][:LONGEST_KEY] for name in ("due", "reply", "material", "staff")}
    return TaskDraft(**{**said, **keys, "title": " ".join(said["title"].split())})


def check(visit: Visit, session: Session, draft: TaskDraft) -> Task:
    """The task. Raises Invalid with what is wrong, by field, in the visitor's language."""
    t, wrong = visit.t, {}
    due_at = _due(visit, draft.due)
    if not 1 <= len(draft.title) <= MAX_TITLE:
        wrong["title"] = t("task_title_wrong", n=MAX_TITLE)
    if due_at is None:
        wrong["due"] = t("task_due_wrong")
    content: Content = []
    try:
        content = compose(session, Choice(draft.text, draft.reply or None, draft.material or None))
    except Invalid as error:
        wrong |= told(error, t)
    except NotFound:
        wrong["reply"] = t("task_content_gone")
    if wrong or due_at is None:
        raise Invalid("task_invalid", t("stop").join(wrong.values()), wrong)
    return Task(draft.title, due_at, content)


def _due(visit: Visit, text: str) -> datetime | None:
    """The moment a field of date and time names, in the corp's zone; None for one that cannot be."""
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=visit.site.tz)
    except ValueError:
        return None
    return at if visit.now < at <= visit.now + FARTHEST else None


def offers(visit: Visit, session: Session) -> dict[str, Any]:
    """What the form offers: the team's replies and materials, the most used first, and its bounds."""
    found = {
        kind: search(session, Which(is_own=False), kind=kind, hand=TEAM, limit=OFFERED)
        for kind in (FolderKind.REPLIES, FolderKind.MATERIALS)
    }
    named = {kind: [(row.item.id, plain(row.item.title)) for row in rows] for kind, rows in found.items()}
    return {
        "replies": named[FolderKind.REPLIES],
        "materials": named[FolderKind.MATERIALS],
        "longest_title": MAX_TITLE,
        "longest_text": TEXT_MAX,
        "earliest": f"{visit.calendar.local(visit.now):%Y-%m-%dT%H:%M}",
    }


def reps(visit: Visit, card: ContactCard, me: Staff | None) -> list[tuple[str, str]]:
    """Who may get a task about this contact, the owner first: those who see it and whom the visitor sees."""
    related = [person for relation, person in card.relations if relation.state != RelationState.TRANSFERRED]
    people = {row.id: row for row in (card.owner, *related, me) if row is not None}
    sees = visit.actor.sees
    return [
        (row.userid, plain(row.name))
        for row in people.values()
        if row.status is StaffStatus.ACTIVE and (sees is None or row.id in sees)
    ]


def giver(visit: Visit) -> Giver:
    """The visitor as one who gives tasks."""
    return Giver(f"account:{visit.actor.name}", visit.actor.staff_id, visit.actor.sees)


def give(visit: Visit, session: Session, card: ContactCard, me: Staff | None) -> None:
    """One task for one contact, and the deed in the audit trail. Raises Invalid with what is wrong, by field."""
    draft = read(request.form)
    task = check(visit, session, draft)
    known = {row.userid: row for row in (card.owner, me, *(who for _, who in card.relations)) if row}
    staff = known.get(draft.staff)
    contact_id = card.contact.id
    given = None
    if staff is not None:
        key = clean(request.form.get("nonce", ""))[:LONGEST_KEY] or new_id()
        order, key = task.order(staff.id), f"c:{key}"[:40]
        given = give_tasks(session, [contact_id], order, giver=giver(visit), key=key, now=visit.now)
    if staff is None or given is None or given.refused:
        wrong = visit.t("task_staff_wrong")
        raise Invalid("task_invalid", wrong, {"staff": wrong})
    if contact_id in given.already:  # the form was sent twice
        return
    _tell(visit, session, session.get_one(TaskRow, given.tasks[contact_id]), staff)
    visit.record(
        session,
        "task:given",
        "contact",
        contact_id,
        task=given.tasks[contact_id],
        title=task.title,
        staff=staff.userid,
        due=task.due_at.isoformat(),
    )


def _tell(visit: Visit, session: Session, row: TaskRow, staff: Staff) -> None:
    site = visit.site
    token = site.links.sign_link(row.contact_id, staff.userid, visit.now)
    url = f"{site.base_url}/sidebar/contacts/{row.contact_id}?token={token}"
    gift = Gift(row.title, row.due_at, visit.actor.name, visit.actor.staff_id, unique=row.id)
    tell_of_task(session, row, staff, App(site.platform.agent_id, site.tz, url), gift, now=visit.now)


def can_withdraw(visit: Visit, row: TaskRow) -> bool:
    """Whether it was given, to somebody whose customers the visitor sees."""
    return row.source is TaskSource.MANAGER and visit.sees_staff(row.staff_id)


def withdraw(visit: Visit, session: Session, task_id: str) -> None:
    """Take back a task, and the deed in the audit trail. Raises NotFound, Conflict."""
    is_open = get_task(session, task_id).state is TaskState.OPEN
    row = withdraw_one(session, task_id, giver=giver(visit), now=visit.now)
    if is_open:
        visit.record(session, "task:withdrawn", "contact", row.contact_id, task=row.id, title=row.title)
