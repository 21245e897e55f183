from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from bot.web.contact.forms import Draft, check, clean
from bot.web.links import Grant
from bot.web.times import Calendar
from bot.words.texts import Words
from scrm.accounts.models import StaffStatus
from scrm.contacts.models import Relation
from scrm.followups.models import FollowupKind
from scrm.followups.queries import list_followups
from scrm.timeline.queries import list_entries

if TYPE_CHECKING:
    from tests.bot.web.conftest import Desk

TZ = ZoneInfo("Asia/Shanghai")


def test_a_follow_up_is_in_the_timeline_and_in_the_managers_log(desk: Desk) -> None:
    form = desk.form(desk.open(), kind="call", content="要三份样品", next="3", next_step="发样品")

    answer = desk.post(form)

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{desk.path}?saved=1")
    page = desk.get(f"{desk.path}?saved=1").text
    assert "跟进已保存" in page
    assert "王敏与客户通了电话：要三份样品" in page
    with desk.product.database.read() as session:
        kept = list_followups(session, staff_id=desk.rep.id)
        entries = list_entries(session, desk.contact.id, kind="followup")
        relation = session.query(Relation).one()
    assert [(one.kind, one.content, one.next_step, one.created_by) for one in kept] == [
        (FollowupKind.CALL, "要三份样品", "发样品", "staff:wangmin")
    ]
    assert kept[0].next_at == datetime(2026, 11, 26, 1, 0, tzinfo=UTC)  # 9:00 in Shanghai
    assert [entry.actor for entry in entries] == ["staff:wangmin"]
    assert relation.first_response_at == desk.now


def test_the_same_form_sent_twice_is_one_follow_up(desk: Desk) -> None:
    form = desk.form(desk.open())

    answers = [desk.post(form) for _ in range(3)]

    assert {answer.headers["Location"] for answer in answers} == {f"{desk.path}?saved=1"}
    assert len(desk.followups()) == 1


def test_two_forms_with_the_same_words_are_two_follow_ups(desk: Desk) -> None:
    desk.post(desk.form(desk.open(), content="没接电话"))
    desk.post(desk.form(desk.get(), content="没接电话"))

    assert [one.content for one in desk.followups()] == ["没接电话", "没接电话"]


def test_other_words_in_a_used_form_are_not_lost(desk: Desk) -> None:
    form = desk.form(desk.open(), content="第一条")
    desk.post(form)

    answer = desk.post({**form, "content": "第二条"})

    assert answer.status_code == 422
    assert "这张表单已经保存过另一条内容" in answer.text
    assert "第二条</textarea>" in answer.text
    desk.post(desk.form(answer, content="第二条"))
    assert [one.content for one in desk.followups()] == ["第一条", "第二条"]


@pytest.mark.parametrize("token", [None, "", "x.y", "forged"])
def test_a_form_that_is_not_ours_is_refused(desk: Desk, token: str | None) -> None:
    form = desk.form(desk.open())
    del form["form"]

    answer = desk.post(form if token is None else {**form, "form": token})

    assert answer.status_code == 403
    assert "这次提交没有被接受" in answer.text
    assert desk.followups() == []


def test_a_form_of_another_contact_is_refused(desk: Desk) -> None:
    desk.open()
    other = Grant(desk.customer("韩梅梅").id, "wangmin", desk.now + timedelta(days=1))
    token = desk.product_links().sign_form(other, now=desk.now)

    answer = desk.post({"form": token, "kind": "note", "content": "x"})

    assert answer.status_code == 403
    assert desk.followups() == []


def test_a_form_of_a_colleague_is_refused(desk: Desk) -> None:
    desk.open()
    other = Grant(desk.contact.id, "lisi", desk.now + timedelta(days=1))
    token = desk.product_links().sign_form(other, now=desk.now)

    assert desk.post({"form": token, "kind": "note", "content": "x"}).status_code == 403
    assert desk.followups() == []


def test_without_a_visit_nothing_is_written(desk: Desk) -> None:
    form = desk.form(desk.open())
    desk.client.delete_cookie("lianke_profile", path=desk.path)

    assert desk.post(form).status_code == 403
    assert desk.followups() == []


