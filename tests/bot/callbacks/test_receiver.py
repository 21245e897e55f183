"""What the receiver lets in: reliability.md §2, attacks 1-7 and 20. Denied means Rejected, and no inbox row."""

from __future__ import annotations

import base64
import io
import itertools
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

import pytest
import structlog
from sqlalchemy import func, select

from bot import logs as bot_logs
from bot.callbacks.asgi import CallbackApp
from bot.callbacks.intake import Intake
from bot.callbacks.wecom import MAX_BODY, WecomReceiver
from bot.wechat.crypto import Rejected
from scrm.db import Database
from scrm.inbox.models import EventState, InboxEvent
from tests.bot.callbacks.asgi_client import Client
from tests.bot.callbacks.test_crypto import MALFORMED
from tests.envelopes import CORP, KEY, NOW, TOKEN, Post, crypto, event_xml, post, wrap

FORBIDDEN = (403, b"forbidden")
ALLOWED_MS = 500  # ten times the promise: machines are noisy, and what this guards against takes minutes


@pytest.fixture
def clock() -> dict[str, datetime]:
    return {"now": NOW}


@pytest.fixture
def receiver(clock: dict[str, datetime]) -> WecomReceiver:
    return WecomReceiver([crypto()], lambda: clock["now"])


@pytest.fixture
def client(receiver: WecomReceiver, database: Database) -> Iterator[Client]:
    with Client.of(receiver, database) as made:
        yield made


@pytest.fixture
def log_stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the product's logging writes; the test run's own logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    monkeypatch.setattr("threading.excepthook", threading.excepthook)
    stream = io.StringIO()
    bot_logs.configure(stream=stream, as_json=True)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def rows(database: Database) -> list[InboxEvent]:
    with database.read() as session:
        return list(session.scalars(select(InboxEvent).order_by(InboxEvent.id)))


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(InboxEvent)) or 0


def test_a_genuine_event_becomes_one_row_and_an_empty_200(client: Client, database: Database):
    # given
    sent = post(event_xml(WelcomeCode="CODE-1", State="ch_000017"))

    # when
    answer = client.post(sent.query, sent.body)

    # then
    assert answer == (200, b"")
    (row,) = rows(database)
    assert (row.source, row.kind) == ("wecom", "wecom.change_external_contact.add_external_contact")
    assert row.state is EventState.PENDING
    assert row.payload == sent.message.decode()
    assert row.lane == "contact:wmSIM0000000000000000000000001"
    assert row.priority == 0
    assert row.sent_at == NOW
    assert row.received_at == NOW
    assert row.available_at == NOW
    assert row.attempts == 0
    assert row.request_id


# 1. tokens


@pytest.mark.parametrize("token", ["", None])
def test_a_pair_without_token_is_never_built(token: str | None):
    with pytest.raises(ValueError, match="token is empty"):
        crypto(token=token)  # type: ignore[arg-type]


def test_a_signature_made_with_the_empty_token_is_denied(client: Client, database: Database):
    # given a request signed by somebody who knows the AES key but no token
    nobody = crypto(token="x")
    nobody._token = b""
    sent = post(pair=nobody)

    # when / then
    assert client.post(sent.query, sent.body) == FORBIDDEN
    assert count(database) == 0


# 2. envelopes and parameters


def _bodies(sealed: str = "x" * 64) -> dict[str, bytes]:
    """What is wrong around a genuine ciphertext."""
    element = f"<Encrypt><![CDATA[{sealed}]]></Encrypt>"
    return {
        "empty": b"",
        "plain XML": event_xml().encode(),
        "empty Encrypt": wrap(""),
        "two Encrypt": f"<xml>{element}{element}</xml>".encode(),
        "two Encrypt, one foreign": f"<xml>{element}<Encrypt>AAAA</Encrypt></xml>".encode(),
        "Encrypt with attribute": wrap(sealed).replace(b"<Encrypt>", b'<Encrypt a="1">'),
        "Encrypt in lower case": wrap(sealed).lower(),
        "nested Encrypt": f"<xml><Encrypt>{element}</Encrypt></xml>".encode(),
        "JSON": json.dumps({"Encrypt": sealed}).encode(),
        "not UTF-8": b"\xff\xfe" + wrap(sealed)[:40],
        "UTF-16": wrap(sealed).decode().encode("utf-16"),
        "form": urlencode({"Encrypt": sealed}).encode(),
        "cut off": wrap(sealed)[:-30],
    }


