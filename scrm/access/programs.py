"""What a REST token may do and see: all that its scopes name, or, where it acts for a person, never more than they."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from scrm.access.scope import Actor, actor_of, limit_to
from scrm.accounts import tokens
from scrm.accounts.models import Account, ApiToken, Staff, StaffStatus
from scrm.accounts.roles import ASSIGN

# Who sees only some customers does no work that counts or changes those of all: not through a program either.
_OF_ALL = frozenset(("channels.write", "settings.write", "jobs.write"))


@dataclass(frozen=True)
class Program:
    """A token that is good, and the person it acts for; None: nobody, and it sees all customers."""

    token: ApiToken
    person: Actor | None = None

    def may(self, scope: str) -> bool:
        """Whether the token has the scope, and the person too."""
        if scope not in self.token.scopes or self.person is None:
            return scope in self.token.scopes
        far_enough = self.person.sees is None or scope not in _OF_ALL
        return far_enough and self.person.may(scope)

    def speaks_for(self, staff_id: str) -> bool:
        """Whether it writes in a member's name: its person's, or theirs whom one with ``contacts.assign`` sees."""
        if self.person is None or staff_id == self.person.staff_id:
            return True
        within_reach = self.person.sees is None or staff_id in self.person.sees
        return within_reach and self.person.may(ASSIGN)

    def limit(self, session: Session) -> None:
        """From now on this session knows only what the program may see."""
        if self.person is not None:
            limit_to(session, self.person)


def find_program(session: Session, plaintext: str, *, now: datetime) -> Program | None:
    """The program behind a token; None for a bad one, and when the person may not enter any more. Writes nothing."""
    token = tokens.authenticate(session, plaintext, now=now)
    if token is None or token.account_id is None:
        return None if token is None else Program(token)
    account = session.get(Account, token.account_id)
    if account is None or account.disabled_at is not None:
        return None
    staff = session.get(Staff, account.staff_id) if account.staff_id else None
    if staff is not None and staff.status is not StaffStatus.ACTIVE:
        return None
    return Program(token, actor_of(session, account))
