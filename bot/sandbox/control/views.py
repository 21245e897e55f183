"""What a person or a judge can look at: customers and their phones, staff and their messages, ways, QR images."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from functools import lru_cache
from typing import Any

import segno
from aiohttp import web

from bot.sandbox import people, ways, welcome
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.errors import ControlError
from bot.sandbox.state import State, iso

QR_SCALE, QR_BORDER = 8, 2


def customer_views(state: State, customer: str | None) -> list[dict[str, Any]]:
    """One customer, or (None) all in the order they came.

    ``staff``: userids of the reps on the phone now; ``relations``: every pair, as the platform keeps it.
    """
    messages, tags, relations = defaultdict(list), defaultdict(list), defaultdict(list)
    for message in welcome.list_messages(state, customer):
        messages[message.pop("customer")].append(message)
    for row in state.all(
        "SELECT r.customer, r.userid, t.id, t.name, g.name AS group_name FROM relation_tag r"
        " JOIN tag t ON t.id = r.tag_id JOIN tag_group g ON g.id = t.group_id"
        " WHERE ?1 IS NULL OR r.customer = ?1 ORDER BY t.rowid", customer,
    ):  # fmt: skip
        tags[row["customer"]].append(
            {"id": row["id"], "name": row["name"], "group": row["group_name"], "staff": row["userid"]}
        )
    for row in state.all(
        "SELECT r.*, s.name AS staff_name FROM relation r LEFT JOIN staff s ON s.userid = r.userid"
        " WHERE ?1 IS NULL OR r.customer = ?1 ORDER BY r.created_at", customer,
    ):  # fmt: skip
        relations[row["customer"]].append(relation_view(row))
    rows = state.all("SELECT * FROM customer WHERE ?1 IS NULL OR id = ?1 ORDER BY rowid", customer)
    return [
        {
            "id": row["id"],
            "name": row["name"],
            "type": row["type"],
            "gender": row["gender"],
            "avatar": row["avatar"],
            "unionid": row["unionid"],
            "created_at": iso(row["created_at"]),
            "messages": messages[row["id"]],
            "tags": tags[row["id"]],
            "staff": [
                relation["userid"] for relation in relations[row["id"]] if not relation["deleted_by_customer"]
            ],
            "relations": relations[row["id"]],
        }
        for row in rows
    ]


def relation_view(row: Any) -> dict[str, Any]:
    """One pair as a person reads it."""
    return {
        "userid": row["userid"],
        "name": row["staff_name"],
        "state": row["state"],
        "half": bool(row["half"]),
        "deleted_by_customer": bool(row["deleted_by_customer"]),
        "remark": row["remark"],
        "description": row["description"],
        "remark_corp_name": row["company"],
        "remark_mobiles": json.loads(row["mobiles_json"]),
        "add_way": row["add_way"],
        "added_at": iso(row["created_at"]),
    }


@control("GET", "/customers")
async def list_customers(box: Box, args: Args) -> dict[str, Any]:
    """All customers, or those whose name contains ``q``, newest last; ``limit`` keeps the last n."""
    found = customer_views(box.state, None)
    wanted = args.query.get("q", "")
    if wanted:
        found = [customer for customer in found if wanted in customer["name"]]
    limit = args.integer("limit", 0)
    return {"items": found[-limit:] if limit else found}


@control("GET", "/customers/{customer}")
async def get_customer(box: Box, args: Args) -> dict[str, Any]:
    """One customer by id or name, with the whole conversation under ``chat``."""
    row = people.access_customer(box.state, args.path["customer"])
    (view,) = customer_views(box.state, row["id"])
    return {**view, "chat": welcome.list_messages(box.state, row["id"], incoming=None)}


def staff_view(row: Any) -> dict[str, Any]:
    """One member as a person reads it."""
    return {
        "userid": row["userid"],
        "name": row["name"],
        "department": json.loads(row["department_json"]),
        "position": row["position"],
        "avatar": row["avatar"],
        "status": row["status"],
        "follow_user": bool(row["follow_user"]),
    }


def app_messages(state: State, userid: str) -> list[dict[str, Any]]:
    """What the app sent to a member, in order."""
    rows = state.all("SELECT * FROM app_message WHERE userid = ? ORDER BY seq", userid)
    return [
        {
            "seq": row["seq"],
            "at": iso(row["at"]),
            "kind": row["kind"],
            "title": row["title"],
            "text": row["text"],
            "url": row["url"],
            "msgid": row["msgid"],
            "body": json.loads(row["body_json"]),
        }
        for row in rows
    ]


@control("GET", "/staff")
async def list_staff(box: Box, _args: Args) -> dict[str, Any]:
    """All members, with how many app messages each got."""
    counts = dict(box.state.db.execute("SELECT userid, count(*) FROM app_message GROUP BY userid").fetchall())
    rows = box.state.all("SELECT * FROM staff WHERE status != ? ORDER BY rowid", people.LEFT)
    return {"items": [{**staff_view(row), "message_count": counts.get(row["userid"], 0)} for row in rows]}


@control("GET", "/staff/{userid}")
async def get_staff(box: Box, args: Args) -> dict[str, Any]:
    """One member with the app messages received: kind, title, text, url, at."""
    row = people.access_staff(box.state, args.path["userid"])
    return {**staff_view(row), "messages": app_messages(box.state, row["userid"])}


@control("GET", "/departments")
async def list_departments(box: Box, _args: Args) -> dict[str, Any]:
    """All departments."""
    rows = box.state.all('SELECT id, name, parentid, ord AS "order" FROM department ORDER BY id')
    return {"items": [dict(row) for row in rows]}


@control("GET", "/tags")
async def list_tags(box: Box, _args: Args) -> dict[str, Any]:
    """All live tags by group."""
    groups = box.state.all("SELECT id, name FROM tag_group WHERE deleted = 0 ORDER BY ord DESC, rowid")
    tags = defaultdict(list)
    for row in box.state.all("SELECT id, name, group_id FROM tag WHERE deleted = 0 ORDER BY ord DESC, rowid"):
        tags[row["group_id"]].append({"id": row["id"], "name": row["name"]})
    return {
        "items": [{"group_id": row["id"], "name": row["name"], "tags": tags[row["id"]]} for row in groups]
    }


@control("GET", "/ways")
async def list_ways(box: Box, _args: Args) -> dict[str, Any]:
    """All contact ways, oldest first."""
    found = []
    for row in box.state.all("SELECT * FROM way ORDER BY seq"):
        body = json.loads(row["body_json"])
        found.append(
            {
                "config_id": row["config_id"],
                "state": row["state"],
                "remark": body.get("remark", ""),
                "user": body.get("user", []),
                "party": body.get("party", []),
                "type": body["type"],
                "scene": body["scene"],
                "skip_verify": body.get("skip_verify", True),
                "qr_url": ways.qr_url(box.settings.base_url, row["config_id"]),
                "created_at": iso(row["created_at"]),
            }
        )
    return {"items": found}


@lru_cache(maxsize=1024)
def draw_qr(text: str, kind: str) -> bytes:
    """A QR image, png or svg."""
    buffer = io.BytesIO()
    segno.make(text, error="m").save(buffer, kind=kind, scale=QR_SCALE, border=QR_BORDER)
    return buffer.getvalue()


@control("GET", "/qr/{config_id}.{kind:png|svg}")
async def get_qr(box: Box, args: Args) -> web.Response:
    """The way's QR image. It holds the sandbox page with that code, so that a real phone may scan it."""
    config_id, kind = args.path["config_id"], args.path["kind"]
    if box.state.value("SELECT 1 FROM way WHERE config_id = ?", config_id) is None:
        raise ControlError(404, "code_unknown", f"没有这个渠道码：{config_id}")
    image = draw_qr(f"{box.settings.base_url}/?code={config_id}", kind)
    return web.Response(body=image, content_type="image/png" if kind == "png" else "image/svg+xml")


@control("GET", "/media/{media_id}")
async def get_media(box: Box, args: Args) -> web.Response:
    """Uploaded media for the page, without a token."""
    row = box.state.one("SELECT * FROM media WHERE id = ?", args.path["media_id"])
    if row is None:
        raise ControlError(404, "media_unknown", "没有这个素材")
    return web.Response(body=row["data"], content_type=row["content_type"])
