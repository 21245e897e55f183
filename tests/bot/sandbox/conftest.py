"""The sandbox and its receiver, as the contract suite has them."""

from tests.contracts.conftest import box, box_server, receiver, receiver_server

__all__ = ["box", "box_server", "receiver", "receiver_server"]
