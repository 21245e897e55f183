"""REST tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scrm.accounts import tokens
from scrm.accounts.models import ApiToken
from scrm.errors import Conflict, Invalid, NotFound

DAY = timedelta(days=1)


def create(session, now, **changes):
    return tokens.create_token(session, **{"name": "CI", "role": "admin", "ttl": DAY, "now": now, **changes})


def test_a_token_is_shown_once_and_only_its_hash_kept(session, now):
    row, plaintext = create(session, now)
    assert plaintext.startswith("lk_")
    assert len(plaintext) == 46
    assert plaintext not in repr(vars(row))
    assert row.token_hash == tokens.hash_token(plaintext)
    assert row.scopes == list(tokens.ALL_SCOPES)
    assert tokens.authenticate(session, plaintext, now=now) is row


def test_two_tokens_are_never_the_same(session, now):
    assert create(session, now)[1] != create(session, now)[1]


@pytest.mark.parametrize(
    "wrong", ["", "lk_", "lk_" + "A" * 43, "x" * 46, "lk_" + "é" * 43, "lk_" + "A" * 4300, "\ud800"]
)
def test_anything_else_is_nobody(session, now, wrong):
    create(session, now)
    assert tokens.authenticate(session, wrong, now=now) is None


def test_a_token_lives_until_its_end_and_not_a_moment_longer(session, now):
    row, plaintext = create(session, now)
    assert tokens.authenticate(session, plaintext, now=now + DAY - timedelta(microseconds=1)) is row
    assert tokens.authenticate(session, plaintext, now=now + DAY) is None


def test_a_revoked_token_is_dead_at_once_and_once(session, now):
    row, plaintext = create(session, now)
    tokens.revoke(session, row.id, now=now)
    assert tokens.authenticate(session, plaintext, now=now) is None
    with pytest.raises(Conflict):
        tokens.revoke(session, row.id, now=now)
    with pytest.raises(NotFound):
        tokens.revoke(session, "nobody", now=now)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"role": "root"}, "role"),
        ({"ttl": timedelta(0)}, "ttl"),
        ({"ttl": timedelta(days=367)}, "ttl"),
    ],
)
def test_a_wrong_token_is_not_made(session, now, changes, field):
    with pytest.raises(Invalid) as refused:
        create(session, now, **changes)
    assert list(refused.value.fields) == [field]
    assert session.query(ApiToken).count() == 0


def test_the_use_is_written_once_a_minute(session, now):
    row, _ = create(session, now)
    assert tokens.is_use_due(row, now=now)
    assert tokens.mark_used(session, row.id, now=now)
    assert not tokens.mark_used(session, row.id, now=now + timedelta(seconds=59))
    assert tokens.mark_used(session, row.id, now=now + timedelta(seconds=60))
    session.refresh(row)
    assert row.last_used_at == now + timedelta(seconds=60)


def test_scopes_follow_the_role(session, now):
    row, _ = create(session, now, role="readonly")
    assert set(row.scopes) == {scope for scope in tokens.ALL_SCOPES if scope.endswith(".read")} - {"pii.read"}
    assert all(set(scopes) <= set(tokens.ALL_SCOPES) for scopes in tokens.ROLES.values())
    assert [role for role, scopes in tokens.ROLES.items() if "pii.read" in scopes] == ["admin"]


def test_all_tokens_are_listed_newest_first(session, now):
    first, second = create(session, now)[0], create(session, now, name="later")[0]
    tokens.revoke(session, first.id, now=now)
    assert {row.id for row in tokens.list_tokens(session)} == {first.id, second.id}
