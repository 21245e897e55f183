"""add the files of jobs: what was uploaded, what came of it, what failed

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scrm import dialects

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KINDS = sa.Enum(
    "input", "work", "result", "failed", name="filekind", native_enum=False, create_constraint=True, length=24
)


def upgrade() -> None:
    op.create_table(
        "job_file",
        sa.Column("id", dialects.BigId, autoincrement=True, nullable=False),
        sa.Column("job_id", dialects.BigId, nullable=False),
        sa.Column("kind", KINDS, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(length=200), nullable=False),
        sa.Column("content", dialects.LongBinary, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", dialects.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_file_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_file")),
        sa.UniqueConstraint("job_id", "kind", "n", name=op.f("uq_job_file_job_id_kind_n")),
    )
    op.create_index("ix_job_file_created", "job_file", ["created_at"])


def downgrade() -> None:
    op.drop_table("job_file")
