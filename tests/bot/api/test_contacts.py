"""Contacts over REST."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from bot.api import paging
from scrm.contacts.models import Contact, ContactIdentity, Relation
from scrm.contacts.service import set_phone
from scrm.followups.models import Followup
from scrm.outbox.models import OutboxCall
from scrm.routing.models import Assignment
from scrm.timeline.models import TimelineEntry
from tests.plans import Recorder


def test_a_contact_says_everything_the_design_promises(world, make):
    staff, channel, tag = make.staff(), make.channel(), make.tag()
    contact = make.contact(
        staff=staff, tags=(tag,), external="wmAAA", first_channel_id=channel.id, corp_name="启程物流"
    )

    answer = world.get(f"/contacts/{contact.id}")

    assert answer.status_code == 200
    assert answer.json == {
        "id": contact.id,
        "name": "李雷",
        "stage": "lead",
        "owner": {"id": staff.id, "name": "王敏"},
        "channel": {"id": channel.id, "name": "上海展会"},
        "tags": [{"id": tag.id, "name": "展会", "group": "来源"}],
        "identities": [{"kind": "wecom_external_userid", "value": "wmAAA"}],
        "relations": [
            {
                "staff": {"id": staff.id, "userid": "wangmin", "name": "王敏"},
                "state": "active",
                "added_at": "2026-11-23T02:00:00Z",
                "lost_at": None,
                "first_response_at": None,
                "remark": None,
                "add_way": None,
                "channel_id": None,
                "regained": 0,
            }
        ],
        "created_at": "2026-11-23T02:00:00Z",
        "lost_at": None,
        "phone": None,
        "corp_name": "启程物流",
        "gender": 0,
        "avatar": None,
    }


def test_a_contact_nobody_knows_is_404(world):
    answer = world.get("/contacts/01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "contact_not_found")


def test_phone_is_whole_only_with_pii_read(world, make):
    contact = make.contact()
    with world.database.write() as session:
        set_phone(session.get_one(Contact, contact.id), "13800000000")

    assert world.get(f"/contacts/{contact.id}").json["phone"] == "13800000000"
    assert world.get(f"/contacts/{contact.id}", role="readonly").json["phone"] == "138****0000"


def test_pages_run_newest_first_without_gap_or_repeat(world, make):
    made = [make.contact(f"客户{n}", minutes_ago=n // 2) for n in range(7)]  # pairs share an instant

    seen, cursor = [], ""
    while True:
        page = world.get(f"/contacts?limit=3{cursor}").json
        assert len(page["items"]) <= 3
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    expected = sorted(made, key=lambda row: (row.created_at, row.id), reverse=True)
    assert seen == [row.id for row in expected]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "W10",
        "WyJ4IiwieSJd",
        "bnVsbA",
        "eyJhIjoxfQ",
        "WzEsMl0",
        "A" * 513,
        "WyIyMDI2LTAxLTAxIiwiYSJd",
    ],
)
def test_a_broken_cursor_is_refused_at_its_field(world, cursor):
    answer = world.get(f"/contacts?cursor={cursor}")
    assert answer.status_code == 422
    assert list(answer.json["error"]["fields"]) == ["cursor"]


def test_each_filter_finds_its_contacts_and_no_other(world, make):
    wang, li = make.staff(), make.staff("lihua", "李华")
    channel, fair, hot = make.channel(), make.tag(), make.tag("高意向", "意向")
    one = make.contact("张三", staff=wang, tags=(fair,), first_channel_id=channel.id, minutes_ago=60 * 24 * 3)
    two = make.contact("张伟", staff=li, tags=(hot,), stage="mql", minutes_ago=60)
    lost = make.contact("赵六", lost_at=world.now)
    with world.database.write() as session:
        relation = session.query(Relation).filter_by(contact_id=two.id).one()
        relation.remark = "上海-张总"
        set_phone(session.get_one(Contact, lost.id), "13912345678")

    def found(query):
        return [item["id"] for item in world.get(f"/contacts?{query}").json["items"]]

    assert found("owner=wangmin") == [one.id]
    assert found(f"owner={li.id}") == [two.id]
    assert found("owner=nobody") == []
    assert found(f"channel={channel.id}") == [one.id]
    assert found("tag=展会") == found(f"tag={fair.id}") == found("tag=来源/展会") == [one.id]
    assert found("tag=没有") == []
    assert found("stage=mql") == [two.id]
    assert found("state=lost") == [lost.id]
    assert found("state=active") == [two.id, one.id]
    assert found("q=张") == [two.id, one.id]
    assert found("q=上海") == [two.id]
    assert found("q=139 1234 5678") == found("q=%2B8613912345678") == [lost.id]
    assert found("q=1391234") == []
    assert found("created_to=2026-11-20") == [one.id]
    assert found("created_from=2026-11-23") == [lost.id, two.id]
    assert found("created_from=2026-11-23T01:30:00Z") == [lost.id]
    assert found("owner=wangmin&stage=mql") == []


def test_a_percent_sign_is_no_wildcard(world, make):
    make.contact("张三")
    assert world.get("/contacts?q=%25").json["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("stage=nope", "stage"),
        ("state=nope", "state"),
        ("created_from=2026-11-23T10:00:00", "created_from"),
        ("created_from=0001-01-01", "created_from"),
        ("created_to=tomorrow", "created_to"),
        ("q=%00", "q"),
        ("surprise=1", "surprise"),
        ("owner=a&owner=b", "owner"),
    ],
)
def test_a_wrong_query_is_refused_at_its_field(world, query, field):
    answer = world.get(f"/contacts?{query}")
    assert answer.status_code == 422
    assert list(answer.json["error"]["fields"]) == [field]


@pytest.mark.parametrize(
    ("path", "most"), [("contacts", 8), ("channels", 5), ("staff", 3), ("tags", 2), ("followups", 4)]
)
def test_a_page_takes_the_same_number_of_queries_whatever_its_size(world, make, path, most):
    for n in range(12):
        staff, channel, tag = make.staff(f"user{n}"), make.channel(f"渠道{n}"), make.tag(f"标签{n}")
        make.department(n + 1, f"部门{n}", staff)
        contact = make.contact(
            f"客户{n}", staff=staff, tags=(tag,), external=f"wm{n}", first_channel_id=channel.id
        )
        make.rows(
            Followup(
                contact_id=contact.id,
                staff_id=staff.id,
                kind="note",
                content="x",
                at=world.now,
                created_at=world.now,
            )
        )
    world.get(f"/{path}")  # writes down the token's use

    counts = [_count(world, f"/{path}?limit={size}") for size in (1, 5, 12)]

    assert counts == [counts[0]] * 3
    assert counts[0] <= most + 1  # and one for the token


def _count(world, path):
    statements = []

    def note(_connection, _cursor, statement, *_more):
        statements.append(statement)

    event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        assert world.get(path).status_code == 200
    finally:
        event.remove(world.database.engine, "before_cursor_execute", note)
    return len([one for one in statements if one.lstrip().upper().startswith("SELECT")])


def test_a_lead_gets_an_owner_in_turn_and_says_so(world, make):
    wang, li = make.staff(), make.staff("lihua", "李华")

    first = world.post("/contacts", {"name": " 韩梅梅 ", "phone": "+86 138-0000-0000", "corp_name": "启程"})
    second = world.post("/contacts", {"name": "林涛"})

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["name"] == "韩梅梅"
    assert first.json["phone"] == "13800000000"
    assert first.json["identities"] == [{"kind": "phone", "value": "13800000000"}]
    assert first.json["owner"]["id"] != second.json["owner"]["id"]
    assert {first.json["owner"]["id"], second.json["owner"]["id"]} == {wang.id, li.id}
    line = world.get(f"/contacts/{first.json['id']}/timeline").json["items"]
    assert [item["kind"] for item in line] == ["owner.assigned", "contact.created"]
    assert world.wakes == 2


def test_a_lead_with_a_named_owner_and_channel(world, make):
    make.staff()
    li, channel = make.staff("lihua", "李华"), make.channel()

    made = world.post("/contacts", {"name": "林涛", "owner": "lihua", "channel": channel.id}).json

    assert made["owner"] == {"id": li.id, "name": "李华"}
    assert made["channel"] == {"id": channel.id, "name": "上海展会"}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "name"),
        ({"name": "   "}, 422, "name"),
        ({"name": 5}, 422, "name"),
        ({"name": "x" * 129}, 422, "name"),
        ({"name": "李\u0000雷"}, 422, "name"),
        ({"name": "李雷", "phone": "12"}, 422, "phone"),
        ({"name": "李雷", "phone": "电话"}, 422, "phone"),
        ({"name": "李雷", "owner": "nobody"}, 422, "owner"),
        ({"name": "李雷", "channel": "nowhere"}, 422, "channel"),
        ({"name": "李雷", "surprise": 1}, 422, "surprise"),
        ([], 422, "body"),
        ("李雷", 422, "body"),
    ],
)
def test_a_wrong_lead_is_refused_and_leaves_nothing(world, make, body, status, field):
    make.staff()
    answer = world.post("/contacts", body)
    assert answer.status_code == status
    assert list(answer.json["error"]["fields"]) == [field]
    assert [world.count(model) for model in (Contact, ContactIdentity, Assignment, TimelineEntry)] == [
        0,
        0,
        0,
        0,
    ]
    assert world.wakes == 0


def test_a_known_phone_is_a_conflict_and_leaves_nothing(world):
    world.post("/contacts", {"name": "李雷", "phone": "13800000000"})
    answer = world.post("/contacts", {"name": "韩梅梅", "phone": "138 0000 0000"})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "phone_taken")
    assert (world.count(Contact), world.count(ContactIdentity)) == (1, 1)


def test_the_phone_is_nowhere_readable_in_the_database(world, tmp_path):
    world.post("/contacts", {"name": "李雷", "phone": "13777766655"}, headers={"Idempotency-Key": "k"})
    for file in tmp_path.glob("lianke.db*"):
        assert b"13777766655" not in file.read_bytes()


def test_only_what_is_sent_changes(world, make):
    contact = make.contact(corp_name="启程")
    path = f"/contacts/{contact.id}"

    changed = world.call("PATCH", path, {"stage": "mql", "phone": "13800000000"}).json
    assert (changed["stage"], changed["phone"], changed["corp_name"]) == ("mql", "13800000000", "启程")

    cleared = world.call("PATCH", path, {"phone": None, "corp_name": None}).json
    assert (cleared["phone"], cleared["corp_name"], cleared["identities"]) == (None, None, [])

    titles = [item["title"] for item in world.all(f"{path}/timeline")]
    assert titles == ["资料已修改：公司、电话", "阶段从线索变为市场认可线索", "资料已修改：电话"]


def test_changing_nothing_writes_nothing(world, make):
    contact = make.contact(stage="mql")
    assert world.call("PATCH", f"/contacts/{contact.id}", {"stage": "mql"}).status_code == 200
    assert world.count(TimelineEntry) == 0


@pytest.mark.parametrize(
    "body", [{"name": "新名字"}, {"stage": "nope"}, {"stage": None}, {"owner": "wangmin"}]
)
def test_what_may_not_be_changed_is_refused(world, make, body):
    contact = make.contact()
    assert world.call("PATCH", f"/contacts/{contact.id}", body).status_code == 422
    assert world.count(TimelineEntry) == 0


def test_timeline_has_titles_and_can_be_filtered(world, make):
    contact = make.contact()
    make.rows(
        TimelineEntry(
            contact_id=contact.id, at=world.now, kind="contact.added", actor="customer",
            detail={"staff": "王敏", "userid": "wangmin"},
        ),
        TimelineEntry(
            contact_id=contact.id, at=world.now + timedelta(seconds=1), kind="welcome.sent", detail={"call_id": 1}
        ),
    )  # fmt: skip

    items = world.all(f"/contacts/{contact.id}/timeline")
    assert [(item["kind"], item["title"], item["actor"]) for item in items] == [
        ("welcome.sent", "欢迎语已发送", "system"),
        ("contact.added", "添加了王敏为好友", "customer"),
    ]
    assert set(items[0]) == {"id", "at", "kind", "title", "actor", "detail"}
    assert [item["kind"] for item in world.all(f"/contacts/{contact.id}/timeline?kind=welcome")] == [
        "welcome.sent"
    ]
    assert world.all(f"/contacts/{contact.id}/timeline?kind=welcome.failed") == []
    assert world.get("/contacts/unknown/timeline").status_code == 404


def test_an_assignment_by_hand_has_its_reason(world, make):
    wang, li = make.staff(), make.staff("lihua", "李华")
    contact = make.contact(staff=wang)

    made = world.post(f"/contacts/{contact.id}/assignments", {"staff": "lihua"})

    assert made.status_code == 201
    assert made.json["staff"] == {"id": li.id, "userid": "lihua", "name": "李华"}
    assert made.json["reason"] == "manual"
    assert world.all(f"/contacts/{contact.id}/assignments") == [made.json]
    assert world.get(f"/contacts/{contact.id}").json["owner"]["id"] == li.id


def test_nobody_unknown_or_gone_becomes_an_owner(world, make):
    make.staff("left", "走了", status="left")
    contact = make.contact()
    for userid in ("left", "nobody"):
        assert world.post(f"/contacts/{contact.id}/assignments", {"staff": userid}).status_code == 422
    assert world.count(Assignment) == 0


def test_tags_are_set_and_cleared_with_the_owner_and_owed_to_wecom(world, make):
    staff, fair, hot = make.staff(), make.tag(), make.tag("高意向", "意向")
    contact = make.contact(staff=staff, tags=(fair,), external="wmAAA")
    path = f"/contacts/{contact.id}/tags"

    answer = world.post(path, {"add": ["意向/高意向"], "remove": ["展会"]})

    assert answer.status_code == 200
    assert [(item["name"], item["source"], item["staff"]["userid"]) for item in answer.json["items"]] == [
        ("高意向", "api", "wangmin")
    ]
    assert world.get(path).json == answer.json
    calls = world.all("/calls?api=externalcontact/mark_tag")
    assert len(calls) == 2
    assert [tag["id"] for tag in world.get(f"/contacts/{contact.id}").json["tags"]] == [hot.id]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"add": ["没有这个"]}, "tags"),
        ({"add": ["展会"], "remove": ["展会"]}, "remove"),
        ({"add": ["展会"], "staff": "nobody"}, "staff"),
        ({"add": ["展会"], "staff": "lihua"}, "staff"),
        ({"add": "展会"}, "add"),
    ],
)
def test_wrong_tags_are_refused_and_nothing_is_owed(world, make, body, field):
    staff = make.staff()
    make.staff("lihua", "李华")
    make.tag()
    contact = make.contact(staff=staff, external="wmAAA")
    answer = world.post(f"/contacts/{contact.id}/tags", body)
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, [field])
    assert world.count(OutboxCall) == 0


def test_a_contact_nobody_is_connected_with_cannot_be_tagged(world, make):
    make.tag()
    contact = make.contact()
    answer = world.post(f"/contacts/{contact.id}/tags", {"add": ["展会"]})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "contact_without_relation")


@pytest.mark.sqlite  # it reads the query plan
@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("/contacts?", "ix_contact_created_by (created_at<?)"),
        ("/contacts?owner=wangmin&", "ix_contact_owner (owner_id=? AND created_at<?)"),
        ("/contacts?stage=lead&", "ix_contact_stage (stage=? AND created_at<?)"),
        ("/contacts?q=客户&", "ix_contact_name (name>? AND name<?)"),
        ("/contacts?tag=展会&", "ix_contact_tag_recent (tag_id=?"),
        ("/followups?", "ix_followup_at (at<?)"),
        ("/followups?staff=wangmin&", "ix_followup_staff (staff_id=? AND at<?)"),
        ("/contacts/{contact}/timeline?", "ix_timeline_contact (contact_id=? AND at<?)"),
        ("/contacts/{contact}/followups?", "ix_followup_contact (contact_id=? AND at<?)"),
        ("/contacts/{contact}/assignments?", "ix_assignment_contact (contact_id=? AND at<?)"),
    ],
)
def test_a_later_page_is_sought_in_an_index(world, make, path, index):
    staff, tag = make.staff(), make.tag()
    contact = make.contact(staff=staff, tags=(tag,))
    cursor = paging.encode(world.now, 5 if "timeline" in path else contact.id)

    with Recorder(world.database.engine) as recorder:
        answer = world.get(f"{path.format(contact=contact.id)}cursor={cursor}")

    assert answer.status_code == 200
    plans = [read.said for statement, plan in recorder.plans() if " LIMIT " in statement for read in plan]
    assert any(index in said for said in plans), plans
