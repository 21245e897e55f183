"""What may be kept, how placeholders read, and what the client is given."""

from __future__ import annotations

import pytest

from scrm.errors import Invalid
from scrm.library import rules
from scrm.library.models import MaterialKind


@pytest.mark.parametrize(
    ("text", "customer", "company", "expected"),
    [
        (
            "{customer}您好，我是{staff}，关于{company}的报价",
            "李雷",
            "海纳物流",
            "李雷您好，我是王敏，关于海纳物流的报价",
        ),
        ("{customer}您好，关于{company}的报价", "", None, "您好，关于贵司的报价"),
        ("{customer}，请看附件", None, "", "请看附件"),
        ("这是给{customer}的方案", None, None, "这是给您的方案"),
        ("Hi {customer}, a quote for {company}", " ", None, "Hi, a quote for your company"),
        ("{customer}您好", "{staff}", None, "{staff}您好"),
    ],
)
def test_a_text_is_filled_in_one_pass_and_reads_well_without(text, customer, company, expected):
    assert rules.fill(text, customer=customer, staff="王敏", company=company) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{客户}您好", "{客户}"),
        ("{ customer }您好", "{ customer }"),
        ("{rep}", "{rep}"),
        ("{Customer}", "{Customer}"),
    ],
)
def test_an_unknown_placeholder_is_refused_by_name(text, named):
    with pytest.raises(Invalid) as refused:
        rules.check_reply("问候", text)
    assert named in refused.value.fields["text"]
    assert "{customer}" in refused.value.fields["text"]


def test_braces_that_name_nothing_are_plain_text():
    rules.check_reply("代码", "选 {1} 或 {} 或 {{customer}}")


@pytest.mark.parametrize(
    ("title", "text", "field"),
    [
        (" ", "您好", "title"),
        ("长" * 129, "您好", "title"),
        ("两\n行", "您好", "title"),
        ("问候", "  ", "text"),
        ("问候", "长" * 4001, "text"),
        ("问候", "a\x00b", "text"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_field(title, text, field):
    with pytest.raises(Invalid) as refused:
        rules.check_reply(title, text)
    assert set(refused.value.fields) == {field}


def test_the_longest_reply_is_kept():
    rules.check_reply("长" * 128, "长" * 4000)


@pytest.mark.parametrize(
    ("kind", "detail", "media_kind", "fields"),
    [
        (MaterialKind.IMAGE, {}, None, {"file"}),
        (MaterialKind.IMAGE, {}, "video", {"file"}),
        (MaterialKind.LINK, {}, None, {"url"}),
        (MaterialKind.LINK, {"url": "javascript:alert(1)"}, None, {"url"}),
        (MaterialKind.LINK, {"url": "https://a.cn", "desc": "长" * 513}, None, {"desc"}),
        (MaterialKind.LINK, {"url": "https://a.cn"}, "file", {"file"}),
        (MaterialKind.MINIPROGRAM, {"appid": "gh_123", "page": "a"}, None, {"appid", "page", "file"}),
        (MaterialKind.FILE, {"url": "https://a.cn"}, "file", {"url"}),
    ],
)
def test_a_material_the_client_would_not_take_is_refused(kind, detail, media_kind, fields):
    with pytest.raises(Invalid) as refused:
        rules.check_material(kind, "名称", detail, media_kind)
    assert set(refused.value.fields) == fields


def test_messages_are_what_the_client_takes():
    detail = {"appid": "wx12345678", "page": "pages/index.html?id=1"}
    assert rules.check_material(MaterialKind.MINIPROGRAM, "计算器", detail, "image") == detail

    def message(kind, detail, **more):
        return rules.material_message(kind, "名称", detail, **{"media_id": None, "cover": None, **more})

    assert rules.text_message("您好") == {"msgtype": "text", "enterChat": True, "text": {"content": "您好"}}
    assert message(MaterialKind.VIDEO, {}, media_id="M1")["video"] == {"mediaid": "M1"}
    assert message(MaterialKind.LINK, {"url": "https://a.cn"}, cover="https://c.cn/1")["news"] == {
        "link": "https://a.cn",
        "title": "名称",
        "desc": "",
        "imgUrl": "https://c.cn/1",
    }
    assert message(MaterialKind.MINIPROGRAM, detail, cover="https://c.cn/1")["miniprogram"] == {
        **detail,
        "title": "名称",
        "imgUrl": "https://c.cn/1",
    }