@pytest.mark.parametrize("name", _bodies())
def test_a_body_without_exactly_one_encrypt_element_is_denied(name: str, client: Client, database: Database):
    # given a signature that is right for the ciphertext
    sent = post()

    # when / then
    assert client.post(sent.query, _bodies(sent.encrypted)[name]) == FORBIDDEN
    assert count(database) == 0


def test_encrypt_without_cdata_is_the_same_event(client: Client, database: Database):
    # given: strings may come without CDATA (callbacks.md, conventions)
    sent = post()
    body = f"<xml><Encrypt>{sent.encrypted}</Encrypt></xml>".encode()

    # when / then
    assert client.post(sent.query, body) == (200, b"")
    assert count(database) == 1


NAMES = ("msg_signature", "timestamp", "nonce")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_parameter_is_denied(name: str, client: Client, database: Database):
    sent = post()

    query = sent.with_parameters(*[(key, value) for key, value in sent.parameters if key != name])

    assert client.post(query, sent.body) == FORBIDDEN
    assert count(database) == 0


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_parameter_is_denied(name: str, client: Client, database: Database):
    sent = post()

    query = sent.with_parameters(*[(key, "" if key == name else value) for key, value in sent.parameters])

    assert client.post(query, sent.body) == FORBIDDEN
    assert count(database) == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("same", [True, False])
def test_a_repeated_parameter_is_denied(name: str, same: bool, client: Client, database: Database):
    # given the right value first or last: which one counts would be up to the framework
    sent = post()
    value = dict(sent.parameters)[name]
    extra = (name, value if same else "1")

    # when / then
    for order in ([*sent.parameters, extra], [extra, *sent.parameters]):
        assert client.post(sent.with_parameters(*order), sent.body) == FORBIDDEN
    assert count(database) == 0


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"&" * 50, id="separators"),
        pytest.param(b"a=1&" * 17, id="too-many"),
        pytest.param(b"msg_signature=\xff&timestamp=1&nonce=1", id="raw-byte"),
        pytest.param(b"msg_signature=%FF&timestamp=1&nonce=1", id="escaped-byte"),
        pytest.param(b"x" * 1_000_000, id="1-MB"),
    ],
)
def test_an_odd_query_is_denied(query: bytes, client: Client, database: Database):
    sent = post()

    assert client.post(query, sent.body) == FORBIDDEN
    assert client.get(query) == FORBIDDEN
    assert count(database) == 0


def test_our_own_query_parameters_survive(client: Client, database: Database):
    # given a callback URL that was set up with a query string of its own (callbacks.md §1.1)
    sent = post()

    # when / then
    assert client.post(b"corp=main&" + sent.query, sent.body) == (200, b"")
    assert count(database) == 1


@pytest.mark.parametrize(
    "timestamp", ["-1", "1e9", " 1700000000", "1700000000.0", "١٧٠٠٠٠٠٠٠٠", "²", "9" * 13, "0x10", "+1"]
)
def test_a_signed_timestamp_that_is_no_number_is_denied(timestamp: str, client: Client, database: Database):
    # given a genuine signature over it
    pair = crypto()
    sealed = pair.encrypt(event_xml().encode())
    query = urlencode(
        {"msg_signature": pair.sign(timestamp, "n", sealed), "timestamp": timestamp, "nonce": "n"}
    )

    # when / then
    assert client.post(query.encode(), wrap(sealed)) == FORBIDDEN
    assert count(database) == 0


# 3. signatures


def _with_signature(sent: Post, signature: str) -> bytes:
    return sent.with_parameters(("msg_signature", signature), *sent.parameters[1:])


@pytest.mark.parametrize("position", range(40))
def test_a_signature_off_by_one_character_is_denied(position: int, client: Client, database: Database):
    # given
    sent = post()
    right = sent.parameters[0][1]
    wrong = "f" if right[position] != "f" else "e"

    # when
    answer = client.post(_with_signature(sent, right[:position] + wrong + right[position + 1 :]), sent.body)

    # then
    assert answer == FORBIDDEN
    assert count(database) == 0


