"""The customer scans a rep's code, deletes the rep; the rep accepts or deletes the customer."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from bot.sandbox import people, ways, welcome
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.errors import ControlError
from bot.sandbox.events import Field, contact_event


@dataclass(frozen=True)
class Scan:
    """A scan resolved to the pair it is about."""

    way: sqlite3.Row
    body: dict[str, Any]
    customer: str
    userid: str


def resolve_customer(box: Box, args: Args) -> str | None:
    """The external_userid of a known customer; None for a new name. Raises 404 for an unknown id."""
    name = args.need("customer")
    row = people.find_customer(box.state, name)
    if row is not None:
        return str(row["id"])
    if people.EXTERNAL_ID.fullmatch(name) and len(name) == people.EXTERNAL_ID_LENGTH:
        raise ControlError(404, "customer_unknown", f"没有这个客户：{name}")
    return None


def resolve_scan(box: Box, args: Args) -> Scan:
    """Find the way, choose the member, make the customer if new. Call it in a transaction."""
    code = args.need("code")
    way = ways.find_way(box.state, code)
    if way is None:
        raise ControlError(
            404, "code_unknown", f"没有这个渠道码：{code}（可填 config_id、state 或二维码地址）"
        )
    body = json.loads(way["body_json"])
    customer = resolve_customer(box, args)
    wanted = args.text("staff")
    if wanted:
        members = {userid.lower(): userid for userid in ways.members_of_way(box.state, body)}
        if wanted.lower() not in members:
            raise ControlError(400, "staff_not_on_code", f"员工 {wanted} 不在这个渠道码里，或不可用")
        userid: str | None = members[wanted.lower()]
    else:
        userid = ways.pick_member(box.state, way, customer)
    if userid is None:
        raise ControlError(400, "code_without_staff", "这个渠道码没有可以添加的员工")
    if customer is None:
        columns = {"gender": int(args.number("gender")), "avatar": args.text("avatar")}
        columns["unionid"] = args.text("unionid")
        customer = people.make_customer(box.state, args.need("customer"), **columns)
    return Scan(way, body, customer, userid)


def add_event(box: Box, args: Args, scan: Scan, *, half: bool) -> int:
    """Make the relation and queue its event, with State and a fresh WelcomeCode where one is due."""
    known = people.find_relation(box.state, scan.userid, scan.customer)
    welcomed = (
        known is not None
        and known["half"]
        and welcome.has_spent_code(box.state, scan.userid, scan.customer, known["created_at"])
    )
    source = scan.body.get("state", "")
    people.put_relation(
        box.state, scan.userid, scan.customer, half=half, source=source, add_way=people.ADD_WAY_QR
    )
    box.state.run("DELETE FROM request WHERE userid = ? AND customer = ?", scan.userid, scan.customer)
    extra: list[Field] = [("State", source)]
    staff = people.access_staff(box.state, scan.userid)
    if not welcomed and not args.flag("no_code") and not staff["console_welcome"]:
        code = welcome.issue_code(box.state, scan.userid, scan.customer, box.settings.welcome_ttl_s)
        extra.append(("WelcomeCode", code))
        if args.flag("rival"):
            welcome.spend_codes(box.state, scan.userid, scan.customer)
    change = "add_half_external_contact" if half else "add_external_contact"
    event = contact_event(box.settings.corp_id, box.state.now(), change, scan.userid, scan.customer, extra)
    return box.queue(event, args)


def is_friend(box: Box, scan: Scan) -> bool:
    """Whether the two are friends both ways."""
    row = people.find_relation(box.state, scan.userid, scan.customer)
    return row is not None and not row["half"] and not row["deleted_by_customer"]


def answer_of(scan: Scan, status: int | None, **flags: bool) -> dict[str, Any]:
    """The scan's answer, fixed by design.md."""
    return {"customer_id": scan.customer, "staff": scan.userid, "callback_status": status, **flags}


