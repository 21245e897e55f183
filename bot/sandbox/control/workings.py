"""The sandbox's own workings: ledger, calls, faults, callbacks, clock, tokens, loading and emptying the world."""

from __future__ import annotations

from typing import Any

from bot.sandbox import faults, ledger, tokens, transfers, world
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.errors import ControlError
from bot.sandbox.state import iso

MOST_RESENDS = 100
EXPIRED, INVALID = 42001, 40014  # how a killed token answers


@control("GET", "/ledger")
async def get_ledger(box: Box, args: Args) -> dict[str, Any]:
    """Every accepted effect after ``after``; optionally of one ``api``, at most ``limit``."""
    limit = args.integer("limit", -1)
    return {
        "items": ledger.list_effects(
            box.state, after=args.after(), api=args.query.get("api", ""), limit=limit
        )
    }


@control("GET", "/calls")
async def get_calls(box: Box, args: Args) -> dict[str, Any]:
    """Every platform call after ``after``, refused ones too: errcode, HTTP status (0 = dropped), ms, note."""
    limit = args.integer("limit", -1)
    return {
        "items": ledger.list_calls(box.state, after=args.after(), api=args.query.get("api", ""), limit=limit)
    }


@control("GET", "/faults")
async def get_faults(box: Box, _args: Args) -> dict[str, Any]:
    """Faults still armed."""
    return {"items": faults.list_faults(box.state)}


@control("POST", "/faults")
async def post_fault(box: Box, args: Args) -> dict[str, Any]:
    """Arm a fault."""
    return faults.add_fault(box.state, args.body)


@control("DELETE", "/faults")
async def delete_faults(box: Box, _args: Args) -> dict[str, Any]:
    """Disarm all faults."""
    return {"cleared": faults.clear_faults(box.state)}


@control("GET", "/callbacks")
async def get_callbacks(box: Box, args: Args) -> dict[str, Any]:
    """Deliveries: seq, at, event, change_type, xml, state, attempts, status (of the accepted one, else 0), ms."""
    return {"items": box.callbacks.deliveries(args.after())}


@control("GET", "/callbacks/{seq:\\d+}")
async def get_callback(box: Box, args: Args) -> dict[str, Any]:
    """One delivery with every attempt."""
    seq = int(args.path["seq"])
    found = [row for row in box.callbacks.deliveries(seq - 1) if row["seq"] == seq]
    if not found:
        raise ControlError(404, "callback_unknown", f"没有第 {seq} 条回调")
    return {**found[0], "tries": box.callbacks.attempts(seq)}


@control("POST", "/resend")
async def resend(box: Box, args: Args) -> dict[str, Any]:
    """Post the last callback (or ``seq``) again ``times`` times: same plaintext, fresh envelope each time."""
    times = args.number("times", 1)
    if not isinstance(times, int) or not 1 <= times <= MOST_RESENDS:
        raise ControlError(400, "bad_field", f"times 必须是 1 到 {MOST_RESENDS} 的整数")
    seq = int(args.number("seq", box.callbacks.last() or 0))
    row = box.state.one("SELECT xml FROM delivery WHERE seq = ?", seq)
    if row is None:
        raise ControlError(404, "callback_unknown", "还没有发送过回调")
    statuses = [await box.callbacks.attempt(seq, row["xml"]) for _ in range(times)]
    return {"seq": seq, "statuses": statuses}


@control("POST", "/verify")
async def verify(box: Box, args: Args) -> dict[str, Any]:
    """What the console does when the callback page is saved: GET with echostr. The URL is kept if it passes."""
    return await box.callbacks.verify(args.text("callback_url") or box.callbacks.url)


@control("GET", "/clock")
async def get_clock(box: Box, _args: Args) -> dict[str, Any]:
    """The sandbox's time, and how far it is ahead of real time."""
    return {"now": iso(box.state.now()), "offset_s": box.state.offset}


@control("POST", "/clock")
async def advance_clock(box: Box, args: Args) -> dict[str, Any]:
    """Move the sandbox's clock forward by ``advance_s`` seconds; what falls due then happens (transfers)."""
    seconds = args.number("advance_s")
    if seconds < 0:
        raise ControlError(400, "bad_field", "advance_s 不能为负：时间只能向前")
    with box.state.transaction():
        box.state.advance(seconds)
        seqs = transfers.settle_due(box.state, box.settings, box.callbacks)
    for seq in seqs:
        box.callbacks.send(seq)
    return {"now": iso(box.state.now()), "offset_s": box.state.offset}


@control("POST", "/tokens/expire")
async def expire_tokens(box: Box, args: Args) -> dict[str, Any]:
    """Kill all access tokens now: later calls get 42001, or 40014 with ``"errcode": 40014``."""
    revoke = args.number("errcode", EXPIRED) == INVALID
    return {"expired": tokens.expire_tokens(box.state, box.state.now(), revoke=revoke)}


@control("POST", "/load")
async def load(box: Box, args: Args) -> dict[str, Any]:
    """Put a whole world in, or add to it; doing it twice changes nothing (see bot/sandbox/world.py)."""
    return world.load(box.state, args.body)


@control("POST", "/reset")
async def reset(box: Box, _args: Args) -> dict[str, Any]:
    """Back to a fresh sandbox: world, ledger, calls, callbacks, tokens, faults, clock."""
    await box.callbacks.cancel()
    box.limits.clear()
    world.reset(box.state)
    return {"ok": True}