@pytest.mark.parametrize(
    "signature", ["", "é" * 20, "É", "\0" * 40, "a" * 129, "a" * 1_000_000, "%C3%A9", "0" * 40]
)
def test_an_odd_signature_is_denied_without_an_error(signature: str, client: Client, database: Database):
    sent = post()

    assert client.post(_with_signature(sent, signature), sent.body) == FORBIDDEN
    assert count(database) == 0


def test_an_upper_case_signature_is_denied(client: Client, database: Database):
    sent = post()

    assert client.post(_with_signature(sent, sent.parameters[0][1].upper()), sent.body) == FORBIDDEN
    assert count(database) == 0


def test_nothing_is_decrypted_or_parsed_before_the_signature_is_verified(receiver: WecomReceiver):
    # given a ciphertext that would fail in decryption, with a wrong signature
    sent = post(encrypted="AAAA")

    # when
    with pytest.raises(Rejected) as caught:
        receiver.receive(_with_signature(sent, "0" * 40), sent.body)

    # then: the reason (for our log only) is the signature, so it came first
    assert str(caught.value) == "signature"


def test_the_signature_of_one_body_does_not_carry_another(client: Client, database: Database):
    one, other = post(), post(event_xml(UserID="lisi"))

    assert client.post(one.query, other.body) == FORBIDDEN
    assert count(database) == 0


# 4. receivers


@pytest.mark.parametrize(
    "receive_id", ["ww0000000000000000", "", CORP[:-1], CORP + "x", CORP + "\0", "\0" + CORP, CORP.upper()]
)
def test_an_event_for_another_receiver_is_denied(receive_id: str, client: Client, database: Database):
    # given the right token and key, as a suite shared by two corps would have
    sent = post(pair=crypto(receive_id=receive_id))

    # when / then
    assert client.post(sent.query, sent.body) == FORBIDDEN
    assert count(database) == 0


def test_to_user_name_selects_nothing(client: Client, database: Database):
    # given the unauthenticated routing hint of another corp around our own event, and the reverse
    ours = post(to="ww0000000000000000")
    theirs = post(pair=crypto(receive_id="ww0000000000000000"), to=CORP)

    # when / then
    assert client.post(ours.query, ours.body) == (200, b"")
    assert client.post(theirs.query, theirs.body) == FORBIDDEN
    assert count(database) == 1


# 5. malformed ciphertexts


def _malformed_inside() -> dict[str, str]:
    pair = crypto()
    messages: dict[str, bytes] = {
        "no XML": b"hello",
        "nothing": b"",
        "not UTF-8": b"<xml><A>\xff\xfe</A></xml>",
        "two roots": b"<a/><b/>",
        "cut off": event_xml().encode()[:-5],
        "NUL": b"<xml><A>\0</A></xml>",
        "JSON": b'{"Event":"click"}',
    }
    return {name: pair.encrypt(message) for name, message in messages.items()}


@pytest.mark.parametrize(
    "encrypted",
    [
        pytest.param(text, id=name)
        for name, text in {**MALFORMED, **_malformed_inside()}.items()
        if name != "length 0"
    ],
)
def test_every_malformed_ciphertext_gets_the_same_answer(encrypted: str, client: Client, database: Database):
    # given a genuine signature over it, so that only the envelope is wrong
    sent = post(encrypted=encrypted)

    # when
    status, headers, body = client.exchange("POST", sent.query, sent.body)

    # then: one identical answer, headers included
    assert (status, body) == FORBIDDEN
    assert headers == {b"content-type": b"text/plain; charset=utf-8", b"content-length": b"9"}
    assert count(database) == 0


# 6. replays and oracles


def test_the_same_bytes_a_thousand_times_are_one_event(client: Client, database: Database):
    sent = post()

    answers = client.post_all([(sent.query, sent.body)] * 1000)

    assert answers == [(200, b"")] * 1000
    assert count(database) == 1


