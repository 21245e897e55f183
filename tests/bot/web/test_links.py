from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.links import Expired, Forged, Grant, Links, Purpose
from scrm.ids import new_id

SECRET = "s" * 40
CONTACT = new_id()


@pytest.fixture
def links() -> Links:
    return Links(SECRET)


def test_the_same_link_is_made_twice(links: Links, now: datetime) -> None:
    assert links.sign_link(CONTACT, "wangmin", now) == Links(SECRET).sign_link(CONTACT, "wangmin", now)


def test_a_link_names_contact_and_member_for_seven_days(links: Links, now: datetime) -> None:
    token = links.sign_link(CONTACT, "wangmin", now)

    read = links.read(Purpose.LINK, token, now=now + timedelta(days=7, seconds=-1))

    assert read == Grant(CONTACT, "wangmin", now + timedelta(days=7))
    with pytest.raises(Expired):
        links.read(Purpose.LINK, token, now=now + timedelta(days=7))


def test_a_visit_ends_with_the_link_that_opened_it(links: Links, now: datetime) -> None:
    link = links.read(Purpose.LINK, links.sign_link(CONTACT, "wangmin", now), now=now)

    early, early_lasts = links.sign_visit(link, now=now)
    _, late_lasts = links.sign_visit(link, now=now + timedelta(days=6, hours=23))

    assert (early_lasts, late_lasts) == (timedelta(hours=8), timedelta(hours=1))
    assert links.read(Purpose.VISIT, early, now=now).userid == "wangmin"
    with pytest.raises(Expired):
        links.read(Purpose.VISIT, early, now=now + timedelta(hours=8))


def test_no_purpose_passes_for_another(links: Links, now: datetime) -> None:
    grant = links.read(Purpose.LINK, links.sign_link(CONTACT, "wangmin", now), now=now)
    made = {
        Purpose.LINK: links.sign_link(CONTACT, "wangmin", now),
        Purpose.VISIT: links.sign_visit(grant, now=now)[0],
        Purpose.FORM: links.sign_form(grant, now=now),
    }

    for purpose, text in made.items():
        for other in set(Purpose) - {purpose}:
            with pytest.raises(Forged):
                links.read(other, text, now=now)


def test_forms_of_one_visit_differ(links: Links, now: datetime) -> None:
    grant = Grant(CONTACT, "wangmin", now + timedelta(hours=1))

    first, second = (
        links.read(Purpose.FORM, links.sign_form(grant, now=now), now=now).nonce for _ in range(2)
    )

    assert first
    assert first != second


def test_another_deployments_link_is_forged(links: Links, now: datetime) -> None:
    with pytest.raises(Forged):
        links.read(Purpose.LINK, Links("t" * 40).sign_link(CONTACT, "wangmin", now), now=now)


@pytest.mark.parametrize("at", [0, 5, -1, -20])
def test_one_changed_character_is_forged(links: Links, now: datetime, at: int) -> None:
    token = list(links.sign_link(CONTACT, "wangmin", now))
    token[at] = "A" if token[at] != "A" else "Q"

    with pytest.raises(Forged):
        links.read(Purpose.LINK, "".join(token), now=now)


@given(st.text(max_size=2000))
def test_any_other_text_is_forged(text: str) -> None:
    with pytest.raises(Forged):
        Links(SECRET).read(Purpose.LINK, text, now=datetime.fromisoformat("2026-11-23T02:00:00Z"))


@given(st.text(min_size=1, max_size=64).filter(lambda text: text.isprintable()))
def test_any_userid_comes_back_whole(userid: str) -> None:
    now = datetime.fromisoformat("2026-11-23T02:00:00Z")
    links = Links(SECRET)

    token = links.sign_link(CONTACT, userid, now)

    assert links.read(Purpose.LINK, token, now=now).userid == userid
    assert token.isascii()
