"""A table that somebody uploads, xlsx or csv, as rows of text."""

from __future__ import annotations

import csv
import io

import python_calamine as calamine

from scrm.errors import Invalid

LARGEST = 2 * 1024 * 1024
MOST_ROWS = 201  # the heading and 200 more
MOST_CELLS = 40


def read_table(content: bytes) -> list[list[str]]:
    """The rows that are not empty, each cell without blanks around it. Raises Invalid for anything that is no table."""
    if len(content) > LARGEST:
        raise _wrong("文件超过 2 MB，请拆成几个文件")
    rows = _xlsx(content) if content.startswith(b"PK") else _csv(content)
    found = [[cell.strip() for cell in row[:MOST_CELLS]] for row in rows]
    found = [row for row in found if any(row)]
    if not found:
        raise _wrong("文件里没有内容")
    if len(found) > MOST_ROWS:
        raise _wrong(f"一次最多 {MOST_ROWS - 1} 行，请拆成几个文件")
    return found


def _wrong(text: str) -> Invalid:
    return Invalid("table_invalid", text, {"file": text})


def _xlsx(content: bytes) -> list[list[str]]:
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False, nrows=MOST_ROWS * 2)
    except Exception as error:  # calamine has an exception for each way a file can be broken
        raise _wrong("打不开这个文件，请另存为 xlsx 或 csv 后再传") from error
    return [[_text(cell) for cell in row] for row in rows]


def _text(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _csv(content: bytes) -> list[list[str]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        break
    else:
        raise _wrong("看不懂文件的编码，请另存为 UTF-8 的 csv 或 xlsx")
    head = text.partition("\n")[0]
    mark = max(",;\t", key=head.count)
    try:
        return list(csv.reader(io.StringIO(text), delimiter=mark))
    except csv.Error as error:
        raise _wrong("看不懂这个文件，请另存为 xlsx 后再传") from error
