"""The logo of codes as it is kept: one at a time, never sent."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.channels import logo, media, queries
from scrm.channels.models import MediaFile
from scrm.errors import Invalid, NotFound
from scrm.library.models import MaterialKind
from scrm.library.rules import check_material
from tests.scrm.channels.factory import calls

pytestmark = pytest.mark.every_engine
ONE, OTHER = b"\x89PNG one", b"\x89PNG other" + b"\0" * 100_000


def files(session: Session) -> list[bytes]:
    return list(session.scalars(select(MediaFile.content)))


def test_one_logo_is_kept_in_place_of_the_one_before_and_removed(session: Session, now: datetime):
    assert (logo.has_logo(session), logo.find_logo(session)) == (False, None)

    for content in (ONE, ONE, OTHER):
        logo.set_logo(session, content, actor="admin", now=now)
        session.expire_all()
        assert logo.find_logo(session) == content
        assert files(session) == [content]

    assert logo.drop_logo(session, actor="admin", now=now)
    assert not logo.drop_logo(session, actor="admin", now=now)
    assert (logo.has_logo(session), logo.find_logo(session), files(session)) == (False, None, [])

    logo.set_logo(session, ONE, actor="admin", now=now)
    assert logo.find_logo(session) == ONE


def test_a_logo_is_not_sent_to_wecom_nor_offered_as_a_picture(session: Session, now: datetime):
    logo.set_logo(session, ONE, actor="admin", now=now)
    kept = session.scalars(select(MediaFile)).one()

    assert calls(session, "media/upload") == []
    assert media.renew_media(session, now=now) == 0
    assert queries.newest_images(session) == []
    with pytest.raises(NotFound):
        queries.get_image(session, kept.id)
    with pytest.raises(Invalid):
        check_material(MaterialKind.IMAGE, "标识", {}, kept.kind)


def test_the_same_picture_of_the_library_stays_when_the_logo_goes(session: Session, now: datetime):
    image = media.store_media(session, kind="image", filename="a.png", content=b"\x89PNG\r\n\x1a\n1", now=now)
    logo.set_logo(session, image.content, actor="admin", now=now)

    logo.drop_logo(session, actor="admin", now=now)

    assert list(session.scalars(select(MediaFile.id))) == [image.id]
