from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrm.channels.rules import names_customer, render_remark, render_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{customer}，您好，我是{rep}", "王五，您好，我是李四"),
        ("{{7*7}} %NICKNAME% {0.__class__} {customer.__class__} {Customer}", None),
        ("{rep!r} {rep:>10} { rep } ${rep}", "{rep!r} {rep:>10} { rep } $李四"),
        ("{% if 1 %}{customer}{% endif %}", "{% if 1 %}王五{% endif %}"),
        ("100% {customer} %s %(rep)s \\1", "100% 王五 %s %(rep)s \\1"),
    ],
)
def test_only_the_two_placeholders_mean_something(text, expected):
    assert render_text(text, customer="王五", rep="李四") == (text if expected is None else expected)


def test_names_are_literal_whatever_they_contain():
    assert render_text("{customer}/{rep}", customer="{rep}", rep="{customer}") == "{rep}/{customer}"
    assert render_text("{customer}", customer="\\1 {{7*7}} %s", rep="x") == "\\1 {{7*7}} %s"


names = st.text(max_size=30).map(str.strip).filter(bool)


@given(
    st.lists(st.sampled_from(["{customer}", "{rep}", "{", "}", "您好", "{{7*7}}", " ", "，"])), names, names
)
def test_rendering_is_one_pass_of_literal_replacement(parts, customer, rep):
    expected = "".join({"{customer}": customer, "{rep}": rep}.get(part, part) for part in parts)
    text = "".join(parts)
    if text.count("{customer}") == parts.count("{customer}") and text.count("{rep}") == parts.count("{rep}"):
        assert render_text(text, customer=customer, rep=rep) == expected


@given(st.text(alphabet=st.sampled_from("ab{}您好，！ \n的"), max_size=40), st.text(max_size=20), names)
def test_without_a_name_no_placeholder_is_left_and_the_rep_stays_literal(text, more, rep):
    rendered = render_text(f"{text}{{customer}}{more}", customer=None, rep=rep)
    assert "{customer}" not in rendered.replace(rep, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{customer}，您好", "您好"),
        ("{customer}您好", "您好"),
        ("您好 {customer}！", "您好！"),
        ("您好，{customer}！", "您好！"),
        ("您好，{customer}，欢迎", "您好，欢迎"),
        ("您好 {customer} 欢迎", "您好 欢迎"),
        ("Hi {customer}, welcome", "Hi, welcome"),
        ("Hi {customer}", "Hi"),
        ("Hello, {customer}!", "Hello!"),
        ("Dear {customer}, welcome", "welcome"),
        ("A gift for {customer}.", "A gift for you."),
        ("{customer}'s gift", "your gift"),
        ("{customer}先生/女士，您好", "您好"),
        ("{customer}总，您好", "您好"),
        ("尊敬的{customer}：\n欢迎", "欢迎"),
        ("第一行\n亲爱的{customer}，你好", "第一行\n你好"),
        ("@{customer} 你好", "你好"),
        ("【{customer}】您好", "您好"),
        ("【启程】{customer}，您好", "【启程】您好"),
        ("您好（{customer}）：欢迎", "您好：欢迎"),
        ("欢迎{customer}加入", "欢迎加入"),
        ("为{customer}准备了资料", "为您准备了资料"),
        ("这是{customer}的专属顾问{rep}", "这是您的专属顾问李四"),
        ("🎉 {customer}，欢迎", "🎉 欢迎"),
        ("你好。{customer}，我是{rep}", "你好。我是李四"),
        ("早上好{customer}，我是{rep}。{customer}，有问题找我", "早上好，我是李四。有问题找我"),
        ("{customer}", ""),
        ("没有占位符，不变 ！", "没有占位符，不变 ！"),
    ],
)
@pytest.mark.parametrize("customer", [None, "", "  "])
def test_the_wording_without_a_name(text, expected, customer):
    assert render_text(text, customer=customer, rep="李四") == expected


def test_names_customer():
    assert names_customer("您好{customer}")
    assert not names_customer("您好{rep} {Customer}")


@pytest.mark.parametrize(
    ("template", "customer", "expected"),
    [
        ("{customer}-{channel}", "王五", "王五-展会"),
        ("{channel}{date} {customer}", "王五", "展会1123 王五"),
        ("{customer}-{channel}", None, "展会"),
        ("{customer}", "{channel}", "{channel}"),
        ("{rep}{customer}", "王", "{rep}王"),
        ("{customer}-{channel}", "很长的名字" * 6, "很长的名字" * 4),
    ],
)
def test_remark_is_cut_to_twenty_characters(template, customer, expected):
    assert render_remark(template, customer=customer, channel="展会", date="1123") == expected
