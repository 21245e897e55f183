"""One callback's way through the product, as the page draws it: scan, callback, inbox, handler, outbox, platform call.

The sandbox knows the first two, the product's ``/api/v1/trace`` tells the rest. Its steps are about a customer, not
about a callback, so they are cut to the time between this callback's arrival and the next one's; calls belong to the
event that caused them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.sandbox.callbacks import Callbacks
from bot.sandbox.state import State, iso

SCAN_DEPTH = 400  # deliveries looked through for others of the same customer
NEAR_S = 30.0  # a callback arrives this soon after it was queued, or the sandbox's clock was moved since
FINAL_EVENT = ("done", "ignored", "dead", "quarantined")
FINAL_CALL = ("sent", "failed", "unknown", "expired", "skipped")
CHANGE_TIME = re.compile(r"<CreateTime>(\d+)</CreateTime>")
WELCOME_CODE = re.compile(r"(<WelcomeCode><!\[CDATA\[)[^\]]*")
ERRCODE = re.compile(r"（(-?\d+)）$")
Step = dict[str, Any]
Node = dict[str, Any]


@dataclass
class Window:
    """What of the product's steps belongs to one callback. Times are unix seconds."""

    start: float
    begin: float  # arrival at the product; equals start when it did not arrive
    end: float
    created: float  # the event's CreateTime: entries about it carry that, in whole seconds
    event_id: int | None = None
    steps: list[tuple[float, Step]] = field(default_factory=list)

    def ms(self, at: float) -> int:
        """Milliseconds since the scan; never negative."""
        return max(0, round((at - self.start) * 1000))


def build(
    state: State, callbacks: Callbacks, delivery: Any, customer: str, steps: list[Step]
) -> dict[str, Any]:
    """The nodes of one callback, oldest first, and whether anything may still come."""
    window = _window(state, delivery, customer, steps)
    nodes = [_callback_node(callbacks, delivery, window), *_event_nodes(window), *_call_nodes(window)]
    order = {"callback": 0, "inbox": 1, "handler": 2, "outbox": 3, "api": 4}
    nodes.sort(key=lambda node: (node["ms"], order[node["phase"]]))
    arrived = window.event_id is not None
    settled = all(node["final"] for node in nodes) and (arrived or delivery["state"] != "pending")
    return {"start": iso(window.start), "arrived": arrived, "settled": settled, "nodes": nodes}


def masked(xml: str) -> str:
    """The callback's text without its welcome code."""
    return WELCOME_CODE.sub(r"\1***", xml)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _window(state: State, delivery: Any, customer: str, steps: list[Step]) -> Window:
    timed = [(_seconds(step["at"]), step) for step in steps]
    mine = _arrivals(state, customer, timed)
    queued = delivery["at"] - state.offset
    found = CHANGE_TIME.search(delivery["xml"])
    created = float(found[1]) if found else 0.0
    arrival = mine.get(delivery["seq"])
    if arrival is None:
        return Window(start=queued, begin=queued, end=queued, created=created)
    at, event_id = arrival
    later = [other for seq, (other, _) in mine.items() if seq > delivery["seq"]]
    start = queued if 0 <= at - queued < NEAR_S else at
    window = Window(start, at, min(later, default=float("inf")), created, event_id)
    window.steps = _cut(window, timed)
    return window


def _arrivals(state: State, customer: str, timed: list[tuple[float, Step]]) -> dict[int, tuple[float, int]]:
    """Delivery → (when the product took it in, event id): the newest of each kind belong together, and so on back."""
    newest = state.value("SELECT max(seq) FROM delivery") or 0
    rows = state.all(
        "SELECT seq, event, change_type FROM delivery WHERE seq > ? AND state != 'lost' AND instr(xml, ?)"
        " AND (state = 'delivered' OR attempts > 0) ORDER BY seq DESC",
        newest - SCAN_DEPTH, f"<ExternalUserID><![CDATA[{customer}]]>",
    )  # fmt: skip
    received: dict[str, list[tuple[float, int]]] = {}
    for at, step in sorted(timed, key=lambda pair: pair[0], reverse=True):
        if step["step"] in ("received", "quarantined") and step["event_id"] is not None:
            received.setdefault(step["detail"] or "", []).append((at, step["event_id"]))
    found: dict[int, tuple[float, int]] = {}
    for row in rows:
        waiting = received.get(f"wecom.{row['event']}.{row['change_type']}")
        if waiting:
            found[row["seq"]] = waiting.pop(0)
    return found


def _cut(window: Window, timed: list[tuple[float, Step]]) -> list[tuple[float, Step]]:
    events = {
        step["event_id"]
        for at, step in timed
        if step["step"] in ("received", "quarantined") and window.begin <= at < window.end
    }
    kept = []
    for at, step in timed:
        if step["event_id"] is not None:
            belongs = step["event_id"] in events
        else:
            belongs = window.begin <= at < window.end or at == window.created
        if belongs:
            kept.append((at, step))
    return kept


def _node(window: Window, phase: str, at: float, state: Any, *, final: bool, **more: Any) -> Node:
    return {"phase": phase, "ms": window.ms(at), "state": state, "final": final, **more}


