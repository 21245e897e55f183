"""Every callback of callbacks.md: recorded typed, handled or visibly ignored. One payload file and one line each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from bot.callbacks.wecom import WecomReceiver
from bot.workers.inbox_worker import InboxWorker
from bot.workers.wakeup import Wakeups
from handlers.context import Corp
from handlers.dispatch import HANDLERS
from handlers.events import (
    AppEvent,
    ContactChanged,
    DepartmentChanged,
    Event,
    GroupChanged,
    StaffChanged,
    TagChanged,
    envelope,
    load,
)
from handlers.xml import parse
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import OutboxCall
from scrm.timeline.models import TimelineEntry
from tests.envelopes import NOW, crypto, post

PAYLOADS = Path(__file__).parents[1] / "payloads" / "wecom"
WHO, WHOM, GROUP = "zhangsan", "wmSIM0000000000000000000000001", "wrSIM000000000000000000000001"
CONTACT, STAFF, TAG = "change_external_contact.", "change_contact.", "change_external_tag."
VERSIONS = ("71217227bbd112ecfe3a49c482195cb4", "0b1c2d3e4f5061728394a5b6c7d8e9f0")
IGNORED = None


@dataclass(frozen=True)
class Expected:
    """``kind`` without its ``wecom.``; ``event`` is what handlers get, IGNORED where there is none."""

    kind: str
    lane: str | None
    event: Any
    priority: int = 5


def of_contact(change: str, at: int, *, userid: str = WHO, **more: str) -> Expected:
    event = ContactChanged(moment(at), change, userid, WHOM, **more)
    return Expected(CONTACT + change, f"contact:{WHOM}", event, 0 if more.get("welcome_code") else 2)


def of_tag(
    change: str, at: int, tag_id: str | None, tag_type: str | None, strategy: int | None = None
) -> Expected:
    return Expected(TAG + change, "corp-tags", TagChanged(moment(at), change, tag_id, tag_type, strategy))


def of_chat(change: str, at: int, **more: Any) -> Expected:
    kind = f"change_external_chat.{change}".rstrip(".")
    return Expected(kind, f"chat:{GROUP}", GroupChanged(moment(at), change, GROUP, **more))


def of_app(kind: str, at: int, **more: str) -> Expected:
    return Expected(kind, f"staff:{WHO}", AppEvent(moment(at), kind, WHO, **more))


def unhandled(kind: str, lane: str | None = None, priority: int = 5) -> Expected:
    return Expected(kind, lane, IGNORED, priority)


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


T, TG = "etSIM000000000000000000000000001", "etSIM000000000000000000000000100"
EVENTS: dict[str, Expected] = {
    # contacts
    CONTACT + "add_external_contact": of_contact(
        "add_external_contact", 1700000100, state="ch_000017", welcome_code="WCODE-SIM-0001"
    ),
    CONTACT + "add_external_contact.plain": of_contact(
        "add_external_contact", 1700000100, state="ch_000017", welcome_code="WCODE-SIM-0001"
    ),
    CONTACT + "add_external_contact.without_code": of_contact(
        "add_external_contact", 1700000100, state="ch_000017"
    ),
    CONTACT + "add_external_contact.without_state": of_contact(
        "add_external_contact", 1700000100, welcome_code="WCODE-SIM-0001"
    ),
    CONTACT + "add_half_external_contact": of_contact(
        "add_half_external_contact", 1700000100, state="ch_000017", welcome_code="WCODE-SIM-0002"
    ),
    CONTACT + "add_half_external_contact.without_code": of_contact(
        "add_half_external_contact", 1700000100, state="ch_000017"
    ),
    CONTACT + "edit_external_contact": of_contact("edit_external_contact", 1700000200),
    CONTACT + "edit_external_contact.with_state": of_contact(
        "edit_external_contact", 1700000200, state="ch_000017"
    ),
    CONTACT + "del_external_contact": of_contact(
        "del_external_contact", 1700000300, source="DELETE_BY_TRANSFER"
    ),
    CONTACT + "del_external_contact.by_hand": of_contact("del_external_contact", 1700000300),
    CONTACT + "del_follow_user": of_contact("del_follow_user", 1700000400),
    CONTACT + "del_follow_user.with_source": of_contact(
        "del_follow_user", 1700000400, source="DELETE_BY_TRANSFER"
    ),
    CONTACT + "transfer_fail": of_contact(
        "transfer_fail", 1700000500, userid="lisi", fail_reason="customer_refused"
    ),
    CONTACT + "transfer_fail.limit": of_contact(
        "transfer_fail", 1700000500, userid="lisi", fail_reason="customer_limit_exceed"
    ),
    CONTACT + "msg_audit_approved": of_contact(
        "msg_audit_approved", 1700000600, welcome_code="WCODE-SIM-0003"
    ),
    CONTACT + "msg_audit_approved.without_code": of_contact("msg_audit_approved", 1700000600),
    CONTACT + "brand_new_change": unhandled(CONTACT + "brand_new_change", f"contact:{WHOM}", 2),
    # staff and departments: what else the event says is in ``fields``, tested below
    STAFF + "create_user": Expected(
        STAFF + "create_user", f"staff:{WHO}", StaffChanged(moment(1700003000), "create_user", WHO)
    ),
    STAFF + "create_user.since_2022": Expected(
        STAFF + "create_user", f"staff:{WHO}", StaffChanged(moment(1700003000), "create_user", WHO)
    ),
    STAFF + "update_user": Expected(
        STAFF + "update_user",
        f"staff:{WHO}",
        StaffChanged(moment(1700003100), "update_user", WHO, "zhangsan001"),
    ),
    STAFF + "update_user.status": Expected(
        STAFF + "update_user", f"staff:{WHO}", StaffChanged(moment(1700003100), "update_user", WHO)
    ),
    STAFF + "delete_user": Expected(
        STAFF + "delete_user", f"staff:{WHO}", StaffChanged(moment(1700003200), "delete_user", WHO)
    ),
    STAFF + "create_party": Expected(
        STAFF + "create_party", None, DepartmentChanged(moment(1700003300), "create_party", 12)
    ),
    STAFF + "update_party": Expected(
        STAFF + "update_party", None, DepartmentChanged(moment(1700003300), "update_party", 12)
    ),
    STAFF + "delete_party": Expected(
        STAFF + "delete_party", None, DepartmentChanged(moment(1700003300), "delete_party", 12)
    ),
    STAFF + "update_tag": unhandled(STAFF + "update_tag"),
    # corp tags
    TAG + "create": of_tag("create", 1700002000, T, "tag", 1),
    TAG + "create.group": of_tag("create", 1700002100, TG, "tag_group"),
    TAG + "update": of_tag("update", 1700002000, T, "tag", 1),
    TAG + "update.group": of_tag("update", 1700002100, TG, "tag_group"),
    TAG + "delete": of_tag("delete", 1700002000, T, "tag", 1),
    TAG + "delete.group": of_tag("delete", 1700002100, TG, "tag_group"),
    TAG + "shuffle": of_tag("shuffle", 1700002200, TG, None, 1),
    TAG + "shuffle.of_groups": of_tag("shuffle", 1700002200, None, None),
    # app messages and menu
    "message.text": of_app("message.text", 1700006000, content="今日待办", msg_id="7300000000000000001"),
    "message.image": of_app("message.image", 1700006001, msg_id="7300000000000000002"),
    "message.voice": of_app("message.voice", 1700006002, msg_id="7300000000000000003"),
    "message.video": of_app("message.video", 1700006003, msg_id="7300000000000000004"),
    "message.location": of_app("message.location", 1700006004, msg_id="7300000000000000005"),
    "message.link": of_app("message.link", 1700006005, msg_id="7300000000000000006"),
    "subscribe": of_app("subscribe", 1700007000),
    "unsubscribe": of_app("unsubscribe", 1700007000),
    "enter_agent": of_app("enter_agent", 1700007000),
    "click": of_app("click", 1700007100, event_key="MENU_TODAY"),
    "view": of_app("view", 1700007100, event_key="https://example.com/today"),
    # customer groups
    "change_external_chat.create": of_chat("create", 1700001000),
    "change_external_chat.before_2020": of_chat("", 1700001000),
    "change_external_chat.dismiss": of_chat("dismiss", 1700001400),
    "change_external_chat.update.add_member": of_chat(
        "update", 1700001100, detail="add_member", members=(WHOM, WHOM[:-1] + "2"), version=VERSIONS[0]
    ),
    "change_external_chat.update.del_member": of_chat(
        "update",
        1700001200,
        detail="del_member",
        quit_scene=1,
        members=(WHOM[:-1] + "2",),
        version=VERSIONS[1],
    ),
    **{
        f"change_external_chat.update.{detail}": of_chat("update", 1700001300, detail=detail)
        for detail in ("change_owner", "change_name", "change_notice")
    },
    # acquisition links
    **{
        f"customer_acquisition.{change}": unhandled(f"customer_acquisition.{change}")
        for change in (
            "balance_low",
            "balance_exhausted",
            "balance_increased",
            "quota_expire_soon",
            "link_unavailable",
            "delete_link",
            "open_profile",
            "friend_request",
            "message_from_customer",
        )
    },
    "customer_acquisition.customer_start_chat": unhandled(
        "customer_acquisition.customer_start_chat", f"contact:{WHOM}"
    ),
    # events of the app that nothing is done with yet
    **{
        name: unhandled(name, f"staff:{WHO}")
        for name in (
            "LOCATION",
            "scancode_push",
            "scancode_waitmsg",
            "pic_sysphoto",
            "pic_photo_or_album",
            "pic_weixin",
            "location_select",
            "template_card_event",
            "template_card_menu_event",
            "taskcard_click",
            "living_status_change",
        )
    },
    "template_card_event.misspelt": unhandled("template_card_event", f"staff:{WHO}"),
    # the system's
    **{
        name: unhandled(name)
        for name in (
            "kf_msg_or_event",
            "kf_account_auth_change",
            "msgaudit_notify",
            "batch_job_result",
            "upload_media_job_finish",
            "share_agent_change",
            "share_chain_change",
            "open_approval_change",
            "change_app_admin",
            "close_inactive_agent",
            "reopen_inactive_agent",
            "switch_workbench_mode",
        )
    },
    "not_documented_yet": unhandled("brand_new_event"),
    "info_type.third_party": unhandled(CONTACT + "edit_external_contact", f"contact:{WHOM}"),
}
HANDLED = [name for name, expected in EVENTS.items() if expected.event is not IGNORED]


def read(name: str) -> str:
    return (PAYLOADS / f"{name}.xml").read_text()


def same(event: Event | None, expected: Event) -> bool:
    """Equal but for ``fields``."""
    if type(event) is not type(expected):
        return False
    names = {field.name for field in fields(expected)} - {"fields"}
    return all(getattr(event, name) == getattr(expected, name) for name in names)


def test_every_payload_has_its_line_and_every_line_its_payload():
    assert {path.stem for path in PAYLOADS.glob("*.xml")} == set(EVENTS)


def test_every_callback_that_is_handled_has_a_payload():
    covered = {f"wecom.{EVENTS[name].kind}" for name in HANDLED}

    assert {kind for kind in HANDLERS if kind.startswith("wecom.")} == covered


@pytest.mark.parametrize("name", EVENTS)
def test_envelope_says_kind_lane_priority_and_time(name: str):
    # given
    document = read(name)
    expected = EVENTS[name]

    # when
    made = envelope(parse(document))

    # then
    assert (made.kind, made.lane, made.priority) == (
        f"wecom.{expected.kind}",
        expected.lane,
        expected.priority,
    )
    assert made.at is not None
    assert f"<CreateTime>{int(made.at.timestamp())}</CreateTime>" in document.replace(
        "<![CDATA[", ""
    ).replace("]]>", "")


@pytest.mark.parametrize("name", HANDLED)
def test_event_is_typed(name: str):
    expected = EVENTS[name]

    event = load(f"wecom.{expected.kind}", read(name), NOW)

    assert same(event, expected.event), event


@pytest.mark.parametrize("name", EVENTS)
def test_event_goes_from_the_platform_through_the_inbox(name: str, database: Database):
    # given the payload, sealed and signed
    sent = post(read(name))
    arrival = WecomReceiver([crypto()], lambda: NOW).receive(sent.query, sent.body)
    with database.write() as session:
        inbox.record(session, [arrival])

    # when
    worker = InboxWorker(
        database,
        Corp(ZoneInfo("Asia/Shanghai"), 1000002, "https://crm.example"),
        Wakeups(),
        owner="test",
        clock=lambda: NOW,
    )
    assert worker.step() == 1

    # then: handled, or ignored and visible with all it said; never dead, never in doubt
    with database.read() as session:
        row = session.scalars(select(InboxEvent)).one()
        assert (row.error, row.attempts) == (None, 1)
        assert row.state is (EventState.DONE if name in HANDLED else EventState.IGNORED)
        assert row.kind == f"wecom.{EVENTS[name].kind}"
        assert row.payload == read(name)
        if name not in HANDLED:
            assert session.scalar(select(OutboxCall.id)) is None
            assert session.scalar(select(TimelineEntry.id)) is None


def test_what_a_member_event_says_is_kept_by_tag():
    # given
    event = load("wecom.change_contact.create_user", read("change_contact.create_user"), NOW)

    # then: texts only; ExtAttr is nested and left out
    assert isinstance(event, StaffChanged)
    said = {key: event.fields[key] for key in ("Name", "Department", "MainDepartment", "Mobile", "Status")}
    assert said == {
        "Name": "张三",
        "Department": "1,2,3",
        "MainDepartment": "1",
        "Mobile": "13800000000",
        "Status": "1",
    }
    assert "ExtAttr" not in event.fields


def test_what_a_department_event_says_is_kept_by_tag():
    event = load("wecom.change_contact.create_party", read("change_contact.create_party"), NOW)

    assert isinstance(event, DepartmentChanged)
    said = {key: event.fields[key] for key in ("Name", "ParentId", "Order")}
    assert said == {"Name": "华南销售", "ParentId": "1", "Order": "10"}


@pytest.mark.parametrize("time", ["", "soon", "-5", "1.5", "999999999999", "１７００００００００"])
def test_an_event_without_a_usable_time_happened_when_it_came(time: str):
    # given
    head = "<xml><MsgType>event</MsgType><Event>click</Event><FromUserName>li</FromUserName>"
    document = f"{head}<CreateTime>{time}</CreateTime></xml>"

    # then
    assert envelope(parse(document)).at is None
    assert load("wecom.click", document, NOW) == AppEvent(NOW, "click", "li")


@pytest.mark.parametrize("missing", ["UserID", "ExternalUserID"])
def test_a_contact_event_without_its_ids_is_no_event(missing: str):
    document = read("change_external_contact.edit_external_contact").replace(missing, "Other")

    assert load("wecom.change_external_contact.edit_external_contact", document, NOW) is None


def test_a_document_without_event_is_unknown_and_kept():
    assert envelope({}) == envelope({"Other": "1"})
    assert envelope({}).kind == "wecom.unknown"
    assert envelope({}).lane is None
