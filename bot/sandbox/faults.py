"""Faults put into the next calls of an API on request (design.md, "The sandbox")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.sandbox.errors import ControlError
from bot.sandbox.state import State

LOWEST_STATUS, HIGHEST_STATUS = 200, 599
MODES = ("errcode", "http", "timeout", "cut")


@dataclass(frozen=True)
class Fault:
    """What happens to one call.

    ``errcode`` and ``http`` answer so without effect, after ``delay_ms``; ``timeout`` waits ``delay_ms`` and
    drops the connection without effect; ``cut`` applies the effect, waits ``delay_ms``, drops the connection.
    """

    mode: str
    errcode: int
    status: int
    delay_ms: int


def _integer(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ControlError(400, "bad_field", f"{name} 必须是整数")
    return value


def add_fault(state: State, body: dict[str, Any]) -> dict[str, Any]:
    """Arm a fault for the next ``times`` calls of ``api`` ("*" = any). Several faults apply in the order added."""
    api, mode = body.get("api"), body.get("mode")
    if not isinstance(api, str) or not api:
        raise ControlError(400, "bad_field", "缺少 api：请写 cgi-bin/ 之后的路径，或用 * 表示全部接口")
    if mode not in MODES:
        raise ControlError(400, "bad_field", f"mode 只能是 {'、'.join(MODES)} 之一")
    fault = {
        "api": api,
        "mode": mode,
        "errcode": _integer(body, "errcode", 0) or -1,
        "status": _integer(body, "status", 0) or 500,
        "times": _integer(body, "times", 1),
        "delay_ms": _integer(body, "delay_ms", 0),
    }
    if fault["times"] < 1 or fault["delay_ms"] < 0 or not LOWEST_STATUS <= fault["status"] <= HIGHEST_STATUS:
        raise ControlError(
            400, "bad_field", "times 至少为 1，delay_ms 不能为负，status 必须在 200 到 599 之间"
        )
    seq = state.run(
        "INSERT INTO fault (api, mode, errcode, status, times, delay_ms) VALUES (?,?,?,?,?,?)",
        *fault.values(),
    ).lastrowid
    return {"seq": seq, **fault}


def take_fault(state: State, api: str) -> Fault | None:
    """The fault this call must suffer, if any; uses up one of its times."""
    row = state.one(
        "SELECT * FROM fault WHERE times > 0 AND (api = ? OR api = '*') ORDER BY seq LIMIT 1", api
    )
    if row is None:
        return None
    if row["times"] == 1:
        state.run("DELETE FROM fault WHERE seq = ?", row["seq"])
    else:
        state.run("UPDATE fault SET times = times - 1 WHERE seq = ?", row["seq"])
    return Fault(row["mode"], row["errcode"], row["status"], row["delay_ms"])


def list_faults(state: State) -> list[dict[str, Any]]:
    """Faults still armed, in the order they apply."""
    return [dict(row) for row in state.all("SELECT * FROM fault ORDER BY seq")]


def clear_faults(state: State) -> int:
    """Disarm all faults; answers how many there were."""
    return state.run("DELETE FROM fault").rowcount
