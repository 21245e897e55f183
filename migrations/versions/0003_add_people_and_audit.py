"""add accounts, logins and the audit trail

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scrm import dialects

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROLES = ("admin", "marketing", "manager", "sdr", "sales", "success", "readonly")
REFUSED = "the audit trail is insert-only"
# Who may run triggers may also drop them: they keep honest programs honest. What a database administrator changes, the
# chain of digests shows.
TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER audit_entry_no_{verb.lower()} BEFORE {verb} ON audit_entry"
        f" BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        f"""CREATE FUNCTION lianke_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$""",
        """CREATE TRIGGER audit_entry_no_change BEFORE UPDATE OR DELETE ON audit_entry
        FOR EACH ROW EXECUTE FUNCTION lianke_refuse_change()""",
    ],
    "mysql": [
        f"CREATE TRIGGER audit_entry_no_{verb.lower()} BEFORE {verb} ON audit_entry"
        f" FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{REFUSED}'"
        for verb in ("UPDATE", "DELETE")
    ],
}


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    _add_people()
    _add_audit()


def _add_people() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=True),
        sa.Column("staff_id", sa.String(length=26), nullable=True),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("role", _enum("role", *ROLES), nullable=False),
        sa.Column("reach", _enum("reach", "own", "department", "all"), nullable=False),
        sa.Column("created_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("last_login_at", dialects.UtcDateTime(), nullable=True),
        sa.Column("disabled_at", dialects.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_account_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("staff_id", name=op.f("uq_account_staff_id")),
        sa.UniqueConstraint("username", name=op.f("uq_account_username")),
    )
    op.create_table(
        "login",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("way", _enum("loginway", "password", "scan", "client"), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.Column("created_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("seen_at", dialects.UtcDateTime(), nullable=False),
        sa.Column("until", dialects.UtcDateTime(), nullable=False),
        sa.Column("ended_at", dialects.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_login_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
    )
    op.create_index("ix_login_account", "login", ["account_id", "ended_at"])
    op.create_index("ix_login_until", "login", ["until"])


def _add_audit() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", dialects.UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("actor_name", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_at", "audit_entry", ["at"])
    op.create_index("ix_audit_actor", "audit_entry", ["actor", "n"])
    op.create_index("ix_audit_object", "audit_entry", ["object_kind", "object_id", "n"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    for statement in TRIGGERS["mysql" if _dialect() in dialects.MYSQL else _dialect()]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit_head")
    op.drop_table("audit_entry")
    if _dialect() == "postgresql":
        op.execute("DROP FUNCTION lianke_refuse_change()")
    op.drop_table("login")
    op.drop_table("account")


def _dialect() -> str:
    return op.get_bind().dialect.name
