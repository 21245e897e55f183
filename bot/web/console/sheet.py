"""A list as a CSV file: streamed, safe to open in a spreadsheet, readable for Excel."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from flask import Response

from scrm.leads.imports import defused

MOST = 10_000  # rows in a file
CHUNK = 500  # rows read at once
_BOM = "\ufeff"  # without it Excel takes UTF-8 for something else


def answer(filename: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Response:
    """The file as it is being made; each cell is text, never a formula."""
    response = Response(_lines(header, rows), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    yield _BOM + buffer.getvalue()
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([defused(cell) for cell in row])
        yield buffer.getvalue()
