"""/channels: the channel codes, who serves them, what greets, what they bring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from bot.api import channel_codes, paging
from bot.api.channel_codes import CodeState
from bot.api.routes import Call, Raw, Routes
from bot.api.types import Answer, Body, Line, Page, PageQuery, Text
from bot.api.welcomes import ShiftBody, WelcomeBody, plain
from scrm.channels import service
from scrm.channels.models import Channel, ChannelState
from scrm.channels.queries import ChannelDetails, describe, get_channel, list_channels
from scrm.channels.service import ChannelSpec

routes = Routes("渠道活码")
Userid = Annotated[Text, Field(min_length=1, max_length=64)]
Userids = Annotated[list[Userid], Field(max_length=100)]
TagNames = Annotated[list[Annotated[Text, Field(min_length=1, max_length=129)]], Field(max_length=50)]
Numbers = Annotated[dict[str, int], Field(max_length=100)]
Name = Annotated[Line, Field(min_length=1, max_length=64)]
Welcomes = Annotated[list[WelcomeBody], Field(max_length=24)]
Shifts = Annotated[list[ShiftBody], Field(max_length=100)]
Limit = Annotated[int, Field(ge=1, le=100_000)]
Fen = Annotated[int, Field(ge=0, le=2**31 - 1)]


class ChannelOut(Answer):
    """A channel with its code. ``state`` is the code's, and comes back with each scan."""

    id: str
    name: str
    kind: str
    status: ChannelState
    config_id: str | None
    qr_url: str | None
    state: str
    code_state: CodeState = Field(
        description="pending 正在创建，ready 可用，failed 被企业微信拒绝（见 code_error）"
    )
    code_error: str | None
    staff: list[str]
    backup_staff: list[str]
    users: list[str] = Field(description="此刻渠道码上的员工")
    pool_reason: str = Field(description="shift 按班次，backup 后备员工，all_off 无人当班")
    tags: list[str]
    welcome: dict[str, Any] | None
    welcomes: list[dict[str, Any]]
    schedule: list[dict[str, Any]]
    daily_limit: int | None
    weights: dict[str, int]
    daily_limits: dict[str, int]
    cost_fen: int
    remark_template: str | None
    skip_verify: bool
    created_at: datetime


class ChannelPage(Page[ChannelOut]):
    """A page of channels."""


class ChannelPatch(Body):
    """What to change; what is left out stays."""

    name: Name | None = None
    staff: Userids | None = Field(None, description="接待员工的 userid")
    tags: TagNames | None = Field(None, description="自动打上的标签（名称或 组/名称）")
    welcome: WelcomeBody | None = Field(None, description="任何时间都用这条欢迎语；与 welcomes 二选一")
    welcomes: Welcomes | None = Field(None, description="按时间段的欢迎语，取第一条合适的")
    schedule: Shifts | None = Field(None, description="班次；空为全天")
    daily_limit: Limit | None = Field(None, description="每位员工每天最多接待的新客户")
    backup_staff: Userids | None = Field(None, description="无人当班或都到上限时接待的后备员工")
    weights: Numbers | None = None
    daily_limits: Numbers | None = None
    cost_fen: Fen | None = Field(None, description="投入成本，单位分")
    remark_template: Annotated[Text, Field(max_length=64)] | None = None
    skip_verify: bool | None = None


class ChannelBody(ChannelPatch):
    """A new channel."""

    name: Name
    staff: Userids
    kind: Literal["wecom"] = "wecom"


@routes.get("/channels", "渠道列表，最新的在前", scope="channels.read")
def list_all_channels(call: Call, query: PageQuery) -> ChannelPage:
    """A page of channels in a fixed number of queries."""
    after = paging.decode(query.cursor, str)[0] if query.cursor else None
    rows, following = list_channels(call.session, cursor=after, limit=query.limit)
    cursor = paging.encode(following) if following else None
    return ChannelPage(items=_out(call.session, rows), next_cursor=cursor)


@routes.post(
    "/channels",
    "创建渠道活码",
    scope="channels.write",
    status=201,
    note="最多等待 5 秒直到企业微信给出二维码；未及时给出时 code_state 为 pending，稍后再查询。",
)
def create_channel(call: Call, body: ChannelBody) -> ChannelOut:
    """A channel, and as a rule its code."""
    said = _said(body)
    said.pop("kind", None)
    given = {key: value for key, value in said.items() if value is not None}
    channel = service.create_channel(
        call.session, ChannelSpec(**given), actor=call.actor, now=call.now, tz=call.tz
    )
    call.afterwards = lambda: _after_code(call, channel.id)
    return _out(call.session, [channel])[0]


