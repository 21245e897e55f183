"""Showing a whole phone number: written down first, and not too often."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from scrm.audit import service as audit

REVEALS = 30  # whole numbers an account may see in REVEALS_IN
REVEALS_IN = timedelta(hours=1)
DEED = "phone:revealed"


class TooOften(Exception):
    """The number is not shown, and nothing is written down."""


def check_pace(session: Session, audit_name: str, *, now: datetime) -> None:
    """After the deed is recorded: of two requests at once the second sees the first. Raises TooOften."""
    if audit.count_deeds(session, audit_name, DEED, since=now - REVEALS_IN) > REVEALS:
        raise TooOften
