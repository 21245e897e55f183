"""index losses by time alone: an overview of all channels looks them up without naming each channel

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

from migrations.online import create_index

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("relation", "ix_relation_lost_at", ["lost_at", "contact_id"])


def downgrade() -> None:
    op.drop_index("ix_relation_lost_at", table_name="relation")
