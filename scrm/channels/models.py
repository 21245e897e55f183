"""Tables of channels, written by ``channels.service``; ``scan`` by ``attribution``, ``media_file`` by ``media``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column

from scrm.db import Base, enum_type, id_column
from scrm.dialects import LongBinary, UtcDateTime


class ChannelState(StrEnum):
    """Paused: the reps rest, backups serve; the code goes on working."""

    ACTIVE = "active"
    PAUSED = "paused"


class Channel(Base):
    """A source of contacts with one code.

    ``schedule`` is a list of shifts ``{"weekdays":[1..7],"from":"09:00","to":"18:00","staff":["userid"]}`` in the
    corp's time zone (no ``staff`` = the whole pool; ``to`` before ``from`` = over midnight); empty = always.
    ``daily_limit`` is the most new contacts one rep takes through this channel on one local day.
    ``welcomes`` is a list of ``{"weekdays","from","to","text","attachments"}``; the first that fits greets, one
    without times always fits.
    """

    __tablename__ = "channel"
    __table_args__ = (Index("ix_channel_created", "created_at", "id"),)

    id: Mapped[str] = id_column()
    name: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16), default="wecom")
    state: Mapped[ChannelState] = mapped_column(enum_type(ChannelState), default=ChannelState.ACTIVE)
    schedule: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    daily_limit: Mapped[int | None] = mapped_column(Integer)
    welcomes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    remark_template: Mapped[str | None] = mapped_column(String(64))
    skip_verify: Mapped[bool] = mapped_column(Boolean, default=True)
    cost_fen: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(128), default="system")
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_by: Mapped[str | None] = mapped_column(String(128))


class ChannelStaff(Base):
    """A member of a channel's pool. ``weight`` counts for contacts we assign ourselves; 0 = none."""

    __tablename__ = "channel_staff"

    channel_id: Mapped[str] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    weight: Mapped[int] = mapped_column(Integer, default=1)
    daily_limit: Mapped[int | None] = mapped_column(Integer)
    is_backup: Mapped[bool] = mapped_column(Boolean, default=False)


class ChannelTag(Base):
    """A tag that everybody who comes through the channel gets."""

    __tablename__ = "channel_tag"

    channel_id: Mapped[str] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    tag_id: Mapped[str] = mapped_column(ForeignKey("tag.id"), primary_key=True)


class ChannelCode(Base):
    """The channel's contact way on the platform. ``state`` is ours and comes back with each scan.

    ``users`` is the list the platform has, ``wanted`` the one we last asked for; they differ while a call is open.
    """

    __tablename__ = "channel_code"

    id: Mapped[str] = id_column()
    channel_id: Mapped[str] = mapped_column(ForeignKey("channel.id"), index=True)
    state: Mapped[str] = mapped_column(String(30), unique=True)
    config_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    qr_url: Mapped[str | None] = mapped_column(String(512))
    users: Mapped[list[str]] = mapped_column(JSON, default=list)
    wanted: Mapped[list[str]] = mapped_column(JSON, default=list)
    pool_reason: Mapped[str] = mapped_column(String(32), default="shift")  # shift | backup | all_off
    error: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Scan(Base):
    """One time somebody came through a channel; the first of a contact is their source, later ones are kept too."""

    __tablename__ = "scan"
    __table_args__ = (
        Index(
            "ix_scan_channel_at", "channel_id", "at", "is_new"
        ),  # how many each brought, from the index alone
        Index("ix_scan_contact", "contact_id", "at"),
    )

    id: Mapped[str] = id_column()
    channel_id: Mapped[str] = mapped_column(ForeignKey("channel.id"))
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.id"))
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_new: Mapped[bool] = mapped_column(Boolean)
    effect_key: Mapped[str] = mapped_column(String(128), unique=True)


class MediaFile(Base):
    """A file for welcome messages, kept once per kind. The platform's media id lives 3 days; we renew it in time."""

    __tablename__ = "media_file"
    __table_args__ = (UniqueConstraint("sha256", "kind"),)

    id: Mapped[str] = id_column()
    kind: Mapped[str] = mapped_column(String(8))  # image | video | file
    filename: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(Integer)
    content: Mapped[bytes] = deferred(mapped_column(LongBinary))
    media_id: Mapped[str | None] = mapped_column(String(128))
    uploaded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
