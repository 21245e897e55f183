import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from bot.wechat.errors import CredentialsRefused, NotSent, Permanent, QuotaSpent, TokenInvalid, WeChatError
from bot.wechat.wecom import CallRecord, WeComClient
from tests.bot.wechat.fake_wecom import OK, SECRET, FakeWeCom, answers

GET = "externalcontact/get"
MARK = "externalcontact/mark_tag"
EXPIRED = answers({"errcode": 42001, "errmsg": "access_token expired, hint: [17]"})


def _gettokens(platform: FakeWeCom) -> int:
    return len(platform.calls("gettoken"))


def test_body_goes_out_as_raw_utf8_and_the_token_in_the_query_only(
    client: WeComClient, platform: FakeWeCom
) -> None:
    client.call(MARK, {"remark": "张三 😀"})

    seen = platform.calls(MARK)[0]
    assert seen.method == "POST"
    assert seen.body == '{"remark": "张三 😀"}'.encode()
    assert seen.query == {"access_token": platform.token}
    assert seen.content_type == "application/json"


def test_bytes_go_out_unchanged(client: WeComClient, platform: FakeWeCom) -> None:
    body = '{ "b":1,\n"a":"\\u4e2d中" }'.encode()

    client.call(MARK, body)

    assert platform.calls(MARK)[0].body == body


def test_without_a_body_it_is_a_get(client: WeComClient, platform: FakeWeCom) -> None:
    client.call(GET, params={"external_userid": "wm1", "cursor": None})

    seen = platform.calls(GET)[0]
    assert (seen.method, seen.body) == ("GET", b"")
    assert seen.query == {"external_userid": "wm1", "access_token": platform.token}


def test_answer_without_errcode_is_a_success(client: WeComClient, platform: FakeWeCom) -> None:
    platform.next(GET, answers({"external_contact": {"name": "小王"}}))

    assert client.call(GET)["external_contact"]["name"] == "小王"


def test_error_carries_code_hint_and_api(client: WeComClient, platform: FakeWeCom) -> None:
    platform.next(
        GET, answers({"errcode": 60020, "errmsg": "ip, hint: [99], from ip: 1.2.3.4", "follow_user": []})
    )

    with pytest.raises(Permanent) as caught:
        client.call(GET)

    error = caught.value
    assert (error.errcode, error.hint, error.api, error.http_status) == (60020, "99", GET, 200)
    assert error.needs_admin


@pytest.mark.parametrize("api", ["/get", "a/../b", "get?x=1", "http://evil/x", "", "a//b"])
def test_odd_paths_are_refused_before_anything_is_sent(
    client: WeComClient, platform: FakeWeCom, api: str
) -> None:
    with pytest.raises(ValueError, match="not an API path"):
        client.call(api, {})

    assert platform.seen == []


@pytest.mark.parametrize("code", [40001, 40014, 42001])
def test_stale_token_is_replaced_once_and_the_call_replayed_once(
    client: WeComClient, platform: FakeWeCom, code: int
) -> None:
    client.call(GET)
    platform.next(MARK, answers({"errcode": code, "errmsg": "stale"}))
    platform.expire()

    answer = client.call(MARK, {"remark": "中"})

    first, second = platform.calls(MARK)
    assert answer["echo"] == '{"remark": "中"}'
    assert first.body == second.body
    assert first.query != second.query
    assert _gettokens(platform) == 2


def test_platform_answering_42001_for_ever_ends_after_one_refresh_and_one_replay(
    client: WeComClient, platform: FakeWeCom
) -> None:
    client.call(GET)
    platform.always[MARK] = EXPIRED

    with pytest.raises(TokenInvalid) as caught:
        client.call(MARK, {})

    assert caught.value.errcode == 42001
    assert len(platform.calls(MARK)) == 2
    assert _gettokens(platform) == 2


def test_50_threads_against_42001_for_ever_make_a_handful_of_token_calls(
    client: WeComClient, platform: FakeWeCom
) -> None:
    platform.always[MARK] = EXPIRED

    def work(_: int) -> type[BaseException]:
        with pytest.raises(WeChatError) as caught:
            client.call(MARK, {})
        return type(caught.value)

    with ThreadPoolExecutor(50) as pool:
        outcomes = set(pool.map(work, range(500)))

    assert outcomes == {TokenInvalid}
    assert len(platform.calls(MARK)) <= 5 * 500
    assert _gettokens(platform) <= 50  # without the brake: one a call and more


