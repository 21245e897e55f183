"""change_contact callbacks and the answers to what they make us read."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import wecom_staff
from handlers.context import Context, Corp
from handlers.events import Answer, DepartmentChanged, StaffChanged
from scrm.accounts import service as accounts
from scrm.accounts.models import Department, Staff, StaffStatus
from scrm.outbox.models import OutboxCall


@pytest.fixture
def context(now: datetime) -> Context:
    corp = Corp(tz=ZoneInfo("Asia/Shanghai"), agent_id=1, base_url="http://127.0.0.1")
    return Context(now=now, received_at=now, caused_by=7, corp=corp)


def user(at: datetime, change: str, userid: str = "zhangsan", new: str = "", **fields: str) -> StaffChanged:
    return StaffChanged(at, change, userid, new, fields)


def read(at: datetime, **member: Any) -> Answer:
    body = {"userid": "zhangsan", "name": "张三", "status": 1, "department": [1]} | member
    return Answer(at, "user/get", "sent", 0, None, {"userid": body["userid"]}, body)


def refused(at: datetime, errcode: int) -> Answer:
    return Answer(at, "user/get", "failed", errcode, "成员不存在", {"userid": "zhangsan"}, None)


def calls(session: Session) -> list[tuple[str, str | None, int | None]]:
    rows = session.scalars(select(OutboxCall).order_by(OutboxCall.id))
    return [(row.api, row.command.get("userid"), row.caused_by) for row in rows]


def one(session: Session) -> Staff:
    return session.scalars(select(Staff)).one()


def test_a_created_member_is_known_at_once_and_read_once(session: Session, context: Context) -> None:
    for _ in range(2):
        wecom_staff.on_user_created(session, user(context.now, "create_user"), context)

    assert one(session).name == "zhangsan"
    assert calls(session) == [("user/get", "zhangsan", 7)]


def test_old_callback_urls_still_send_names(session: Session, context: Context) -> None:
    event = user(context.now, "create_user", Name="张三", Department="1,2", Status="4")
    wecom_staff.on_user_created(session, event, context)

    assert (one(session).name, one(session).status) == ("张三", StaffStatus.INACTIVE)


def test_an_update_older_than_what_was_read_changes_nothing(session: Session, context: Context) -> None:
    wecom_staff.apply_answer_user(session, read(context.now), context)

    old = user(context.now - timedelta(minutes=1), "update_user", Name="旧名")
    wecom_staff.on_user_updated(session, old, context)

    assert one(session).name == "张三"


def test_a_new_userid_keeps_the_member(session: Session, context: Context) -> None:
    wecom_staff.apply_answer_user(session, read(context.now), context)
    row = one(session)

    event = user(context.now, "update_user", new="zhang001")
    wecom_staff.on_user_updated(session, event, context)

    assert (one(session), row.userid) == (row, "zhang001")
    assert calls(session) == [("user/get", "zhang001", 7)]


def test_a_deleted_member_has_left(session: Session, context: Context) -> None:
    wecom_staff.apply_answer_user(session, read(context.now), context)
    later = context.now + timedelta(seconds=1)

    wecom_staff.on_user_deleted(session, user(later, "delete_user"), context)

    assert one(session).status is StaffStatus.LEFT
    assert calls(session) == []


def test_a_departure_we_know_better_about_is_looked_up(session: Session, context: Context) -> None:
    """Our clock may run ahead: what we read "later" may be from before the departure."""
    wecom_staff.apply_answer_user(session, read(context.now), context)

    earlier = context.now - timedelta(seconds=30)
    wecom_staff.on_user_deleted(session, user(earlier, "delete_user"), context)
    assert one(session).status is StaffStatus.ACTIVE
    assert calls(session) == [("user/get", "zhangsan", 7)]

    wecom_staff.apply_answer_user(session, refused(context.now + timedelta(seconds=1), 60111), context)
    assert one(session).status is StaffStatus.LEFT


def test_a_member_out_of_our_sight_has_not_left(session: Session, context: Context) -> None:
    wecom_staff.apply_answer_user(session, read(context.now), context)

    wecom_staff.apply_answer_user(session, refused(context.now, 60011), context)

    assert one(session).status is StaffStatus.ACTIVE


def test_an_unknown_member_who_leaves_makes_no_row(session: Session, context: Context) -> None:
    wecom_staff.on_user_deleted(session, user(context.now, "delete_user"), context)

    assert session.scalars(select(Staff)).all() == []


def test_any_order_of_events_ends_the_same(session: Session, context: Context) -> None:
    second = timedelta(seconds=1)
    events = [
        (wecom_staff.on_user_created, user(context.now, "create_user", Name="甲")),
        (wecom_staff.on_user_updated, user(context.now + second, "update_user", Name="乙")),
        (wecom_staff.apply_answer_user, read(context.now + 2 * second, name="丙")),
        (wecom_staff.apply_answer_user, read(context.now + 3 * second, name="丁", position="经理")),
    ]

    for order in permutations(events):
        with session.begin_nested() as attempt:
            for handler, event in order:
                handler(session, event, context)
            assert (one(session).name, one(session).position) == ("丁", "经理")
            attempt.rollback()
        session.expire_all()


def department(at: datetime, change: str, number: int = 12, **fields: str) -> DepartmentChanged:
    return DepartmentChanged(at, change, number, fields)


def tree(at: datetime, *numbers: int) -> Answer:
    rows = [{"id": number, "name": f"部门{number}", "parentid": 1} for number in numbers]
    return Answer(at, "department/list", "sent", 0, None, {}, {"department": rows})


def test_departments_follow_the_list(session: Session, context: Context) -> None:
    event = department(context.now, "create_party", Name="华南", ParentId="1")
    wecom_staff.on_department_changed(session, event, context)
    assert [row.name for row in session.scalars(select(Department))] == ["华南"]

    wecom_staff.apply_answer_departments(session, tree(context.now, 12, 13), context)
    assert [row.name for row in session.scalars(select(Department))] == ["部门12", "部门13"]

    wecom_staff.on_department_deleted(session, department(context.now, "delete_party"), context)
    assert [row.id for row in session.scalars(select(Department))] == [13]
    assert [api for api, _, _ in calls(session)] == ["department/list", "department/list"]


def test_an_unanswered_list_changes_nothing(session: Session, context: Context) -> None:
    accounts.upsert_departments(session, [{"id": 1, "name": "公司"}], full=True, now=context.now)

    failed = Answer(context.now, "department/list", "failed", 60011, "无权限", {}, None)
    wecom_staff.apply_answer_departments(session, failed, context)

    assert session.get(Department, 1) is not None
