"""The template of an import in the language of the page."""

from __future__ import annotations

from collections.abc import Sequence

from bot.words.texts import Words
from scrm.leads.sheets import COLUMNS, REQUIRED


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
