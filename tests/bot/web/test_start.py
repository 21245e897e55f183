from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from werkzeug.datastructures import LanguageAccept

from bot.words.common import TEXTS
from bot.words.texts import choose

if TYPE_CHECKING:
    from tests.bot.web.conftest import Desk


def test_the_start_page_lists_what_there_is(desk: Desk) -> None:
    page = desk.get("/").text

    for href in ("/api/v1/docs", "/readyz", "/metrics", "/sidebar", "http://127.0.0.1:9100"):
        assert f'href="{href}"' in page, href
    assert "http://127.0.0.1:8000/callback/wecom" in page


def test_what_the_start_page_links_to_answers(desk: Desk) -> None:
    for path in ("/api/v1/docs", "/readyz", "/metrics", "/sidebar"):
        assert desk.get(path).status_code == 200, path


def test_the_real_platform_has_no_sandbox(desk: Desk) -> None:
    from bot.app import create_app

    config = desk.product.config
    wecom = config.wecom.model_copy(update={"api_base": "https://qyapi.weixin.qq.com"})
    object.__setattr__(desk.product, "config", config.model_copy(update={"wecom": wecom}))

    page = create_app(desk.product).test_client().get("/").text

    assert "9100" not in page
    assert "Sandbox" not in page


def test_the_start_page_asks_no_query(desk: Desk) -> None:
    with desk.counted() as statements:
        desk.get("/")

    assert statements == []


def test_other_paths_stay_the_apis_and_the_healths(desk: Desk) -> None:
    assert desk.get("/api/v1/contacts").json["error"]["code"] == "unauthorized"
    assert desk.get("/healthz").json == {"status": "ok"}
    assert desk.get("/nothing").status_code == 404


def test_both_languages_name_the_same_values() -> None:
    for key, texts in TEXTS.items():
        names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts]
        assert names[0] == names[1], key
        assert all(texts), key


@pytest.mark.parametrize(
    ("asked", "accepted", "default", "language"),
    [
        ("en", "zh-CN", "zh_CN", "en"),
        ("zh", "en", "en", "zh"),
        ("fr", "en-GB", "zh_CN", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "en", "zh"),
        (None, "zh-TW", "en", "zh"),
        (None, "fr", "zh_CN", "zh"),
        (None, "", "en", "en"),
    ],
)
def test_the_language_of_a_page(asked: str | None, accepted: str, default: str, language: str) -> None:
    from werkzeug.http import parse_accept_header

    assert choose(asked, parse_accept_header(accepted, LanguageAccept), default) == language
