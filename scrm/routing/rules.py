"""Choosing an owner: pure functions over counts, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Strategy(StrEnum):
    """How an owner is chosen for a contact that came without a rep."""

    ROUND_ROBIN = "round_robin"
    WEIGHTED = "weighted"
    LEAST_LOADED = "least_loaded"


@dataclass(frozen=True)
class Candidate:
    """A rep who may take a contact. ``assigned`` counts what the strategy has given so far, ``load`` open contacts."""

    staff_id: str
    name: str
    weight: int = 1
    assigned: int = 0
    load: int = 0
    last_assigned: float = 0.0


def choose(strategy: Strategy, candidates: Sequence[Candidate]) -> Candidate | None:
    """The next owner; None without candidates (weight 0 takes part in no weighted draw). Ties go by staff id."""
    pool = [c for c in candidates if c.weight > 0 or strategy is not Strategy.WEIGHTED]
    if not pool:
        return None
    match strategy:
        case Strategy.ROUND_ROBIN:
            return min(pool, key=lambda c: (c.last_assigned, c.staff_id))
        case Strategy.WEIGHTED:
            return min(pool, key=lambda c: ((c.assigned + 1) / c.weight, c.staff_id))
        case Strategy.LEAST_LOADED:
            return min(pool, key=lambda c: (c.load, c.last_assigned, c.staff_id))


SENTENCES: Mapping[str, tuple[str, str]] = {
    "scanned_code": (
        "扫「{channel}」的渠道活码，企业微信分给 {staff}",
        "Scanned the code of “{channel}”; WeCom gave the contact to {staff}",
    ),
    "added_directly": ("客户直接添加了 {staff}", "The contact added {staff} directly"),
    "owner_gone": (
        "原负责人 {previous} 已不是好友，改由新添加的 {staff} 负责",
        "{previous} is no longer connected; {staff}, whom the contact added, takes over",
    ),
    "round_robin": (
        "没有添加员工，在 {pool} 人中轮询分配给 {staff}",
        "No rep yet: round robin among {pool} reps gave the contact to {staff}",
    ),
    "weighted": (
        "没有添加员工，按权重（{weight}）在 {pool} 人中分配给 {staff}",
        "No rep yet: by weight ({weight}) among {pool} reps the contact goes to {staff}",
    ),
    "least_loaded": (
        "没有添加员工，{staff} 手上客户最少（{load} 位），分配给他",
        "No rep yet: {staff} has the fewest contacts ({load})",
    ),
    "manual": ("{actor} 手动分配给 {staff}", "Assigned to {staff} by {actor}"),
}


def sentence(reason: str, detail: Mapping[str, Any], locale: str = "zh_CN") -> str:
    """Why this rep, in one sentence."""
    zh, en = SENTENCES.get(reason, ("分配给 {staff}", "Assigned to {staff}"))
    template = zh if locale.startswith("zh") else en
    known = {"staff": "", "channel": "", "previous": "", "pool": "", "weight": "", "load": "", "actor": ""}
    told = template.format_map({**known, **{key: str(value) for key, value in detail.items()}})
    note = detail.get("note")  # of the person who decided
    return f"{told}{'：' if locale.startswith('zh') else ': '}{note}" if note else told