def test_the_same_event_sealed_anew_each_time_is_one_event(client: Client, database: Database):
    # given a platform that resends: other prefix, nonce and timestamp, same plaintext
    copies = [post(nonce=str(number), at=NOW + timedelta(seconds=number % 200)) for number in range(200)]

    # when
    answers = client.post_all([(copy.query, copy.body) for copy in copies])

    # then
    assert len({copy.encrypted for copy in copies}) == 200
    assert answers == [(200, b"")] * 200
    assert count(database) == 1


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        (-301, EventState.QUARANTINED),
        (-300, EventState.PENDING),
        (0, EventState.PENDING),
        (300, EventState.PENDING),
        (301, EventState.QUARANTINED),
        (86_400, EventState.QUARANTINED),
    ],
)
def test_a_timestamp_over_300_seconds_off_is_quarantined_and_answered_200(
    seconds: int, state: EventState, client: Client, database: Database, log_stream: io.StringIO
):
    # given
    sent = post(at=NOW + timedelta(seconds=seconds))

    # when
    answer = client.post(sent.query, sent.body)

    # then
    assert answer == (200, b"")
    assert [row.state for row in rows(database)] == [state]
    alarms = [(line["event"], line["level"]) for line in logged(log_stream)]
    assert alarms == ([("callback_quarantined", "error")] if state is EventState.QUARANTINED else [])


def test_a_captured_post_asked_back_as_echo_reveals_nothing(client: Client):
    # given: GET and POST sign the same four strings
    sent = post()

    # when / then
    assert client.get(sent.echo_query()) == FORBIDDEN


@pytest.mark.parametrize("echo", ["1616140317555161061", "a", "A-z_0", "9" * 64])
def test_an_echo_string_is_echoed_byte_for_byte(echo: str, client: Client, database: Database):
    sent = post(echo)

    assert client.get(sent.echo_query()) == (200, echo.encode())
    assert count(database) == 0


@pytest.mark.parametrize(
    "plaintext",
    ["", "9" * 65, "<xml/>", "a b", "a\n", "é", "{}", "1616140317555161061\0", event_xml()],
)
def test_nothing_but_an_echo_string_is_echoed(plaintext: str, client: Client):
    sent = post(plaintext)

    assert client.get(sent.echo_query()) == FORBIDDEN


@pytest.mark.parametrize(("seconds", "status"), [(-301, 403), (-300, 200), (300, 200), (301, 403)])
def test_an_echo_is_given_only_while_its_timestamp_is_fresh(seconds: int, status: int, client: Client):
    sent = post("1616140317555161061", at=NOW + timedelta(seconds=seconds))

    assert client.get(sent.echo_query())[0] == status


def test_an_echo_with_a_wrong_signature_is_denied(client: Client):
    sent = post("1616140317555161061")
    query = sent.echo_query().replace(sent.parameters[0][1].encode(), b"0" * 40)

    assert client.get(query) == FORBIDDEN


@pytest.mark.parametrize("times", [0, 2])
def test_an_echo_needs_exactly_one_echo_string(times: int, client: Client):
    sent = post("1616140317555161061")
    query = urlencode([*sent.parameters, *[("echostr", sent.encrypted)] * times]).encode()

    assert client.get(query) == FORBIDDEN


def test_a_plus_in_the_echo_string_must_come_escaped(client: Client):
    # given a ciphertext with a plus sign (callbacks.md §1.2: decode once)
    echoes = (post("1616140317555161061", nonce=str(number)) for number in itertools.count())
    sent = next(echo for echo in echoes if "+" in echo.encrypted)
    head = sent.query + b"&echostr="

    # when / then
    assert client.get(head + quote(sent.encrypted, safe="").encode()) == (200, b"1616140317555161061")
    assert client.get(head + sent.encrypted.encode()) == FORBIDDEN


@pytest.mark.parametrize("at", [NOW, NOW + timedelta(days=1)])
def test_no_answer_to_a_post_holds_decrypted_text(at: datetime, client: Client):
    # given echo strings and events, fresh and stale
    for message in ("1616140317555161061", event_xml(Canary="s3cr3t-canary")):
        sent = post(message, at=at)

        # when
        status, headers, body = client.exchange("POST", sent.query, sent.body)

        # then
        assert body in (b"", b"forbidden")
        assert headers.keys() == {b"content-type", b"content-length"}
        assert status in (200, 403)


# 7. XML


