"""On-job transfer of customers and its result (path/92125, 94088)."""

from __future__ import annotations

from typing import Any

from bot.sandbox import people, transfers
from bot.sandbox.cursors import make_cursor, read_cursor
from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call, endpoint

MOST_CUSTOMERS = 100
LONGEST_NOTE = 200
RESULTS_PER_PAGE = 1000


@endpoint("externalcontact/transfer_customer", write=True, raw_utf8=True, empty={"customer": []})
def transfer_customer(call: Call) -> dict[str, Any]:
    """Ask each customer; every item has its own errcode. Silence for 24 h is consent."""
    handover = people.get_follower(call.state, call.need("handover_userid"))["userid"]
    takeover = people.get_follower(call.state, call.need("takeover_userid"))["userid"]
    if handover == takeover:
        raise ApiError(40130)
    customers = call.items("external_userid")
    if not customers or len(customers) > MOST_CUSTOMERS:
        raise ApiError(40058, "external_userid must be 1 to 100")
    call.text("transfer_success_msg", longest=LONGEST_NOTE)
    items = []
    for customer in customers:
        errcode = transfers.item_errcode(call.state, handover, customer)
        if not errcode:
            due = call.now + call.settings.transfer_wait_s
            call.state.insert(
                "transfer", handover=handover, takeover=takeover, customer=customer, status=transfers.WAITING,
                at=call.now, due_at=due,
            )  # fmt: skip
        items.append({"external_userid": customer, "errcode": errcode})
    call.effect = any(not item["errcode"] for item in items)
    return {"customer": items}


@endpoint("externalcontact/transfer_result", empty={"customer": []})
def transfer_result(call: Call) -> dict[str, Any]:
    """Status 1 done, 2 waiting, 3 refused, 4 takeover's limit."""
    handover, takeover = call.need("handover_userid"), call.need("takeover_userid")
    after = read_cursor(call, 0)
    rows = call.state.all(
        "SELECT * FROM transfer WHERE handover = ? AND takeover = ? AND seq > ? ORDER BY seq LIMIT ?",
        handover, takeover, after, RESULTS_PER_PAGE + 1,
    )  # fmt: skip
    page = rows[:RESULTS_PER_PAGE]
    found = [
        {
            "external_userid": row["customer"],
            "status": row["status"],
            "takeover_time": int(row["done_at"] or 0) if row["status"] == transfers.DONE else 0,
        }
        for row in page
    ]
    more = len(rows) > RESULTS_PER_PAGE
    return {"customer": found, "next_cursor": make_cursor(call, page[-1]["seq"]) if more else ""}
