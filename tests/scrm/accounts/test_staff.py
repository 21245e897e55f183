"""Staff and departments follow WeCom, and know what they know as of when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from scrm.accounts import queries
from scrm.accounts import service as accounts
from scrm.accounts.models import Department, StaffDepartment, StaffStatus
from scrm.accounts.rules import StaffProfile
from scrm.errors import NotFound
from scrm.outbox.models import OutboxCall

ZHANGSAN: dict[str, Any] = {
    "userid": "zhangsan",
    "name": "张三",
    "position": "顾问",
    "status": 1,
    "department": [1, 2],
    "is_leader_in_dept": [0, 1],
}


def upsert(session: Session, now: datetime, **changes: Any) -> Any:
    return accounts.upsert_staff(session, StaffProfile.from_wecom(ZHANGSAN | changes), now=now)


def departments_of(session: Session) -> dict[int, bool]:
    return {link.department_id: link.is_leader for link in session.scalars(select(StaffDepartment))}


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (1, StaffStatus.ACTIVE),
        (2, StaffStatus.DISABLED),
        (4, StaffStatus.INACTIVE),
        (5, StaffStatus.LEFT),
        ("1", StaffStatus.ACTIVE),
        (9, None),
        (None, None),
    ],
)
def test_wecoms_status_numbers(number: Any, status: StaffStatus | None) -> None:
    assert StaffProfile.from_wecom({"userid": "a", "status": number}).status is status


def test_event_fields_are_texts_and_mostly_absent() -> None:
    full = {"Name": "张三", "Department": "1,2", "IsLeaderInDept": "1", "Status": "2"}

    profile = StaffProfile.from_event("zhangsan", full)

    assert (profile.name, profile.status, profile.departments) == (
        "张三",
        StaffStatus.DISABLED,
        {1: True, 2: False},
    )
    assert StaffProfile.from_event("zhangsan", {"UserID": "zhangsan"}).says_nothing


def test_a_profile_is_taken_over_and_what_it_leaves_out_stays(session: Session, now: datetime) -> None:
    staff = upsert(session, now)
    assert (staff.name, staff.position, departments_of(session)) == ("张三", "顾问", {1: False, 2: True})

    accounts.upsert_staff(session, StaffProfile("zhangsan", name="张三丰"), now=now)

    assert (staff.name, staff.position, staff.status) == ("张三丰", "顾问", StaffStatus.ACTIVE)
    assert departments_of(session) == {1: False, 2: True}


def test_departments_follow_the_profile(session: Session, now: datetime) -> None:
    upsert(session, now)

    upsert(session, now, department=[2, 3], is_leader_in_dept=[0, 1])

    assert departments_of(session) == {2: False, 3: True}


def test_who_is_mentioned_first_is_read(session: Session, now: datetime) -> None:
    first = accounts.ensure_staff(session, "lisi", now=now)
    second = accounts.ensure_staff(session, "lisi", now=now)

    assert first is second
    assert (first.name, first.status) == ("lisi", StaffStatus.ACTIVE)
    (call,) = session.scalars(select(OutboxCall))
    assert (call.api, call.command["userid"]) == ("user/get", "lisi")


def test_a_departure_older_than_what_we_read_does_not_count(session: Session, now: datetime) -> None:
    staff = upsert(session, now)

    assert not accounts.mark_left(session, "zhangsan", now=now - timedelta(seconds=1))
    assert staff.status is StaffStatus.ACTIVE
    assert accounts.mark_left(session, "zhangsan", now=now)
    assert (staff.status, staff.serves) == (StaffStatus.LEFT, False)
    assert not accounts.mark_left(session, "zhangsan", now=now)
    assert not accounts.mark_left(session, "nobody", now=now)


def test_who_had_left_and_is_read_again_is_back(session: Session, now: datetime) -> None:
    upsert(session, now)
    accounts.mark_left(session, "zhangsan", now=now)

    staff = accounts.upsert_staff(session, StaffProfile("zhangsan", name="张三"), now=now)

    assert staff.status is StaffStatus.ACTIVE


def test_a_changed_userid_keeps_the_row(session: Session, now: datetime) -> None:
    staff = upsert(session, now)

    assert accounts.rename_userid(session, "zhangsan", "zhang001", now=now) is staff
    assert accounts.find_staff(session, "zhangsan") is None
    assert accounts.find_staff(session, "zhang001") is staff
    assert accounts.rename_userid(session, "zhangsan", "zhang001", now=now) is staff


def test_a_changed_userid_that_was_heard_of_before_leaves_one_live_row(
    session: Session, now: datetime
) -> None:
    old = upsert(session, now)
    new = accounts.ensure_staff(session, "zhang001", now=now)

    assert accounts.rename_userid(session, "zhangsan", "zhang001", now=now) is new
    assert (old.status, new.status) == (StaffStatus.LEFT, StaffStatus.ACTIVE)


def test_followers_are_exactly_those_listed(session: Session, now: datetime) -> None:
    staff = upsert(session, now)

    changes = accounts.set_followers(session, ["lisi"], now=now)

    assert (changes.gained, changes.lost) == ([], ["zhangsan"])
    lisi = accounts.find_staff(session, "lisi")
    assert lisi is not None
    assert (lisi.serves, staff.serves) == (True, False)
    assert accounts.set_followers(session, ["lisi", "zhangsan"], now=now).gained == ["zhangsan"]


def test_departments_are_added_changed_and_removed(session: Session, now: datetime) -> None:
    upsert(session, now)
    tree = [{"id": 1, "name": "公司", "parentid": 0, "order": 1}, {"id": 2, "name": "销售", "parentid": 1}]
    assert accounts.upsert_departments(session, tree, full=True, now=now).added == [1, 2]
    assert accounts.upsert_departments(session, tree, full=True, now=now).changed == []

    changes = accounts.upsert_departments(session, [{"id": 1, "name": "集团"}], full=True, now=now)

    assert (changes.added, changes.changed, changes.removed) == ([], [1], [2])
    assert [row.name for row in session.scalars(select(Department))] == ["集团"]
    assert departments_of(session) == {1: False}


def test_leave_and_settings(session: Session, now: datetime) -> None:
    staff = upsert(session, now)
    assert accounts.set_leave(session, staff.id, True).on_leave
    with pytest.raises(NotFound):
        accounts.set_leave(session, "0" * 26, True)

    assert accounts.get_setting(session, "welcome", 1) == 1
    accounts.set_setting(session, "welcome", {"text": "您好"}, actor="token:t", now=now)
    accounts.set_setting(session, "welcome", None, actor="token:t", now=now)
    assert accounts.get_setting(session, "welcome", 1) is None


def test_a_page_of_staff_takes_two_queries(session: Session, now: datetime) -> None:
    accounts.upsert_departments(session, [{"id": n, "name": f"部门{n}"} for n in (1, 2)], full=True, now=now)
    for number in range(7):
        upsert(session, now, userid=f"u{number}", name=f"员工{number}")
    statements: list[str] = []
    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    page = queries.list_staff(session, limit=5)
    count = len(statements)
    rest = queries.list_staff(session, limit=5, cursor=page.next_cursor)

    assert count == 2
    assert [row.staff.userid for row in (*page.items, *rest.items)] == [f"u{n}" for n in range(7)]
    assert rest.next_cursor is None
    assert [department.name for department in page.items[0].departments] == ["部门1", "部门2"]
    assert page.items[0].leads == {2}
    assert queries.list_staff(session, department_id=9).items == []
    assert len(queries.list_staff(session, status=StaffStatus.ACTIVE, serves=True).items) == 7