@control("POST", "/scan")
async def scan_code(box: Box, args: Args) -> dict[str, Any]:
    """The customer scans: friendship, event, delivery.

    Friends already: nothing happens (``already``). A way with skip_verify false waits for /sandbox/accept
    (``pending``) unless ``"accept": true``.
    """
    seqs = []
    with box.state.transaction():
        scan = resolve_scan(box, args)
        if is_friend(box, scan):
            return answer_of(scan, None, already=True)
        if not scan.body.get("skip_verify", True) and not args.flag("accept"):
            box.state.insert(
                "request", userid=scan.userid, customer=scan.customer, config_id=scan.way["config_id"],
                at=box.state.now(),
            )  # fmt: skip
            return answer_of(scan, None, pending=True)
        if args.flag("half"):
            seqs.append(add_event(box, args, scan, half=True))
    if seqs:
        await box.send(seqs, args)
    with box.state.transaction():
        seqs = [add_event(box, args, scan, half=False)]
    return answer_of(scan, await box.send(seqs, args))


@control("POST", "/half")
async def half_add(box: Box, args: Args) -> dict[str, Any]:
    """The customer added the rep, who has not confirmed yet. A later scan completes it."""
    with box.state.transaction():
        scan = resolve_scan(box, args)
        if is_friend(box, scan):
            return answer_of(scan, None, already=True)
        seq = add_event(box, args, scan, half=True)
    return answer_of(scan, await box.send([seq], args))


@control("POST", "/accept")
async def accept_request(box: Box, args: Args) -> dict[str, Any]:
    """The rep accepts a customer who scanned a code that asks for verification."""
    with box.state.transaction():
        staff = people.access_staff(box.state, args.need("staff"))
        customer = people.access_customer(box.state, args.need("customer"))
        row = box.state.one(
            "SELECT config_id FROM request WHERE userid = ? AND customer = ?", staff["userid"], customer["id"]
        )
        way = ways.find_way(box.state, row["config_id"]) if row else None
        if way is None:
            raise ControlError(404, "request_unknown", "这位客户没有待通过的好友申请")
        scan = Scan(way, json.loads(way["body_json"]), customer["id"], staff["userid"])
        seq = add_event(box, args, scan, half=False)
    return answer_of(scan, await box.send([seq], args))


def access_pair(box: Box, args: Args) -> tuple[str, str]:
    """The (member, customer) of a call, who must be related."""
    staff = people.access_staff(box.state, args.need("staff"))
    customer = people.access_customer(box.state, args.need("customer"))
    if people.find_relation(box.state, staff["userid"], customer["id"]) is None:
        message = f"{customer['name']} 不是 {staff['userid']} 的客户"
        raise ControlError(400, "not_related", message)
    return staff["userid"], customer["id"]


@control("POST", "/leave")
async def leave(box: Box, args: Args) -> dict[str, Any]:
    """The customer deletes the rep: the rep's side still lists the customer (path/92130, del_follow_user)."""
    with box.state.transaction():
        userid, customer = access_pair(box, args)
        changed = box.state.run(
            "UPDATE relation SET deleted_by_customer = 1 WHERE userid = ? AND customer = ?"
            " AND deleted_by_customer = 0", userid, customer,
        ).rowcount  # fmt: skip
        if not changed:
            raise ControlError(400, "already_left", "客户已经删除过这位员工")
        event = contact_event(box.settings.corp_id, box.state.now(), "del_follow_user", userid, customer)
        seq = box.queue(event, args)
    return {"customer_id": customer, "staff": userid, "callback_status": await box.send([seq], args)}


@control("POST", "/remove")
async def remove(box: Box, args: Args) -> dict[str, Any]:
    """The rep deletes the customer: the relation and its tags are gone (path/92130, del_external_contact)."""
    with box.state.transaction():
        userid, customer = access_pair(box, args)
        people.drop_relation(box.state, userid, customer)
        event = contact_event(box.settings.corp_id, box.state.now(), "del_external_contact", userid, customer)
        seq = box.queue(event, args)
    return {"customer_id": customer, "staff": userid, "callback_status": await box.send([seq], args)}
