"""Who leads, for how long, and who comes next."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from scrm.leadership import lead, resign

TERM = timedelta(seconds=6)

pytestmark = pytest.mark.every_engine


def test_the_first_leads_until_the_term_ends(session: Session, now: datetime):
    assert lead(session, "m", "a", now=now, term=TERM)
    assert not lead(session, "m", "b", now=now + TERM - timedelta(seconds=1), term=TERM)
    assert lead(session, "m", "b", now=now + TERM, term=TERM)
    assert not lead(session, "m", "a", now=now + TERM, term=TERM)


def test_a_leader_who_renews_goes_on(session: Session, now: datetime):
    for second in range(0, 30, 2):
        assert lead(session, "m", "a", now=now + timedelta(seconds=second), term=TERM)
        assert not lead(session, "m", "b", now=now + timedelta(seconds=second), term=TERM)


def test_who_resigns_is_succeeded_at_once(session: Session, now: datetime):
    assert lead(session, "m", "a", now=now, term=TERM)
    resign(session, "m", "b", now=now)  # it was not his
    assert not lead(session, "m", "b", now=now, term=TERM)
    resign(session, "m", "a", now=now)
    assert lead(session, "m", "b", now=now, term=TERM)


def test_matters_have_leaders_of_their_own(session: Session, now: datetime):
    assert lead(session, "m", "a", now=now, term=TERM)
    assert lead(session, "n", "b", now=now, term=TERM)
