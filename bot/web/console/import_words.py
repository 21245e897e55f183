"""What an import says about files and rows, in the language of the page; and its template."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.web.texts import Words
from scrm.leads.imports import PHONE_WANTED
from scrm.leads.sheets import COLUMNS, REQUIRED

# the domain's sentences about a row, and their English; what is in brackets is kept
REASONS = (
    (re.escape("缺少姓名"), "the name is missing"),
    (re.escape("缺少手机号"), "the phone number is missing"),
    (re.escape(PHONE_WANTED), "not a phone number: a mainland mobile, or an international one with +"),
    (r"没有渠道「(.*)」：.*", "no channel “{0}”: create it first, or check its name"),
    (r"(?:姓名|公司|备注|手机)超过 (\d+) 个字", "a text is longer than {0} characters"),
    (r".*含有换行或控制字符", "a text has line breaks or control characters"),
    (r"这一行的列数比第一行多.*", "more cells than the first line has: put texts with commas into quotes"),
    (r"不能导入：(.*)", "This file cannot be imported ({0})"),
)


def said(t: Words, text: str) -> str:
    """A sentence of the domain in the page's language."""
    if t.language == "zh":
        return text
    for pattern, english in REASONS:
        found = re.fullmatch(pattern, text, re.DOTALL)
        if found:
            return english.format(*found.groups())
    return text


def template_rows(t: Words, channels: Sequence[str]) -> tuple[list[str], list[str], list[list[str]]]:
    """Header, example and notes of the workbook to fill in."""
    names = {
        name: words[0] if t.language == "zh" else words[-1].capitalize() for name, words in COLUMNS.items()
    }
    header = [names[name] for name in COLUMNS]
    example = [t(f"import_{name}_example") for name in COLUMNS]
    if channels:
        example[list(COLUMNS).index("channel")] = channels[0]
    else:
        example[list(COLUMNS).index("channel")] = ""
    notes = [[t("import_column"), t("import_allowed")]]
    for name in COLUMNS:
        must = t("import_required") if name in REQUIRED else t("import_optional")
        notes.append(
            [
                names[name],
                f"{must}。{t(f'import_{name}_how')}"
                if t.language == "zh"
                else f"{must}. {t(f'import_{name}_how')}",
            ]
        )
    notes += [["", ""], [t("import_channels_now"), ""], *(["", name] for name in channels)]
    return header, example, notes
