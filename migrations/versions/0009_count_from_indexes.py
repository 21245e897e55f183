"""what channels and owners got is counted from indexes alone, and tasks of everybody are found by their state

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op

from migrations.online import create_index

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("scan", "ix_scan_channel_at", ["channel_id", "at", "is_new"])
    create_index("contact", "ix_contact_created_by", ["created_at", "id", "owner_id"])
    create_index("task", "ix_task_state", ["state", "id"])
    op.drop_index("ix_scan_channel", table_name="scan")
    op.drop_index("ix_contact_created", table_name="contact")


def downgrade() -> None:
    op.drop_index("ix_task_state", table_name="task")
    create_index("contact", "ix_contact_created", ["created_at", "id"])
    create_index("scan", "ix_scan_channel", ["channel_id", "at"])
    op.drop_index("ix_contact_created_by", table_name="contact")
    op.drop_index("ix_scan_channel_at", table_name="scan")
