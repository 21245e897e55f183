"""A tiny TCP load balancer: each connection to the next back end that takes it. What a site in front of us does."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Sequence
from typing import Any, Self

TIMEOUT_SECONDS = 20.0


class _Listener(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    block_on_close = True


class RoundRobin:
    """``with RoundRobin([port, port]) as proxy``: listens on ``proxy.port``; ``served`` counts connections."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = list(ports)
        self._lock = threading.Lock()
        self.served = dict.fromkeys(ports, 0)
        self._listener = _Listener(("127.0.0.1", 0), self._handle)
        self.port: int = self._listener.server_address[1]
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._thread.join(TIMEOUT_SECONDS)
        self._listener.server_close()

    def _handle(self, client: socket.socket, _address: Any, _server: Any) -> None:
        """Connect when there is something to send, as nginx does: a connection without a request may be closed."""
        client.settimeout(TIMEOUT_SECONDS)
        asked = client.recv(65_536)
        for _ in self._ports:  # closed without a byte of an answer: the next one, as nginx goes on to it
            there = self._connect() if asked else None
            if there is None:
                return
            with there:
                asked = _exchange(client, there, asked)

    def _connect(self) -> socket.socket | None:
        """The next back end's connection; one that refuses is passed over."""
        with self._lock:
            self._ports.append(self._ports.pop(0))
            order = list(self._ports)
        for port in order:
            try:
                opened = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
            except ConnectionRefusedError:
                continue
            with self._lock:
                self.served[port] += 1
            return opened
        return None


def _exchange(client: socket.socket, there: socket.socket, asked: bytes) -> bytes:
    """Copy both ways until either side ends or falls silent. What was asked, where no byte of an answer came."""
    answered = False
    poll = select.poll()  # select() ends at 1,024 sockets
    poll.register(client, select.POLLIN)
    poll.register(there, select.POLLIN)
    try:
        there.sendall(asked)
        while True:
            readable = {number for number, _ in poll.poll(TIMEOUT_SECONDS * 1000)}
            if there.fileno() in readable:
                data = there.recv(65_536)
                if not data:
                    break
                answered = True
                client.sendall(data)
            elif client.fileno() in readable:
                data = client.recv(65_536)
                if not data:
                    return b""
                asked += data
                there.sendall(data)
            else:
                return b""
    except OSError:
        pass
    return b"" if answered else asked
