"""``/console/contacts/<id>``: everything about one contact, and what may be done with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from bot.web.bidi import plain
from bot.web.console import changes, giving, owner
from bot.web.console.door import LONGEST_NONCE, Console, Visit
from bot.web.console.giving import TaskDraft
from bot.web.console.refusals import said
from bot.web.contact import forms, profile, reveal, stream, tasks
from bot.web.contact.forms import Claim, Draft
from bot.web.contact.profile import OwnerLine
from bot.web.group_view import chats_of
from scrm.accounts.models import Staff
from scrm.accounts.roles import ASSIGN
from scrm.contacts.models import RelationState, Stage
from scrm.contacts.queries import ContactCard, load_cards
from scrm.contacts.service import get_contact
from scrm.errors import Conflict, Invalid, Refused
from scrm.followups.queries import list_followups
from scrm.followups.service import MAX_CONTENT, MAX_NEXT_STEP, add_followup
from scrm.ids import new_id, new_token
from scrm.leads.service import ContactChange, change_contact
from scrm.routing.queries import list_assignments
from scrm.tags.by_hand import change_tags
from scrm.tags.models import Tag, TagSource
from scrm.tags.queries import list_groups
from scrm.tasks.service import get_task
from scrm.timeline.rules import STAGES

LARGEST_FORM = 64 * 1024
OWNERS_SHOWN = 20
DONE = ("followup", "stage", "tag", "owner", "task", "withdrawn")


@dataclass(frozen=True)
class Attempt:
    """What came of a form, where the page is shown again: the draft, what is wrong with it, a number to show."""

    draft: Draft = field(default_factory=Draft)
    staff: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    problem: str = ""  # of anything but the follow-up
    phone: str = ""
    phone_problem: str = ""
    task: TaskDraft = field(default_factory=TaskDraft)
    task_errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TagChip:
    """A tag of the contact; ``by`` are who set it, in words."""

    id: str
    name: str
    group: str
    by: list[str]


def register(console: Console) -> None:
    """Put the pages at ``/console/contacts/<id>``."""

    @console.get("/contacts/<contact_id>", "contacts.read")
    def contact_page(visit: Visit, contact_id: str) -> Response:
        return _show(visit, contact_id, Attempt())

    @console.post("/contacts/<contact_id>/phone", "pii.read")
    def reveal_phone(visit: Visit, contact_id: str) -> Response:
        return _reveal(visit, contact_id)

    @console.post("/contacts/<contact_id>/followups", "followups.write")
    def note_followup(visit: Visit, contact_id: str) -> Response:
        request.max_content_length = LARGEST_FORM
        return _write(visit, contact_id)

    @console.post("/contacts/<contact_id>/stage", "contacts.write")
    def change_stage(visit: Visit, contact_id: str) -> Response:
        return _change_stage(visit, contact_id)

    @console.post("/contacts/<contact_id>/owner", ASSIGN)
    def change_owner(visit: Visit, contact_id: str) -> Response:
        return _change_owner(visit, contact_id)

    @console.post("/contacts/<contact_id>/tasks", ASSIGN)
    def give_task(visit: Visit, contact_id: str) -> Response:
        request.max_content_length = LARGEST_FORM
        return _give_task(visit, contact_id)

    @console.post("/tasks/<task_id>/withdraw", ASSIGN)
    def withdraw_task(visit: Visit, task_id: str) -> Response:
        return _withdraw_task(visit, task_id)

    @console.post("/contacts/<contact_id>/tags", "tags.write")
    def change_tags_of(visit: Visit, contact_id: str) -> Response:
        return _change_tags(visit, contact_id)


def _go(visit: Visit, contact_id: str, **parts: str) -> Response:
    return redirect(visit.url("contact_page", contact_id=contact_id, **parts), 303)  # type: ignore[return-value]


def _show(visit: Visit, contact_id: str, attempt: Attempt, status: int = 200) -> Response:
    """The page: who this is, and below it what the address asks for."""
    tab = "followups" if request.args.get("tab") == "followups" else "timeline"
    kind = request.args.get("kind") if request.args.get("kind") in stream.KINDS else None
    cursor = request.args.get("cursor") if request.method == "GET" else None
    live = None if cursor else changes.watch(visit, "contact", contact_id)
    with visit.read() as session:
        card = load_cards(session, [get_contact(session, contact_id)])[0]
        try:
            lines = (
                stream.followups(visit, session, contact_id, cursor=cursor)
                if tab == "followups"
                else stream.timeline(visit, session, card, kind=kind, cursor=cursor)
            )
        except Invalid:  # a cursor we never made
            return _go(visit, contact_id, tab=tab)
        parts = _who(visit, session, card) | _acts(visit, session, card)
    return visit.page(
        "console/contact.html",
        status,
        live=live,
        contact_id=contact_id,
        stream=lines,
        tab=tab,
        kind=kind,
        kinds=stream.KINDS,
        cursor=cursor,
        done=request.args.get("done") if request.args.get("done") in DONE else None,
        attempt=attempt,
        nonce=new_token(12),
        is_wrong=request.args.get("wrong") == "comment",
        limits={"content": MAX_CONTENT, "next_step": MAX_NEXT_STEP, "today": visit.calendar.today},
        **parts,
    )


def _who(visit: Visit, session: Session, card: ContactCard) -> dict[str, Any]:
    """Who the contact is, and whose."""
    latest = next(iter(list_followups(session, contact_id=card.contact.id, limit=1)), None)
    assignments = list_assignments(session, card.contact.id, limit=OWNERS_SHOWN)
    me = _me(visit, session)
    head = profile.build(visit, card, assignments, latest, me=me)
    return {
        "head": head,
        "tags": _chips(head.tag_lines),
        "owners": _owners(head),
        "owner": card.owner.userid if card.owner else "",
        "external": [row.value for row in card.identities if row.kind.value == "wecom_external_userid"],
        "chats": chats_of(visit, session, card.contact.id),
        "stages": [(key, visit.t.pick(words)) for key, words in STAGES.items()],
        "stage": card.contact.stage.value,
    }


def _acts(visit: Visit, session: Session, card: ContactCard) -> dict[str, Any]:
    """What the visitor may do with the contact, and with whom."""
    me, may_assign = _me(visit, session), visit.may(ASSIGN)
    held = {row.tag.id for row in card.tags}
    groups = list_groups(session) if visit.may("tags.write") else []
    open_tasks = tasks.open_tasks(session, card.contact.id)
    return {
        "can_tag": any(row.state is RelationState.ACTIVE for row, _ in card.relations),
        "tag_choices": [
            (plain(row.group.name), [(tag.id, plain(tag.name)) for tag in row.tags if tag.id not in held])
            for row in groups
        ],
        "writers": [(row.userid, plain(row.name)) for row in _writers(card, me)],
        "is_me": me is not None,
        "reps": owner.choices(visit, session) if may_assign else [],
        "offers": giving.offers(visit, session) if may_assign else None,
        "tasks": tasks.cards(
            visit, session, open_tasks, acts=lambda task: may_assign and giving.can_withdraw(visit, task)
        ),
        "task_reps": giving.reps(visit, card, me),
    }


def _chips(lines: list[profile.TagLine]) -> list[TagChip]:
    """Each tag once, with everybody who set it."""
    chips: dict[str, TagChip] = {}
    for line in lines:
        chip = chips.setdefault(line.id, TagChip(line.id, plain(line.name), plain(line.group), []))
        chip.by.append(line.by)
    return list(chips.values())


def _owners(head: profile.Profile) -> list[OwnerLine]:
    """Every decision about the owner, newest first."""
    return [line for line in (head.owner, *head.owners_before) if line.at is not None]


def _writers(card: ContactCard, me: Staff | None) -> list[Staff]:
    """In whose name a follow-up may be: one's own; for somebody who is no member, the owner's or a connected rep's."""
    if me is not None:
        return [me]
    people = {card.owner.id: card.owner} if card.owner else {}
    return list((people | {person.id: person for _, person in card.relations}).values())


