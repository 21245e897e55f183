"""What surely had no effect, and what nobody can know: on real sockets."""

import datetime as dt
import ipaddress
import logging
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.wechat.errors import NotSent, OutcomeUnknown, Permanent, QuotaSpent, WeChatError
from bot.wechat.transport import Timeout, exchange, open_session
from bot.wechat.wecom import CallRecord, WeComClient
from tests.bot.wechat.fake_wecom import OK, SECRET, FakeWeCom, Reply, answers, cut, drips, hangs, resets

API = "externalcontact/add_msg_template"
CANARY = "can" + "ary-1"  # in two parts: tracebacks quote source lines
QUICK = Timeout(connect=0.3, read=0.3)


def _get(base: str, timeout: Timeout = QUICK) -> None:
    exchange(open_session(base), "GET", f"{base}/cgi-bin/x?access_token={CANARY}", api="x", timeout=timeout)


def _text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (cut({**OK, "msgid": "m" * 500}, at=100), 200),
        (cut({**OK, "msgid": "m" * 500}, at=0), 200),
        (resets, None),
        (hangs(0.6), None),
        (drips, 200),
        (answers(b"<html>gateway</html>"), 200),
        (answers(b""), 200),
        (answers(b"[]"), 200),
        (answers(b'{"errcode": 0, "err'), 200),
        (answers({"errcode": -1, "errmsg": "system busy"}), 200),
        (answers(b"bad gateway", status=502), 502),
        (answers(OK, status=500), 500),
    ],
    ids=[
        "cut",
        "cut0",
        "reset",
        "silent",
        "drip",
        "html",
        "empty",
        "list",
        "half",
        "busy",
        "502",
        "500-with-ok",
    ],
)
def test_no_proof_after_our_bytes_left_is_outcome_unknown_and_never_repeated(
    client: WeComClient, platform: FakeWeCom, records: list[CallRecord], reply: Reply, status: int | None
) -> None:
    platform.always[API] = reply

    with pytest.raises(OutcomeUnknown) as caught:
        client.call(API, {"a": 1}, timeout=QUICK)

    assert caught.value.http_status == status
    assert len(platform.calls(API)) == 1
    assert records[-1].outcome == "OutcomeUnknown"
    assert records[-1].bytes_sent > 0


def test_kept_alive_connection_reset_under_our_request_is_outcome_unknown(
    client: WeComClient, platform: FakeWeCom
) -> None:
    client.call(API, {"a": 1})
    platform.next(API, resets)

    with pytest.raises(OutcomeUnknown):
        client.call(API, {"a": 2})

    first, second = platform.calls(API)
    assert first.connection == second.connection  # it really was the kept one
    assert second.body == b'{"a": 2}'


def test_connection_closed_while_idle_is_replaced_before_sending(
    client: WeComClient, platform: FakeWeCom
) -> None:
    def answer_and_close(handler: Any) -> None:
        answers(OK)(handler)
        handler.close_connection = True

    platform.next(API, answer_and_close)
    client.call(API, {"a": 1})
    threading.Event().wait(0.05)  # the FIN arrives

    assert client.call(API, {"a": 2})["errcode"] == 0


def test_nobody_listening_is_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(NotSent) as caught:
            _get(base)

    assert CANARY not in _text_of(caught.value)


def test_connect_timeout_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        with pytest.raises(NotSent):
            _get(f"http://127.0.0.1:{full.getsockname()[1]}")

        for one in waiting:
            one.close()


def test_unknown_host_is_not_sent() -> None:
    with pytest.raises(NotSent):
        _get("http://no-such-host.invalid")


def test_failed_tls_handshake_is_not_sent(platform: FakeWeCom) -> None:
    with pytest.raises(NotSent):
        _get(platform.base.replace("http://", "https://"))  # the server answers plain HTTP


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[socket.socket, ssl.SSLContext, Path]]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener, context, pem


def _serve_once(listener: socket.socket, context: ssl.SSLContext, answer: bytes, garbage: bytes) -> None:
    plain, _ = listener.accept()
    with plain:
        try:
            wrapped = context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)
        except OSError:
            return
        wrapped.recv(65536)
        if answer:
            wrapped.sendall(answer)
        with socket.socket(fileno=wrapped.detach()) as raw:  # below TLS: a record nobody can decrypt
            raw.sendall(garbage)


