"""/settings: what greets contacts who come without a channel, and when the corp works."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from bot.api.routes import Call, Routes
from bot.api.types import Answer, Body
from bot.api.welcomes import WelcomeBody, plain
from scrm.accounts import hours
from scrm.channels.service import get_default_welcomes
from scrm.channels.service import set_default_welcome as keep_default_welcome

routes = Routes("设置")


class DefaultWelcomeOut(Answer):
    """The welcomes, the first that fits the hour greets; an empty list greets nobody."""

    welcomes: list[dict[str, Any]]


class DefaultWelcomeBody(Body):
    """The welcomes that replace all there were."""

    welcomes: Annotated[list[WelcomeBody], Field(max_length=24)]


@routes.get("/settings/default_welcome", "默认欢迎语", scope="channels.read")
def get_default_welcome(call: Call) -> DefaultWelcomeOut:
    """The default welcomes."""
    return DefaultWelcomeOut(welcomes=get_default_welcomes(call.session))


@routes.put("/settings/default_welcome", "替换默认欢迎语", scope="settings.write")
def set_default_welcome(call: Call, body: DefaultWelcomeBody) -> DefaultWelcomeOut:
    """The default welcomes, replaced."""
    spec = {"welcomes": [plain(item) for item in body.welcomes]}
    kept = keep_default_welcome(call.session, spec, actor=call.actor, now=call.now)
    return DefaultWelcomeOut(welcomes=kept)


Times = Annotated[list[Annotated[str, Field(max_length=5)]], Field(min_length=2, max_length=2)]


class WorkingHoursOut(Answer):
    """The rules by which the corp works; a weekday that is not in ``week`` is off."""

    week: dict[str, list[str]] = Field(description="星期 1-7 → [开始, 结束]")
    keeps_public: bool = Field(description="是否遵循公共假期和调休")
    off: list[date] = Field(description="另外休息的日子")
    on: list[date] = Field(description="另外上班的日子")
    public_until: date = Field(description="公共假期数据到这一天；之后只按每周时间")


class WorkingHoursBody(Body):
    """The rules that replace all there were."""

    week: dict[Annotated[str, Field(pattern="^[1-7]$")], Times]
    keeps_public: bool = True
    off: list[date] = Field(default_factory=list, max_length=hours.MAX_DAYS)
    on: list[date] = Field(default_factory=list, max_length=hours.MAX_DAYS)


@routes.get("/settings/working_hours", "工作时间", scope="channels.read")
def get_working_hours(call: Call) -> WorkingHoursOut:
    """The corp's working hours."""
    return _hours(hours.get_hours(call.session))


@routes.put("/settings/working_hours", "替换工作时间", scope="settings.write")
def set_working_hours(call: Call, body: WorkingHoursBody) -> WorkingHoursOut:
    """The corp's working hours, replaced."""
    given = body.model_dump(mode="json")
    return _hours(hours.set_hours(call.session, given, actor=call.actor, now=call.now))


def _hours(kept: hours.Hours) -> WorkingHoursOut:
    return WorkingHoursOut(**kept.as_json(), public_until=hours.public_until())
