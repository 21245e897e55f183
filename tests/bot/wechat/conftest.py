"""A client and the small WeCom it talks to."""

from collections.abc import Iterator

import pytest

from bot.wechat.wecom import CallRecord, WeComClient
from tests.bot.wechat.fake_wecom import SECRET, FakeWeCom, serve


@pytest.fixture
def platform() -> Iterator[FakeWeCom]:
    fake = FakeWeCom()
    server = serve(fake)
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def records() -> list[CallRecord]:
    return []


@pytest.fixture
def client(platform: FakeWeCom, records: list[CallRecord]) -> Iterator[WeComClient]:
    made = WeComClient("wwcorp", {"app": SECRET}, platform.base, on_call=records.append, pool_size=64)
    yield made
    made.close()
