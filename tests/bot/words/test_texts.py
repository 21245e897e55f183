"""The catalogue: counts in English, one event, two events, and no text without; each key in one table."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

import bot.words
from bot.words.sentences import TEMPLATES, in_english
from bot.words.texts import TEXTS, Words
from scrm.timeline.rules import SENTENCES

# A place, and the words behind it up to the next mark or place.
BEHIND = re.compile(r"(?P<before>[^{}]*)\{(?P<name>\w*)\}(?P<words>(?: [a-z’-]+){1,3})")
NO_PLURALS = {
    *("s", "others", "this", "its", "as", "us", "less", "across"),
    *("always", "address", "https", "is", "was", "has", "does", "answers"),
}
AGREES = ("are", "were", "have", "need", "wait")  # directly behind a number
# A number behind such words is a bound, or the greater of two: never one.
BOUND = re.compile(
    r"(?:at most|up to|more than|over|longer than|only the first|\bto|1[-–]|say in 1–) ?$", re.IGNORECASE
)
OTHERS = {
    "leave_backup": "a name",
    "leave_all_off": "a name",
    "hours_over": "a day",
    "home_search_more": "a bound",
    "A password has {} to {} characters": "bounds",
    "{} is longer than {} characters": "a bound",
    "{} has line breaks or control characters": "the name of a column",
    "import_too_long": "more rows than 100,000",
    "import_file_how": "a bound",
    "{} tags have that name: write it as group/tag": "two at least",
    "it has {} rows, {} are the most: split it": "more than the bound; the bound",
    "A code leads to at most {} members; {} are needed": "more than the bound",
    "logo_file_hint": "bounds",
    "Too small: the longer side needs {} pixels and has {} without its margins": "a bound",
    "{} redirects ({}), and WeCom does not follow": "an address",
}  # fmt: skip


def _looked_at() -> dict[str, str]:
    """Every English text: by its key, its own words, or its kind of entry."""
    found = {key: english for key, (_, english) in TEXTS.items()}
    found |= {english: english for english in TEMPLATES.values()}
    return found | {kind: pair[1] for kind, pair in SENTENCES.items()}


def _unnumbered(text: str) -> Iterator[str]:
    """Places with a plural behind them that stays one when there is one."""
    for found in BEHIND.finditer(text):
        words = found["words"].split()
        plural = [word for word in words if word.endswith("s") and word not in NO_PLURALS]
        if (plural or words[0] in AGREES) and not BOUND.search(found["before"]):
            yield f"{{{found['name']}}}{found['words']}"


def _wrong(texts: Mapping[str, str]) -> dict[str, list[str]]:
    told = {key: list(_unnumbered(text)) for key, text in texts.items() if key not in OTHERS}
    return {key: places for key, places in told.items() if places}


def test_no_english_text_counts_without_a_word_for_one():
    looked_at = _looked_at()

    assert sum("{" in text for text in looked_at.values()) > 300
    assert _wrong(looked_at) == {}


def test_the_scan_finds_what_it_is_for_and_excuses_nothing_that_is_not_there():
    assert _wrong(
        {"a": "{n} new events. Show them", "b": "{} are quarantined", "c": "{n} {n|call|calls} wait"}
    ) == {
        "a": ["{n} new events"],
        "b": ["{} are quarantined"],
    }
    assert [key for key in OTHERS if not list(_unnumbered(_looked_at()[key]))] == []


def test_no_key_has_words_in_two_tables():
    names = {one.name for one in pkgutil.iter_modules(bot.words.__path__)} - {"texts"}
    tables = [getattr(importlib.import_module(f"bot.words.{name}"), "TEXTS", {}) for name in names]
    keys = Counter(key for table in tables for key in table)

    assert len(keys) == len(TEXTS) > 1000
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("value", [1, "1"])
def test_one_has_words_of_its_own(value: object):
    t = Words("en")

    assert t("events_stuck", dead=value, quarantined=0) == "1 event failed, 0 are quarantined."
    assert t("events_stuck", dead="1,001", quarantined=value) == "1,001 events failed, 1 is quarantined."
    assert Words("zh")("tokens_n_days", n=value) == "1 天"


def test_every_choice_of_words_is_by_a_value_that_the_text_shows_or_its_chinese_does():
    choice = re.compile(r"\{(\w*)\|[^{}]*\}")
    for key, (chinese, english) in TEXTS.items():
        for name in choice.findall(english):
            assert f"{{{name}}}" in english, key
        assert not choice.search(chinese), key
    for english in TEMPLATES.values():
        for found in choice.finditer(english):
            assert found[1] == "", english
            assert "{}" in english[: found.start()], english


def test_sentences_of_the_domain_go_by_the_number_before():
    assert in_english("1 个事件被隔离") == "1 event is quarantined"
    assert in_english("12 个事件被隔离") == "12 events are quarantined"
    assert in_english("1 个渠道还没有二维码：「上海展会」") == "1 channel has no code yet: “上海展会”"
