"""let a REST token act for a person

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_token", sa.Column("account_id", sa.String(length=26), nullable=True))


def downgrade() -> None:
    op.drop_column("api_token", "account_id")
