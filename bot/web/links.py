"""Signed texts that stand for a login until the sidebar has one: a link, the visit it opens, a form on the page.

Each names a contact and a member and ends by itself. They are signed with the secret key, each purpose under a salt of
its own, so that none passes for another. See docs/adr/0007-signed-profile-links.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from itsdangerous import BadData, URLSafeSerializer

from scrm.ids import new_token

LONGEST = 1024


class Purpose(StrEnum):
    """What a signed text is good for."""

    LINK = "link"  # in the app message to the rep
    VISIT = "visit"  # in the cookie, after the link was opened
    FORM = "form"  # in a form, against forgery and double sending


LIFETIMES = {
    Purpose.LINK: timedelta(days=7),
    Purpose.VISIT: timedelta(hours=8),
    Purpose.FORM: timedelta(hours=8),
}


class Forged(Exception):
    """We never signed this, or not for this purpose."""


class Expired(Exception):
    """We signed it, and its time is over."""


@dataclass(frozen=True)
class Grant:
    """Who may see whom until when. ``nonce`` tells forms apart."""

    contact_id: str
    userid: str
    until: datetime
    nonce: str = ""


class Links:
    """Signs and reads grants with the deployment's secret key."""

    def __init__(self, secret: str) -> None:
        self._serializers = {
            purpose: URLSafeSerializer(
                secret,
                salt=f"lianke.profile.{purpose}.v1",
                signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
            )
            for purpose in Purpose
        }

    def sign_link(self, contact_id: str, userid: str, now: datetime) -> str:
        """The token in a rep's app message: the same arguments give the same token."""
        return self._sign(Purpose.LINK, Grant(contact_id, userid, now + LIFETIMES[Purpose.LINK]))

    def sign_visit(self, link: Grant, *, now: datetime) -> tuple[str, timedelta]:
        """The cookie of a visit and how long it lives; never longer than the link that opened it."""
        until = min(now + LIFETIMES[Purpose.VISIT], link.until)
        return self._sign(Purpose.VISIT, Grant(link.contact_id, link.userid, until)), until - now

    def sign_form(self, visit: Grant, *, now: datetime) -> str:
        """A form of this visit, unlike every other one."""
        until = now + LIFETIMES[Purpose.FORM]
        return self._sign(Purpose.FORM, Grant(visit.contact_id, visit.userid, until, new_token(12)))

    def read(self, purpose: Purpose, text: str, *, now: datetime) -> Grant:
        """The grant behind a text. Raises Forged or Expired."""
        if len(text) > LONGEST:
            raise Forged
        try:
            contact_id, userid, until, nonce = self._serializers[purpose].loads(text)
        except (BadData, ValueError) as error:
            raise Forged from error
        grant = Grant(contact_id, userid, datetime.fromtimestamp(until, UTC), nonce)
        if grant.until <= now:
            raise Expired
        return grant

    def _sign(self, purpose: Purpose, grant: Grant) -> str:
        parts = [grant.contact_id, grant.userid, int(grant.until.timestamp()), grant.nonce]
        return str(self._serializers[purpose].dumps(parts))
