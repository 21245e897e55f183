"""Files with rows: CSV, xlsx and xls become a header and rows of texts, whatever wrote them. Pure."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from scrm.errors import Invalid

BATCH = 200  # rows per transaction: other writers wait no longer than that takes
MAX_BYTES = 50 * 1024 * 1024
MAX_ROWS = 200_000
MAX_UNPACKED = 400 * 1024 * 1024  # of a workbook: a small file can hold a giant
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("姓名", "客户姓名", "客户名称", "客户", "名字", "联系人", "full name", "customer", "name"),
    "phone": (
        *("手机", "手机号", "手机号码", "电话", "电话号码", "联系电话", "联系方式"),
        *("mobile", "phone number", "telephone", "tel", "phone"),
    ),
    "company": (
        *("公司", "公司名称", "企业", "企业名称", "单位"),
        *("organization", "organisation", "company name", "company"),
    ),
    "channel": ("渠道", "来源渠道", "渠道名称", "source", "channel"),
    "remark": ("备注", "说明", "备注信息", "note", "notes", "comment", "remark"),
}
REQUIRED = ("name", "phone")
REASON_COLUMN = "失败原因"
REASONS = (REASON_COLUMN, "Reason")  # a column of this name is of an earlier file of failures
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a cell that begins so for a formula
_XLSX, _XLS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Sheet:
    """A file as read: its header, which columns we know, and the raw rows with their line numbers."""

    header: list[str]
    known: Mapping[str, int]
    rows: list[tuple[int, list[str]]]

    @property
    def ignored(self) -> list[str]:
        """Headings nobody reads."""
        used = set(self.known.values())
        others = [name for number, name in enumerate(self.header) if number not in used]
        return [name for name in others if name and name not in REASONS]

    @property
    def missing(self) -> list[str]:
        """Columns that must be there and are not known."""
        return [column for column in REQUIRED if column not in self.known]

    def with_columns(self, known: Mapping[str, int]) -> Sheet:
        """The same rows, read by other columns."""
        return replace(self, known=known)


def read_sheet(content: bytes) -> Sheet:
    """Read a file whose columns have known names. Raises Invalid for any other."""
    sheet = read_table(content)
    if sheet.missing:
        names = [f"{COLUMNS[column][0]}（或 {COLUMNS[column][-1]}）" for column in sheet.missing]
        raise refused(f"第一行缺少列 {'、'.join(names)}；可用的列：姓名、手机、公司、渠道、备注")
    return sheet


def read_table(content: bytes) -> Sheet:
    """Read CSV (UTF-8 or GBK; comma, semicolon or tab), xlsx or xls; its columns as they can be guessed.

    Raises Invalid for any other.
    """
    if len(content) > MAX_BYTES:
        raise refused(f"文件超过 {MAX_BYTES // 1024 // 1024} MB，请拆成几个文件")
    is_workbook = content.startswith((_XLSX, _XLS))
    header, rows = _read_workbook(content) if is_workbook else _read_csv(content)
    if len(rows) > MAX_ROWS:
        raise refused(f"文件有 {len(rows)} 行，最多 {MAX_ROWS} 行，请拆成几个文件")
    return Sheet(header, guess(header), rows)


def batches(sheet: Sheet) -> Iterator[Sequence[tuple[int, list[str]]]]:
    """The rows in portions of BATCH."""
    for start in range(0, len(sheet.rows), BATCH):
        yield sheet.rows[start : start + BATCH]


def refused(text: str) -> Invalid:
    """Make the error of a file that cannot be imported."""
    return Invalid("import_file_invalid", f"不能导入：{text}", {"file": text})


def _read_csv(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    text = _decode(content)
    if not text.strip():
        raise refused("文件是空的")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = [cell.strip() for cell in next(lines)]
        return header, [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise refused(f"第 {lines.line_num} 行不是合格的 CSV（{error}）") from error


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise refused(
        "文件不是 Excel 工作簿，既不是 UTF-8 也不是 GBK 编码；请在 Excel 中另存为 xlsx 或「CSV UTF-8」"
    )


def _delimiter(text: str) -> str:
    first = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _read_workbook(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    if content.startswith(_XLSX):
        _check_unpacked(content)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        table = book.get_sheet_by_index(0)
        lines = [[_text(cell) for cell in row] for row in table.to_python(skip_empty_area=False)]
    except PasswordError as error:
        raise refused("工作簿设有密码，请去掉密码后再导入") from error
    except (CalamineError, OSError, IndexError, ValueError) as error:
        raise refused("文件打不开：可能已损坏，或不是 Excel 工作簿；请在 Excel 中另存为 xlsx") from error
    filled = [(line, row) for line, row in enumerate(lines, 1) if any(cell.strip() for cell in row)]
    if not filled:
        raise refused("第一张工作表是空的；要导入的数据请放在第一张")
    return [cell.strip() for cell in filled[0][1]], filled[1:]


def _check_unpacked(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except zipfile.BadZipFile as error:
        raise refused("文件打不开：可能已损坏；请在 Excel 中另存为 xlsx") from error
    if size > MAX_UNPACKED:
        raise refused("工作簿展开后过大，请拆成几个文件，或另存为 CSV")


def _text(cell: Any) -> str:
    """A cell as a person reads it: numbers without the dot that a spreadsheet adds."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()
    return "" if cell is None else str(cell)


def guess(header: Sequence[str]) -> dict[str, int]:
    """Which column is which, by the names people give them; those of no known name are left out."""
    numbers = {_plain(name): number for number, name in reversed(list(enumerate(header)))}
    known: dict[str, int] = {}
    for column, names in COLUMNS.items():
        found = [numbers[name] for name in names if name in numbers]
        if found:
            known[column] = found[0]
    return known


def _plain(name: str) -> str:
    """A heading without what marks it as required."""
    return name.lower().replace("*", "").split("（")[0].split("(")[0].strip()


def defused(cell: str) -> str:
    """Make a cell safe to open in a spreadsheet; ``read_cell`` undoes it."""
    return f"'{cell}" if cell.startswith(DANGEROUS) else cell


def read_cell(cell: str) -> str:
    """Strip a cell, and take the quote off one that ``defused`` had marked."""
    text = cell.strip(" \u3000\u00a0")
    return (text[1:] if text.startswith("'") and text[1:].startswith(DANGEROUS) else text).strip()
