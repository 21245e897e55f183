"""fill the letters of names and the age of tagged contacts, some thousand rows at a time

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from alembic import context, op
from sqlalchemy import bindparam, column, func, select, table, update
from sqlalchemy.engine import Connection

from scrm.spelling import spell

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BATCH = 2_000
CONTACT = table(
    "contact", column("id"), column("name"), column("pinyin"), column("initials"), column("created_at")
)
TAGGED = table("contact_tag", column("id"), column("contact_id"), column("contact_at"))


def upgrade() -> None:
    connection = op.get_bind()
    with (
        context.get_context().autocommit_block()
    ):  # each batch is a transaction: a run that is stopped goes on
        _spell(connection)
        _date(connection)


def downgrade() -> None:
    """What was filled goes with its columns."""


def _spell(connection: Connection) -> None:
    write = (
        update(CONTACT)
        .where(CONTACT.c.id == bindparam("of_id"))
        .values(pinyin=bindparam("whole"), initials=bindparam("first"))
    )
    last = ""
    while True:
        query = select(CONTACT.c.id, CONTACT.c.name, CONTACT.c.pinyin).where(CONTACT.c.id > last)
        rows = connection.execute(query.order_by(CONTACT.c.id).limit(BATCH)).all()
        if not rows:
            return
        spelled = ((row.id, *spell(row.name)) for row in rows if row.pinyin is None)
        wanted = [{"of_id": key, "whole": whole, "first": first} for key, whole, first in spelled]
        if wanted:
            connection.execute(write, wanted)
        last = rows[-1].id


def _date(connection: Connection) -> None:
    created = select(CONTACT.c.created_at).where(CONTACT.c.id == TAGGED.c.contact_id).scalar_subquery()
    last = ""
    while True:
        piece = select(TAGGED.c.id).where(TAGGED.c.id > last).order_by(TAGGED.c.id).limit(BATCH).subquery()
        until = connection.scalar(select(func.max(piece.c.id)))
        if until is None:
            return
        inside = (TAGGED.c.id > last, TAGGED.c.id <= until, TAGGED.c.contact_at.is_(None))
        connection.execute(update(TAGGED).where(*inside).values(contact_at=created))
        last = until