def test_a_rep_who_has_left_writes_nothing(desk: Desk) -> None:
    form = desk.form(desk.open())
    with desk.product.database.write() as session:
        session.merge(desk.rep).status = StaffStatus.LEFT

    assert desk.post(form).status_code == 403
    assert desk.followups() == []


def test_an_old_form_of_a_new_visit_keeps_the_words(desk: Desk) -> None:
    form = desk.form(desk.open(), content="写了很久")
    desk.now += timedelta(hours=8)
    desk.get(desk.link())

    answer = desk.post(form)

    assert answer.status_code == 422
    assert "页面放得太久了" in answer.text
    assert "写了很久</textarea>" in answer.text
    assert desk.post(desk.form(answer, content="写了很久")).status_code == 303


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"content": "  \n "}, "写几个字再保存"),
        ({"content": "长" * 2001}, "最多 2000 个字，现在 2001 个"),
        ({"kind": "bribe"}, "请选择记录、电话或拜访"),
        ({"next": "pick"}, "请选择下次跟进的日期"),
        ({"next": "pick", "date": "2026-11-22"}, "下次跟进的日期已经过去"),
        ({"next": "pick", "date": "2026-02-30"}, "日期不对"),
        ({"next": "pick", "date": "9999-01-01"}, "两年以内"),
        ({"next_step": "步" * 201}, "下一步最多 200 个字"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(desk: Desk, fields: dict[str, str], told: str) -> None:
    answer = desk.post(desk.form(desk.open(), **fields))

    assert answer.status_code == 422
    assert told in answer.text
    assert 'class="sheet is-open"' in answer.text
    assert fields.get("content", "聊了报价").strip() in answer.text
    assert desk.followups() == []


def test_a_reload_of_a_refused_form_shows_the_profile(desk: Desk) -> None:
    desk.open()

    answer = desk.get(f"{desk.path}/followups")

    assert (answer.status_code, answer.headers["Location"]) == (303, desk.path)


def test_a_body_beyond_reason_is_refused(desk: Desk) -> None:
    answer = desk.post(desk.form(desk.open(), content="x" * 100_000))

    assert answer.status_code == 413
    assert "内容太长" in answer.text
    assert desk.followups() == []


def test_writing_asks_a_fixed_number_of_queries(desk: Desk) -> None:
    form = desk.form(desk.open())

    with desk.counted() as statements:
        assert desk.post(form).status_code == 303

    assert len(statements) == 14


def test_control_characters_are_not_kept() -> None:
    assert clean("a\x00b\x07\r\nc\rd\te\x7f ") == "ab\nc\nd\te"


@pytest.mark.parametrize(
    ("now", "draft", "expected"),
    [
        ("2026-11-23T02:00Z", Draft(next="1"), "2026-11-24T09:00"),
        ("2026-11-23T17:00Z", Draft(next="1"), "2026-11-25T09:00"),  # it is the 24th in Shanghai already
        ("2026-12-30T02:00Z", Draft(next="7"), "2027-01-06T09:00"),
        ("2026-11-23T02:00Z", Draft(next="pick", date="2026-11-23"), "2026-11-23T18:00"),
        ("2026-11-23T00:30Z", Draft(next="pick", date="2026-11-23"), "2026-11-23T09:00"),
        ("2026-11-23T12:00Z", Draft(next="pick", date="2026-11-23"), "2026-11-23T23:59:59"),
        ("2026-11-23T02:00Z", Draft(next="pick", date="2026-12-01"), "2026-12-01T09:00"),
        ("2026-11-23T02:00Z", Draft(next="none"), None),
        ("2026-11-23T02:00Z", Draft(next="nonsense"), None),
    ],
)
def test_when_the_next_follow_up_is_due(now: str, draft: Draft, expected: str | None) -> None:
    calendar = Calendar(datetime.fromisoformat(now), TZ, Words("zh"))
    sent = Draft(content="x", next=draft.next, date=draft.date)

    checked = check(sent, calendar)

    assert checked.errors == {}
    due = datetime.fromisoformat(expected).replace(tzinfo=TZ) if expected else None
    assert checked.next_at == due


def test_a_date_alone_counts_as_picked(desk: Desk) -> None:
    desk.post(desk.form(desk.open(), next="none", date="2026-12-01"))

    assert desk.followups()[0].next_at == datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
