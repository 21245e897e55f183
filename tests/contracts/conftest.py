"""One sandbox and one callback receiver for all contract tests; each test begins in the default world."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox_fixture import CallbackReceiver, SandboxServer


@pytest.fixture(scope="session")
def receiver_server() -> Iterator[CallbackReceiver]:
    receiver = CallbackReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def box_server(receiver_server: CallbackReceiver) -> Iterator[SandboxServer]:
    with SandboxServer(callback_url=receiver_server.url, callback_timeout_s=0.5) as server:
        yield server


@pytest.fixture
def box(box_server: SandboxServer, receiver_server: CallbackReceiver) -> SandboxServer:
    """The sandbox under contract, reset."""
    box_server.post("/sandbox/reset")
    receiver_server.clear()
    return box_server


@pytest.fixture
def receiver(receiver_server: CallbackReceiver, box: SandboxServer) -> CallbackReceiver:
    """What the sandbox has called back since the test began."""
    return receiver_server


@pytest.fixture
def pair(box: SandboxServer) -> dict[str, str]:
    """userid and external_userid of two friends: 张三 and 小王."""
    box.api("externalcontact/add_contact_way", {"type": 1, "scene": 2, "user": ["zhangsan"], "state": "ch_1"})
    customer = box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})["customer_id"]
    return {"userid": "zhangsan", "external_userid": customer}
