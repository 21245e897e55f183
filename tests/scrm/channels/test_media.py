from __future__ import annotations

from datetime import timedelta

import pytest

from scrm.channels import media
from scrm.channels import service as channels
from scrm.channels.models import MediaFile
from scrm.errors import Invalid
from tests.scrm.channels.factory import calls, make_channel

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
JPG = b"\xff\xd8\xff\xe0" + b"0" * 32
MP4 = b"\x00\x00\x00\x18ftypisom" + b"0" * 32
UPLOAD = "media/upload"


def test_a_stored_file_is_owed_to_the_platform_once(session, now):
    first = media.store_media(session, kind="image", filename="a.png", content=PNG, now=now)
    again = media.store_media(session, kind="image", filename="b.png", content=PNG, now=now)
    assert again.id == first.id
    assert (first.kind, first.filename, first.size) == ("image", "a.png", len(PNG))
    [call] = calls(session, UPLOAD)
    assert call.command["media_file_id"] == first.id
    assert (call.command["kind"], call.command["filename"]) == ("image", "a.png")
    assert call.effect_key == f"media:{first.id}:2026-11-23"


def test_the_same_content_may_be_kept_as_image_and_as_file(session, now):
    image = media.store_media(session, kind="image", filename="a.png", content=PNG, now=now)
    file = media.store_media(session, kind="file", filename="a.png", content=PNG, now=now)
    assert image.id != file.id
    assert len(calls(session, UPLOAD)) == 2


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("voice", PNG),
        ("image", b""),
        ("image", PNG[:5]),
        ("image", b"GIF89a" + b"0" * 32),
        ("image", b"<svg onload=alert(1)>"),
        ("image", MP4),
        ("image", PNG + b"0" * (10 * 1024 * 1024)),
        ("video", PNG),
        ("video", MP4 + b"0" * (10 * 1024 * 1024)),
        ("file", b"12345"),
        ("file", b"0" * (20 * 1024 * 1024 + 1)),
    ],
)
def test_what_the_platform_would_refuse_is_refused_and_not_owed(session, now, kind, content):
    with pytest.raises(Invalid):
        media.store_media(session, kind=kind, filename="a.png", content=content, now=now)
    assert calls(session) == []
    assert session.query(MediaFile).count() == 0


@pytest.mark.parametrize(
    ("kind", "content"), [("image", PNG), ("image", JPG), ("video", MP4), ("file", b"%PDF-1")]
)
def test_what_the_platform_takes_is_stored(session, now, kind, content):
    assert media.store_media(session, kind=kind, filename="x", content=content, now=now).kind == kind


@pytest.mark.parametrize(
    ("filename", "kind", "suffix", "expected"),
    [
        ("产品手册.pdf", "file", None, "产品手册.pdf"),
        ("../../etc/passwd", "file", None, "passwd"),
        ("C:\\temp\\a.png", "image", "png", "a.png"),
        ("a.exe", "image", "png", "a.png"),
        ("photo.JPEG", "image", "jpg", "photo.jpeg"),
        ('a"; rm -rf $HOME\r\n.pdf', "file", None, "a_ rm -rf _HOME.pdf"),
        ("\u202egnp.exe", "file", None, "gnp.exe"),
        ("...", "image", "png", "image.png"),
        ("", "file", None, "file"),
        ("x" * 300 + ".pdf", "file", None, "x" * 116 + ".pdf"),
    ],
)
def test_filenames_are_safe(filename, kind, suffix, expected):
    assert media.safe_filename(filename, kind=kind, suffix=suffix) == expected


def uploaded(session, file, at, media_id="M1", state="sent"):
    answer = {"media_id": media_id, "created_at": str(int(at.timestamp()))}
    media.on_media_uploaded(session, {"media_file_id": file.id}, state, answer, now=at)
    session.flush()


def test_media_ids_are_only_those_still_valid(session, now):
    file = media.store_media(session, kind="image", filename="a.png", content=PNG, now=now)
    assert media.media_ids(session, [file.id], now=now) == {}
    uploaded(session, file, now)
    assert media.media_ids(session, [file.id, "other"], now=now) == {file.id: "M1"}
    assert media.media_ids(session, [file.id], now=now + timedelta(days=2, hours=23)) == {file.id: "M1"}
    assert media.media_ids(session, [file.id], now=now + timedelta(days=3)) == {}
    assert media.media_ids(session, [], now=now) == {}


def test_a_failed_or_late_answer_changes_nothing(session, now):
    file = media.store_media(session, kind="image", filename="a.png", content=PNG, now=now)
    uploaded(session, file, now, state="failed")
    assert file.media_id is None
    uploaded(session, file, now, "NEW")
    uploaded(session, file, now - timedelta(hours=1), "OLD")
    assert file.media_id == "NEW"
    media.on_media_uploaded(session, {"media_file_id": "gone"}, "sent", {"media_id": "M"}, now=now)
    media.on_media_uploaded(session, {"media_file_id": file.id}, "sent", None, now=now)
    assert (file.media_id, file.uploaded_at) == ("NEW", now)


def test_only_what_welcomes_use_is_renewed_once_a_day_and_in_time(session, now):
    used = media.store_media(session, kind="image", filename="a.png", content=PNG, now=now)
    default = media.store_media(session, kind="image", filename="b.jpg", content=JPG, now=now)
    unused = media.store_media(session, kind="video", filename="c.mp4", content=MP4, now=now)
    for file in (used, default, unused):
        uploaded(session, file, now)
    attach = lambda file: {"attachments": [{"msgtype": "image", "image": {"media": file.id}}]}  # noqa: E731
    make_channel(session, now=now, welcome=attach(used))
    channels.set_default_welcome(session, attach(default), actor="a", now=now)
    assert len(calls(session, UPLOAD)) == 3

    assert media.renew_media(session, now=now + timedelta(days=2, hours=11)) == 0
    due = now + timedelta(days=2, hours=12)
    assert media.renew_media(session, now=due) == 2
    assert media.renew_media(session, now=due + timedelta(hours=1)) == 0
    renewed = {call.command["media_file_id"] for call in calls(session, UPLOAD)[3:]}
    assert renewed == {used.id, default.id}


def test_a_file_never_uploaded_is_owed_when_a_welcome_takes_it(session, now):
    file = media.store_media(
        session, kind="image", filename="a.png", content=PNG, now=now - timedelta(days=9)
    )
    make_channel(
        session, now=now, welcome={"attachments": [{"msgtype": "image", "image": {"media": file.id}}]}
    )
    keys = [call.effect_key for call in calls(session, UPLOAD)]
    assert keys == [f"media:{file.id}:2026-11-14", f"media:{file.id}:2026-11-23"]
