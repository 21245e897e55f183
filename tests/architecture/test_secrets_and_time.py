"""House rules that a review would have to look for: how secrets are compared, how time is taken."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from sqlalchemy import DateTime

from scrm.dialects import UtcDateTime
from scrm.models import Base
from tests.architecture.code import last_name, sources, tree, where

SECRET = re.compile(r"(^|_)(sig|sign|signature|mac|hmac|digest|token|secret|password)$", re.IGNORECASE)
LEASE = "lease_token"  # fences a row among our own workers; no secret


def is_column(side: ast.expr) -> bool:
    """``Table.column``: == there is a condition of a query, over hashes that are looked up by an index."""
    return isinstance(side, ast.Attribute) and isinstance(side.value, ast.Name) and side.value.id[0].isupper()


def compared(node: ast.Compare) -> list[ast.expr]:
    """Both sides of each == and !=."""
    sides = [node.left, *node.comparators]
    return [
        side
        for number, operator in enumerate(node.ops)
        if isinstance(operator, ast.Eq | ast.NotEq)
        for side in sides[number : number + 2]
    ]


def bad_comparisons(path: Path, module: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(module):
        if not isinstance(node, ast.Compare):
            continue
        sides = compared(node)
        names = [last_name(side) for side in sides]
        # == "" asks whether there is one
        harmless = any(isinstance(side, ast.Constant) or is_column(side) for side in sides)
        if not harmless and any(SECRET.search(name) and name != LEASE for name in names):
            found.append(f"{where(path, node)} {ast.unparse(node)}")
    return found


@pytest.mark.parametrize(
    "path", sources("bot/callbacks", "bot/wechat", "bot/api", "bot/web", "scrm", "handlers"), ids=str
)
def test_no_secret_is_compared_with_equals(path: Path):
    # hmac.compare_digest on bytes: == stops at the first difference, and so tells how much was right
    assert bad_comparisons(path, tree(path)) == []


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ("a = signature == expected", 1),
        ("if msg_signature != expected: pass", 1),
        ("x = request.args['signature'] == y", 1),
        ("x = token.encode() == y", 1),
        ("x = self.mac != other", 1),
        ("x = token == ''", 0),
        ("x = hmac.compare_digest(signature, y)", 0),
        ("x = design == y", 0),
        ("w = row.lease_token == other.lease_token", 0),
        ("w = ApiToken.token_hash == digest", 0),
        ("w = token.token_hash == digest", 1),
    ],
)
def test_the_rule_sees_what_it_should(code: str, bad: int):
    assert len(bad_comparisons(Path(__file__), ast.parse(code))) == bad


def naive(path: Path, module: ast.Module) -> list[str]:
    """Calls that make a datetime without a zone."""
    found = []
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner, name = last_name(node.func.value), node.func.attr
        given = len(node.args) + len(node.keywords)
        is_naive = owner in ("datetime", "date") and (
            name in ("utcnow", "utcfromtimestamp", "today")
            or (name == "now" and not given)
            or (name == "fromtimestamp" and given == 1)
            or (name == "strptime")
        )
        if is_naive or (name == "replace" and any(_drops_zone(word) for word in node.keywords)):
            found.append(f"{where(path, node)} {ast.unparse(node)}")
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and last_name(node.func) == "datetime" and len(node.args) >= 3:
            zoned = len(node.args) >= 8 or any(word.arg == "tzinfo" for word in node.keywords)
            if not zoned:
                found.append(f"{where(path, node)} {ast.unparse(node)}")
    return found


def _drops_zone(word: ast.keyword) -> bool:
    return word.arg == "tzinfo" and isinstance(word.value, ast.Constant) and word.value.value is None


MAY_DROP_ZONES = {"scrm/dialects.py"}  # the one column type, on its way into a database without zones


@pytest.mark.parametrize("path", sources("bot", "handlers", "scrm"), ids=str)
def test_no_datetime_is_made_without_a_zone(path: Path):
    if str(path).endswith(tuple(MAY_DROP_ZONES)):
        return
    assert naive(path, tree(path)) == []


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ("datetime.now()", 1),
        ("datetime.utcnow()", 1),
        ("datetime.fromtimestamp(1)", 1),
        ("date.today()", 1),
        ("datetime(2026, 1, 1)", 1),
        ("x.replace(tzinfo=None)", 1),
        ("datetime.now(UTC)", 0),
        ("datetime.fromtimestamp(1, UTC)", 0),
        ("datetime(2026, 1, 1, tzinfo=UTC)", 0),
        ("x.replace(tzinfo=UTC)", 0),
        ("clock.now()", 0),
    ],
)
def test_the_rule_about_zones_sees_what_it_should(code: str, bad: int):
    assert len(naive(Path(__file__), ast.parse(code))) == bad


def test_only_the_clock_asks_the_machine_for_the_time_of_day():
    found = [
        where(path, node)
        for path in sources("handlers", "scrm")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (last_name(node.func.value), node.func.attr) in (("datetime", "now"), ("time", "time"))
        and path.name != "clock.py"
    ]

    assert found == []


def test_every_instant_in_the_database_is_an_aware_one():
    raw = [
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, DateTime) or "date" in type(column.type).__name__.lower()
        if not isinstance(column.type, UtcDateTime)
    ]

    assert raw == []