class Listener:
    """Counts connections to a local port."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.hits = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.hits += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def _laughs() -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE xml [<!ENTITY l0 "ha">{entities}]><xml><A>&l9;</A></xml>'


def _quadratic() -> str:
    return f'<!DOCTYPE xml [<!ENTITY a "{"x" * 20_000}">]><xml><A>{"&a;" * 5000}</A></xml>'


DOCUMENTS: dict[str, Callable[[int], bytes]] = {
    "file entity": lambda _: b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><A>&e;</A></xml>',
    "http entity": lambda port: (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:{port}/">]><xml><A>&e;</A></xml>'.encode()
    ),
    "external DTD": lambda port: f'<!DOCTYPE x SYSTEM "http://127.0.0.1:{port}/x.dtd"><xml/>'.encode(),
    "public DTD": lambda port: f'<!DOCTYPE x PUBLIC "x" "http://127.0.0.1:{port}/x.dtd"><xml/>'.encode(),
    "parameter entity": lambda port: (
        f'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:{port}/p"> %p;]><xml/>'.encode()
    ),
    "bare DTD": lambda _: b"<!DOCTYPE xml><xml><A>1</A></xml>",
    "billion laughs": lambda _: _laughs().encode(),
    "quadratic blow-up": lambda _: _quadratic().encode(),
    "UTF-16 with DTD": lambda _: '<!DOCTYPE x [<!ENTITY e "1">]><xml><A>&e;</A></xml>'.encode("utf-16"),
    "UTF-16 declared": lambda _: (
        b'<?xml version="1.0" encoding="UTF-16"?><xml><A>1</A></xml>'.decode().encode("utf-16")
    ),
    "UTF-7 with DTD": lambda _: (
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-<xml><A>1</A></xml>'
    ),
    "undefined entity": lambda _: b"<xml><A>&e;</A></xml>",
    "13 levels": lambda _: b"<a>" * 13 + b"</a>" * 13,
    "10 000 levels": lambda _: b"<a>" * 6000 + b"</a>" * 6000,
    "5 001 elements": lambda _: b"<xml>" + b"<a/>" * 5001 + b"</xml>",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_inside_is_denied_at_once_and_without_network(
    name: str, client: Client, database: Database, listener: Listener
):
    # given a genuine seal around it
    document = DOCUMENTS[name](listener.port)[: MAX_BODY // 2]
    sent = post(document)
    assert len(sent.body) <= MAX_BODY

    # when
    started = time.process_time()
    answer = client.post(sent.query, sent.body)
    took = time.process_time() - started

    # then
    assert answer == FORBIDDEN
    assert count(database) == 0
    assert took * 1000 < ALLOWED_MS
    assert listener.hits == 0


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_around_is_denied_at_once_and_without_network(
    name: str, client: Client, database: Database, listener: Listener
):
    # given a document type or flood in the outer document, before the one genuine Encrypt
    sent = post()
    element = f"<Encrypt><![CDATA[{sent.encrypted}]]></Encrypt>".encode()
    document = DOCUMENTS[name](listener.port)[: MAX_BODY // 2]
    harmless = b"<!DOCTYPE" not in document and b"<!ENTITY" not in document

    # when
    started = time.process_time()
    answer = client.post(sent.query, document + element)
    took = time.process_time() - started

    # then: the outer document is searched, never parsed, so what is no document type is only bytes
    assert answer == ((200, b"") if harmless else FORBIDDEN)
    assert count(database) == int(harmless)
    assert took * 1000 < ALLOWED_MS
    assert listener.hits == 0


@pytest.mark.parametrize("where", ["inside", "around"])
def test_a_flood_of_attributes_is_bounded_by_time(where: str, client: Client, database: Database):
    # given as many attributes as fit
    attributes = " ".join(f'a{number}="1"' for number in range(4500))
    inside = event_xml().replace("<xml>", f"<xml {attributes}>")
    sent = post(inside if where == "inside" else None)
    body = sent.body if where == "inside" else sent.body.replace(b"<xml>", f"<xml {attributes}>".encode())

    # when
    started = time.process_time()
    answer = client.post(sent.query, body)
    took = time.process_time() - started

    # then: attributes mean nothing to us
    assert answer == (200, b"")
    assert count(database) == 1
    assert took * 1000 < ALLOWED_MS


@pytest.mark.parametrize(("size", "answer"), [(MAX_BODY, (200, b"")), (MAX_BODY + 1, (413, b"too large"))])
def test_a_body_over_65536_bytes_is_refused(
    size: int, answer: tuple[int, bytes], client: Client, database: Database
):
    # given a genuine request, padded to size
    sent = post()
    body = sent.body + b" " * (size - len(sent.body))

    # when / then
    assert client.post(sent.query, body) == answer
    assert count(database) == int(answer[0] == 200)


def test_an_inner_document_as_large_as_fits_is_taken(client: Client, database: Database):
    # given
    sent = post(event_xml(Padding="x" * 48_000))
    assert MAX_BODY - 1000 < len(sent.body) <= MAX_BODY

    # when / then
    assert client.post(sent.query, sent.body) == (200, b"")
    assert count(database) == 1


def test_an_event_in_utf8_with_a_byte_order_mark_or_declaration_is_taken(client: Client, database: Database):
    for number, head in enumerate(("\ufeff", '<?xml version="1.0" encoding="UTF-8"?>\n')):
        sent = post(head + event_xml(ExternalUserID=f"wm{number}"))
        assert client.post(sent.query, sent.body) == (200, b"")

    assert [row.lane for row in rows(database)] == ["contact:wm0", "contact:wm1"]


# 20. logs


def test_an_event_name_with_line_breaks_stays_one_line_of_the_log(
    log_stream: io.StringIO, client: Client, database: Database
):
    # given a kind that tries to forge a line, quarantined so that it is logged
    forged = "x\n2026-11-23 ERROR admin logged in\r\n\u2028{"
    sent = post(event_xml(Event=forged, ChangeType=""), at=NOW - timedelta(days=1))

    # when
    answer = client.post(sent.query, sent.body)

    # then
    assert answer == (200, b"")
    (line,) = logged(log_stream)
    assert line["event"] == "callback_quarantined"
    assert "admin logged in" in str(line["kind"])
    assert count(database) == 1


def test_a_denied_request_logs_why_but_no_payload(client: Client, log_stream: io.StringIO):
    # given
    sent = post(event_xml(Canary="s3cr3t-canary"), pair=crypto(receive_id="ww0"))

    # when
    client.post(sent.query, sent.body)

    # then
    told = [(line["event"], line["why"]) for line in logged(log_stream)]
    assert told == [("callback_rejected", "meant for another receiver")]
    assert not any(text in log_stream.getvalue() for text in ("s3cr3t-canary", TOKEN, KEY, sent.encrypted))


# key rotation


def test_two_pairs_are_accepted_while_they_are_rotated(database: Database):
    # given an old and a new pair
    old, new = crypto(), crypto(token="newToken", key="B" * 42 + "A")
    receiver = WecomReceiver([new, old], lambda: NOW)

    # when / then: both work for events and echoes
    with Client.of(receiver, database) as client:
        for number, pair in enumerate((old, new)):
            sent = post(event_xml(ExternalUserID=f"wm{number}"), pair=pair)
            echo = post("1616140317555161061", pair=pair)
            assert client.post(sent.query, sent.body) == (200, b"")
            assert client.get(echo.echo_query()) == (200, b"1616140317555161061")
    assert count(database) == 2


def test_an_event_resent_under_the_new_pair_is_still_one_event(database: Database):
    old, new = crypto(), crypto(token="newToken", key="B" * 42 + "A")
    receiver = WecomReceiver([new, old], lambda: NOW)

    with Client.of(receiver, database) as client:
        for pair in (old, new, old):
            sent = post(pair=pair)
            assert client.post(sent.query, sent.body) == (200, b"")

    assert count(database) == 1


@pytest.mark.parametrize("mixed", [{"token": "newToken"}, {"key": "B" * 42 + "A"}])
def test_token_and_key_of_different_pairs_do_not_mix(mixed: dict[str, str], database: Database):
    receiver = WecomReceiver([crypto(token="newToken", key="B" * 42 + "A"), crypto()], lambda: NOW)
    sent = post(pair=crypto(**mixed))

    with Client.of(receiver, database) as client:
        assert client.post(sent.query, sent.body) == FORBIDDEN
    assert count(database) == 0


def test_a_retired_pair_is_denied(database: Database):
    receiver = WecomReceiver([crypto(token="newToken", key="B" * 42 + "A")], lambda: NOW)
    sent = post(pair=crypto())

    with Client.of(receiver, database) as client:
        assert client.post(sent.query, sent.body) == FORBIDDEN
    assert count(database) == 0


def test_the_malformed_ciphertexts_are_base64_where_they_should_be():
    # the builder of attacks must not fail for a reason of its own
    assert sum(_is_base64(text) for text in MALFORMED.values()) > 15


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def test_the_application_is_the_one_under_test(client: Client):
    assert isinstance(client.app, CallbackApp)
    assert isinstance(client.intake, Intake)
