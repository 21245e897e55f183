"""The world of the matrix, made once for a module: its requests change nothing, or are only looked at afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.bot.access.asking import Changes
from tests.bot.access.world import World
from tests.databases import Place

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(
    place_of: Callable[[str], Place], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    engine = request.config.getoption("database") or "sqlite"
    made = World(place_of(engine).fresh(tmp_path_factory.mktemp("access")), NOW)
    yield made
    made.product.database.dispose()


@pytest.fixture(scope="module")
def changes(world: World) -> Changes:
    return Changes(world.product.database.engine)
