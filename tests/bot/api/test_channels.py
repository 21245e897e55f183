"""Channels over REST."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest

from bot.api import channel_codes
from scrm.channels.models import Channel, ChannelCode, Scan
from scrm.outbox.models import OutboxCall

BODY = {
    "name": "上海物流展",
    "kind": "wecom",
    "staff": ["wangmin"],
    "tags": ["展会"],
    "welcome": {"text": "您好 {customer}", "attachments": []},
    "schedule": [{"weekdays": [1, 2, 3], "from": "09:00", "to": "18:00", "staff": ["wangmin"]}],
    "daily_limit": 30,
    "backup_staff": ["lihua"],
    "cost_fen": 120_000,
}


@pytest.fixture
def people(make):
    make.tag()
    return make.staff(), make.staff("lihua", "李华")


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch):
    monkeypatch.setattr(channel_codes, "WAIT_S", 0.0)


def answer_code(world, **values):
    """What the outbox worker and the answer's handler would do."""
    with world.database.write() as session:
        code = session.query(ChannelCode).one()
        for name, value in values.items():
            setattr(code, name, value)


def test_a_channel_is_answered_with_its_code(world, people, monkeypatch):
    monkeypatch.setattr(channel_codes, "WAIT_S", 5.0)

    def wake():
        world.wakes += 1
        values = {"config_id": "cfg1", "qr_url": "https://qr/1", "users": ["wangmin"]}
        threading.Timer(0.1, answer_code, (world,), values).start()

    monkeypatch.setattr(world, "wake", wake)
    answer = _fresh(world, wake).post("/channels", BODY)

    assert answer.status_code == 201
    made = answer.json
    assert (made["config_id"], made["qr_url"], made["code_state"]) == ("cfg1", "https://qr/1", "ready")
    assert made == {
        "id": made["id"],
        "name": "上海物流展",
        "kind": "wecom",
        "status": "active",
        "config_id": "cfg1",
        "qr_url": "https://qr/1",
        "state": made["state"],
        "code_state": "ready",
        "code_error": None,
        "staff": ["wangmin"],
        "backup_staff": ["lihua"],
        "users": ["wangmin"],
        "pool_reason": "shift",
        "tags": ["展会"],
        "welcome": {"text": "您好 {customer}", "attachments": []},
        "welcomes": [{"text": "您好 {customer}", "attachments": []}],
        "schedule": BODY["schedule"],
        "daily_limit": 30,
        "weights": {"lihua": 1, "wangmin": 1},
        "daily_limits": {},
        "cost_fen": 120_000,
        "remark_template": None,
        "skip_verify": True,
        "created_at": "2026-11-23T02:00:00Z",
    }
    assert made["state"].startswith("ch_")
    assert world.wakes == 1


def _fresh(world, wake):
    """The same world, its API woken by ``wake``."""
    from bot.api.app import create_api_app

    from .conftest import CORP  # noqa: TID252

    world.client = create_api_app(world.database, clock=lambda: world.now, wake=wake, corp=CORP).test_client()
    return world


def test_a_code_that_is_late_is_pending_and_one_refused_is_failed(world, people):
    made = world.post("/channels", BODY)
    assert (made.status_code, made.json["code_state"], made.json["config_id"]) == (201, "pending", None)

    answer_code(world, error="创建渠道码失败：成员尚未激活企业微信（错误码 41054）")
    told = world.get(f"/channels/{made.json['id']}").json
    assert (told["code_state"], told["config_id"]) == ("failed", None)
    assert "41054" in told["code_error"]


def test_a_channel_under_a_key_is_made_once(world, people):
    headers = {"Idempotency-Key": "c1"}
    first = world.post("/channels", BODY, headers=headers)
    assert world.post("/channels", BODY, headers=headers).get_data() == first.get_data()
    assert (world.count(Channel), world.count(OutboxCall)) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"staff": ["nobody"], "schedule": []}, "staff[0]"),
        ({"staff": [], "schedule": []}, "staff"),
        ({"staff": "wangmin"}, "staff"),
        ({"kind": "official"}, "kind"),
        ({"tags": ["没有"]}, "tags[0]"),
        ({"welcome": {}}, "welcome.text"),
        ({"welcome": {"text": "x", "attachments": [{"msgtype": "link", "link": {"title": "x", "url": "ftp://x"}}]}},
         "welcome.attachments[0].link.url"),
        ({"welcome": {"text": "x", "attachments": [{"msgtype": "voice"}]}}, "welcome.attachments.0.msgtype"),
        ({"welcomes": [{"text": "y"}]}, "welcome"),
        ({"schedule": [{"from": "25:00", "to": "18:00"}]}, "schedule.0.from"),
        ({"daily_limit": 0}, "daily_limit"),
        ({"cost_fen": -1}, "cost_fen"),
        ({"cost_fen": 1.5}, "cost_fen"),
        ({"backup_staff": ["wangmin"]}, "backup_staff[0]"),
        ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_a_wrong_channel_is_refused_and_leaves_nothing(world, people, changes, field):
    answer = world.post("/channels", {**BODY, **changes})
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, [field])
    assert [world.count(model) for model in (Channel, ChannelCode, OutboxCall)] == [0, 0, 0]


