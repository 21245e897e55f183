"""A group chat from the platform to REST, over real HTTP: callbacks, reading again, the same rows if they repeat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.scene import Scene

GET = "externalcontact/groupchat/get"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(tmp_path_factory.mktemp("groups"), group_lag_s=2.0) as made:
        yield made


def group_of(scene: Scene, chat_id: str) -> dict[str, Any]:
    return next(group for group in scene.all("/groups") if group["chat_id"] == chat_id)


def members(scene: Scene, chat_id: str) -> list[dict[str, Any]]:
    found = scene.all(f"/groups/{group_of(scene, chat_id)['id']}/members")
    return sorted(({**one, "id": ""} for one in found), key=lambda one: one["userid"])


def do(scene: Scene, chat_id: str, deed: str, /, **body: Any) -> None:
    assert scene.box.post(f"/sandbox/groups/{chat_id}/{deed}", body)["callback_status"] == 200
    scene.settle()
    scene.move(3)  # the member list follows its event
    scene.settle()


def test_a_group_is_followed_from_its_making_to_its_end(scene: Scene) -> None:
    channel = scene.channel("展会", welcome={"text": "您好"})
    scan = scene.scan("小王", channel)
    scene.settle()
    chat_id = scene.box.post("/sandbox/groups", {"owner": "zhangsan", "name": "老客户"})["chat_id"]
    scene.settle()
    scene.move(3)

    do(scene, chat_id, "join", customers=["小王", "路人"], scene=3, state="grp_7")
    do(scene, chat_id, "rename", name="新名")
    do(scene, chat_id, "leave", member="小王", removed=True)

    group = group_of(scene, chat_id)
    assert (group["name"], group["owner"]["name"], group["customers"], group["joined"], group["left"]) == (
        "新名", "张三", 1, 2, 1,
    )  # fmt: skip
    by_name = {one["name"]: one for one in members(scene, chat_id)}
    assert (by_name["小王"]["quit_scene"], by_name["小王"]["join_scene"], by_name["小王"]["state"]) == (
        1,
        3,
        "grp_7",
    )
    assert (by_name["路人"]["left_at"], by_name["路人"]["is_friend"]) == (None, False)
    told = [entry["title"] for entry in scene.timeline(scene.contact(scan["customer_id"]))]
    assert "进入客户群「老客户」（扫群二维码）" in told
    assert "退出客户群「新名」（被移出）" in told

    do(scene, chat_id, "dismiss")
    assert group_of(scene, chat_id)["dismissed_at"] is not None
    assert len(members(scene, chat_id)) == 3


def test_callbacks_that_come_again_in_any_order_leave_the_same_rows(scene: Scene) -> None:
    chat_id = scene.box.post("/sandbox/groups", {"owner": "lisi", "name": "群"})["chat_id"]
    scene.settle()
    scene.move(3)
    do(scene, chat_id, "join", customers=["甲", "乙"])
    do(scene, chat_id, "leave", member="甲")
    do(scene, chat_id, "join", customers=["甲"], scene=2)
    before = members(scene, chat_id)
    told = [item for item in scene.box.get("/sandbox/callbacks")["items"] if chat_id in item["xml"]]

    for item in reversed(told):
        other = item["xml"].replace("</xml>", "<Again>1</Again></xml>")  # or the inbox would drop it as known
        assert scene.post_callback(other) == 200
    scene.settle()
    scene.move(12)
    scene.settle()

    assert members(scene, chat_id) == before
    assert [one["left_at"] for one in before] == [None] * 3
