"""What a person says about a channel, and whether it is sound. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from scrm.channels import checks
from scrm.channels.checks import Problems
from scrm.channels.rules import MAX_USERS, MEDIA_FIELDS

MAX_TAGS = 50
MAX_WEIGHT = 1000


@dataclass(frozen=True)
class ChannelSpec:
    """A channel as people write it: userids and tag names (``名`` or ``组/名``), no ids of ours.

    ``welcome`` greets at any time; ``welcomes`` is the list by time of day: one of the two. ``weights`` and
    ``daily_limits`` are by userid; a rep's own limit overrides ``daily_limit``.
    """

    name: str
    staff: list[str]
    tags: list[str] = field(default_factory=list)
    welcome: dict[str, Any] | None = None
    welcomes: list[dict[str, Any]] | None = None
    schedule: list[dict[str, Any]] = field(default_factory=list)
    daily_limit: int | None = None
    backup_staff: list[str] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)
    daily_limits: dict[str, int] = field(default_factory=dict)
    cost_fen: int = 0
    remark_template: str | None = None
    skip_verify: bool = True

    def all_welcomes(self) -> list[dict[str, Any]]:
        """The welcomes as they are stored."""
        return [self.welcome] if self.welcome is not None else list(self.welcomes or [])

    def media(self) -> Iterator[tuple[str, str, str]]:
        """Each stored file the welcomes use: the path to it, the kind it must have, its id."""
        if self.welcome is not None:
            yield from media_paths(self.welcome, "welcome")
        for index, welcome in enumerate(self.welcomes or []):
            yield from media_paths(welcome, f"welcomes[{index}]")


FIELDS = tuple(one.name for one in fields(ChannelSpec))


def media_paths(welcome: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    """Each stored file a sound welcome uses: the path to it, the kind it must have, its id."""
    for index, attachment in enumerate(welcome.get("attachments") or []):
        kind = attachment["msgtype"]
        name = MEDIA_FIELDS.get(kind)
        if name and attachment[kind].get(name):
            wanted = "image" if kind == "miniprogram" else kind
            yield f"{path}.attachments[{index}].{kind}.{name}", wanted, attachment[kind][name]


def spec_problems(spec: ChannelSpec) -> Problems:
    """Everything wrong with a spec that can be known without the database."""
    found = checks.text_problems(spec.name, "name", at_most=64, required=True)
    found |= checks.list_problems(spec.staff, "staff", at_most=MAX_USERS)
    found |= checks.list_problems(spec.backup_staff, "backup_staff", at_most=MAX_USERS)
    found |= checks.list_problems(spec.tags, "tags", at_most=MAX_TAGS)
    found |= _welcome_problems(spec)
    found |= checks.schedule_problems(spec.schedule)
    found |= checks.number_problems(
        spec.daily_limit, "daily_limit", at_least=1, at_most=checks.MAX_LIMIT, what="每日上限"
    )
    found |= checks.cost_problems(spec.cost_fen)
    found |= checks.text_problems(spec.remark_template, "remark_template", at_most=64)
    found |= checks.flag_problems(spec.skip_verify, "skip_verify")
    return found or _member_problems(spec)


def _welcome_problems(spec: ChannelSpec) -> Problems:
    if spec.welcome is not None and spec.welcomes is not None:
        return {"welcome": "welcome 和 welcomes 只填一个"}
    if spec.welcome is not None:
        return checks.welcome_problems(spec.welcome, "welcome")
    return {} if spec.welcomes is None else checks.welcomes_problems(spec.welcomes)


def _member_problems(spec: ChannelSpec) -> Problems:
    """Who is named must be in the pool, once. Needs the lists to be lists."""
    found: Problems = {}
    if not spec.staff:
        found["staff"] = "请至少选择一名接待成员"
    for index, userid in enumerate(spec.backup_staff):
        if userid in spec.staff:
            found[f"backup_staff[{index}]"] = f"“{userid}” 已是接待成员，不能同时做后备"
    for index, shift in enumerate(spec.schedule):
        for number, userid in enumerate(shift.get("staff") or []):
            if userid not in spec.staff:
                found[f"schedule[{index}].staff[{number}]"] = f"“{userid}” 不在接待成员中"
    pool = {*spec.staff, *spec.backup_staff}
    found |= _by_userid_problems(spec.weights, "weights", pool, at_least=0, at_most=MAX_WEIGHT)
    return found | _by_userid_problems(
        spec.daily_limits, "daily_limits", pool, at_least=1, at_most=checks.MAX_LIMIT
    )


def _by_userid_problems(value: Any, path: str, pool: set[str], *, at_least: int, at_most: int) -> Problems:
    if not isinstance(value, Mapping):
        return {path: '应为对象，例如 {"zhangsan": 2}'}
    found: Problems = {}
    for userid, number in value.items():
        if userid not in pool:
            found[f"{path}.{userid}"] = f"“{userid}” 不在接待成员中"
        elif number is None:
            found[f"{path}.{userid}"] = "请填写数字"
        else:
            where = f"{path}.{userid}"
            found |= checks.number_problems(number, where, at_least=at_least, at_most=at_most, what="数值")
    return found
