"""/settings/default_welcome: what greets contacts who come without a channel."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from bot.api.routes import Call, Routes
from bot.api.types import Answer, Body
from bot.api.welcomes import WelcomeBody, plain
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
