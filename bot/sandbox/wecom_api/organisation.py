"""The app, departments and members, read only (path/90196-90208, 95350, 95351, 90227)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from bot.sandbox import people
from bot.sandbox.cursors import limit_of, make_cursor, read_cursor
from bot.sandbox.errors import ApiError
from bot.sandbox.registry import APP, CONTACT, Call, endpoint

MOST_IDS = 10_000


@endpoint("agent/get", method="GET", secrets=(APP,))
def agent_get(call: Call) -> dict[str, Any]:
    """The app itself. Another app's id answers 301002."""
    if call.param("agentid", 40056) != str(call.settings.agent_id):
        raise ApiError(301002)
    rows = call.state.all("SELECT userid FROM staff WHERE status != ? ORDER BY rowid", people.LEFT)
    return {
        "agentid": call.settings.agent_id,
        "name": "联客",
        "square_logo_url": "",
        "description": "沙箱中的自建应用",
        "allow_userinfos": {"user": [{"userid": row["userid"]} for row in rows]},
        "allow_partys": {"partyid": [1]},
        "allow_tags": {"tagid": []},
        "close": 0,
        "redirect_domain": call.settings.base_url.split("://", 1)[-1],
        "report_location_flag": 0,
        "isreportenter": 1,
        "home_url": "",
    }


def department_number(call: Call, name: str) -> int:
    """A department id from the query. Raises 60003 for anything that is none."""
    text = call.query.get(name, "")
    if not text.isdigit() or call.state.value("SELECT 1 FROM department WHERE id = ?", int(text)) is None:
        raise ApiError(60003)
    return int(text)


def departments_below(call: Call, top: int | None) -> list[sqlite3.Row]:
    """A department with all its descendants, or every department."""
    rows = call.state.all("SELECT * FROM department ORDER BY id")
    if top is None:
        return rows
    wanted = {top}
    for _ in rows:  # as deep as there are departments
        wanted |= {row["id"] for row in rows if row["parentid"] in wanted}
    return [row for row in rows if row["id"] in wanted]


def department_fields(row: sqlite3.Row) -> dict[str, Any]:
    """A department as answers show it."""
    return {
        "id": row["id"],
        "name": row["name"],
        "name_en": "",
        "department_leader": [],
        "parentid": row["parentid"],
        "order": row["ord"],
    }


@endpoint("department/list", method="GET", empty={"department": []})
def department_list(call: Call) -> dict[str, Any]:
    """Departments with names, descendants included."""
    top = department_number(call, "id") if call.query.get("id") else None
    return {"department": [department_fields(row) for row in departments_below(call, top)]}


@endpoint("department/simplelist", method="GET", empty={"department_id": []})
def department_simplelist(call: Call) -> dict[str, Any]:
    """Departments without names."""
    top = department_number(call, "id") if call.query.get("id") else None
    rows = departments_below(call, top)
    return {
        "department_id": [{"id": row["id"], "parentid": row["parentid"], "order": row["ord"]} for row in rows]
    }


@endpoint("department/get", method="GET")
def department_get(call: Call) -> dict[str, Any]:
    """One department."""
    number = department_number(call, "id")
    (row,) = call.state.all("SELECT * FROM department WHERE id = ?", number)
    return {"department": department_fields(row)}


def user_fields(row: sqlite3.Row) -> dict[str, Any]:
    """A member as an app made after 2022-06-20 sees one: no mobile, mail, gender or avatar."""
    departments = json.loads(row["department_json"])
    return {
        "userid": row["userid"],
        "name": row["name"],
        "department": departments,
        "order": [0] * len(departments),
        "position": row["position"],
        "status": row["status"],
        "isleader": 0,
        "is_leader_in_dept": [0] * len(departments),
        "direct_leader": [],
        "main_department": departments[0] if departments else 0,
        "alias": "",
        "external_position": "",
        "extattr": {"attrs": []},
    }


@endpoint("user/get", method="GET")
def user_get(call: Call) -> dict[str, Any]:
    """One member."""
    return user_fields(people.get_staff(call.state, call.param("userid")))


def members(call: Call) -> list[sqlite3.Row]:
    """Members of department_id, with those of its descendants if fetch_child=1."""
    number = department_number(call, "department_id")
    wanted = [number]
    if call.query.get("fetch_child") == "1":
        wanted = [row["id"] for row in departments_below(call, number)]
    found: dict[str, sqlite3.Row] = {}
    for department in wanted:
        for row in people.staff_of_department(call.state, department):
            found.setdefault(row["userid"], row)
    return list(found.values())


@endpoint("user/simplelist", method="GET", empty={"userlist": []})
def user_simplelist(call: Call) -> dict[str, Any]:
    """Members of a department: id, name, departments."""
    keys = ("userid", "name", "department")
    fields = [user_fields(row) for row in members(call)]
    return {"userlist": [{key: field[key] for key in keys} for field in fields]}


@endpoint("user/list", method="GET", empty={"userlist": []})
def user_list(call: Call) -> dict[str, Any]:
    """Members of a department."""
    return {"userlist": [user_fields(row) for row in members(call)]}


@endpoint("user/list_id", secrets=(CONTACT,), empty={"dept_user": []})
def user_list_id(call: Call) -> dict[str, Any]:
    """One row per (member, department); for the contact secret only."""
    limit, start = limit_of(call, MOST_IDS, MOST_IDS), read_cursor(call, 0)
    rows = [
        {"userid": row["userid"], "department": department}
        for row in call.state.all("SELECT * FROM staff WHERE status != ? ORDER BY rowid", people.LEFT)
        for department in json.loads(row["department_json"])
    ]
    more = start + limit < len(rows)
    return {
        "next_cursor": make_cursor(call, start + limit) if more else "",
        "dept_user": rows[start : start + limit],
    }
