"""A small, strict reader for the platform's flat XML.

Expat directly: six times as fast as a general parser, and it refuses what the platform never sends: a document type,
deep nesting, too many elements. The encoding is UTF-8 whatever the document claims. Nearly every callback is one level
of texts; those are read by one regular expression, three times as fast again, and mean the same (a test compares).
"""

from __future__ import annotations

import codecs
import re
from typing import Any
from xml.parsers import expat

MAX_DEPTH = 12
MAX_ELEMENTS = 5000
FLAT_ELEMENTS = 50
_ODD = r"\x00-\x08\x0b-\x1f\ufffe\uffff"  # in no text: controls, and line ends that a parser would change
_FLAT = re.compile(
    rf"<([A-Za-z][A-Za-z0-9]*)>(?:<!\[CDATA\[([^]{_ODD}]*)\]\]>|([^]<>&{_ODD}]*))</\1>[ \n\t]*"
)
_BLANK = re.compile(r"[ \n\t]*")
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class BadXml(ValueError):
    """Not the platform's XML."""


def parse(document: str | bytes) -> dict[str, Any]:
    """The children of the root element, by tag: text, a dict for nested ones, a list where a tag repeats.

    Raises BadXml for anything but well-formed UTF-8 XML without a document type.
    """
    flat = _parse_flat(document)
    return _parse_any(document) if flat is None else flat


def _parse_any(document: str | bytes) -> dict[str, Any]:
    data = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
    if data.startswith(UTF_16_MARKS):
        raise BadXml("not UTF-8")  # expat would believe the mark, whatever encoding we name
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    root: dict[str, Any] = {}
    open_elements: list[dict[str, Any]] = []  # the children of each open element so far
    text: list[str] = []
    count = 0

    def start(_tag: str, _attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_elements) >= MAX_DEPTH or count > MAX_ELEMENTS:
            raise BadXml("too deep or too many elements")
        open_elements.append({} if open_elements else root)
        text.clear()

    def end(tag: str) -> None:
        children = open_elements.pop()
        if not open_elements:
            return
        value: Any = children or "".join(text).strip()
        text.clear()
        siblings = open_elements[-1]
        if tag not in siblings:
            siblings[tag] = value
        elif isinstance(siblings[tag], list):
            siblings[tag].append(value)
        else:
            siblings[tag] = [siblings[tag], value]

    def forbidden(*_: Any) -> None:
        raise BadXml("a document type is not allowed")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = forbidden
    parser.EntityDeclHandler = forbidden
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat's own signature: the last piece
    except expat.ExpatError as error:
        raise BadXml(str(error)) from error
    return root


def _parse_flat(document: str | bytes) -> dict[str, Any] | None:
    """``parse`` for a root ``xml`` with texts only; None for everything that needs a closer look."""
    try:
        text = document if isinstance(document, str) else document.decode()
        text.encode()  # no lone surrogate
    except UnicodeError:
        return None
    end = len(text) - len("</xml>")
    if not text.startswith("<xml>") or not text.endswith("</xml>"):
        return None
    fields: dict[str, Any] = {}
    at = _BLANK.match(text, len("<xml>")).end()  # type: ignore[union-attr]  # it matches nothing, too
    while at < end:
        element = _FLAT.match(text, at, end)
        if element is None or element[1] in fields or len(fields) >= FLAT_ELEMENTS:
            return None
        fields[element[1]] = (element[2] or element[3] or "").strip()
        at = element.end()
    return fields


def text_of(fields: dict[str, Any], tag: str) -> str:
    """The text of a tag; empty when it is absent, empty, repeated or nested."""
    value = fields.get(tag, "")
    return value if isinstance(value, str) else ""
