"""How an account wants its pages: language, colours, density. Kept by key among the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from scrm.accounts.service import get_setting, set_setting

CHOICES: Mapping[str, tuple[str, ...]] = {
    "language": ("", "zh", "en"),  # empty: as the browser prefers
    "theme": ("", "light", "dark"),  # empty: as the device
    "density": ("", "compact"),
}


@dataclass(frozen=True)
class Look:
    """One account's choices; empty is the default."""

    language: str = ""
    theme: str = ""
    density: str = ""


def get_look(session: Session, account_id: str) -> Look:
    """What the account chose."""
    kept = get_setting(session, _key(account_id), {})
    return Look(**{name: kept[name] for name, values in CHOICES.items() if kept.get(name) in values})


def set_look(
    session: Session, account_id: str, changes: Mapping[str, str], *, actor: str, now: datetime
) -> Look:
    """Keep these choices, the others as they are; what is no choice is passed over."""
    good = {name: value for name, value in changes.items() if value in CHOICES.get(name, ())}
    look = Look(**{**asdict(get_look(session, account_id)), **good})
    set_setting(session, _key(account_id), asdict(look), actor=actor, now=now)
    return look


def _key(account_id: str) -> str:
    return f"look:{account_id}"
