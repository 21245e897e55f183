"""The table of errcodes in English is whole, and speaks English."""

from __future__ import annotations

import re

from bot.wechat.errcodes import RULES
from bot.wechat.errcodes_en import MESSAGES, STEPS, in_english
from bot.wechat.errors import NotSent, OutcomeUnknown, PlatformError
from bot.wechat.reasons_en import REASONS, reason_in_english


def test_every_code_and_every_next_step_has_its_english() -> None:
    assert MESSAGES.keys() == RULES.keys()
    assert STEPS.keys() == {rule.next_step_zh for rule in RULES.values()}


def test_messages_hold_no_chinese_and_end_without_a_stop() -> None:
    for text in (*MESSAGES.values(), *REASONS.values()):
        assert not re.search(r"[\u4e00-\u9fff]|[.。]$", text), text
    assert not [text for text in STEPS.values() if text.endswith((".", "。"))]


def test_a_code_that_is_not_in_the_table_is_told_by_its_number() -> None:
    assert "99999999" in in_english(99999999)[0]
    assert in_english(84061)[0] == "The contact and the member are not connected"


def test_reasons_kept_without_a_code_are_known() -> None:
    for error in (NotSent(), OutcomeUnknown(), PlatformError(http_status=500)):
        assert reason_in_english(error.explanation.message_zh) != error.explanation.message_zh
    assert reason_in_english("anything else") == "anything else"
