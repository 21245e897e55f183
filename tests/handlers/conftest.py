"""A corp to which things happen."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.handlers.corporation import Corporation, make_corporation


@pytest.fixture
def corp(session: Session) -> Corporation:
    return make_corporation(session)
