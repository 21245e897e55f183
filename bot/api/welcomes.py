"""Welcome messages as requests write them. What the platform would refuse, ``scrm.channels.checks`` tells."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bot.api.types import Body, Text

Weekdays = Annotated[
    list[Annotated[int, Field(ge=1, le=7)]], Field(max_length=7, description="1 周一 … 7 周日")
]
HourMinute = Annotated[Text, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$", examples=["09:00"])]
Short = Annotated[Text, Field(max_length=2048)]


class ImageBody(Body):
    """A picture: a file of ours, or an address."""

    media: Short | None = None
    pic_url: Short | None = None


class LinkBody(Body):
    """A link card."""

    title: Short
    url: Short
    picurl: Short | None = None
    desc: Short | None = None


class MiniProgramBody(Body):
    """A mini program card."""

    title: Short
    pic_media: Short
    appid: Short
    page: Short


class FileBody(Body):
    """A stored file, by the id that POST /media answered."""

    media: Short


class AttachmentBody(Body):
    """An attachment: its type, and the part of that name."""

    msgtype: Literal["image", "link", "miniprogram", "video", "file"]
    image: ImageBody | None = None
    link: LinkBody | None = None
    miniprogram: MiniProgramBody | None = None
    video: FileBody | None = None
    file: FileBody | None = None


class WelcomeBody(Body):
    """A greeting; ``{customer}`` and ``{rep}`` stand for the names. Without times it always fits."""

    text: Annotated[Text, Field(max_length=4000)] | None = None
    attachments: list[AttachmentBody] = Field(default_factory=list, max_length=9)
    weekdays: Weekdays | None = None
    start: HourMinute | None = Field(None, alias="from")
    end: HourMinute | None = Field(None, alias="to")


class ShiftBody(Body):
    """When who serves. Without ``staff`` the whole pool; ``to`` before ``from`` runs over midnight."""

    weekdays: Weekdays | None = None
    start: HourMinute = Field(alias="from")
    end: HourMinute = Field(alias="to")
    staff: list[Annotated[Text, Field(max_length=64)]] | None = None


def plain(body: Body) -> dict[str, Any]:
    """What was said, as the domain writes it: nothing that was left out or null."""
    return body.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