def test_tls_failing_after_the_request_is_outcome_unknown_although_it_is_an_ssl_error(
    tls: tuple[socket.socket, ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, context, pem = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    garbage = b"\x17\x03\x03\x00\x20" + b"\x00" * 32
    thread = threading.Thread(target=_serve_once, args=(listener, context, b"", garbage))
    thread.start()

    with pytest.raises(OutcomeUnknown) as caught:
        _get(f"https://127.0.0.1:{listener.getsockname()[1]}", Timeout(3, 3))
    thread.join()

    assert "SSL" in str(caught.value)


def test_untrusted_certificate_is_not_sent(tls: tuple[socket.socket, ssl.SSLContext, Path]) -> None:
    listener, context, _ = tls
    thread = threading.Thread(target=_serve_once, args=(listener, context, b"", b""))
    thread.start()

    with pytest.raises(NotSent):
        _get(f"https://127.0.0.1:{listener.getsockname()[1]}", Timeout(3, 3))
    thread.join()


def test_proxy_that_refuses_the_tunnel_is_not_sent(
    platform: FakeWeCom, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def refuse() -> None:
            with proxy.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")

        with pytest.raises(NotSent):
            _get("https://qyapi.invalid", Timeout(3, 3))
        thread.join()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, Permanent),
        (301, Permanent),
        (403, Permanent),
        (413, Permanent),
        (429, QuotaSpent),
        (503, OutcomeUnknown),
    ],
)
def test_http_statuses_have_their_class(
    client: WeComClient, platform: FakeWeCom, status: int, expected: type[WeChatError]
) -> None:
    platform.always["no/such"] = answers(b"", status=status)

    with pytest.raises(WeChatError) as caught:
        client.call("no/such", {})

    assert (type(caught.value), caught.value.http_status) == (expected, status)
    assert len(platform.calls("no/such")) == 1


def test_redirect_is_not_followed_because_the_token_would_go_along(
    client: WeComClient, platform: FakeWeCom
) -> None:
    def redirect(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", platform.base + "/cgi-bin/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    platform.next(API, redirect)

    with pytest.raises(Permanent):
        client.call(API, {"a": 1})

    assert platform.calls("elsewhere") == []


def test_body_that_drips_is_given_up_at_the_deadline(client: WeComClient, platform: FakeWeCom) -> None:
    platform.always[API] = drips  # would take 5 s
    timeout = Timeout(connect=0.3, read=0.3)

    started = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="deadline"):
        client.call(API, {"a": 1}, timeout=timeout)

    assert timeout.deadline <= time.monotonic() - started < 3


@pytest.mark.parametrize(
    "reply",
    [resets, hangs(0.6), cut({**OK, "x": 1}, at=3), answers({"errcode": 84061, "errmsg": "not friend"})],
    ids=["reset", "silent", "cut", "errcode"],
)
def test_no_token_and_no_secret_in_errors_or_logs(
    client: WeComClient, platform: FakeWeCom, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    platform.always[API] = reply
    with (
        caplog.at_level(logging.DEBUG, logger="urllib3"),
        caplog.at_level(logging.DEBUG),
        pytest.raises(WeChatError) as caught,
    ):
        client.call(API, {"a": 1}, timeout=QUICK)

    told = _text_of(caught.value) + caplog.text + repr(client) + repr(client.sdk())
    assert platform.token not in told
    assert SECRET not in told
    assert "corpsecret=***" in caplog.text  # urllib3 did log URLs


def test_no_secret_in_the_errors_of_gettoken(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = WeComClient("wwcorp", {"app": SECRET}, f"http://127.0.0.1:{taken.getsockname()[1]}")

        with (
            caplog.at_level(logging.DEBUG, logger="urllib3"),
            caplog.at_level(logging.DEBUG),
            pytest.raises(NotSent) as caught,
        ):
            client.call(API, {"a": 1})

    assert SECRET not in _text_of(caught.value) + caplog.text
