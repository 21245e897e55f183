"""The documentation page: plain HTML made from the OpenAPI document. No script, no network, strict CSP."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint
from flask import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bot.api.errors import HTTP_ERRORS

_CODE = re.compile(r"`([^`]*)`")
PAGES = Path(__file__).parent / "pages"
CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def register(api: APIBlueprint, page: Callable[[], str]) -> None:
    """Put the page and its style at ``docs`` and ``docs.css``. ``page`` is asked for at each visit."""
    style = (PAGES / "docs.css").read_text("utf-8")
    api.add_url_rule("/docs", "docs", lambda: Response(page(), headers=HEADERS, mimetype="text/html"))
    api.add_url_rule("/docs.css", "docs_style", lambda: Response(style, headers=HEADERS, mimetype="text/css"))


def render(spec: dict[str, Any]) -> str:
    """The whole page."""
    environment = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)
    environment.filters.update(shape=shape, code=code)
    groups: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in spec["tags"]}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append({"method": method.upper(), "path": path, **operation})
    schemas = spec["components"]["schemas"]
    statuses = {status: text for status, (_, text) in HTTP_ERRORS.items()}
    page = environment.get_template("docs.html")
    return page.render(spec=spec, groups=groups, schemas=schemas, statuses=statuses)


def code(text: str) -> Markup:
    """The text escaped, what stands in backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def shape(schema: dict[str, Any]) -> str:
    """A schema in a few words: ``string · ≤ 64``, ``[ContactOut]``, ``integer 或 null``."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return " 或 ".join(shape(option) for option in options)
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"[{shape(schema.get('items', {}))}]"
    words = [str(schema.get("format") or schema.get("type") or "任意")]
    words += [f"≥ {schema[key]}" for key in ("minimum", "minLength") if key in schema]
    words += [f"≤ {schema[key]}" for key in ("maximum", "maxLength") if key in schema]
    return " · ".join(words)
