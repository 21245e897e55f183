"""Access tokens: one live token per secret (path/91039)."""

from __future__ import annotations

from bot.sandbox.errors import ApiError
from bot.sandbox.state import State, new_id

TOKEN_LENGTH = 214  # what the platform issues today; it reserves 512


def issue_token(state: State, kind: str, now: float, ttl: float) -> tuple[str, int]:
    """The live token of this kind of secret and the seconds it has left; a new one when there is none."""
    row = state.one(
        "SELECT token, expires_at FROM token WHERE kind = ? AND expires_at > ? AND revoked = 0", kind, now
    )
    if row is not None and row["expires_at"] - now >= 1:
        return row["token"], int(row["expires_at"] - now)
    token = new_id("", TOKEN_LENGTH)
    state.insert("token", token=token, kind=kind, expires_at=now + ttl)
    return token, int(ttl)


def check_token(state: State, token: str, now: float) -> str:
    """The kind of the secret behind a token. Raises 41001 none, 40014 unknown or revoked, 42001 expired."""
    if not token:
        raise ApiError(41001)
    row = state.one("SELECT kind, expires_at, revoked FROM token WHERE token = ?", token)
    if row is None or row["revoked"]:
        raise ApiError(40014)
    if row["expires_at"] <= now:
        raise ApiError(42001)
    kind: str = row["kind"]
    return kind


def expire_tokens(state: State, now: float, *, revoke: bool) -> int:
    """Kill every live token at once: later calls get 40014 (``revoke``) or 42001. Answers how many died."""
    if revoke:
        return state.run("UPDATE token SET revoked = 1 WHERE expires_at > ? AND revoked = 0", now).rowcount
    return state.run(
        "UPDATE token SET expires_at = ? WHERE expires_at > ? AND revoked = 0", now, now
    ).rowcount