def test_a_taken_name_is_a_conflict(world, people):
    world.post("/channels", BODY)
    answer = world.post("/channels", BODY)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "channel_name_taken")
    assert world.count(Channel) == 1


def test_only_what_is_sent_changes_and_the_code_stays(world, people):
    made = world.post("/channels", BODY).json
    changed = world.call(
        "PATCH",
        f"/channels/{made['id']}",
        {"name": "展会二", "daily_limit": None, "remark_template": "{customer}"},
    ).json
    assert changed == {**made, "name": "展会二", "daily_limit": None, "remark_template": "{customer}"}
    again = world.call(
        "PATCH", f"/channels/{made['id']}", {"welcomes": [{"text": "晚上好", "from": "18:00", "to": "09:00"}]}
    )
    assert (again.json["welcome"], len(again.json["welcomes"])) == (None, 1)
    assert world.call("PATCH", f"/channels/{made['id']}", {"state": "x"}).status_code == 422
    assert world.call("PATCH", "/channels/nowhere", {"name": "x"}).status_code == 404


def test_pause_and_resume(world, people):
    made = world.post("/channels", BODY).json
    assert world.post(f"/channels/{made['id']}/pause").json["status"] == "paused"
    assert world.post(f"/channels/{made['id']}/pause").json["status"] == "paused"
    assert world.post(f"/channels/{made['id']}/resume").json["status"] == "active"
    assert world.post("/channels/nowhere/pause").status_code == 404


def test_channels_are_paged_newest_first(world, make):
    made = [make.channel(f"渠道{n}").id for n in range(5)]
    assert [row["id"] for row in world.all("/channels?limit=2")] == sorted(made, reverse=True)


def test_the_qr_is_a_picture(world, make):
    channel = make.channel()
    png = world.get(f"/channels/{channel.id}/qr.png")
    assert (png.status_code, png.mimetype) == (200, "image/png")
    assert png.get_data().startswith(b"\x89PNG")
    svg = world.get(f"/channels/{channel.id}/qr.svg")
    assert svg.mimetype == "image/svg+xml"
    assert ET.fromstring(svg.get_data()).tag.endswith("svg")


def test_without_a_code_there_is_no_picture(world, make):
    channel = make.channel(ready=False)
    answer = world.get(f"/channels/{channel.id}/qr.png")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "channel_code_missing")
    assert world.get("/channels/nowhere/qr.svg").status_code == 404


def test_figures_by_local_day(world, make):
    staff, channel = make.staff(), make.channel(cost_fen=1000)
    contact = make.contact(staff=staff)
    make.rows(
        Scan(
            channel_id=channel.id, contact_id=contact.id, staff_id=staff.id, at=world.now, is_new=True, effect_key="1"
        ),
        Scan(
            channel_id=channel.id, contact_id=contact.id, staff_id=staff.id, is_new=False, effect_key="2",
            at=world.now - timedelta(hours=11),
        ),
    )  # fmt: skip

    told = world.get(f"/channels/{channel.id}/stats?from=2026-11-22&to=2026-11-23").json

    assert (told["start"], told["end"]) == ("2026-11-22", "2026-11-23")
    assert (told["total"]["scans"], told["total"]["new"], told["total"]["cost_per_contact_fen"]) == (
        2,
        1,
        1000,
    )
    assert [(day["day"], day["scans"]) for day in told["days"]] == [("2026-11-22", 1), ("2026-11-23", 1)]
    assert len(world.get(f"/channels/{channel.id}/stats").json["days"]) == 30


@pytest.mark.parametrize(
    "query", ["from=2026-11-23&to=2026-11-22", "from=2020-01-01", "from=x", "to=1900-01-01"]
)
def test_a_wrong_period_is_refused(world, make, query):
    assert world.get(f"/channels/{make.channel().id}/stats?{query}").status_code == 422


def test_figures_of_no_channel_are_404(world):
    assert world.get("/channels/nowhere/stats").status_code == 404
