"""What a rep does in the WeCom client: edits a customer, chats, writes to the app, taps its menu."""

from __future__ import annotations

from typing import Any

from bot.sandbox import people, transfers, welcome
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.control.scan import access_pair
from bot.sandbox.errors import ControlError
from bot.sandbox.events import app_event, app_text, contact_event
from bot.sandbox.state import State, dump


def find_tag(state: State, name_or_id: str) -> str:
    """A live tag by id or by name (the oldest with that name). 404 when there is none."""
    tag_id: str | None = state.value(
        "SELECT id FROM tag WHERE deleted = 0 AND (id = ?1 OR name = ?1) ORDER BY id = ?1 DESC, rowid LIMIT 1",
        name_or_id,
    )
    if tag_id is None:
        raise ControlError(404, "tag_unknown", f"没有这个标签：{name_or_id}")
    return tag_id


def edit_pair(box: Box, args: Args, userid: str, customer: str) -> bool:
    """Apply the edit; answers whether it is one WeCom reports (remark, description, tags; not phone numbers)."""
    told = False
    for name in ("remark", "description"):
        if name in args.body:
            box.state.run(
                f"UPDATE relation SET {name} = ? WHERE userid = ? AND customer = ?",  # noqa: S608 - own names
                args.text(name), userid, customer,
            )  # fmt: skip
            told = True
    for tag in args.items("add_tags"):
        box.state.insert("relation_tag", userid=userid, customer=customer, tag_id=find_tag(box.state, tag))
        told = True
    for tag in args.items("remove_tags"):
        box.state.run(
            "DELETE FROM relation_tag WHERE userid = ? AND customer = ? AND tag_id = ?",
            userid, customer, find_tag(box.state, tag),
        )  # fmt: skip
        told = True
    if "remark_mobiles" in args.body:
        box.state.run(
            "UPDATE relation SET mobiles_json = ? WHERE userid = ? AND customer = ?",
            dump(args.items("remark_mobiles")), userid, customer,
        )  # fmt: skip
    return told


@control("POST", "/edit")
async def edit(box: Box, args: Args) -> dict[str, Any]:
    """The rep edits a customer: ``remark``, ``description``, ``add_tags``, ``remove_tags`` (names or ids)."""
    with box.state.transaction():
        userid, customer = access_pair(box, args)
        told = edit_pair(box, args, userid, customer)
        event = contact_event(
            box.settings.corp_id, box.state.now(), "edit_external_contact", userid, customer
        )
        seqs = [box.queue(event, args)] if told else []
    status = await box.send(seqs, args) if seqs else None
    return {"customer_id": customer, "staff": userid, "callback_status": status}


@control("POST", "/chat")
async def chat(box: Box, args: Args) -> dict[str, Any]:
    """A message between rep and customer (``"from"``: staff or customer). No callback; a welcome is now too late."""
    with box.state.transaction():
        userid, customer = access_pair(box, args)
        sender = args.text("from", "staff")
        if sender not in ("staff", "customer"):
            raise ControlError(400, "bad_field", "from 只能是 staff 或 customer")
        attachments = args.items("attachments")
        text = args.text("text") if attachments else args.need("text")
        welcome.spend_codes(box.state, userid, customer)
        seq = welcome.put_message(
            box.state,
            userid,
            customer,
            args.text("kind", "text"),
            text,
            attachments,
            incoming=sender == "staff",
        )
    return {"seq": seq}


@control("POST", "/app_message")
async def app_message(box: Box, args: Args) -> dict[str, Any]:
    """A member writes to the app."""
    with box.state.transaction():
        staff = people.access_staff(box.state, args.need("staff"))
        msgid = int(box.state.get_meta("app_msgid", "7300000000000000000")) + 1
        box.state.set_meta("app_msgid", str(msgid))
        content = args.need("content")
        seq = box.queue(
            app_text(
                box.settings.corp_id, box.state.now(), box.settings.agent_id, staff["userid"], content, msgid
            ), args,
        )  # fmt: skip
    return {"msgid": str(msgid), "callback_status": await box.send([seq], args)}


@control("POST", "/app_event")
async def post_app_event(box: Box, args: Args) -> dict[str, Any]:
    """A member opens the app (enter_agent), taps its menu (click, view), (un)subscribes."""
    with box.state.transaction():
        staff = people.access_staff(box.state, args.need("staff"))
        name = args.need("event")
        key = None if name in ("subscribe", "unsubscribe") else args.text("event_key")
        event = app_event(
            box.settings.corp_id, box.state.now(), box.settings.agent_id, staff["userid"], name, key
        )
        seq = box.queue(event, args)
    return {"callback_status": await box.send([seq], args)}


@control("POST", "/transfer")
async def end_transfer(box: Box, args: Args) -> dict[str, Any]:
    """The customer answers a waiting transfer: ``op`` accept, refuse, or limit (takeover's quota is full)."""
    outcome = transfers.OUTCOMES.get(args.text("op", "accept"))
    if outcome is None:
        raise ControlError(400, "bad_field", "op 只能是 accept、refuse 或 limit")
    with box.state.transaction():
        customer = people.access_customer(box.state, args.need("customer"))
        row = box.state.one(
            "SELECT * FROM transfer WHERE customer = ? AND status = ?", customer["id"], transfers.WAITING
        )
        if row is None:
            raise ControlError(404, "transfer_unknown", "这位客户没有等待接替的记录")
        seqs = transfers.settle(box.state, box.settings, box.callbacks, row, outcome)
    return {"customer_id": customer["id"], "callback_status": await box.send(seqs, args)}
