"""index names and remarks so that PostgreSQL finds beginnings, whatever the database's collation

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from migrations.online import replace_index_on_postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BY_BYTES = "varchar_pattern_ops"


def upgrade() -> None:
    replace_index_on_postgresql("contact", "ix_contact_name", ["name"], ops={"name": BY_BYTES})
    replace_index_on_postgresql(
        "relation", "ix_relation_remark", ["remark", "contact_id"], ops={"remark": BY_BYTES}
    )


def downgrade() -> None:
    replace_index_on_postgresql("relation", "ix_relation_remark", ["remark", "contact_id"], ops={})
    replace_index_on_postgresql("contact", "ix_contact_name", ["name"], ops={})
