"""What requests and answers are made of: closed bodies, lenient query strings, plain answers."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_ALLOWED_CONTROLS = "\n\r\t"
_FIRST_PRINTABLE = 32
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _no_controls(text: str) -> str:
    """PostgreSQL cannot keep NUL, and nobody can read the others."""
    if any((ord(c) < _FIRST_PRINTABLE and c not in _ALLOWED_CONTROLS) or ord(c) == 127 for c in text):  # noqa: PLR2004
        raise PydanticCustomError("control_characters", "control characters")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "blank")
    return text.strip()


def _in_range(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise PydanticCustomError("moment_out_of_range", "moment out of range")
    return moment.astimezone(UTC)


Text = Annotated[str, AfterValidator(_no_controls)]
Line = Annotated[Text, AfterValidator(_not_blank)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]
Limit = Annotated[int, Field(ge=1, le=200, description="每页条数")]
Day = Annotated[date, Field(ge=EARLIEST.date(), le=LATEST.date())]
Id = Annotated[Text, Field(min_length=1, max_length=64)]


class Body(BaseModel):
    """A JSON request: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """A query string: every value is text and is read leniently; unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Query):
    """The query of a list."""

    limit: Limit = 50
    cursor: Annotated[Text, Field(max_length=512)] | None = Field(None, description="上一页的 next_cursor")


class Answer(BaseModel):
    """A JSON answer. Times are RFC 3339 in UTC, ending in Z."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


ItemT = TypeVar("ItemT")


class Page(Answer, Generic[ItemT]):
    """One page of a list; ``next_cursor`` is null on the last one."""

    items: list[ItemT]
    next_cursor: str | None = None


class NoBody(Body):
    """A POST that needs no content; an empty object is accepted."""


def _read_boundary(value: object) -> date:
    """A day, or an instant; a datetime is a date, too."""
    if not isinstance(value, str):
        raise PydanticCustomError("boundary", "neither a day nor an instant")
    try:
        found: date = date.fromisoformat(value) if _DAY.fullmatch(value) else datetime.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("boundary", "neither a day nor an instant") from None
    if isinstance(found, datetime):
        if found.tzinfo is None:
            raise PydanticCustomError("timezone_aware", "no zone")
        return _in_range(found)
    if not EARLIEST.date() < found < LATEST.date():
        raise PydanticCustomError("moment_out_of_range", "day out of range")
    return found


Boundary = Annotated[
    date,
    PlainValidator(_read_boundary),
    WithJsonSchema({"type": "string", "examples": ["2026-11-23", "2026-11-23T09:00:00+08:00"]}),
]


def start_of(boundary: date | None, tz: tzinfo) -> datetime | None:
    """The instant a range begins with: the day's first, in the corp's zone."""
    if boundary is None or isinstance(boundary, datetime):
        return boundary
    return datetime.combine(boundary, time(), tz).astimezone(UTC)


def end_of(boundary: date | None, tz: tzinfo) -> datetime | None:
    """The instant a range ends before: a day is included whole."""
    if boundary is None or isinstance(boundary, datetime):
        return boundary
    return datetime.combine(boundary + timedelta(days=1), time(), tz).astimezone(UTC)