def test_50_threads_and_20_forced_expiries_need_21_tokens_and_lose_nothing(
    client: WeComClient, platform: FakeWeCom
) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []
    made = [0] * 50

    def work(number: int) -> None:
        while not stop.is_set():
            try:
                client.call(MARK, {"n": number})
            except WeChatError as error:
                failures.append(error)
            made[number] += 1
            stop.wait(0.01)  # 50 threads and the server share one interpreter: leave it air

    with ThreadPoolExecutor(50) as pool:
        for number in range(50):
            pool.submit(work, number)
        for _ in range(20):
            _wait_for_a_call_of_each(made)
            platform.expire()
        _wait_for_a_call_of_each(made)
        stop.set()

    assert failures == []
    assert _gettokens(platform) == 21


def _wait_for_a_call_of_each(made: list[int]) -> None:
    """Let every thread end a call after the last expiry: none may lag behind by many tokens."""
    goal = [count + 1 for count in made]
    while any(count < wanted for count, wanted in zip(made, goal, strict=True)):
        time.sleep(0.005)


@pytest.mark.parametrize("code", [40001, 40013, 60020, 40091])
def test_refused_credentials_are_named_and_nothing_is_sent(
    client: WeComClient, platform: FakeWeCom, code: int
) -> None:
    platform.always["gettoken"] = answers({"errcode": code, "errmsg": "no, hint: [3], from ip: 9.9.9.9"})

    for _ in range(5):
        with pytest.raises(CredentialsRefused) as caught:
            client.call(MARK, {})
        assert (caught.value.errcode, caught.value.api, caught.value.hint) == (code, "gettoken", "3")
        assert caught.value.needs_admin

    assert _gettokens(platform) == 1
    assert platform.calls(MARK) == []


@pytest.mark.parametrize(
    "reply",
    [answers(b"", status=502), answers({"errcode": -1, "errmsg": "busy"}), answers(OK), answers(b"x")],
    ids=["502", "busy", "no-token", "text"],
)
def test_gettoken_without_a_result_means_the_call_was_not_sent(
    client: WeComClient, platform: FakeWeCom, reply: object
) -> None:
    platform.always["gettoken"] = reply  # type: ignore[assignment]

    with pytest.raises(NotSent):
        client.call(MARK, {})

    assert platform.calls(MARK) == []


def test_spent_quota_of_gettoken_is_passed_on(client: WeComClient, platform: FakeWeCom) -> None:
    platform.always["gettoken"] = answers({"errcode": 45009, "errmsg": "freq"})

    with pytest.raises(QuotaSpent):
        client.call(MARK, {})


def test_contact_calls_use_the_contact_secret_when_there_is_one(platform: FakeWeCom) -> None:
    client = WeComClient("wwcorp", {"app": "app-secret", "contact": "contact-secret"}, platform.base + "/")

    client.call(GET)
    client.call("user/get", secret="app")

    assert [seen.query["corpsecret"] for seen in platform.calls("gettoken")] == [
        "contact-secret",
        "app-secret",
    ]


def test_contact_calls_use_the_app_secret_when_there_is_no_other(platform: FakeWeCom) -> None:
    client = WeComClient("wwcorp", {"app": "app-secret", "contact": ""}, platform.base)

    client.call(GET)
    client.call("user/get", secret="app")

    assert [seen.query["corpsecret"] for seen in platform.calls("gettoken")] == ["app-secret"]


def test_client_without_an_app_secret_does_not_start() -> None:
    with pytest.raises(ValueError, match="app's secret"):
        WeComClient("wwcorp", {"app": ""})


def test_connections_are_kept_and_shared(client: WeComClient, platform: FakeWeCom) -> None:
    for _ in range(20):
        client.call(GET)

    assert len(platform.connections) == 1


