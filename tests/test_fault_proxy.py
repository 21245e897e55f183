"""The proxy that spoils the network does to a connection what it says."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.fault_proxy import FaultProxy

PATIENCE = 10.0


class Echo(socketserver.BaseRequestHandler):
    """Answers what it was sent."""

    def handle(self) -> None:
        try:
            while data := self.request.recv(1024):
                self.request.sendall(data)
        except OSError:
            pass


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with FaultProxy(server.server_address[1]) as made:
            yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with connect(proxy) as connected:
        assert ask(connected, b"before") == b"before"
        yield connected


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)


def ask(client: socket.socket, question: bytes) -> bytes:
    client.sendall(question)
    return read(client, len(question))


def read(client: socket.socket, size: int) -> bytes:
    """So many bytes, or fewer where the other side ended in good order."""
    answer = b""
    while len(answer) < size and (data := client.recv(size - len(answer))):
        answer += data
    return answer


def test_what_is_sent_arrives_either_way(proxy: FaultProxy):
    with connect(proxy) as client:
        question = bytes(range(256)) * 2000
        threading.Thread(target=client.sendall, args=(question,)).start()

        assert read(client, len(question)) == question


def test_a_cut_ends_what_is_open_and_takes_new_connections(proxy: FaultProxy, client: socket.socket):
    assert proxy.cut() == 1

    assert read(client, 1) == b""
    with connect(proxy) as again:
        assert ask(again, b"again") == b"again"


def test_a_reset_is_one(proxy: FaultProxy, client: socket.socket):
    assert proxy.cut(reset=True) == 1

    with pytest.raises(ConnectionResetError):
        read(client, 1)


def test_while_refusing_nobody_is_let_in(proxy: FaultProxy, client: socket.socket):
    proxy.refuse()

    assert read(client, 1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()
    with connect(proxy) as again:
        assert ask(again, b"again") == b"again"


def test_a_black_hole_takes_connections_and_answers_when_it_is_healed(
    proxy: FaultProxy, client: socket.socket
):
    proxy.hold()
    with connect(proxy) as other:
        for waiting in (client, other):
            waiting.settimeout(0.3)
            with pytest.raises(TimeoutError):
                ask(waiting, b"late")

        proxy.heal()

        for waiting in (client, other):
            waiting.settimeout(PATIENCE)
            assert read(waiting, 4) == b"late"


def test_a_delay_holds_back_each_piece_both_ways(proxy: FaultProxy, client: socket.socket):
    proxy.delay(0.2)
    began = time.monotonic()

    assert ask(client, b"slow") == b"slow"

    assert time.monotonic() - began >= 0.4  # a lower bound: a busy machine cannot break it


def test_an_answer_is_cut_after_so_many_bytes_so_many_times(proxy: FaultProxy, client: socket.socket):
    proxy.cut_after(5)

    assert ask(client, b"abc") == b"abc"
    assert ask(client, b"defgh") == b"de"
    assert proxy.cuts_left == 0
    with connect(proxy) as again:
        assert ask(again, b"all of it") == b"all of it"
