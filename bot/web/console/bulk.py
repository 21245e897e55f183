"""``/console/contacts/bulk``: deeds on many customers: who is meant, what and how many, then a job and its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.redact import Redactor
from bot.web.bidi import plain
from bot.web.console import contact_filter, giving, owner
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.once import made_once
from bot.web.console.refusals import said
from bot.web.contact.forms import clean
from bot.words.sentences import shown
from bot.workers.background import ask_for
from bot.workers.bulk import ASSIGN_ALL, BULK, GIVE, MOST, TAG, WITHDRAW
from scrm.accounts.roles import ASSIGN
from scrm.contacts.queries import ContactFilter, contact_ids, count_contacts
from scrm.errors import Invalid, NotFound, Refused
from scrm.jobs import service as jobs
from scrm.jobs.models import Job, JobState
from scrm.tags.models import Tag
from scrm.tags.queries import list_groups

CHOSEN_MOST = 200  # boxes of a page
TAGS_MOST = 20
LARGEST_FORM = 256 * 1024
DEEDS = {"tag": "tags.write", "untag": "tags.write", "owner": ASSIGN, "task": ASSIGN}
DOING = {
    TAG: "bulk_doing_tags",
    ASSIGN_ALL: "bulk_doing_owner",
    GIVE: "bulk_doing_task",
    WITHDRAW: "bulk_doing_withdraw",
}
_redactor = Redactor()


@dataclass(frozen=True)
class Chosen:
    """Who is meant: the rows that were ticked, or all whom the filters find."""

    which: ContactFilter
    count: int
    text: str
    fields: list[tuple[str, str]]  # what carries the choice to the next page
    told: str = ""
    back: str = ""


@dataclass
class Plan:
    """What shall be done. ``problem`` says what is missing."""

    deed: str = ""
    tags: list[Tag] = field(default_factory=list)
    staff_id: str = ""
    staff: str = ""
    note: str = ""
    text: str = ""
    problem: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    draft: giving.TaskDraft = field(default_factory=giving.TaskDraft)
    task: giving.Task | None = None


def register(console: Console) -> None:
    """Put the pages at ``/console/contacts/bulk``."""

    @console.post("/contacts/bulk", "contacts.read")
    def bulk_choose(visit: Visit) -> Response:
        return _page(visit, Plan())

    @console.post("/contacts/bulk/check", "contacts.read")
    def bulk_check(visit: Visit) -> Response:
        with visit.read() as session:
            plan = _plan(visit, session)
        return _page(visit, plan, 422 if plan.problem else 200)

    @console.post("/contacts/bulk/start", "contacts.read")
    def bulk_start(visit: Visit) -> Response:
        return _start(visit)

    @console.get("/contacts/bulk/<int:job_id>", "contacts.read")
    def bulk_report(visit: Visit, job_id: int) -> Response:
        with visit.read() as session:
            return _report(visit, _job(visit, session, job_id))

    @console.post("/contacts/bulk/<int:job_id>/undo", "tags.write")
    def bulk_undo(visit: Visit, job_id: int) -> Response:
        return _undo(visit, job_id)


def _page(visit: Visit, plan: Plan, status: int = 200) -> Response:
    with visit.read() as session:
        chosen = _chosen(visit, session)
        groups = list_groups(session) if visit.may("tags.write") else []
        reps = owner.choices(visit, session) if visit.may(ASSIGN) else []
        offers = giving.offers(visit, session) if visit.may(ASSIGN) else None
    return visit.page(
        "console/bulk.html",
        status,
        chosen=chosen,
        too_many=chosen.count > MOST,
        most=f"{MOST:,}",
        plan=plan,
        deeds=[name for name, permission in DEEDS.items() if visit.may(permission)],
        picked={tag.id for tag in plan.tags},
        tag_choices=[
            (plain(row.group.name), [(tag.id, plain(tag.name)) for tag in row.tags]) for row in groups
        ],
        reps=reps,
        offers=offers,
    )


def _chosen(visit: Visit, session: Session) -> Chosen:
    request.max_content_length = LARGEST_FORM
    asked, which = contact_filter.read(visit, session, request.form)
    fields = list(asked.values.items())
    if request.form.get("all") == "on" and not asked.wrong:
        count = count_contacts(session, which, most=MOST + 1)
        text = visit.t("bulk_all", n=f"{count:,}")
        return Chosen(which, count, text, [*fields, ("all", "on")], asked.told(), asked.url())
    ids = list(dict.fromkeys(request.form.getlist("id")))[:CHOSEN_MOST]
    which = ContactFilter(ids=ids)
    count = count_contacts(session, which, most=CHOSEN_MOST) if ids else 0
    carried = [*fields, *(("id", key) for key in ids)]
    return Chosen(which, count, visit.t("bulk_ticked", n=f"{count:,}"), carried, back=asked.url())


def _plan(visit: Visit, session: Session) -> Plan:
    deed = request.form.get("deed", "")
    if deed not in DEEDS or not visit.may(DEEDS[deed]):
        return Plan(problem=visit.t("bulk_no_deed"))
    chosen = _chosen(visit, session)
    plan = Plan(deed, fields=[("deed", deed)])
    if deed == "owner":
        _plan_owner(visit, session, plan, chosen)
    elif deed == "task":
        _plan_task(visit, session, plan, chosen)
    else:
        _plan_tags(visit, session, plan, chosen)
    if chosen.count > MOST:
        plan.problem = visit.t("bulk_too_many", n=f"{MOST:,}")
    elif not chosen.count:
        plan.problem = visit.t("bulk_nobody")
    return plan


def _plan_owner(visit: Visit, session: Session, plan: Plan, chosen: Chosen) -> None:
    try:
        staff = owner.chosen(visit, session, clean(request.form.get("staff", "")))
        plan.note = owner.note(visit)
    except Invalid as error:
        plan.problem = said(error, visit.t)
        return
    plan.staff_id, plan.staff = staff.id, staff.userid
    plan.fields += [("staff", staff.userid), ("note", plan.note)]
    plan.text = visit.t("bulk_will_owner", n=f"{chosen.count:,}", staff=plain(staff.name), note=plan.note)


def _plan_task(visit: Visit, session: Session, plan: Plan, chosen: Chosen) -> None:
    plan.draft = giving.read(request.form)
    try:
        plan.task = giving.check(visit, session, plan.draft)
        staff = owner.chosen(visit, session, plan.draft.staff) if plan.draft.staff else None
    except Invalid as error:
        plan.problem = error.message
        return
    plan.fields += plan.draft.fields
    if staff is not None:
        plan.staff_id, plan.staff = staff.id, staff.userid
    plan.text = visit.t(
        "bulk_will_task",
        n=f"{chosen.count:,}",
        title=plain(plan.task.title),
        staff=plain(staff.name) if staff else visit.t("bulk_each_owner"),
        due=visit.calendar.moment(plan.task.due_at).text,
    )


def _plan_tags(visit: Visit, session: Session, plan: Plan, chosen: Chosen) -> None:
    keys = list(dict.fromkeys(request.form.getlist("tag_id")))[:TAGS_MOST]
    plan.tags = list(session.scalars(select(Tag).where(Tag.id.in_(keys), Tag.deleted_at.is_(None))))
    if not plan.tags:
        plan.problem = visit.t("bulk_no_tag")
        return
    plan.fields += [("tag_id", tag.id) for tag in plan.tags]
    names = visit.t("comma").join(visit.t("quoted", name=plain(tag.name)) for tag in plan.tags)
    plan.text = visit.t(f"bulk_will_{plan.deed}", n=f"{chosen.count:,}", tags=names)


def _start(visit: Visit) -> Response:
    with visit.write() as session:
        plan = _plan(visit, session)
        job_id = (
            "" if plan.problem else made_once(visit, session, "bulk", lambda: _make(visit, session, plan))
        )
    if not job_id:
        return _page(visit, plan, 422)
    visit.site.wake()
    return see_other(visit.url("bulk_report", job_id=job_id))


def _make(visit: Visit, session: Session, plan: Plan) -> str:
    """The id of a job for those who fit at this moment; the deed in the audit trail."""
    chosen = _chosen(visit, session)
    ids = contact_ids(session, chosen.which, limit=MOST)
    keys = [tag.id for tag in plan.tags]
    if plan.task is not None:
        task = plan.task
        job = _ask(
            visit,
            session,
            GIVE,
            ids=ids,
            staff_id=plan.staff_id or None,
            title=task.title,
            due_at=task.due_at.isoformat(),
            content=task.content,
        )
    elif plan.deed == "owner":
        job = _ask(visit, session, ASSIGN_ALL, ids=ids, staff_id=plan.staff_id, note=plan.note)
    else:
        add, remove = (keys, []) if plan.deed == "tag" else ([], keys)
        job = _ask(visit, session, TAG, ids=ids, add=add, remove=remove)
    visit.record(
        session,
        f"bulk:{plan.deed}",
        "job",
        str(job.id),
        contacts=len(ids),
        filters=chosen.told,
        tags=[tag.name for tag in plan.tags],
        staff=plan.staff,
        **({"title": plan.task.title, "due": plan.task.due_at.isoformat()} if plan.task else {}),
    )
    return str(job.id)


def _ask(visit: Visit, session: Session, kind: str, **params: Any) -> Job:
    return ask_for(session, kind, visit.actor, params, now=visit.now)


def _job(visit: Visit, session: Session, job_id: int) -> Job:
    """A job of this person. Raises NotFound for any other."""
    job = jobs.get_job(session, job_id)
    if job.kind not in BULK or job.created_by != visit.actor.audit_name:
        raise NotFound("job_not_found", f"没有编号为 {job_id} 的任务")
    return job


def _report(visit: Visit, job: Job) -> Response:
    t, found = visit.t, job.report
    failed = [
        {
            "name": plain(one["name"]) or t("no_name"),
            "url": visit.url("contact_page", contact_id=one["id"]),
            "why": t.find(f"bulk_failed_{one['code']}") or one["code"],
        }
        for one in found.get("failed", ())
    ]
    total = len(job.params["ids"])
    return visit.page(
        "console/bulk_report.html",
        job=job,
        error=plain(shown(t, _redactor.text(job.error))) if job.error else "",
        total=total,
        text=t(DOING[job.kind], n=f"{total:,}"),
        is_open=job.state in jobs.OPEN,
        changed=found.get("changed", 0),
        unchanged=found.get("unchanged", 0),
        failed=failed,
        failed_count=found.get("failed_count", 0),
        can_undo=_can_undo(visit, job),
        undo="bulk_undo_task" if job.kind == GIVE else "bulk_undo",
    )


def _can_undo(visit: Visit, job: Job) -> bool:
    if job.state in (JobState.PENDING, JobState.RUNNING):
        return False
    if job.kind == GIVE:
        return bool(job.report.get("changed")) and visit.may(ASSIGN)
    return job.kind == TAG and bool(job.cursor.get("changed")) and visit.may("tags.write")


def _undo(visit: Visit, job_id: int) -> Response:
    """The opposite job, for those and those tags or tasks only that this one changed or gave."""
    with visit.write() as session:
        done = _job(visit, session, job_id)
        if not _can_undo(visit, done):
            raise Refused("bulk_no_undo", "这个任务没有可撤销的改动，或还没有结束")
        job = _opposite(visit, session, done)
        visit.record(session, "bulk:undone", "job", str(job.id), undone=job_id)
    visit.site.wake()
    return see_other(visit.url("bulk_report", job_id=job.id))


def _opposite(visit: Visit, session: Session, done: Job) -> Job:
    """The job that takes back what this one did."""
    ids = done.params["ids"]
    if done.kind == GIVE:
        return _ask(visit, session, WITHDRAW, ids=ids, of=done.id)
    add, remove, only = done.params["remove"], done.params["add"], done.cursor["changed"]
    return _ask(visit, session, TAG, ids=ids, add=add, remove=remove, only=only)