def _author(me: Staff | None, visit: Visit) -> str:
    """The visitor as timelines name people."""
    return f"staff:{me.userid}" if me else f"account:{visit.actor.name}"


def _me(visit: Visit, session: Session) -> Staff | None:
    return session.get(Staff, visit.actor.staff_id) if visit.actor.staff_id else None


def _reveal(visit: Visit, contact_id: str) -> Response:
    """Show the whole number, once it is in the audit trail; nobody sees more than ``REVEALS`` an hour."""
    try:
        with visit.write() as session:
            phone = get_contact(session, contact_id).phone
            if phone:
                visit.record(session, reveal.DEED, "contact", contact_id)
                reveal.check_pace(session, visit.actor.audit_name, now=visit.now)
    except reveal.TooOften:
        told = visit.t("reveal_often", n=reveal.REVEALS)
        # htmx puts an answer in its place only where it is a success.
        status = 200 if request.headers.get("HX-Request") else 429
        return _show(visit, contact_id, Attempt(phone_problem=told), status)
    return _show(visit, contact_id, Attempt(phone=phone or ""))


def _write(visit: Visit, contact_id: str) -> Response:
    """Keep the follow-up, once; or show the form again with what is wrong and nothing lost."""
    draft, named = forms.read(request.form), request.form.get("staff", "")
    nonce = request.form.get("nonce", "")
    checked = forms.check(draft, visit.calendar)
    errors = {name: visit.t(key, **values) for name, (key, values) in checked.errors.items()}
    with visit.write() as session:
        card = load_cards(session, [get_contact(session, contact_id)])[0]
        me = _me(visit, session)
        writers = {row.userid: row for row in _writers(card, me)}
        writer = me or writers.get(named)
        if writer is None:
            errors["staff"] = visit.t("staff_for_wrong" if writers else "staff_for_none")
        if not 0 < len(nonce) <= LONGEST_NONCE:
            errors["form"] = visit.t("error_stale")
        claimed = None
        if writer is not None and not errors:
            claimed = forms.claim(
                session, f"{contact_id}:{nonce}", visit.entered.account.id, draft, now=visit.now
            )
            if claimed is Claim.FIRST:
                _keep(visit, session, contact_id, checked, writer, _author(me, visit))
    if claimed is Claim.OTHER:
        errors["form"] = visit.t("error_used")
    if errors:
        return _show(visit, contact_id, Attempt(draft, named, errors), 422)
    return _go(visit, contact_id, done="followup")


