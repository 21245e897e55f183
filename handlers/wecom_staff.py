"""Staff and departments changed at WeCom. Hardly more than ids arrive (since 2022-08-15), so we read again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from handlers.context import Context
from handlers.events import Answer, DepartmentChanged, StaffChanged
from scrm.accounts import service as accounts
from scrm.accounts.rules import StaffProfile
from scrm.channels import service as channels
from scrm.jobs import service as jobs
from scrm.outbox import service as outbox
from scrm.outbox.commands import FetchDepartments, FetchStaff

USERID_UNKNOWN = 60111  # errcode: nobody in the corp has this userid (path/90313)


def on_user_created(session: Session, event: StaffChanged, context: Context) -> None:
    """Know the member at once by what the event says, and read the rest."""
    _take_over(session, event, event.userid)
    _read_again(session, event, event.userid, context)


def on_user_updated(session: Session, event: StaffChanged, context: Context) -> None:
    """Follow a changed userid, take over what the event says, and read the rest."""
    userid = event.userid
    if event.new_userid:
        userid = event.new_userid
        accounts.rename_userid(session, event.userid, userid, now=event.at)
        channels.rename_in_schedules(session, event.userid, userid)
    _take_over(session, event, userid)
    _read_again(session, event, userid, context)


def on_user_deleted(session: Session, event: StaffChanged, context: Context) -> None:
    """The member has left, unless we know something newer of them: then reading decides."""
    staff = accounts.find_staff(session, event.userid)
    if staff is None:
        return
    if accounts.is_news(staff, event.at):
        accounts.mark_left(session, event.userid, now=event.at)
    else:
        _read_again(session, event, event.userid, context)


def _take_over(session: Session, event: StaffChanged, userid: str) -> None:
    profile = StaffProfile.from_event(userid, event.fields)
    staff = accounts.ensure_staff_rows(session, [userid], now=event.at, fetch=False)[userid]
    if not profile.says_nothing and accounts.is_news(staff, event.at):
        accounts.upsert_staff(session, profile, now=event.at)


def _read_again(session: Session, event: StaffChanged, userid: str, context: Context) -> None:
    fetch = FetchStaff(userid=userid, unique=f"{event.change}:{int(event.at.timestamp())}")
    outbox.enqueue(session, fetch, now=context.now, caused_by=context.caused_by)


def on_department_changed(session: Session, event: DepartmentChanged, context: Context) -> None:
    """A new department gets a row at once; what it and the others are called is read again."""
    if event.id:
        known = accounts.find_department(session, event.id)
        if known is None:
            accounts.upsert_departments(session, [{**event.fields, "Id": event.id}], full=False, now=event.at)
    _read_departments(session, event, context)


def on_department_deleted(session: Session, event: DepartmentChanged, context: Context) -> None:
    """The department is gone; a list that was on its way may bring it back, so the list is read again."""
    accounts.remove_department(session, event.id)
    _read_departments(session, event, context)


def _read_departments(session: Session, event: DepartmentChanged, context: Context) -> None:
    fetch = FetchDepartments(unique=f"{event.change}:{event.id}:{int(event.at.timestamp())}")
    outbox.enqueue(session, fetch, now=context.now, caused_by=context.caused_by)


def apply_answer_user(session: Session, event: Answer, context: Context) -> None:  # noqa: ARG001
    """A member was read: take it over. That nobody has this userid means the member has left."""
    userid = str(event.command["userid"])
    job_id = event.command.get("job_id")
    if event.answer is None:
        staff = accounts.find_staff(session, userid)
        unknown = event.errcode == USERID_UNKNOWN
        if staff is not None and unknown and accounts.mark_left(session, userid, now=event.at):
            jobs.add_to_report(session, job_id, {"staff_left": [staff.name]})
        return
    profile = StaffProfile.from_wecom(event.answer)
    if accounts.is_news(accounts.find_staff(session, profile.userid), event.at):
        accounts.upsert_staff(session, profile, now=event.at)


def apply_answer_departments(session: Session, event: Answer, context: Context) -> None:  # noqa: ARG001
    """The department tree was read: make ours the same."""
    if event.answer is None:
        return
    changes = accounts.upsert_departments(session, event.answer["department"], full=True, now=event.at)
    report = {
        "departments_added": len(changes.added),
        "departments_changed": len(changes.changed),
        "departments_removed": len(changes.removed),
    }
    jobs.add_to_report(session, event.command.get("job_id"), report)