def test_upload_sends_the_file_whole_again_after_a_refresh(client: WeComClient, platform: FakeWeCom) -> None:
    platform.next(
        "media/upload",
        EXPIRED,
        answers({**OK, "type": "image", "media_id": "M1", "created_at": "1380000000"}),
    )

    upload = client.upload_media("image", '海报 "一".png', b"PNG-DATA")

    first, second = platform.calls("media/upload")
    assert upload.media_id == "M1"
    assert upload.created_at == datetime(2013, 9, 24, 5, 20, tzinfo=UTC)
    assert second.query["type"] == "image"
    assert len(first.body) == len(second.body)
    assert 'name="media"; filename="海报 %22一%22.png"'.encode() in second.body
    assert b"image/png\r\n\r\nPNG-DATA\r\n" in second.body


def test_file_objects_are_refused_because_they_would_be_empty_on_replay(client: WeComClient) -> None:
    with pytest.raises(TypeError, match="bytes"):
        client.sdk().media.upload("image", io.BytesIO(b"PNG-DATA"))


def test_wechatpy_endpoints_go_through_our_transport(client: WeComClient, platform: FakeWeCom) -> None:
    platform.next(
        "externalcontact/get_follow_user_list", EXPIRED, answers({**OK, "follow_user": ["zhangsan"]})
    )

    assert client.sdk().external_contact.get_follow_user_list()["follow_user"] == ["zhangsan"]


def test_pages_are_walked_to_the_end_past_empty_ones(client: WeComClient, platform: FakeWeCom) -> None:
    api = "externalcontact/batch/get_by_user"
    platform.next(
        api,
        answers({**OK, "external_contact_list": [1, 2], "next_cursor": "c1"}),
        answers({**OK, "external_contact_list": [], "next_cursor": "c2"}),
        answers({**OK, "external_contact_list": [3]}),
    )

    pages = list(client.iter_pages(api, {"userid_list": ["a"], "limit": 100}, "external_contact_list"))

    assert [(page.items, page.next_cursor) for page in pages] == [([1, 2], "c1"), ([], "c2"), ([3], "")]
    assert [json.loads(seen.body).get("cursor") for seen in platform.calls(api)] == [None, "c1", "c2"]


def test_cursor_of_a_get_goes_into_the_query(client: WeComClient, platform: FakeWeCom) -> None:
    platform.next(
        GET,
        answers({**OK, "follow_user": [1], "next_cursor": "c1"}),
        answers({**OK, "follow_user": [2], "next_cursor": ""}),
    )

    pages = client.iter_pages(GET, None, "follow_user", params={"external_userid": "wm1"})

    assert [page.items for page in pages] == [[1], [2]]
    assert [seen.query.get("cursor") for seen in platform.calls(GET)] == [None, "c1"]
    assert {seen.query["external_userid"] for seen in platform.calls(GET)} == {"wm1"}


def test_cursor_that_does_not_move_ends_the_walk(client: WeComClient, platform: FakeWeCom) -> None:
    platform.always[GET] = answers({**OK, "follow_user": [1], "next_cursor": "c"})

    with pytest.raises(Permanent, match="does not move"):
        list(client.iter_pages(GET, None, "follow_user"))

    assert len(platform.calls(GET)) == 2


def test_every_exchange_is_reported_with_its_numbers(
    client: WeComClient, platform: FakeWeCom, records: list[CallRecord]
) -> None:
    platform.next(MARK, answers({"errcode": 84061, "errmsg": "x"}), answers(b"", status=502))
    for _ in range(2):
        with pytest.raises(WeChatError):
            client.call(MARK, {"a": 1})
    client.call(MARK, {"a": 1})

    told = [(one.api, one.errcode, one.http_status, one.outcome) for one in records]
    assert told == [
        ("gettoken", 0, 200, "ok"),
        (MARK, 84061, 200, "AlreadyDone"),
        (MARK, None, 502, "OutcomeUnknown"),
        (MARK, 0, 200, "ok"),
    ]
    assert all(one.ms > 0 and one.bytes_sent > 100 for one in records)


def test_secret_is_not_in_the_token_key(client: WeComClient) -> None:
    key = client.sdk().access_token_key

    assert SECRET[:4] not in key
    assert "wwcorp" in key
