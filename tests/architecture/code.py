"""The source as trees, for tests about the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "handlers", "scrm", "migrations")


@cache
def sources(*packages: str) -> tuple[Path, ...]:
    """Every Python file of the packages; of all when none is named."""
    found = [path for package in packages or PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert found, packages
    return tuple(found)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def imports(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Each import with the module it names."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or "."


def last_name(node: ast.expr) -> str:
    """The name an expression ends in: ``x`` of ``a.b.x``, of ``x[...]`` and of ``x.encode()``."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute(attr="encode" | "decode" | "lower" | "strip"):
            return last_name(node.value)
        case ast.Attribute():
            return node.attr
        case ast.Call():
            return last_name(node.func)
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Subscript():
            return last_name(node.value)
    return ""
