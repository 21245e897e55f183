"""Excel workbooks with rows of texts: a cell is what it says, never a formula, and long numbers keep their digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

import xlsxwriter

MIMETYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WIDTH = 18
LONGEST_CELL = 32_767  # Excel's own limit
_AS_TEXT = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write(
    target: IO[bytes],
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    notes: Sequence[Sequence[str]] = (),
    about: str = "",
) -> None:
    """Write a workbook: a header that stays in sight, the rows, and ``notes`` on a second sheet named ``about``."""
    with xlsxwriter.Workbook(target, _AS_TEXT) as book:
        bold, text = (
            book.add_format({"bold": True, "bg_color": "#E8EEF9"}),
            book.add_format({"num_format": "@"}),
        )
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(0, len(header) - 1), WIDTH, text)
        _write_row(sheet, 0, header, bold)
        for n, line in enumerate(rows, 1):
            _write_row(sheet, n, line, text)
        if notes:
            second = book.add_worksheet(about)
            second.set_column(0, 0, WIDTH)
            second.set_column(1, 1, 4 * WIDTH)
            for n, line in enumerate(notes):
                _write_row(second, n, line, bold if n == 0 else text)


def _write_row(
    sheet: xlsxwriter.worksheet.Worksheet, n: int, line: Sequence[str], style: xlsxwriter.format.Format
) -> None:
    for column, cell in enumerate(line):
        sheet.write_string(n, column, cell[:LONGEST_CELL], style)
