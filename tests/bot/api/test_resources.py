"""Staff, tags, events, calls, settings, media, jobs, follow-ups and traces over REST."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from scrm.accounts.models import Setting
from scrm.channels.models import MediaFile
from scrm.followups.models import Followup
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.jobs.models import Job
from scrm.outbox import claims
from scrm.outbox import service as outbox
from scrm.outbox.commands import MarkTags, NotifyStaff, SendWelcome
from scrm.outbox.models import CallState, OutboxCall
from scrm.outbox.service import Outcome, Verdict
from scrm.tags.models import Tag
from scrm.timeline.models import TimelineEntry

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
ADD = "wecom.change_external_contact.add_external_contact"
XML = (
    "<xml><Event><![CDATA[change_external_contact]]></Event><ExternalUserID><![CDATA[wmAAA]]></ExternalUserID>"
    "<WelcomeCode><![CDATA[CODE-THAT-IS-SECRET]]></WelcomeCode></xml>"
)


def record(world, text=XML, *, kind=ADD, lane="contact:wmAAA"):
    with world.database.write() as session:
        inbox.record(session, [inbox.Arrival("wecom", kind, text, world.now, lane=lane)])
        return session.query(InboxEvent).order_by(InboxEvent.id.desc()).first().id


def owe(world, command, **more):
    with world.database.write() as session:
        outbox.enqueue(session, command, now=world.now, **more)
        return session.query(OutboxCall).order_by(OutboxCall.id.desc()).first().id


def attempt(world, outcome):
    with world.database.write() as session:
        rows = claims.claim_calls(session, owner="test", now=world.now, limit=10)
    with world.database.write() as session:
        for row in rows:
            outbox.finish(session, row, outcome, now=world.now)


def mark(unique="1"):
    return MarkTags(userid="wangmin", external_userid="wmAAA", add=["et1"], unique=unique)


def test_staff_are_listed_with_departments(world, make):
    wang, li = make.staff(), make.staff("lihua", "李华", status="left", serves=False)
    make.department(3, "销售一部", wang)

    assert world.all("/staff") == [
        {
            "id": wang.id,
            "userid": "wangmin",
            "name": "王敏",
            "position": "",
            "departments": [{"id": 3, "name": "销售一部", "is_leader": False}],
            "status": "active",
            "serves": True,
            "on_leave": False,
        },
        {
            "id": li.id,
            "userid": "lihua",
            "name": "李华",
            "position": "",
            "departments": [],
            "status": "left",
            "serves": False,
            "on_leave": False,
        },
    ]
    assert [row["userid"] for row in world.all("/staff?limit=1")] == ["wangmin", "lihua"]
    for query in ("department=3", "status=active", "serves=true"):
        assert [row["userid"] for row in world.all(f"/staff?{query}")] == ["wangmin"]


def test_tags_are_made_renamed_and_deleted_and_wecom_is_owed_each(world, make):
    old = make.tag("展会", "来源")

    made = world.post("/tags", {"group": "来源", "names": ["官网", "展会"]})
    assert (made.status_code, [tag["name"] for tag in made.json["items"]]) == (201, ["官网", "展会"])
    renamed = world.call("PATCH", f"/tags/{old.id}", {"name": "线下展会"})
    assert (renamed.status_code, renamed.json["name"], renamed.json["group"]) == (200, "线下展会", "来源")
    assert world.call("DELETE", f"/tags/{old.id}").status_code == 204
    assert [tag["name"] for tag in world.all("/tags")] == ["官网"]
    assert world.call("DELETE", f"/tags/{old.id}").status_code == 404
    assert [call["api"] for call in world.all("/calls")] == [
        "externalcontact/del_corp_tag",
        "externalcontact/edit_corp_tag",
        "externalcontact/add_corp_tag",
    ]


@pytest.mark.parametrize(
    "body",
    [{"group": "来源", "names": []}, {"group": "来源", "names": ["x" * 31]}, {"group": " ", "names": ["x"]}],
)
def test_tags_wecom_would_refuse_are_refused(world, body):
    assert world.post("/tags", body).status_code == 422
    assert (world.count(Tag), world.count(OutboxCall)) == (0, 0)


def test_events_are_listed_newest_first_and_filtered(world):
    first = record(world)
    second = record(world, "<xml>2</xml>", kind="wecom.unknown")

    assert [row["id"] for row in world.all("/events?limit=1")] == [second, first]
    assert world.all(f"/events?kind={ADD}") == [
        {
            "id": first,
            "received_at": "2026-11-23T02:00:00Z",
            "kind": ADD,
            "state": "pending",
            "attempts": 0,
            "error": None,
        }
    ]
    assert world.all("/events?state=dead") == []


def test_an_event_shows_its_payload_without_secrets_and_what_it_caused(world):
    event_id = record(world)
    call_id = owe(world, mark(), caused_by=event_id)

    told = world.get(f"/events/{event_id}").json

    assert "wmAAA" in told["payload"]
    assert "CODE-THAT-IS-SECRET" not in json.dumps(told)
    assert [call["id"] for call in told["calls"]] == [call_id]
    assert told["source"] == "wecom"
    assert world.get("/events/999").status_code == 404


def test_an_event_that_is_over_can_be_replayed_and_an_open_one_not(world):
    event_id = record(world)
    path = f"/events/{event_id}/replay"
    assert (world.post(path).status_code, world.wakes) == (409, 0)
    with world.database.write() as session:
        row = session.get_one(InboxEvent, event_id)
        row.state, row.attempts, row.error = EventState.DEAD, 8, "Traceback"

    answer = world.post(path)

    assert (answer.status_code, answer.json["state"], answer.json["attempts"]) == (200, "pending", 0)
    assert world.wakes == 1
    assert world.post("/events/999/replay").status_code == 404


def test_a_failed_call_explains_itself_and_can_be_retried(world):
    call_id = owe(world, mark())
    attempt(world, Outcome(Verdict.REFUSED, errcode=84061, reason="not external contact", bytes_sent=True))

    told = world.get(f"/calls/{call_id}").json

    assert (told["state"], told["errcode"], told["attempts"]) == ("failed", 84061, 1)
    assert told["explanation"]["message"] == "客户与该成员不是好友关系"
    assert [(one["n"], one["errcode"], one["error"]) for one in told["history"]] == [
        (1, 84061, "not external contact")
    ]
    assert world.all("/calls?state=failed&api=externalcontact/mark_tag") == [
        {
            "id": call_id,
            "created_at": "2026-11-23T02:00:00Z",
            "api": "externalcontact/mark_tag",
            "state": "failed",
            "attempts": 1,
            "errcode": 84061,
            "reason": "not external contact",
        }
    ]
    retried = world.post(f"/calls/{call_id}/retry")
    assert (retried.status_code, retried.json["state"], world.wakes) == (200, "pending", 1)
    again = world.post(f"/calls/{call_id}/retry")
    assert (again.status_code, again.json["error"]["code"]) == (409, "call_not_stuck")


def test_the_welcome_code_of_a_call_is_masked(world):
    command = SendWelcome(
        welcome_code="CODE-THAT-IS-SECRET", userid="w", external_userid="wmAAA", text="您好"
    )
    told = world.get(f"/calls/{owe(world, command)}")
    assert told.json["command"]["external_userid"] == "wmAAA"
    assert "CODE-THAT-IS-SECRET" not in told.get_data(as_text=True)


def test_calls_of_one_contact(world, make):
    contact = make.contact()
    call_id = owe(world, mark(), contact_id=contact.id)
    owe(world, mark("2"))
    assert [row["id"] for row in world.all(f"/calls?contact={contact.id}")] == [call_id]


def test_a_followup_is_kept_told_and_counted_as_the_first_response(world, make):
    staff = make.staff()
    contact = make.contact(staff=staff, minutes_ago=30)
    body = {
        "kind": "call",
        "content": " 想要冷藏车报价 ",
        "staff": "wangmin",
        "next_step": "发报价",
        "next_at": "2026-11-24T10:00:00+08:00",
    }

    made = world.post(f"/contacts/{contact.id}/followups", body)

    assert made.status_code == 201
    assert made.json == {
        "id": made.json["id"],
        "contact": {"id": contact.id, "name": "李雷"},
        "staff": {"id": staff.id, "userid": "wangmin", "name": "王敏"},
        "kind": "call",
        "content": "想要冷藏车报价",
        "at": "2026-11-23T02:00:00Z",
        "next_step": "发报价",
        "next_at": "2026-11-24T02:00:00Z",
        "created_at": "2026-11-23T02:00:00Z",
        "created_by": "token:admin",
    }
    assert world.all(f"/contacts/{contact.id}/followups") == [made.json]
    assert world.all("/followups") == [made.json]
    relation = world.get(f"/contacts/{contact.id}").json["relations"][0]
    assert relation["first_response_at"] == "2026-11-23T02:00:00Z"
    assert world.all(f"/contacts/{contact.id}/timeline")[0]["title"] == "王敏与客户通了电话：想要冷藏车报价"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"content": ""}, "content"),
        ({"content": "x" * 2001}, "content"),
        ({"kind": "mail"}, "kind"),
        ({"staff": "nobody"}, "staff"),
        ({"next_at": "2026-11-22T10:00:00Z"}, "next_at"),
        ({"next_at": "2026-11-24T10:00:00"}, "next_at"),
        ({"next_at": 1795485600}, "next_at"),
        ({"at": "2026-12-24T10:00:00Z"}, "at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"author": "me"}, "author"),
    ],
)
def test_a_wrong_followup_is_refused_and_leaves_nothing(world, make, changes, field):
    make.staff()
    contact = make.contact()
    body = {"kind": "note", "content": "x", "staff": "wangmin", **changes}
    answer = world.post(f"/contacts/{contact.id}/followups", body)
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, [field])
    assert (world.count(Followup), world.count(TimelineEntry)) == (0, 0)


def test_the_log_is_filtered(world, make):
    wang, li, contact = make.staff(), make.staff("lihua", "李华"), make.contact()
    for days, staff, kind in ((0, wang, "note"), (1, li, "call"), (2, wang, "visit")):
        at = world.now - timedelta(days=days)
        make.rows(
            Followup(contact_id=contact.id, staff_id=staff.id, kind=kind, content=kind, at=at, created_at=at)
        )

    def found(query):
        return [row["kind"] for row in world.all(f"/followups?{query}")]

    assert found("limit=1") == ["note", "call", "visit"]
    assert found("staff=wangmin") == ["note", "visit"]
    assert found("staff=nobody") == []
    assert found(f"contact={contact.id}&kind=call") == ["call"]
    assert found("from=2026-11-22&to=2026-11-22") == ["call"]
    assert found("to=2026-11-22T02:00:00Z") == ["visit"]


def test_the_default_welcome_is_replaced_whole(world):
    path = "/settings/default_welcome"
    assert world.get(path).json == {"welcomes": []}
    welcomes = [{"text": "您好 {customer}", "from": "09:00", "to": "18:00"}, {"text": "稍后回复您"}]
    assert world.call("PUT", path, {"welcomes": welcomes}).json == {"welcomes": welcomes}
    assert world.get(path).json == {"welcomes": welcomes}
    for wrong in ({}, {"welcomes": [{}]}, {"welcomes": [{"text": "x", "from": "9:00"}]}, {"text": "x"}):
        assert world.call("PUT", path, wrong).status_code == 422
    assert world.get(path).json == {"welcomes": welcomes}
    assert world.count(Setting) == 1


def test_the_working_hours_are_replaced_whole(world):
    path = "/settings/working_hours"
    assert world.get(path).json["week"]["1"] == ["09:00", "18:00"]
    given = {"week": {"6": ["10:00", "16:00"]}, "keeps_public": False, "off": ["2026-12-24"], "on": []}
    kept = world.call("PUT", path, given).json
    assert kept == {**given, "public_until": kept["public_until"]}
    assert world.get(path).json == kept
    for wrong in (
        {"week": {}},
        {"week": {"9": ["10:00", "16:00"]}},
        {"week": {"1": ["16:00", "10:00"]}},
        {"week": {"1": ["10:00", "16:00"]}, "off": ["x"]},
    ):
        assert world.call("PUT", path, wrong).status_code == 422
    assert world.get(path).json == kept


def upload(world, content=PNG, name="海报.png", **more):
    return world.call("POST", "/media", data={"file": (io.BytesIO(content), name), **more})


def test_a_file_is_kept_once_and_named_by_its_id(world):
    made = upload(world)
    assert made.status_code == 201
    assert (made.json["kind"], made.json["size"]) == ("image", len(PNG))
    assert upload(world, name="again.png").json["id"] == made.json["id"]
    assert world.count(MediaFile) == 1


def test_an_upload_under_a_key_takes_effect_once(world):
    headers = {"Idempotency-Key": "up-1"}
    first = world.call("POST", "/media", data={"file": (io.BytesIO(PNG), "a.png")}, headers=headers)
    again = world.call("POST", "/media", data={"file": (io.BytesIO(PNG), "a.png")}, headers=headers)
    other = world.call("POST", "/media", data={"file": (io.BytesIO(PNG + b"x"), "a.png")}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_wrong_files_are_refused_and_leave_nothing(world, monkeypatch):
    assert upload(world, b"not a picture at all").status_code == 422
    assert upload(world, kind="movie").status_code == 422
    assert upload(world, colour="red").status_code == 422
    assert world.call("POST", "/media", data={"kind": "image"}).status_code in (415, 422)
    assert world.call("POST", "/media", {"file": "x"}).status_code == 415
    monkeypatch.setattr("bot.api.serve.MAX_UPLOAD", 1000)
    assert upload(world, b"\0" * 1001, "a.bin").status_code == 413
    assert world.count(MediaFile) == 0


def test_a_sync_is_started_once_and_can_be_watched(world):
    started = world.post("/jobs/sync")
    assert (started.status_code, started.json["state"], world.wakes) == (201, "pending", 1)
    assert world.get(f"/jobs/{started.json['id']}").json == started.json
    assert world.all("/jobs?kind=sync&state=pending") == [started.json]
    assert world.get("/jobs/999").status_code == 404
    world.post("/jobs/sync")
    assert world.count(Job) == 1


def test_an_import_is_started_by_upload_and_cancelled_and_goes_on(world):
    content = "姓名,手机\n王一,13900000001\n".encode()
    data = {"file": (io.BytesIO(content), "a.csv"), "known": "fill"}
    started = world.call("POST", "/jobs/import", data=data)
    assert (started.status_code, started.json["kind"], world.wakes) == (201, "contacts.import", 1)
    path = f"/jobs/{started.json['id']}"
    assert world.get(f"{path}/failed.xlsx").status_code == 404
    assert world.post(f"{path}/cancel").json["state"] == "cancelled"
    assert world.post(f"{path}/cancel").status_code == 409
    assert world.post(f"{path}/retry").json["state"] == "pending"
    for wrong in ({"known": "x"}, {"colour": "red"}):
        data = {"file": (io.BytesIO(content), "a.csv"), **wrong}
        assert world.call("POST", "/jobs/import", data=data).status_code == 422
    assert world.call("POST", "/jobs/import", data={"file": (io.BytesIO(b"x"), "a.csv")}).status_code == 422
    assert world.count(Job) == 1


def test_the_trace_tells_everything_from_scan_to_last_effect_in_order(world, make):
    contact = make.contact(external="wmAAA")
    start = world.now
    event_id = record(world)
    world.now = start + timedelta(milliseconds=40)
    with world.database.write() as session:
        (row,) = inbox.claim_events(session, owner="t", now=world.now)
        inbox.mark_done(session, row, now=world.now)
    welcome = owe(
        world,
        SendWelcome(welcome_code="SECRET-CODE", userid="wangmin", external_userid="wmAAA", text="您好"),
        contact_id=contact.id,
        caused_by=event_id,
    )
    make.rows(TimelineEntry(contact_id=contact.id, at=start, kind="contact.added", detail={"staff": "王敏"}))
    world.now = start + timedelta(milliseconds=90)
    attempt(world, Outcome(Verdict.SENT, errcode=0))
    notice = owe(
        world,
        NotifyStaff(userid="wangmin", agent_id=1, title="t", description="d", url="u"),
        contact_id=contact.id,
    )
    attempt(world, Outcome(Verdict.REFUSED, errcode=60011, reason="no privilege"))

    answer = world.get("/trace?external_userid=wmAAA")

    steps = [(one["ms_since_start"], one["step"], one["title"]) for one in answer.json["items"]]
    assert steps == [
        (0, "received", "收到：客户添加员工"),
        (0, "changed", "添加了王敏为好友"),
        (40, "handled", "已处理：客户添加员工"),
        (40, "enqueued", "待办：发送欢迎语"),
        (90, "enqueued", "待办：通知员工"),
        (90, "sending", "正在发送欢迎语"),
        (90, "sending", "正在通知员工"),
        (90, "sent", "发送欢迎语：成功"),
        (90, "failed", "通知员工：失败"),
    ]
    last = answer.json["items"][-1]
    assert (last["call_id"], last["detail"]) == (notice, "应用没有该成员、部门或标签的权限（60011）")
    assert answer.json["items"][3]["call_id"] == welcome
    assert answer.json["items"][3]["event_id"] == event_id
    assert "SECRET-CODE" not in answer.get_data(as_text=True)
    assert world.get("/trace?external_userid=wmNOBODY").json == {"items": [], "next_cursor": None}
    assert world.get("/trace").status_code == 422


def test_unknown_calls_are_traced_as_unknown(world, make):
    contact = make.contact(external="wmAAA")
    owe(world, mark(), contact_id=contact.id)
    attempt(world, Outcome(Verdict.UNKNOWN, reason="timeout", bytes_sent=True))
    with world.database.write() as session:
        assert session.query(OutboxCall).one().state == CallState.UNKNOWN
    steps = [one["step"] for one in world.get("/trace?external_userid=wmAAA").json["items"]]
    assert steps == ["enqueued", "sending", "unknown"]


# --- tasks


def task(world, contact, **changes):
    due = (world.now + timedelta(days=1)).isoformat()
    body = {"contact": contact.id, "staff": "wangmin", "title": "发资料", "due_at": due, **changes}
    return world.post("/tasks", body)


def test_task_is_given_done_and_opened_again(world, make):
    rep = make.staff()
    contact = make.contact(staff=rep)
    made = task(world, contact, content=[{"kind": "text", "text": "您好"}])

    assert made.status_code == 201
    assert (made.json["state"], made.json["source"], made.json["staff"]["name"]) == (
        "open",
        "manager",
        "王敏",
    )
    assert made.json["content"] == [{"kind": "text", "text": "您好", "material_id": None}]
    path = f"/tasks/{made.json['id']}"
    assert world.post(f"{path}/done").json["state"] == "done"
    refused = world.post(f"{path}/skip")
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "task_closed")
    assert world.post(f"{path}/reopen").json["state"] == "open"
    later = (world.now + timedelta(days=2)).isoformat()
    assert world.post(f"{path}/postpone", {"due_at": later}).json["due_at"].startswith("2026-11-25")


def test_the_rep_is_told_of_a_task_that_a_program_gives_once_for_its_key(world, make):
    contact = make.contact(staff=make.staff())
    for _ in range(2):
        due = (world.now + timedelta(days=1)).isoformat()
        body = {"contact": contact.id, "staff": "wangmin", "title": "发资料", "due_at": due}
        assert world.post("/tasks", body, headers={"Idempotency-Key": "k1"}).status_code == 201

    with world.database.read() as session:
        told = session.scalars(select(OutboxCall).where(OutboxCall.command_kind == "NotifyStaff")).all()
    assert [row.command["userid"] for row in told] == ["wangmin"]
    assert told[0].command["description"].startswith("发资料\n")


def test_tasks_are_listed_by_rep_customer_state_and_time(world, make):
    rep, other = make.staff(), make.staff("lihua", "李华")
    contact, another = make.contact(staff=rep), make.contact("韩梅梅", staff=other)
    task(world, contact, title="一")
    task(world, another, title="二", staff="lihua")
    task(world, contact, title="三", due_at=(world.now + timedelta(days=9)).isoformat())

    def titles(query):
        return [row["title"] for row in world.all(f"/tasks?{query}")]

    assert titles("limit=1") == ["三", "二", "一"]
    assert titles("staff=lihua") == ["二"]
    assert titles(f"contact={contact.id}&due_before=2026-11-24") == ["一"]
    assert titles("state=done") == []
    assert titles("staff=nobody") == []


def test_task_for_the_past_says_where_it_is_wrong(world, make):
    contact = make.contact(staff=make.staff())
    answer = task(world, contact, due_at=world.now.isoformat())
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, ["due_at"])


def test_a_rep_gets_no_task_about_a_customer_they_do_not_see(world, make):
    contact = make.contact(staff=make.staff())
    make.staff("lihua", "李华")
    answer = task(world, contact, staff="lihua")

    error = answer.json["error"]
    assert (answer.status_code, error["code"], list(error["fields"])) == (
        422,
        "task_rep_unrelated",
        ["staff"],
    )
    assert "请先把客户分配给该员工" in error["message"]
    assert world.all("/tasks") == []


def test_a_comment_on_a_followup_is_kept_and_its_rep_is_told(world, make):
    staff = make.staff()
    contact = make.contact(staff=staff)
    body = {"kind": "call", "content": "聊了报价", "staff": staff.userid}
    followup = world.post(f"/contacts/{contact.id}/followups", body).json["id"]

    made = world.post(f"/followups/{followup}/comments", {"text": "先问预算"})
    own = world.post(f"/followups/{followup}/comments", {"text": "好的", "staff": staff.userid})

    assert (made.status_code, own.status_code) == (201, 201)
    assert made.json["author"] == "token:admin"
    assert own.json["author"] == "staff:wangmin"
    with world.database.read() as session:
        (notice,) = session.query(OutboxCall).all()
    assert (notice.api, notice.command["userid"]) == ("message/send", "wangmin")
    assert world.post(f"/followups/{'0' * 26}/comments", {"text": "x"}).status_code == 404
    assert world.post(f"/followups/{followup}/comments", {"text": ""}).status_code == 422
