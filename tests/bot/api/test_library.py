"""/folders, /replies and /materials as programs use them."""

from __future__ import annotations

import io

import pytest

from scrm.library.models import Folder, Material, Reply

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32


def folder(world, name="报价", kind="replies", **more):
    answer = world.post("/folders", {"kind": kind, "name": name, **more})
    assert answer.status_code == 201, answer.json
    return answer.json


def reply(world, place, title="报价流程", text="{customer}您好", **more):
    answer = world.post("/replies", {"folder": place["id"], "title": title, "text": text, **more})
    assert answer.status_code == 201, answer.json
    return answer.json


def test_a_reply_is_made_found_changed_deleted_and_restored(world):
    place = folder(world)
    made = reply(world, place)
    reply(world, place, "售后", "热线")
    assert made["uses"] == {"total": 0, "last_7_days": 0, "last_30_days": 0, "last_at": None}
    assert [row["title"] for row in world.get("/replies?q=bjlc").json["items"]] == ["报价流程"]
    assert [row["title"] for row in world.get(f"/replies?folder={place['id']}").json["items"]] == [
        "报价流程",
        "售后",
    ]

    changed = world.call("PATCH", f"/replies/{made['id']}", {"title": "新标题", "move": 1})
    assert (changed.status_code, changed.json["text"]) == (200, "{customer}您好")
    assert [row["title"] for row in world.all(f"/replies?folder={place['id']}&limit=1")] == ["售后", "新标题"]
    assert world.call("DELETE", f"/replies/{made['id']}").status_code == 204
    assert world.get(f"/replies/{made['id']}").status_code == 404
    assert world.post(f"/replies/{made['id']}/restore").json["title"] == "新标题"


def test_members_folders_are_named_by_their_member(world, make):
    make.staff()
    own = folder(world, "我的", owner="wangmin")
    reply(world, own, "自己的")
    folder(world)
    assert own["owner"]["userid"] == "wangmin"
    assert [row["name"] for row in world.get("/folders?kind=replies").json["items"]] == ["报价"]
    assert [row["name"] for row in world.get("/folders?kind=replies&staff=wangmin").json["items"]] == [
        "报价",
        "我的",
    ]
    assert world.get("/replies").json["items"] == []
    assert len(world.get(f"/replies?folder={own['id']}").json["items"]) == 1
    assert len(world.get("/replies?staff=wangmin").json["items"]) == 1


def test_a_folder_is_renamed_moved_deleted_and_restored(world):
    folder(world)
    place = folder(world, "车型")
    reply(world, place)
    changed = world.call("PATCH", f"/folders/{place['id']}", {"name": "合同", "move": -1}).json
    assert (changed["name"], changed["count"]) == ("合同", 1)
    assert [row["name"] for row in world.get("/folders?kind=replies").json["items"]] == ["合同", "报价"]
    assert world.call("DELETE", f"/folders/{place['id']}").status_code == 204
    assert world.get("/replies").json["items"] == []
    assert world.post(f"/folders/{place['id']}/restore").json["count"] == 1
    assert world.post("/folders", {"kind": "replies", "name": "合同"}).status_code == 409


def test_a_file_becomes_a_material_and_a_card_takes_it_as_its_cover(world):
    place = folder(world, "资料", "materials")
    form = {"file": (io.BytesIO(PNG), "海报.png"), "folder": place["id"]}
    made = world.call("POST", "/materials/files", data=form, content_type="multipart/form-data")
    assert (made.status_code, made.json["kind"], made.json["title"]) == (201, "image", "海报")
    body = {"kind": "news", "folder": place["id"], "title": "官网", "url": "https://a.cn"}
    card = world.post("/materials", {**body, "media": made.json["media"]}).json
    assert (card["url"], card["media"], card["appid"]) == ("https://a.cn", made.json["media"], None)

    changed = world.call("PATCH", f"/materials/{card['id']}", {"desc": "看一看", "media": None}).json
    assert (changed["url"], changed["desc"], changed["media"]) == ("https://a.cn", "看一看", None)
    assert world.call("DELETE", f"/materials/{made.json['id']}").status_code == 204
    assert [row["title"] for row in world.get("/materials").json["items"]] == ["官网"]
    assert world.post(f"/materials/{made.json['id']}/restore").status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"text": "{客户}您好"}, 422, "text"),
        ({"title": "长" * 129}, 422, "title"),
        ({"folder": "nobody"}, 404, None),
        ({"material": "nothing"}, 404, None),
    ],
)
def test_a_wrong_reply_is_refused_and_leaves_nothing(world, change, status, field):
    place = folder(world)
    answer = world.post("/replies", {"folder": place["id"], "title": "a", "text": "b", **change})
    assert answer.status_code == status
    assert field is None or field in answer.json["error"]["fields"]
    assert world.count(Reply) == 0


def test_a_reading_token_changes_nothing(world):
    place = folder(world)
    body = {"folder": place["id"], "title": "a", "text": "b"}
    for role in ("readonly", "sales", "operations"):
        assert world.get("/replies", role=role).status_code == 200
        assert world.post("/replies", body, role=role).status_code == 403
        assert world.post("/folders", {"kind": "replies", "name": "x"}, role=role).status_code == 403
    assert (world.count(Reply), world.count(Folder), world.count(Material)) == (0, 1, 0)
    assert world.post("/replies", body, role="marketing").status_code == 201
