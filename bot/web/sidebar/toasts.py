"""What has just been done, in a sentence, with the way back: read from the address, so that a reload says the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import request
from sqlalchemy.orm import Session

from bot.web.bidi import plain
from bot.web.sidebar import undoing
from bot.web.sidebar.access import Visitor
from bot.web.site import Screen
from scrm.contacts.models import Stage
from scrm.followups.models import Followup
from scrm.followups.queries import closed_with
from scrm.leads.details import noted
from scrm.tags.models import Tag
from scrm.tasks.models import Task, TaskState
from scrm.timeline.rules import STAGES

PROBLEMS = (
    *("stale", "stage", "tag", "untaggable", "often", "task_closed", "task_date"),
    *("details_since", "details_undo"),
)
TASKS = {
    "task_done": TaskState.DONE,
    "task_skip": TaskState.SKIPPED,
    "task_reopen": TaskState.OPEN,
    "task_later": TaskState.OPEN,
    "task_new": TaskState.OPEN,
}
LONGEST_KEY = 64


@dataclass(frozen=True)
class Toast:
    """A sentence; ``undo`` is the address of the form that takes it back, ``fields`` what it sends."""

    text: str
    undo: str | None = None
    fields: list[tuple[str, str]] = field(default_factory=list)
    is_problem: bool = False
    is_saved: bool = False  # a follow-up was


def read(screen: Screen, session: Session, visitor: Visitor, latest: Followup | None) -> Toast | None:
    """The sentence for this address; None where nothing was done. It says what is still so and nothing else."""
    problem, done = request.args.get("problem"), request.args.get("done", "")
    if request.method != "GET":
        return None
    if request.args.get("saved") == "1":
        return _saved(screen, session, visitor, latest)
    if problem in PROBLEMS:
        return Toast(screen.t(f"problem_{problem}"), is_problem=True)
    if done == "stage":
        return _stage(screen, visitor)
    if done in ("tagged", "untagged"):
        return _tag(screen, session, visitor, done)
    if done in ("details", "details_back"):
        return _details(screen, session, visitor, done)
    return task(screen, session, visitor.card.contact.id, done) if done in TASKS else None


def _saved(screen: Screen, session: Session, visitor: Visitor, latest: Followup | None) -> Toast:
    mine = latest if latest is not None and latest.staff_id == visitor.staff.id else None
    closed = closed_with(session, mine) if mine else []
    if not closed:
        return Toast(screen.t("saved"), is_saved=True)
    titles = screen.t("and_so_on").join(plain(row.title) for row in closed)
    undo = screen.url("change_contact_task", contact_id=visitor.card.contact.id, deed="reopen")
    return Toast(
        screen.t("saved_and_done", titles=titles), undo, [("task", row.id) for row in closed], is_saved=True
    )


def _stage(screen: Screen, visitor: Visitor) -> Toast:
    contact, before = visitor.card.contact, request.args.get("before", "")
    text = screen.t("stage_is_now", stage=screen.t.of(STAGES, contact.stage.value))
    if before not in list(Stage) or before == contact.stage:
        return Toast(text)
    return Toast(text, screen.url("move_contact_stage", contact_id=contact.id), [("stage", before)])


def _details(screen: Screen, session: Session, visitor: Visitor, done: str) -> Toast:
    contact_id = visitor.card.contact.id
    text = screen.t(f"done_{done}" if visitor.mine else f"done_{done}_here")
    undo = request.args.get("undo", "")
    before = undoing.read(visitor, undo, noted(session, contact_id, visitor.staff), now=screen.now)
    if before is None:
        return Toast(text)
    return Toast(text, screen.url("change_contact_details", contact_id=contact_id), [("undo", undo)])


def _tag(screen: Screen, session: Session, visitor: Visitor, done: str) -> Toast | None:
    tag = session.get(Tag, request.args.get("tag", "")[:LONGEST_KEY])
    held = {row.tag.id for row in visitor.card.tags}
    if tag is None or (tag.id in held) is not (done == "tagged"):
        return None
    field_name = "remove" if done == "tagged" else "add"
    undo = screen.url("tag_contact", contact_id=visitor.card.contact.id)
    return Toast(screen.t(f"done_{done}", tag=plain(tag.name)), undo, [(field_name, tag.id)])


def task(screen: Screen, session: Session, contact_id: str, done: str) -> Toast | None:
    """Of what was done to a task, while it stands so."""
    row = session.get(Task, request.args.get("task", "")[:LONGEST_KEY])
    if row is None or row.contact_id != contact_id or row.state is not TASKS[done]:
        return None
    due = screen.calendar.moment(row.due_at).text
    text = screen.t(f"done_{done}", title=plain(row.title), due=due)
    back = {"task_done": "reopen", "task_skip": "reopen", "task_new": "skip"}.get(done)
    if back is None:
        return Toast(text)
    return Toast(
        text, screen.url("change_contact_task", contact_id=contact_id, deed=back), [("task", row.id)]
    )
