"""/staff: the members of the corp."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bot.api import paging
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Page, PageQuery
from scrm.accounts.models import StaffStatus
from scrm.accounts.queries import StaffRow
from scrm.accounts.queries import list_staff as query_staff

routes = Routes("员工")
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class DepartmentOut(Answer):
    """A department of a member; ``id`` is WeCom's number."""

    id: int
    name: str
    is_leader: bool


class StaffOut(Answer):
    """A member."""

    id: str
    userid: str
    name: str
    position: str
    departments: list[DepartmentOut]
    status: StaffStatus
    serves: bool = Field(description="已开通客户联系")
    on_leave: bool


class StaffPage(Page[StaffOut]):
    """A page of members."""


class StaffQuery(PageQuery):
    """Which members."""

    status: StaffStatus | None = None
    serves: bool | None = Field(None, description="是否已开通客户联系")
    department: Number | None = Field(None, description="部门编号")


@routes.get("/staff", "员工列表", scope="staff.read")
def list_staff(call: Call, query: StaffQuery) -> StaffPage:
    """A page of members."""
    page = query_staff(
        call.session,
        cursor=paging.decode(query.cursor, str)[0] if query.cursor else None,
        limit=query.limit,
        status=query.status,
        serves=query.serves,
        department_id=query.department,
    )
    cursor = paging.encode(page.next_cursor) if page.next_cursor else None
    return StaffPage(items=[_out(row) for row in page.items], next_cursor=cursor)


def _out(row: StaffRow) -> StaffOut:
    staff = row.staff
    departments = [
        DepartmentOut(id=department.id, name=department.name, is_leader=department.id in row.leads)
        for department in row.departments
    ]
    return StaffOut(
        id=staff.id,
        userid=staff.userid,
        name=staff.name,
        position=staff.position,
        departments=departments,
        status=staff.status,
        serves=staff.serves,
        on_leave=staff.on_leave,
    )
