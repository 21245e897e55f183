"""What WeCom says about a member or department, as values. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scrm.accounts.models import StaffStatus

STATUS = {  # path/90196
    1: StaffStatus.ACTIVE,
    2: StaffStatus.DISABLED,
    4: StaffStatus.INACTIVE,
    5: StaffStatus.LEFT,
}


def status_of(value: Any) -> StaffStatus | None:
    """WeCom's status number by name; None for nothing or a number we do not know."""
    text = str(value if value is not None else "")
    return STATUS.get(int(text)) if text.isdecimal() else None


@dataclass(frozen=True)
class StaffProfile:
    """What is known of a member; None means "not said", and leaves what we have.

    ``departments`` maps department ids to whether the member leads them.
    """

    userid: str
    name: str | None = None
    position: str | None = None
    status: StaffStatus | None = None
    departments: Mapping[int, bool] | None = None

    @classmethod
    def from_wecom(cls, member: Mapping[str, Any]) -> StaffProfile:
        """From an object of user/get or user/list."""
        departments: dict[int, bool] | None = None
        if isinstance(member.get("department"), list):
            leads = [bool(flag) for flag in member.get("is_leader_in_dept") or ()]
            numbers = [int(number) for number in member["department"]]
            leads += [False] * (len(numbers) - len(leads))
            departments = dict(zip(numbers, leads, strict=False))
        return cls(
            userid=str(member["userid"]),
            name=str(member["name"])[:128] if member.get("name") else None,
            position=str(member["position"])[:128] if member.get("position") is not None else None,
            status=status_of(member.get("status")),
            departments=departments,
        )

    @classmethod
    def from_event(cls, userid: str, fields: Mapping[str, str]) -> StaffProfile:
        """From a change_contact callback: lists are comma-separated texts, most fields may be absent."""
        member: dict[str, Any] = {"userid": userid, "name": fields.get("Name")}
        member["position"], member["status"] = fields.get("Position"), fields.get("Status")
        if fields.get("Department"):
            member["department"] = _numbers(fields["Department"])
            member["is_leader_in_dept"] = _numbers(fields.get("IsLeaderInDept", ""))
        return cls.from_wecom(member)

    @property
    def says_nothing(self) -> bool:
        """Whether only the userid is known."""
        return all(value is None for value in (self.name, self.position, self.status, self.departments))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip().isdecimal()]


@dataclass(frozen=True)
class DepartmentSeen:
    """A department as WeCom lists it."""

    id: int
    name: str | None
    parent_id: int | None
    position: int | None

    @classmethod
    def from_wecom(cls, row: Mapping[str, Any]) -> DepartmentSeen:
        """From an object of department/list (``parentid``, ``order``) or a callback's fields (``ParentId``)."""
        return cls(
            id=int(row["id"] if "id" in row else row["Id"]),
            name=str(row.get("name") or row.get("Name") or "")[:128] or None,
            parent_id=_int(row.get("parentid", row.get("ParentId"))),
            position=_int(row.get("order", row.get("Order"))),
        )


def _int(value: Any) -> int | None:
    text = str(value if value is not None else "").strip()
    return int(text) if text.isdecimal() else None