def _callback_node(callbacks: Callbacks, delivery: Any, window: Window) -> Node:
    tries = callbacks.attempts(delivery["seq"])
    accepted = delivery["state"] == "delivered" or any(one["status"] == 200 for one in tries)  # noqa: PLR2004
    state = {"pending": "waiting", "lost": "skipped", "failed": "failed"}.get(delivery["state"], "ok")
    return _node(
        window,
        "callback",
        window.start,
        "ok" if accepted else state,
        final=accepted or delivery["state"] != "pending",
        id="callback",
        name=delivery["change_type"] or delivery["event"],
        seq=delivery["seq"],
        took_ms=tries[0]["ms"] if tries else None,
        tries=tries,
        url=callbacks.url,
        xml=masked(delivery["xml"]),
    )


def _event_nodes(window: Window) -> list[Node]:
    """For each event an inbox node and, once it ran, a handler node with what it changed."""
    nodes: list[Node] = []
    handlers: list[tuple[float, Node]] = []
    changes = [(at, step) for at, step in window.steps if step["step"] == "changed"]
    for at, step in window.steps:
        if step["step"] not in ("received", "quarantined"):
            continue
        number, state = step["event_id"], step["state"]
        common = {"event_id": number, "name": step["detail"], "title": step["title"]}
        inbox_state = "quarantined" if state == "quarantined" else "ok"
        nodes.append(
            _node(
                window, "inbox", at, inbox_state, final=state in FINAL_EVENT, id=f"inbox-{number}", **common
            )
        )
        begun = _handled_at(window, number, at)
        if begun is None:
            continue
        ended = next((when for when, other in window.steps if _ends(other, number)), None)
        shown = {"done": "ok", "ignored": "skipped", "dead": "failed"}.get(state, "running")
        error = next((other["detail"] for _, other in window.steps if _ends(other, number)), None)
        node = _node(window, "handler", begun, shown, final=True, id=f"handler-{number}", **common)
        node |= {
            "changes": [],
            "error": error,
            "ended_ms": None if ended is None else window.ms(ended),
        }
        handlers.append((begun, node))
    _give_changes(window, handlers, changes)
    return nodes + [node for _, node in handlers]


def _ends(step: Step, event_id: int) -> bool:
    return step["event_id"] == event_id and step["step"] in ("handled", "ignored", "dead")


def _handled_at(window: Window, event_id: int, received: float) -> float | None:
    """When a handler first wrote something, else when it was done; None while it has not run."""
    times = [
        at
        for at, step in window.steps
        if step["event_id"] == event_id and (step["step"] == "enqueued" or _ends(step, event_id))
    ]
    return max(received, min(times)) if times else None


def _give_changes(
    window: Window, handlers: list[tuple[float, Node]], changes: list[tuple[float, Step]]
) -> None:
    """Entries dated by the event itself go to its handler, others to the last one that had begun by then."""
    if not handlers:
        return
    handlers.sort(key=lambda pair: pair[0])
    first = next((node for _, node in handlers if node["event_id"] == window.event_id), handlers[0][1])
    for at, step in changes:
        begun = [node for when, node in handlers if when <= at + 0.001]
        node = first if at == window.created or not begun else begun[-1]
        node["changes"].append({"name": step["detail"], "title": step["title"]})


def _call_nodes(window: Window) -> list[Node]:
    """For each event an outbox node with the calls it asked for; for each call that was tried an api node."""
    nodes: list[Node] = []
    asked: dict[int | None, Node] = {}
    calls: dict[int, list[tuple[float, Step]]] = {}
    for at, step in window.steps:
        if step["call_id"] is not None:
            calls.setdefault(step["call_id"], []).append((at, step))
    for number, steps in calls.items():
        at, first = min(steps, key=lambda pair: (pair[1]["step"] != "enqueued", pair[0]))
        cause = first["event_id"]
        box = asked.get(cause)
        if box is None:
            box = asked[cause] = _node(
                window, "outbox", at, "ok", final=True, id=f"outbox-{cause}", event_id=cause, calls=[]
            )
            nodes.append(box)
        call = {"call_id": number, "name": first["detail"], "title": first["title"], "state": first["state"]}
        box["calls"].append(call)
        box["final"] = box["final"] and first["state"] in FINAL_CALL
        tried = [when for when, step in steps if step["step"] == "sending"]
        ended = next(((when, step) for when, step in steps if step["step"] in FINAL_CALL), None)
        if tried or ended:
            nodes.append(_api_node(window, call, tried, ended))
    return nodes


def _api_node(window: Window, call: Node, tried: list[float], ended: tuple[float, Step] | None) -> Node:
    state = call["state"]
    shown = {"sent": "ok", "sending": "running", "pending": "waiting"}.get(state, state)
    at = min(tried) if tried else ended[0] if ended else window.begin
    detail = ended[1]["detail"] if ended else None
    found = ERRCODE.search(detail or "")
    return _node(
        window,
        "api",
        at,
        shown,
        final=state in FINAL_CALL,
        id=f"api-{call['call_id']}",
        call_id=call["call_id"],
        name=call["name"],
        title=call["title"],
        attempts=len(tried),
        errcode=0 if state == "sent" else int(found[1]) if found else None,
        detail=detail,
        ended_ms=window.ms(ended[0]) if ended else None,
    )
