"""Tables ``folder``, ``reply``, ``material``, ``library_use``. Written by ``library.service`` only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from scrm.db import Base, enum_type, id_column
from scrm.dialects import UtcDateTime
from scrm.ids import ID_LENGTH

SPELLING_LENGTH = 400


class FolderKind(StrEnum):
    """What lies in a folder."""

    REPLIES = "replies"
    MATERIALS = "materials"


class MaterialKind(StrEnum):
    """What the sidebar can send into a chat (sendChatMessage), besides text."""

    IMAGE = "image"
    VIDEO = "video"
    FILE = "file"
    LINK = "news"
    MINIPROGRAM = "miniprogram"


class UseWay(StrEnum):
    """How something was used."""

    CHAT = "chat"  # sent into the open chat
    COPY = "copy"  # copied, where the client cannot send


class Folder(Base):
    """A folder of the team, or (``owner_id``) of one member. ``deleted_at`` hides it with what it holds."""

    __tablename__ = "folder"
    __table_args__ = (Index("ix_folder_place", "kind", "owner_id", "position"),)

    id: Mapped[str] = id_column()
    kind: Mapped[FolderKind] = mapped_column(enum_type(FolderKind))
    name: Mapped[str] = mapped_column(String(64))
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("staff.id"))
    position: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Shelved:
    """What a reply and a material share: a place in a folder, a title and its spelling, its use and life."""

    title: Mapped[str] = mapped_column(String(128))
    spelling: Mapped[str] = mapped_column(String(SPELLING_LENGTH), default="")
    position: Mapped[int] = mapped_column(Integer, default=0)
    used: Mapped[int] = mapped_column(Integer, default=0)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(128), default="system")
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @declared_attr
    def folder_id(cls) -> Mapped[str]:  # noqa: N805 - SQLAlchemy passes the class
        return mapped_column(ForeignKey("folder.id"))


class Material(Shelved, Base):
    """A file, link or mini program. ``detail``: url, desc (news); appid, page (miniprogram)."""

    __tablename__ = "material"
    __table_args__ = (Index("ix_material_folder", "folder_id", "deleted_at", "position", "id"),)

    id: Mapped[str] = id_column()
    kind: Mapped[MaterialKind] = mapped_column(enum_type(MaterialKind))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    media_file_id: Mapped[str | None] = mapped_column(ForeignKey("media_file.id"))  # the file, or a cover


class Reply(Shelved, Base):
    """A text with placeholders ({customer}, {staff}, {company}), and a material that goes with it."""

    __tablename__ = "reply"
    __table_args__ = (Index("ix_reply_folder", "folder_id", "deleted_at", "position", "id"),)

    id: Mapped[str] = id_column()
    text: Mapped[str] = mapped_column(Text)
    material_id: Mapped[str | None] = mapped_column(ForeignKey("material.id"))


class LibraryUse(Base):
    """One use of a reply or a material by a member, for whom; append-only."""

    __tablename__ = "library_use"
    __table_args__ = (
        Index("ix_library_use_staff", "staff_id", "at"),
        Index("ix_library_use_item", "item_id", "at"),
        Index("ix_library_use_at", "at"),
    )

    id: Mapped[str] = id_column()
    item_id: Mapped[str] = mapped_column(String(ID_LENGTH))  # a reply's or a material's
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    contact_id: Mapped[str | None] = mapped_column(ForeignKey("contact.id"))
    way: Mapped[UseWay] = mapped_column(enum_type(UseWay))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
