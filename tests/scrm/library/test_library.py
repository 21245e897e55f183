"""Folders, replies and materials: who may change them, in which order they are, how they are found and counted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scrm.channels import media
from scrm.contacts.models import Contact
from scrm.errors import Conflict, Invalid, NotFound, Refused
from scrm.library import folders, queries, service
from scrm.library.folders import Hand
from scrm.library.models import FolderKind, LibraryUse, MaterialKind, UseWay
from scrm.library.queries import Which
from scrm.library.service import MaterialSpec, ReplySpec
from tests.scrm.channels.factory import calls
from tests.scrm.library.factory import TEAM, folder, link, member, picture, reply

REPLIES, MATERIALS = FolderKind.REPLIES, FolderKind.MATERIALS


def titles(session, hand=TEAM, *, kind=REPLIES, **which):
    return [found.item.title for found in queries.search(session, Which(**which), kind=kind, hand=hand)]


def names(session, hand=TEAM, kind=REPLIES):
    return [(row.folder.name, row.count) for row in queries.list_folders(session, kind, hand)]


def test_a_member_sees_the_team_and_their_own_and_nobody_elses(session, now):
    mine, other = member(session, now), member(session, now, "lihua", "李华")
    team = folder(session, now)
    own, foreign = folder(session, now, "我的", hand=mine), folder(session, now, "我的", hand=other)
    reply(session, now, team, "团队")
    reply(session, now, own, "自己", hand=mine)
    secret = reply(session, now, foreign, "别人", hand=other)

    assert names(session, mine) == [("报价", 1), ("我的", 1)]
    assert set(titles(session, mine)) == {"团队", "自己"}
    assert titles(session, mine, is_own=True) == ["自己"]
    assert titles(session) == ["团队"]
    for attempt in (
        lambda: service.access_item(session, REPLIES, secret.id, mine),
        lambda: queries.search(session, Which(folder_id=foreign.id), kind=REPLIES, hand=mine),
        lambda: service.move_item(session, REPLIES, secret.id, own.id, hand=mine),
        lambda: folders.rename_folder(session, foreign.id, "x", hand=TEAM),
        lambda: service.record_use(
            session, secret.id, staff_id=mine.staff_id, contact_id=None, way=UseWay.COPY, now=now
        ),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_a_member_changes_only_their_own_folders(session, now):
    mine, team = member(session, now), folder(session, now)
    kept = reply(session, now, team)
    own = reply(session, now, folder(session, now, "我的", hand=mine), hand=mine)

    for attempt in (
        lambda: folders.create_folder(session, REPLIES, "x", owner_id=None, hand=mine, now=now),
        lambda: folders.rename_folder(session, team.id, "x", hand=mine),
        lambda: folders.delete_folder(session, team.id, hand=mine, now=now),
        lambda: reply(session, now, team, hand=mine),
        lambda: service.update_reply(session, kept.id, ReplySpec("x", "y"), hand=mine, now=now),
        lambda: service.delete_item(session, REPLIES, kept.id, hand=mine, now=now),
        lambda: service.move_item(session, REPLIES, own.id, team.id, hand=mine),
    ):
        with pytest.raises(Refused):
            attempt()
    assert names(session, mine) == [("报价", 1), ("我的", 1)]


def test_folders_have_names_of_their_own_and_an_order(session, now):
    for name in ("报价", "车型", "售后"):
        last = folder(session, now, name)
    with pytest.raises(Conflict):
        folder(session, now, "车型")
    with pytest.raises(Invalid):
        folder(session, now, " ")
    folders.move_folder(session, last.id, by=-1, hand=TEAM)
    folders.move_folder(session, last.id, by=-5, hand=TEAM)
    assert [name for name, _ in names(session)] == ["售后", "报价", "车型"]

    folders.rename_folder(session, last.id, "合同", hand=TEAM)
    folders.delete_folder(session, last.id, hand=TEAM, now=now)
    folder(session, now, "合同")
    with pytest.raises(Conflict):
        folders.restore_folder(session, last.id, hand=TEAM)


def test_a_deleted_folder_hides_what_it_holds_until_it_is_restored(session, now):
    place = folder(session, now)
    reply(session, now, place)
    folders.delete_folder(session, place.id, hand=TEAM, now=now)
    assert (names(session), titles(session)) == ([], [])
    folders.restore_folder(session, place.id, hand=TEAM)
    assert titles(session) == ["报价流程"]


def test_a_folder_is_in_its_own_order_and_moves_change_it(session, now):
    place, other = folder(session, now), folder(session, now, "车型")
    rows = [reply(session, now, place, title) for title in ("一", "二", "三")]
    service.shift_item(session, REPLIES, rows[2].id, by=-1, hand=TEAM)
    service.shift_item(session, REPLIES, rows[0].id, by=-1, hand=TEAM)
    assert titles(session, folder_id=place.id) == ["一", "三", "二"]

    service.move_item(session, REPLIES, rows[0].id, other.id, hand=TEAM)
    service.move_item(session, REPLIES, rows[0].id, place.id, hand=TEAM)
    assert titles(session, folder_id=place.id) == ["三", "二", "一"]
    service.delete_item(session, REPLIES, rows[2].id, hand=TEAM, now=now)
    assert titles(session, folder_id=place.id) == ["二", "一"]
    service.restore_item(session, REPLIES, rows[2].id, hand=TEAM, now=now)
    assert titles(session, folder_id=place.id) == ["二", "一", "三"]


@pytest.mark.parametrize("q", ["冷藏车", "lengcang", "LCC", "  Lc  ", "制冷机组", "carrier", "BJ b"])
def test_it_is_found_by_title_text_pinyin_and_initials(session, now, q):
    place = folder(session, now)
    reply(session, now, place, "冷藏车报价 B", "制冷机组用 Carrier 的")
    reply(session, now, place, "平板车", "没有")
    assert titles(session, q=q) == ["冷藏车报价 B"]


def test_signs_of_a_search_language_are_plain_letters(session, now):
    reply(session, now, folder(session, now), "九折", "便宜")
    assert titles(session, q="%") == titles(session, q="_") == []


def test_a_search_answers_the_most_used_first_page_by_page(session, now):
    mine, place = member(session, now), folder(session, now)
    rows = [reply(session, now, place, f"报价{n}") for n in range(3)]
    for row, times in zip(rows, (0, 2, 1), strict=True):
        for _ in range(times):
            service.record_use(
                session, row.id, staff_id=mine.staff_id, contact_id=None, way=UseWay.CHAT, now=now
            )
    session.expire_all()
    which = Which(q="bj")
    first = queries.search(session, which, kind=REPLIES, hand=mine, limit=2)
    cursor = which.place_of(first[-1].item)
    rest = queries.search(session, which, kind=REPLIES, hand=mine, limit=2, cursor=cursor)
    assert [found.item.title for found in first + rest] == ["报价1", "报价2", "报价0"]


def test_a_use_is_counted_and_the_summary_tells_it(session, now):
    mine, place = member(session, now), folder(session, now)
    used, idle = reply(session, now, place, "常用"), reply(session, now, place, "闲置")
    contact = Contact(name="李雷", created_at=now)
    session.add(contact)
    session.flush()
    for days in (20, 3, 1):
        at = now - timedelta(days=days)
        service.record_use(
            session, used.id, staff_id=mine.staff_id, contact_id=contact.id, way=UseWay.CHAT, now=at
        )
    session.expire_all()

    assert (used.used, used.used_at, idle.used) == (3, now - timedelta(days=1), 0)
    row = session.query(LibraryUse).first()
    assert (row.item_id, row.contact_id, row.staff_id, row.way) == (
        used.id, contact.id, mine.staff_id, UseWay.CHAT,
    )  # fmt: skip
    week, month = now - timedelta(days=7), now - timedelta(days=30)
    assert queries.uses_of(session, [used.id, idle.id], week) == {used.id: 2}
    assert queries.uses_of(session, [used.id, idle.id], month) == {used.id: 3}
    summary = queries.summarize(session, REPLIES, mine, since=week, idle_since=month)
    assert (summary.count, summary.uses, summary.most, summary.idle) == (2, 2, ("常用", 2), 1)
    assert titles(session, idle_since=month) == ["闲置"]


def test_a_reply_is_sent_filled_and_followed_by_its_material(session, now):
    place = folder(session, now, "资料", kind=MATERIALS)
    site = link(session, now, place, desc="看一看")
    made = reply(session, now, folder(session, now), text="{customer}您好，我是{staff}", material_id=site.id)
    contact = Contact(name="李雷", created_at=now)

    def messages():
        return queries.messages_of(
            session, [made], contact=contact, staff=None, cover_url=lambda key: f"https://x/{key}", now=now
        )[made.id]

    text, news = messages()
    assert text["text"]["content"] == "李雷您好，我是我"
    assert news["news"] == {"link": "https://example.com/a", "title": "官网", "desc": "看一看", "imgUrl": ""}
    service.delete_item(session, MATERIALS, site.id, hand=TEAM, now=now)
    assert len(messages()) == 1


def test_a_personal_reply_is_given_to_the_team_once(session, now):
    mine, team = member(session, now), folder(session, now)
    own = folder(session, now, "我的素材", hand=mine, kind=MATERIALS)
    site = link(session, now, own, hand=mine)
    made = reply(session, now, folder(session, now, "我的", hand=mine), hand=mine, material_id=site.id)
    boss = Hand(mine.staff_id, keeps_team=True)

    copied = service.copy_reply(session, made.id, team.id, hand=boss, now=now)
    assert (copied.text, copied.folder_id, copied.material_id) == (made.text, team.id, None)
    with pytest.raises(Conflict):
        service.copy_reply(session, made.id, team.id, hand=boss, now=now)
    with pytest.raises(Invalid):
        reply(session, now, team, "别的", hand=boss, material_id=site.id)


def test_a_file_is_sent_once_the_platform_has_it(session, now):
    made = picture(session, now, folder(session, now, "海报", kind=MATERIALS))

    made_with = reply(session, now, folder(session, now), material_id=made.id)

    def messages(item):
        return queries.messages_of(session, [item], contact=None, staff=None, cover_url=str, now=now)[item.id]

    assert messages(made) == messages(made_with) == []
    answer = {"media_id": "M1", "created_at": str(int(now.timestamp()))}
    media.on_media_uploaded(session, {"media_file_id": made.media_file_id}, "sent", answer, now=now)
    session.flush()
    assert len(messages(made_with)) == 2
    assert messages(made) == [{"msgtype": "image", "enterChat": True, "image": {"mediaid": "M1"}}]


def test_only_live_materials_are_renewed_and_a_restored_one_again(session, now):
    place = folder(session, now, "海报", kind=MATERIALS)
    kept, gone = (
        picture(session, now, place),
        picture(session, now, place, content=b"\xff\xd8\xff\xe0" + b"1" * 9),
    )
    hidden = picture(
        session, now, folder(session, now, "旧", kind=MATERIALS), content=b"\xff\xd8\xff\xe0" + b"2" * 9
    )
    service.delete_item(session, MATERIALS, gone.id, hand=TEAM, now=now)
    folders.delete_folder(session, hidden.folder_id, hand=TEAM, now=now)
    due = now + timedelta(days=3)

    assert service.renew_media(session, now=due) == 1
    assert service.renew_media(session, now=due) == 0
    assert calls(session, "media/upload")[-1].command["media_file_id"] == kept.media_file_id
    service.restore_item(session, MATERIALS, gone.id, hand=TEAM, now=due)
    assert calls(session, "media/upload")[-1].command["media_file_id"] == gone.media_file_id


def test_a_cover_is_shown_only_while_its_card_lives(session, now):
    place = folder(session, now, "卡片", kind=MATERIALS)
    poster = picture(session, now, place)
    spec = MaterialSpec(MaterialKind.LINK, "官网", {"url": "https://a.cn"}, poster.media_file_id)
    made = service.create_material(session, place.id, spec, hand=TEAM, now=now)

    assert queries.get_cover(session, made.id).id == poster.media_file_id
    with pytest.raises(NotFound):
        queries.get_cover(session, poster.id)
    with pytest.raises(Invalid):
        service.update_material(session, made.id, MaterialSpec(MaterialKind.IMAGE, "x"), hand=TEAM, now=now)
    service.delete_item(session, MATERIALS, made.id, hand=TEAM, now=now)
    with pytest.raises(NotFound):
        queries.get_cover(session, made.id)