def _after_code(call: Call, channel_id: str) -> ChannelOut:
    database = call.services.database
    channel_codes.wait_for_code(database, channel_id)
    with database.read() as session:
        return _out(session, [get_channel(session, channel_id)])[0]


@routes.get("/channels/<channel_id>", "一个渠道", scope="channels.read")
def get_one_channel(call: Call, channel_id: str) -> ChannelOut:
    """One channel."""
    return _out(call.session, [get_channel(call.session, channel_id)])[0]


@routes.patch("/channels/<channel_id>", "修改渠道", scope="channels.write", note="二维码不变，无需重印。")
def change_channel(call: Call, channel_id: str, body: ChannelPatch) -> ChannelOut:
    """Only the fields that are sent change."""
    channel = service.update_channel(
        call.session, channel_id, _said(body), actor=call.actor, now=call.now, tz=call.tz
    )
    return _out(call.session, [channel])[0]


@routes.post(
    "/channels/<channel_id>/pause", "暂停渠道", scope="channels.write", note="二维码仍可扫，由后备员工接待。"
)
def pause_channel(call: Call, channel_id: str) -> ChannelOut:
    """The reps rest; the code goes on working."""
    channel = service.pause_channel(call.session, channel_id, actor=call.actor, now=call.now, tz=call.tz)
    return _out(call.session, [channel])[0]


@routes.post("/channels/<channel_id>/resume", "恢复渠道", scope="channels.write")
def resume_channel(call: Call, channel_id: str) -> ChannelOut:
    """The reps serve again."""
    channel = service.resume_channel(call.session, channel_id, actor=call.actor, now=call.now, tz=call.tz)
    return _out(call.session, [channel])[0]


@routes.get(
    "/channels/<channel_id>/qr.png", "渠道二维码（PNG）", scope="channels.read", produces=("image/png",)
)
def channel_qr_png(call: Call, channel_id: str) -> Raw:
    """The printable code."""
    return Raw(channel_codes.qr_image(call.session, channel_id, "png"), "image/png")


@routes.get(
    "/channels/<channel_id>/qr.svg", "渠道二维码（SVG）", scope="channels.read", produces=("image/svg+xml",)
)
def channel_qr_svg(call: Call, channel_id: str) -> Raw:
    """The printable code, for any size."""
    return Raw(channel_codes.qr_image(call.session, channel_id, "svg"), "image/svg+xml")


def _said(body: ChannelPatch) -> dict[str, Any]:
    """The fields that were sent, as the domain writes them; null stays null where it means something."""
    said: dict[str, Any] = {}
    for name in body.model_fields_set:
        value = getattr(body, name)
        if isinstance(value, WelcomeBody):
            value = plain(value)
        elif name in ("welcomes", "schedule") and value is not None:
            value = [plain(item) for item in value]
        said[name] = value
    return {name: value for name, value in said.items() if value is not None or name in NULLABLE}


NULLABLE = {"daily_limit", "remark_template", "welcome"}  # null clears these; elsewhere it says nothing


def _out(session: Session, rows: Sequence[Channel]) -> list[ChannelOut]:
    details = describe(session, rows)
    return [_one(details[row.id]) for row in rows]


def _one(details: ChannelDetails) -> ChannelOut:
    channel, code = details.channel, details.code
    welcomes = channel.welcomes
    always = len(welcomes) == 1 and not {"weekdays", "from", "to"} & welcomes[0].keys()
    return ChannelOut(
        id=channel.id,
        name=channel.name,
        kind=channel.kind,
        status=channel.state,
        config_id=code.config_id if code else None,
        qr_url=code.qr_url if code else None,
        state=code.state if code else "",
        code_state=channel_codes.state_of(code),
        code_error=code.error if code else None,
        staff=details.staff,
        backup_staff=details.backup_staff,
        users=list(code.users) if code else [],
        pool_reason=code.pool_reason if code else "shift",
        tags=[tag.name for tag in details.tags],
        welcome=welcomes[0] if always else None,
        welcomes=welcomes,
        schedule=channel.schedule,
        daily_limit=channel.daily_limit,
        weights={member.userid: member.weight for member in details.members},
        daily_limits={one.userid: one.daily_limit for one in details.members if one.daily_limit is not None},
        cost_fen=channel.cost_fen,
        remark_template=channel.remark_template,
        skip_verify=channel.skip_verify,
        created_at=channel.created_at,
    )