def _keep(
    visit: Visit, session: Session, contact_id: str, checked: forms.Checked, writer: Staff, author: str
) -> None:
    made = add_followup(
        session,
        contact_id,
        staff_id=writer.id,
        kind=checked.kind,
        content=checked.content,
        next_step=checked.next_step,
        next_at=checked.next_at,
        actor=author,
        now=visit.now,
    )
    visit.record(
        session,
        "followup:written",
        "contact",
        contact_id,
        followup=made.id,
        way=made.kind.value,
        staff=writer.userid,
    )


def _change_stage(visit: Visit, contact_id: str) -> Response:
    wanted = request.form.get("stage", "")
    with visit.write() as session:
        before = get_contact(session, contact_id).stage
        if wanted in list(Stage) and wanted != before:
            author = _author(_me(visit, session), visit)
            change_contact(
                session, contact_id, ContactChange(stage=Stage(wanted)), actor=author, now=visit.now
            )
            visit.record(session, "stage:changed", "contact", contact_id, before=before.value, after=wanted)
    if wanted not in list(Stage):
        return _show(visit, contact_id, Attempt(problem=visit.t("stage_wrong")), 422)
    return _go(visit, contact_id, done="stage")


def _change_owner(visit: Visit, contact_id: str) -> Response:
    try:
        with visit.write() as session:
            owner.change(visit, session, contact_id)
    except Invalid as error:
        return _show(visit, contact_id, Attempt(problem=said(error, visit.t)), 422)
    visit.site.wake()
    return _go(visit, contact_id, done="owner")


def _give_task(visit: Visit, contact_id: str) -> Response:
    try:
        with visit.write() as session:
            card = load_cards(session, [get_contact(session, contact_id)])[0]
            giving.give(visit, session, card, _me(visit, session))
    except Invalid as error:
        again = Attempt(task=giving.read(request.form), task_errors=dict(error.fields))
        return _show(visit, contact_id, again, 422)
    visit.site.wake()
    return _go(visit, contact_id, done="task")


def _withdraw_task(visit: Visit, task_id: str) -> Response:
    """Back to the customer's page, whatever became of it."""
    with visit.read() as session:
        contact_id = get_task(session, task_id).contact_id
    try:
        with visit.write() as session:
            giving.withdraw(visit, session, task_id)
    except Conflict as error:
        return _show(visit, contact_id, Attempt(problem=said(error, visit.t)), 409)
    return _go(visit, contact_id, done="withdrawn")


def _change_tags(visit: Visit, contact_id: str) -> Response:
    try:
        with visit.write() as session:
            get_contact(session, contact_id)
            _tag(visit, session, contact_id)
    except _NoTag:
        return _show(visit, contact_id, Attempt(problem=visit.t("tag_gone")), 422)
    except Refused as error:
        told = {"contact_without_relation": visit.t("cannot_tag")}.get(error.code) or said(error, visit.t)
        return _show(visit, contact_id, Attempt(problem=told), 422)
    return _go(visit, contact_id, done="tag")


def _tag(visit: Visit, session: Session, contact_id: str) -> None:
    me = _me(visit, session)
    add, remove = _live_tag(session, "add"), _live_tag(session, "remove")
    if not add and not remove:
        raise _NoTag
    made, gone = change_tags(
        session,
        contact_id,
        add=add,
        remove=remove,
        source=TagSource.STAFF,
        rather=me.id if me else None,
        unique=f"console:{new_id()}",
        actor=_author(me, visit),
        now=visit.now,
    )
    if made or gone:
        names = {"added": [tag.name for tag in made], "removed": sorted({tag.name for tag in gone})}
        visit.record(session, "tags:changed", "contact", contact_id, **names)


def _live_tag(session: Session, name: str) -> list[Tag]:
    """The tag a field of the form names; none where it is empty. Raises _NoTag where it is not there any more."""
    key = forms.clean(request.form.get(name, ""))
    if not key:
        return []
    found = session.get(Tag, key)
    if found is None or found.deleted_at is not None:
        raise _NoTag
    return [found]


class _NoTag(Exception):
    """Nothing was chosen, or something that no longer exists."""
