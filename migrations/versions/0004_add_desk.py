"""add what reps send and do: replies, materials, tasks, segments, group chats, comments; and columns to find people by

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.online import create_index
from scrm import dialects

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BY_BYTES = "varchar_pattern_ops"
TABLES = (
    "reply",
    "segment",
    "material",
    "group_member",
    "followup_comment",
    "task",
    "library_use",
    "group_chat",
    "folder",
)


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    _add_library()
    _add_work()
    _add_groups()
    op.add_column("contact", sa.Column("pinyin", sa.String(length=128), nullable=True))
    op.add_column("contact", sa.Column("initials", sa.String(length=48), nullable=True))
    op.add_column("contact_tag", sa.Column("contact_at", dialects.UtcDateTime(), nullable=True))
    create_index("contact", "ix_contact_pinyin", ["pinyin"], ops={"pinyin": BY_BYTES})
    create_index("contact", "ix_contact_initials", ["initials"], ops={"initials": BY_BYTES})
    create_index("contact_tag", "ix_contact_tag_recent", ["tag_id", "contact_at", "contact_id"])


def _add_library() -> None:
    op.create_table(
        "folder",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", _enum("folderkind", "replies", "materials"), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=26), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("deleted_at", dialects.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_folder_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folder")),
    )
    op.create_index("ix_folder_place", "folder", ["kind", "owner_id", "position"])
    op.create_table(
        "material",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("folder_id", sa.String(length=26), nullable=False),
        sa.Column(
            "kind", _enum("materialkind", "image", "video", "file", "news", "miniprogram"), nullable=False
        ),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("media_file_id", sa.String(length=26), nullable=True),
        sa.Column("spelling", sa.String(length=400), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("used_at", dialects.UtcDateTime(), nullable=True),
        sa.Column("created_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("updated_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("deleted_at", dialects.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_material_folder_id")),
        sa.ForeignKeyConstraint(["media_file_id"], ["media_file.id"], name=op.f("fk_material_media_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_material")),
    )
    op.create_index("ix_material_folder", "material", ["folder_id", "deleted_at", "position", "id"])
    op.create_table(
        "reply",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("folder_id", sa.String(length=26), nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("material_id", sa.String(length=26), nullable=True),
        sa.Column("spelling", sa.String(length=400), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("used_at", dialects.UtcDateTime(), nullable=True),
        sa.Column("created_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("updated_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("deleted_at", dialects.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_reply_folder_id")),
        sa.ForeignKeyConstraint(["material_id"], ["material.id"], name=op.f("fk_reply_material_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply")),
    )
    op.create_index("ix_reply_folder", "reply", ["folder_id", "deleted_at", "position", "id"])
    op.create_table(
        "library_use",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("item_id", sa.String(length=26), nullable=False),
        sa.Column("staff_id", sa.String(length=26), nullable=False),
        sa.Column("contact_id", sa.String(length=26), nullable=True),
        sa.Column("way", _enum("useway", "chat", "copy"), nullable=False),
        sa.Column("at", dialects.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_library_use_contact_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_library_use_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_library_use")),
    )
    op.create_index("ix_library_use_at", "library_use", ["at"])
    op.create_index("ix_library_use_item", "library_use", ["item_id", "at"])
    op.create_index("ix_library_use_staff", "library_use", ["staff_id", "at"])


def _add_work() -> None:
    op.create_table(
        "task",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("contact_id", sa.String(length=26), nullable=False),
        sa.Column("staff_id", sa.String(length=26), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("due_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("state", _enum("taskstate", "open", "done", "skipped"), nullable=False),
        sa.Column("source", _enum("tasksource", "own", "followup", "manager", "sop"), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=True),
        sa.Column("created_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("closed_at", dialects.UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_task_contact_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_task_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("key", name=op.f("uq_task_key")),
    )
    op.create_index("ix_task_contact", "task", ["contact_id", "state", "due_at", "id"])
    op.create_index("ix_task_staff", "task", ["staff_id", "state", "due_at", "id"])
    op.create_table(
        "segment",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("updated_at", dialects.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_segment_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment")),
    )
    op.create_index("ix_segment_account", "segment", ["account_id", "position"])
    op.create_table(
        "followup_comment",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("followup_id", sa.String(length=26), nullable=False),
        sa.Column("contact_id", sa.String(length=26), nullable=False),
        sa.Column("author", sa.String(length=128), nullable=False),
        sa.Column("author_name", sa.String(length=128), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", dialects.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_followup_comment_contact_id")),
        sa.ForeignKeyConstraint(
            ["followup_id"], ["followup.id"], name=op.f("fk_followup_comment_followup_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_comment")),
    )
    op.create_index("ix_followup_comment_contact", "followup_comment", ["contact_id"])
    op.create_index("ix_followup_comment_followup", "followup_comment", ["followup_id", "at"])


def _add_groups() -> None:
    op.create_table(
        "group_chat",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("chat_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("owner_id", sa.String(length=26), nullable=True),
        sa.Column("notice", sa.Text(), nullable=True),
        sa.Column("opened_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("dismissed_at", dialects.UtcDateTime(), nullable=True),
        sa.Column("read_at", dialects.UtcDateTime(), nullable=True),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("colleagues", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_group_chat_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_chat")),
        sa.UniqueConstraint("chat_id", name=op.f("uq_group_chat_chat_id")),
    )
    op.create_index("ix_group_chat_opened", "group_chat", ["opened_at", "id"])
    op.create_index("ix_group_chat_owner", "group_chat", ["owner_id", "opened_at", "id"])
    op.create_table(
        "group_member",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("group_id", sa.String(length=26), nullable=False),
        sa.Column("kind", _enum("memberkind", "staff", "contact"), nullable=False),
        sa.Column("userid", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=26), nullable=True),
        sa.Column("contact_id", sa.String(length=26), nullable=True),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("joined_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("join_scene", sa.Integer(), nullable=False),
        sa.Column("invitor", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=True),
        sa.Column("left_at", dialects.UtcDateTime(), nullable=True),
        sa.Column("quit_scene", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_group_member_contact_id")),
        sa.ForeignKeyConstraint(["group_id"], ["group_chat.id"], name=op.f("fk_group_member_group_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_group_member_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_member")),
        sa.UniqueConstraint("group_id", "userid", name=op.f("uq_group_member_group_id_userid")),
    )
    op.create_index("ix_group_member_contact", "group_member", ["contact_id", "left_at"])
    op.create_index("ix_group_member_staff", "group_member", ["staff_id", "left_at"])
    op.create_index("ix_group_member_userid", "group_member", ["userid"])


def downgrade() -> None:
    op.drop_index("ix_contact_tag_recent", table_name="contact_tag")
    op.drop_index("ix_contact_initials", table_name="contact")
    op.drop_index("ix_contact_pinyin", table_name="contact")
    op.drop_column("contact_tag", "contact_at")
    op.drop_column("contact", "initials")
    op.drop_column("contact", "pinyin")
    for table in TABLES:
        op.drop_table(table)
