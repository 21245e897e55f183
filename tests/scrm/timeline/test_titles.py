"""The sentences of the timeline."""

from __future__ import annotations

import re

import pytest

from scrm.timeline.rules import SENTENCES, title


@pytest.mark.parametrize(
    ("kind", "detail", "zh", "en"),
    [
        ("contact.added", {"staff": "王敏"}, "添加了王敏为好友", "Added 王敏"),
        ("contact.added", {"userid": "wangmin"}, "添加了wangmin为好友", "Added wangmin"),
        (
            "contact.added", {"staff": "王敏", "channel": "上海展会"},
            "添加了王敏为好友（来自「上海展会」）", "Added 王敏 through “上海展会”",
        ),
        ("contact.lost", {"staff": "王敏"}, "客户删除了好友王敏", "The contact deleted 王敏"),
        (
            "contact.transfer_failed", {"staff": "李华", "reason": "customer_refused"},
            "转接给李华失败：客户拒绝", "Hand-over to 李华 failed: the customer refused",
        ),
        ("welcome.sent", {"call_id": 7}, "欢迎语已发送", "Welcome sent"),
        (
            "welcome.failed", {"reason": "欢迎语凭证无效", "errcode": 41050},
            "欢迎语发送失败：欢迎语凭证无效（41050）", "The welcome could not be sent: 欢迎语凭证无效 (41050)",
        ),
        ("welcome.not_owed", {"reason": "no_code"}, "没有发送欢迎语：企业微信没有给出欢迎语凭证",
         "No welcome was due: WeCom gave no welcome code"),
        ("tag.added", {"tags": ["展会", "华东"], "source": "channel"}, "渠道自动打上标签：展会、华东",
         "Tagged: 展会, 华东 by the channel"),
        ("owner.assigned", {"staff": "王敏", "reason": "scanned_code", "channel": "上海展会"},
         "负责人变为王敏：扫「上海展会」的渠道活码，企业微信分给 王敏",
         "Owner is now 王敏: Scanned the code of “上海展会”; WeCom gave the contact to 王敏"),
        ("owner.assigned", {"staff": "王敏"}, "负责人变为王敏", "Owner is now 王敏"),
        (
            "remark.sent",
            {"remark": "李雷-展会"},
            "备注已写入企业微信：「李雷-展会」",
            "Remark written to WeCom: “李雷-展会”",
        ),
        ("contact.stage_changed", {"before": "lead", "after": "mql"}, "阶段从线索变为市场认可线索",
         "Stage changed from lead to MQL"),
        ("followup.visit", {"staff": "王敏", "content": "看了\n车"}, "王敏拜访了客户：看了 车",
         "Visit by 王敏: 看了 车"),
        ("message.received", {"kind": "message.text", "content": "你好"}, "收到文字消息：你好",
         "Received a text message: 你好"),
        ("meteor.seen", {"x": 1}, "记录了一项动态（meteor.seen）", "Something happened (meteor.seen)"),
    ],
)  # fmt: skip
def test_sentences(kind, detail, zh, en):
    assert title(kind, detail) == zh
    assert title(kind, detail, "en") == en


@pytest.mark.parametrize("kind", SENTENCES)
@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_without_any_detail_every_sentence_still_reads(kind, locale):
    text = title(kind, {}, locale)
    assert text
    assert not re.search(r"[{}\[\]]|：$|: ?$|（）|\(\)|「」|“”|  ", text)


@pytest.mark.parametrize("kind", SENTENCES)
def test_english_has_no_chinese(kind):
    assert not re.search(r"[\u4e00-\u9fff，。：「」（）]", title(kind, {}, "en"))


def test_what_people_wrote_is_never_a_template():
    assert (
        title("followup.note", {"staff": "[{x}]", "content": "{staff}[{reason}]"})
        == "[{x}]记录了跟进：{staff}[{reason}]"
    )


def test_long_texts_are_cut():
    assert title("followup.note", {"content": "字" * 500}).endswith("字…")
