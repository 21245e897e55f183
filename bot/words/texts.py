"""Every word of the pages, in Simplified Chinese and English: one catalogue, so that flask-babel can take it over."""

from __future__ import annotations

import re
from collections.abc import Mapping

from werkzeug.datastructures import LanguageAccept

from bot.words import (
    channels,
    common,
    console,
    corp,
    desk,
    events,
    groups,
    jobs,
    kinds,
    library,
    live,
    login,
    overview,
    people,
    settings,
    sidebar,
    staff,
    tasks,
)

TEXTS: Mapping[str, tuple[str, str]] = {  # a key is in one table: a test looks
    **common.TEXTS,
    **console.TEXTS,
    **people.TEXTS,
    **channels.TEXTS,
    **overview.TEXTS,
    **login.TEXTS,
    **events.TEXTS,
    **kinds.TEXTS,
    **settings.TEXTS,
    **staff.TEXTS,
    **groups.TEXTS,
    **live.TEXTS,
    **corp.TEXTS,
    **library.TEXTS,
    **sidebar.TEXTS,
    **desk.TEXTS,
    **jobs.TEXTS,
    **tasks.TEXTS,
}

HTML_LANGUAGES = {"zh": "zh-CN", "en": "en"}
_BY_NUMBER = re.compile(r"\{(\w*)\|([^|{}]*)\|([^|{}]*)\}")
_OFFERED = {"zh-CN": "zh", "zh": "zh", "zh-TW": "zh", "zh-HK": "zh", "en": "en", "en-US": "en"}


def by_number(text: str, values: Mapping[str, object]) -> str:
    """Choose between the words of one and of many: ``{n|event|events}`` is "event" where ``n`` is told as 1."""
    return _BY_NUMBER.sub(lambda found: found[2] if str(values[found[1]]) == "1" else found[3], text)


class Words:
    """The catalogue in one language: ``t("saved")``, ``t("added_at", at="14:05")``, ``t("found", n=1)``."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = 0 if language == "zh" else 1

    def __call__(self, key: str, **values: object) -> str:
        """The text under ``key`` with its values filled in; an unknown key is a mistake of ours and raises."""
        return by_number(TEXTS[key][self._column], values).format_map(values)

    def find(self, key: str) -> str | None:
        """The text under ``key``, None if there is none."""
        found = TEXTS.get(key)
        return found[self._column] if found else None

    @property
    def locale(self) -> str:
        """The language as the domain's sentences name it."""
        return "zh_CN" if self.language == "zh" else "en"

    @property
    def html(self) -> str:
        """The language as HTML names it."""
        return HTML_LANGUAGES[self.language]

    @property
    def other(self) -> str:
        """The language one may switch to."""
        return "en" if self.language == "zh" else "zh"

    def pick(self, pair: tuple[str, str]) -> str:
        """The text of a (Chinese, English) pair kept elsewhere."""
        return pair[self._column]

    def of(self, table: Mapping[str, tuple[str, str]], key: str) -> str:
        """From a table kept elsewhere; the key itself if the table has no such entry."""
        found = table.get(key)
        return self.pick(found) if found else key


def choose(asked: str | None, accepted: LanguageAccept, default_locale: str, chosen: str = "") -> str:
    """The language of an answer: of the address, else the account, else the browser, else the deployment."""
    if asked in HTML_LANGUAGES:
        return asked
    if chosen in HTML_LANGUAGES:
        return chosen
    best = accepted.best_match(list(_OFFERED))
    return _OFFERED[best] if best else "zh" if default_locale.startswith("zh") else "en"
