"""Who a corp's callbacks are about, and what they are: the sandbox's world, and acts by shares, repeatable by seed.

The shares are a judgement, not a measurement of somebody's corp (docs/load.md says why): most of what WeCom tells a
corp is reps editing customers and opening the app; adds come next; an hour with a campaign is busier in all of them.

Nobody does two things to one pair within two seconds: WeCom's events carry seconds, and so do people.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

REPS = ["zhangsan", "lisi", "wangwu", *(f"rep{number:02d}" for number in range(27))]
CHANNELS = 3  # each served by a third of the reps
CHANNEL_TAG = "etLoadTagOfChannel00000000000001"
INTENTS = [f"etLoadTagIntent0000000000000{number:04d}" for number in range(6)]
TRADES = [f"etLoadTagTrade00000000000000{number:04d}" for number in range(40)]  # renamed, on nobody
MIX: Mapping[str, int] = {  # of 100 callbacks
    "scan": 20,  # somebody new scans a code; a welcome code comes with it
    "back": 4,  # somebody who deleted the rep scans again; a welcome code, too
    "remark": 26,  # a rep writes a remark
    "tag": 24,  # a rep sets or clears a corp tag
    "leave": 8,  # a customer deletes the rep
    "remove": 3,  # a rep deletes the customer
    "retag": 1,  # an administrator renames a corp tag
    "staff": 2,  # a member's position changes
    "department": 1,  # a department is renamed
    "app": 11,  # members open the app, tap its menu, write to it
}
SCANS: Mapping[str, int] = {"scan": 1}


@dataclass(frozen=True)
class Act:
    """One thing that happens on the platform: a control call of the sandbox, which fires one callback."""

    kind: str
    path: str
    body: dict[str, Any]


@dataclass
class Crowd:
    """``count`` acts by ``mix``. ``world`` goes into the sandbox first, ``before`` happens before the first act."""

    count: int
    mix: Mapping[str, int] = field(default_factory=lambda: MIX)
    seed: int = 1
    edited_each: int = 8  # how often one customer is edited
    first: int = 0  # the number of its first customer: no two crowds share one

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        total = sum(self.mix.values())
        counts = {kind: self.count * share // total for kind, share in self.mix.items()}
        counts["scan"] += self.count - sum(counts.values())
        self.kinds = [kind for kind, number in counts.items() for _ in range(number)]
        chance.shuffle(self.kinds)
        edits = counts.get("remark", 0) + counts.get("tag", 0)
        pools = {
            "edited": edits // self.edited_each + 1 if edits else 0,
            "leaves": counts.get("leave", 0),
            "removed": counts.get("remove", 0),
            "backs": counts.get("back", 0),
        }
        self._pool: dict[str, list[str]] = {}
        number = self.first
        for name, size in pools.items():
            self._pool[name] = [f"wmLoad{name[:4]}{n:022d}" for n in range(number, number + size)]
            number += size
        self._rep = {
            customer: REPS[n % len(REPS)]
            for n, customer in enumerate(one for pool in self._pool.values() for one in pool)
        }
        self._chance = chance

    def world(self) -> dict[str, Any]:
        """For POST /sandbox/load."""
        return {
            "departments": [
                {"id": 1, "name": "负载公司", "parentid": 0},
                *({"id": n, "name": f"销售{n}部", "parentid": 1} for n in range(2, 12)),
            ],
            "staff": [
                {"userid": rep, "name": f"员工{n:02d}", "department": [2 + n % 10], "position": "销售顾问"}
                for n, rep in enumerate(REPS)
            ],
            "tag_groups": [
                _group("来源", [CHANNEL_TAG], ["展会"]),
                _group("意向", INTENTS, [f"意向{n}" for n in range(len(INTENTS))]),
                _group("行业", TRADES, [f"行业{n}" for n in range(len(TRADES))]),
            ],
            "customers": [
                {
                    "external_userid": one,
                    "name": f"老客户{one[-6:]}",
                    "relations": [{"userid": self._rep[one]}],
                }
                for pool in self._pool.values()
                for one in pool
            ],
        }

    def before(self) -> list[Act]:
        """Who comes back has left before."""
        return [self._leave(customer) for customer in self._pool["backs"]]

    def acts(self, codes: Sequence[str]) -> list[Act]:
        """All acts in order; ``codes`` are the channels', in the order of ``staff_of_channel``."""
        make = {
            "scan": self._scans(codes),
            "back": (self._back(one, codes) for one in self._pool["backs"]),
            "remark": self._remarks(),
            "tag": self._tags(),
            "leave": (self._leave(one) for one in self._pool["leaves"]),
            "remove": (_of_pair("remove", self._rep[one], one) for one in self._pool["removed"]),
            "retag": _retags(),
            "staff": _staff(),
            "department": _departments(),
            "app": _app(),
        }
        return [next(make[kind]) for kind in self.kinds]

    def _scans(self, codes: Sequence[str]):
        for number, code in enumerate(cycle(codes), self.first):
            yield Act("scan", "/scan", {"customer": f"新客户{number:06d}", "code": code})

    def _back(self, customer: str, codes: Sequence[str]) -> Act:
        rep = self._rep[customer]
        body = {"customer": customer, "code": codes[channel_of(rep)], "staff": rep}
        return Act("back", "/scan", body)

    def _leave(self, customer: str) -> Act:
        return _of_pair("leave", self._rep[customer], customer)

    def _remarks(self):
        pool = cycle(self._pool["edited"][::2] or self._pool["edited"])
        for number, one in enumerate(pool):
            yield _of_pair("edit", self._rep[one], one, kind="remark", remark=f"备注{number}")

    def _tags(self):
        held: dict[str, str] = {}
        for one in cycle(self._pool["edited"][1::2] or self._pool["edited"]):
            tag = self._chance.choice([tag for tag in INTENTS if tag != held.get(one)])
            cleared = {"remove_tags": [held[one]]} if one in held else {}
            held[one] = tag
            yield _of_pair("edit", self._rep[one], one, kind="tag", add_tags=[tag], **cleared)


