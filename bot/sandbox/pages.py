"""The page at ``/`` and what it reads beside the control interface: summary, people, phone, scans, trace.

- ``GET /sandbox/summary``: one cheap call to poll; its ``version`` says whether anything else must be read again;
- ``GET /sandbox/people?q=&staff=&cursor=&limit=``: customers a page at a time (``/sandbox/customers`` reads them all);
- ``GET /sandbox/phone/{customer}``: one customer's chats; ``GET /sandbox/requests?staff=``: who waits to be accepted;
- ``GET /sandbox/scans``: the newest callbacks about customers;
- ``GET /sandbox/trace?customer=&callback=``: what the product did with one of them (``bot/sandbox/trace.py``);
- ``GET /sandbox/trace/event/{id}``, ``/call/{id}``: a payload, its secrets masked by the product.

Importing this module registers these routes; ``mount`` adds the page, its files and the security headers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from bot.sandbox import overview, trace
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.errors import ControlError
from bot.sandbox.people import access_customer
from bot.sandbox.product import Reach, Told

STATIC = Path(__file__).with_name("static")
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # revalidated by ETag: an update shows at once
}
UPLOADS = "/sandbox/media/"
UPLOADS_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
FILE_KINDS = {"event": "/events/", "call": "/calls/"}


async def index(_request: web.Request) -> web.StreamResponse:
    """The page."""
    return web.FileResponse(STATIC / "index.html", headers=HEADERS)


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith("/sandbox/static/"):
        response.headers.update(HEADERS)
    elif request.path.startswith(UPLOADS):  # what somebody uploaded must not act as a page of ours
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = UPLOADS_POLICY


def mount(app: web.Application, box: Box) -> None:
    """Add the page to the application; call it before the control routes, which end in a 404 for all of /sandbox."""
    app.router.add_get("/", index)
    app.router.add_static("/sandbox/static/", STATIC)
    app.on_response_prepare.append(_harden)

    async def close(_app: web.Application) -> None:
        await box.product.close()

    app.on_cleanup.append(close)


@control("GET", "/summary")
async def get_summary(box: Box, _args: Args) -> dict[str, Any]:
    """What the page polls."""
    return {
        **overview.summary(box.state),
        "corp_id": box.settings.corp_id,
        "agent_id": box.settings.agent_id,
        "callback_url": box.callbacks.url,
        "product_url": box.product.url,
    }


@control("GET", "/people")
async def get_people(box: Box, args: Args) -> dict[str, Any]:
    """A page of customers, of everybody or of one member."""
    return overview.list_people(
        box.state,
        q=args.query.get("q", ""),
        staff=args.query.get("staff", ""),
        cursor=args.query.get("cursor", ""),
        limit=args.integer("limit", overview.DEFAULT_PEOPLE),
    )


@control("GET", "/requests")
async def get_requests(box: Box, args: Args) -> dict[str, Any]:
    """Customers who wait for a member to accept them."""
    return {"items": overview.list_requests(box.state, args.query.get("staff", ""))}


@control("GET", "/phone/{customer}")
async def get_phone(box: Box, args: Args) -> dict[str, Any]:
    """One customer's phone."""
    return overview.phone(box.state, args.path["customer"])


@control("GET", "/scans")
async def get_scans(box: Box, args: Args) -> dict[str, Any]:
    """The newest callbacks about customers."""
    return {"items": overview.list_scans(box.state, args.integer("limit", overview.MOST_SCANS))}


@control("GET", "/trace")
async def get_trace(box: Box, args: Args) -> dict[str, Any]:
    """One callback's way; the customer's newest one, or ``callback``. ``product``: how asking the product went."""
    row = access_customer(box.state, args.query.get("customer", ""))
    delivery = _delivery(box, row["id"], args.integer("callback", 0))
    told = await box.product.read("/trace", external_userid=row["id"])
    steps = told.body.get("items", []) if told.reach is Reach.OK and isinstance(told.body, dict) else []
    fresh = box.state.one(
        "SELECT * FROM delivery WHERE seq = ?", delivery["seq"]
    )  # it went on while we asked
    built = trace.build(box.state, box.callbacks, fresh or delivery, row["id"], steps)
    return {"callback": delivery["seq"], "product": told.reach.value, "status": told.status, **built}


def _delivery(box: Box, customer: str, seq: int) -> Any:
    row = box.state.one(
        "SELECT * FROM delivery WHERE instr(xml, ?) AND (?2 = 0 OR seq = ?2) ORDER BY seq DESC LIMIT 1",
        f"<ExternalUserID><![CDATA[{customer}]]>", seq,
    )  # fmt: skip
    if row is None:
        raise ControlError(404, "callback_unknown", "这位客户还没有触发过回调")
    return row


@control("GET", "/trace/{kind:event|call}/{number:\\d{1,18}}")
async def get_payload(box: Box, args: Args) -> dict[str, Any]:
    """An event or a call as the product tells it."""
    told: Told = await box.product.read(f"{FILE_KINDS[args.path['kind']]}{args.path['number']}")
    body = told.body if told.reach is Reach.OK else None
    return {"product": told.reach.value, "status": told.status, "item": body}
