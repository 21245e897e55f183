"""Tasks in the sidebar: what is due for a contact, with what is ready to send; done, skipped, put off, given."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, Response, redirect, request
from sqlalchemy.orm import Session

from bot.web.contact import forms
from bot.web.contact.forms import Draft
from bot.web.contact.tasks import TaskCard, cards, open_tasks
from bot.web.sidebar.access import Visitor
from bot.web.sidebar.acting import act, go
from bot.web.site import Screen, Site
from scrm.errors import Conflict, Invalid, NotFound
from scrm.tasks import service as tasks
from scrm.tasks.models import Task, TaskSource

SOON = timedelta(hours=2)
LATER = ("2h", "1", "3", "7")
DEEDS = {"done": "task:done", "skip": "task:skipped", "reopen": "task:reopened", "later": "task:postponed"}
MOST_TOGETHER = 50
LONGEST_MESSAGE = 2000


def register(blueprint: Blueprint, site: Site) -> None:
    """Put the forms of tasks under ``/sidebar/contacts/<id>/tasks``."""

    @blueprint.post("/sidebar/contacts/<contact_id>/tasks")
    def add_contact_task(contact_id: str) -> Response:
        screen = Screen(site)
        return act(screen, contact_id, "followups.write", lambda session, who: _add(screen, session, who))

    @blueprint.post("/sidebar/contacts/<contact_id>/tasks/<any(done,skip,reopen,later):deed>")
    def change_contact_task(contact_id: str, deed: str) -> Response:
        screen = Screen(site)
        return act(
            screen, contact_id, "followups.write", lambda session, who: _change(screen, session, who, deed)
        )

    @blueprint.get("/sidebar/contacts/<contact_id>/tasks")
    def after_task(contact_id: str) -> Response:
        return go(Screen(site), contact_id)


def of_contact(screen: Screen, session: Session, visitor: Visitor) -> list[TaskCard]:
    """The contact's open tasks, soonest due first."""
    rows = open_tasks(session, visitor.card.contact.id)
    return cards(screen, session, rows, acts=lambda task: _acts(visitor, task))


def _acts(visitor: Visitor, task: Task) -> bool:
    """One's own; those of the people whose customers one sees."""
    if task.staff_id == visitor.staff.id:
        return visitor.may_write
    sees = visitor.login.sees if visitor.login else frozenset()
    return visitor.may_write and (sees is None or task.staff_id in sees)


def _change(screen: Screen, session: Session, visitor: Visitor, deed: str) -> Response:
    """Do it to the tasks the form names; of another contact, or another's rep, there are none."""
    contact_id = visitor.card.contact.id
    keys = request.form.getlist("task")[:MOST_TOGETHER]
    until = _later(screen) if deed == "later" else None
    problem = None
    for key in keys:
        task = tasks.get_task(session, key)
        if task.contact_id != contact_id or not _acts(visitor, task):
            raise NotFound("task_not_found", "没有这个待办，或您无权查看")
        try:
            _do(session, task, deed, until, actor=visitor.actor, now=screen.now)
        except (Conflict, Invalid):
            problem = "task_closed"
    if not problem:
        visitor.record(session, DEEDS[deed], now=screen.now, tasks=keys)
    parts = {"problem": problem} if problem else {"done": f"task_{deed}", "task": keys[0] if keys else None}
    if request.form.get("back") == "home":
        return redirect(screen.url("sidebar_home", **parts, about=contact_id), 303)  # type: ignore[return-value]
    return go(screen, contact_id, **parts)


def _do(
    session: Session, task: Task, deed: str, until: datetime | None, *, actor: str, now: datetime
) -> None:
    if until is not None:
        tasks.postpone_task(session, task.id, until, actor=actor, now=now)
        return
    change = {"done": tasks.do_task, "skip": tasks.skip_task, "reopen": tasks.reopen_task}[deed]
    change(session, task.id, actor=actor, now=now)


def _later(screen: Screen) -> datetime:
    """When it is due instead: in two hours, or in the morning of a day to come."""
    chosen = request.form.get("until", "1")
    if chosen == "2h":
        return screen.now + SOON
    found, _ = forms.due(Draft(next=chosen if chosen in LATER else "1"), screen.calendar)
    assert found is not None  # noqa: S101 - all these are days
    return found


def _add(screen: Screen, session: Session, visitor: Visitor) -> Response:
    """A task of one's own; without a title it is to follow up."""
    contact_id = visitor.card.contact.id
    chosen = Draft(next=request.form.get("due", "1"), date=request.form.get("date", "").strip()[:10])
    due_at, problem = forms.due(chosen, screen.calendar)
    text = forms.clean(request.form.get("text", ""))[:LONGEST_MESSAGE]
    title = " ".join(forms.clean(request.form.get("title", "")).split())[: tasks.MAX_TITLE]
    if due_at is None or problem:
        return go(screen, contact_id, "todo", problem="task_date")
    task = tasks.create_task(
        session,
        contact_id,
        staff_id=visitor.staff.id,
        title=title or screen.t("task_unnamed"),
        due_at=due_at,
        source=TaskSource.OWN,
        content=[{"kind": "text", "text": text}] if text else [],
        actor=visitor.actor,
        now=screen.now,
    )
    visitor.record(session, "task:created", now=screen.now, task=task.id)
    return go(screen, contact_id, done="task_new", task=task.id)