def staff_of_channel(number: int) -> list[str]:
    """The reps a channel has."""
    return [rep for rep in REPS if channel_of(rep) == number]


def channel_of(rep: str) -> int:
    """Which channel a rep serves."""
    return REPS.index(rep) % CHANNELS


def _group(name: str, ids: list[str], names: list[str]) -> dict[str, Any]:
    tags = [{"id": tag, "name": called} for tag, called in zip(ids, names, strict=True)]
    return {"group_id": f"etLoadGroup{ids[0][9:]}", "name": name, "tags": tags}


def _of_pair(path: str, rep: str, customer: str, *, kind: str = "", **more: Any) -> Act:
    return Act(kind or path, f"/{path}", {"staff": rep, "customer": customer, **more})


def _retags():
    for number, tag in enumerate(cycle(TRADES)):
        yield Act("retag", "/tag_change", {"op": "update", "id": tag, "new_name": f"改名{number}"})


def _staff():
    for number, rep in enumerate(cycle(REPS)):
        yield Act("staff", "/staff_change", {"op": "update", "userid": rep, "position": f"职位{number}"})


def _departments():
    for number, department in enumerate(cycle(range(2, 12))):
        body = {"op": "update", "id": department, "name": f"改名部门{number}"}
        yield Act("department", "/department_change", body)


def _app():
    for number, rep in enumerate(cycle(REPS)):
        if number % 7 == 0:
            yield Act("app", "/app_message", {"staff": rep, "content": f"你好 {number}"})
        else:
            event = (
                {"event": "click", "event_key": f"menu{number}"} if number % 3 else {"event": "enter_agent"}
            )
            yield Act("app", "/app_event", {"staff": rep, **event})
