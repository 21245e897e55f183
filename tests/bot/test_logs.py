"""What reaches the log: one line an event, with its ids, and never a secret or a phone number."""

import io
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot import logs
from bot.redact import Redactor

TOKEN = "hJqcu3uJ9Tn2gXPmxx2w9kkCkCE2EPYo"
PHONE = "13812345678"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    level, *hooks = root.level, sys.excepthook, threading.excepthook
    yield
    root.handlers[:] = []  # pytest adds its own for each phase
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> io.StringIO:
    out = io.StringIO()
    logs.configure("DEBUG", stream=out)
    return out


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_event_is_one_json_line_with_time_level_and_fields(stream: io.StringIO) -> None:
    structlog.get_logger("bot.test").info("callback_stored", kind="wecom.change_contact", size=12)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "callback_stored",
        "logger": "bot.test",
        "kind": "wecom.change_contact",
        "size": 12,
    }


def test_bound_ids_are_on_every_line_inside_the_block_and_gone_after(stream: io.StringIO) -> None:
    with logs.bound(request_id="r1", event_id="e1", outbox_id="o1"):
        structlog.get_logger("ours").info("inside")
        logging.getLogger("theirs").info("inside")
    structlog.get_logger("ours").info("after")

    ours, theirs, after = lines(stream)
    for line in (ours, theirs):
        assert (line["request_id"], line["event_id"], line["outbox_id"]) == ("r1", "e1", "o1")
    assert "request_id" not in after


@pytest.mark.parametrize(
    "key",
    [
        "access_token",
        "suite_access_token",
        "X-Api-Token",
        "token",
        "secret",
        "corpsecret",
        "contact_secret",
        "encoding_aes_key",
        "EncodingAESKey",
        "welcome_code",
        "WelcomeCode",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "session",
        "session_id",
        "password",
        "secret_key",
        "encryption_keys",
        "jsapi_ticket",
        "mobile",
    ],
)
def test_value_of_a_telling_key_is_hidden_at_any_depth(key: str) -> None:
    shown = Redactor().mapping({key: TOKEN, "body": [{"inner": {key: [TOKEN]}}]})

    assert TOKEN not in str(shown)
    assert shown[key] == "***"


@pytest.mark.parametrize("key", ["token_id", "token_count", "event", "errcode", "kind", "tokenizer", "path"])
def test_harmless_keys_keep_their_value(key: str) -> None:
    assert Redactor().mapping({key: "value-1"}) == {key: "value-1"}


@pytest.mark.parametrize(
    "text",
    [
        f"GET /cgi-bin/user/get?access_token={TOKEN}&userid=li HTTP/1.1",
        f"GET /cgi-bin/gettoken?corpid=ww1&corpsecret={TOKEN}",
        f"redirect=%2Fx%3Faccess_token%3D{TOKEN}",
        f'{{"errcode":0,"access_token":"{TOKEN}","expires_in":7200}}',
        f'"{{\\"access_token\\": \\"{TOKEN}\\"}}"',
        f"{{'welcome_code': '{TOKEN}'}}",
        f"Authorization: Bearer {TOKEN}",
        f"'Authorization': 'Bearer {TOKEN}'",
        f"sent with bearer {TOKEN} to host",
        f"Cookie: lang=zh; session={TOKEN}",
        f"<xml><WelcomeCode><![CDATA[{TOKEN}]]></WelcomeCode></xml>",
        f"<Token>{TOKEN}</Token>",
        f"WecomSection(token='{TOKEN}')",
        f"/oauth?code={TOKEN}&state=1",
        f"/cgi-bin/webhook/send?key={TOKEN}",
        f"postgresql+psycopg://lianke:{TOKEN}@db/lianke",
    ],
)
def test_secret_inside_text_is_hidden(text: str) -> None:
    shown = Redactor().text(text)

    assert TOKEN not in shown
    assert "***" in shown


def test_neighbours_of_a_secret_stay_readable() -> None:
    shown = Redactor().text(f"GET /user/get?access_token={TOKEN}&userid=li errcode=40014")

    assert shown == "GET /user/get?access_token=***&userid=li errcode=40014"


@pytest.mark.parametrize(
    "text",
    [
        PHONE,
        f"call {PHONE} now",
        f"+86{PHONE}",
        f"+86 {PHONE}",
        "138 1234 5678",
        "138-1234-5678",
        f"电话{PHONE}。",
        f"tel{PHONE}",
    ],
)
def test_mobile_number_is_hidden(text: str) -> None:
    shown = Redactor().text(text)

    assert "5678" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text", ["0.13812345678", "1700000000", "1700000000123", "12812345678", "913812345678"]
)
def test_other_numbers_are_kept(text: str) -> None:
    assert Redactor().text(text) == text


def test_mobile_number_given_as_integer_or_key_is_hidden() -> None:
    assert Redactor().mapping({"who": int(PHONE), "n": 5, PHONE: "x"}) == {"who": "***", "n": 5, "***": "x"}


def test_registered_secret_is_hidden_without_a_telling_name(stream: io.StringIO) -> None:
    logs.configure(stream=stream, secrets=["sandbox-app-secret"])

    structlog.get_logger().info("got sandbox-app-secret", url="/x/sandbox-app-secret/y")

    assert "sandbox-app-secret" not in stream.getvalue()


def test_exception_text_and_traceback_are_redacted(stream: io.StringIO) -> None:
    try:
        url = f"https://qyapi.weixin.qq.com/cgi-bin/x?access_token={TOKEN}"
        raise ConnectionError(url, PHONE)
    except ConnectionError:
        structlog.get_logger().exception("call_failed")

    (line,) = lines(stream)
    assert "ConnectionError" in line["exception"]
    assert TOKEN not in stream.getvalue()
    assert PHONE not in stream.getvalue()


@pytest.mark.parametrize(
    "name", ["urllib3.connectionpool", "requests", "_granian", "granian.access", "py.warnings"]
)
def test_standard_library_records_are_redacted(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).warning('"GET /x?access_token=%s" for %s', TOKEN, PHONE, extra={"secret": TOKEN})

    (line,) = lines(stream)
    assert line["event"] == '"GET /x?access_token=***" for ***'
    assert line["secret"] == "***"
    assert line["logger"] == name


def test_granian_settings_leave_its_records_to_our_handler(stream: io.StringIO) -> None:
    log = pytest.importorskip("granian.log")
    log.configure_logging(log.LogLevels.info, logs.GRANIAN_LOGGING)

    logging.getLogger("granian.access").info("GET /x?access_token=%s", TOKEN)

    assert lines(stream)[0]["event"] == "GET /x?access_token=***"


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("breaker", ["\n", "\r\n", "\x85", "\u2028", "\x1b[2J", "\x0b"])
def test_injected_line_break_stays_on_one_line(as_json: bool, breaker: str) -> None:
    out = io.StringIO()
    logs.configure(stream=out, as_json=as_json)

    structlog.get_logger().info(f"said{breaker}level=critical", name=f"a{breaker}b", **{f"k{breaker}": 1})

    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()


def test_terminal_gets_key_value_with_indented_traceback() -> None:
    out = Terminal()
    logs.configure(stream=out)
    forged = "boom\n2026-01-01T00:00:00Z critical forged"
    try:
        raise RuntimeError(forged)
    except RuntimeError:
        structlog.get_logger("t").exception("failed", why="two words", n=3)

    first, *trace = out.getvalue().splitlines()
    assert first.endswith('error failed logger=t why="two words" n=3')
    assert trace
    assert all(line.startswith("    | ") for line in trace)


def test_record_with_wrong_arguments_is_reported_without_them(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(stream=stream)  # without pytest's own handler, which would raise

    logging.getLogger("theirs").info("%d items", TOKEN)

    (line,) = lines(stream)
    assert line["event"] == "log_record_broken"
    assert line["logger"] == "theirs"
    assert TOKEN not in stream.getvalue() + capsys.readouterr().err


def test_object_with_broken_repr_does_not_lose_the_line(stream: io.StringIO) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    logs.configure(stream=stream)  # without pytest's own handler, which would raise

    structlog.get_logger().info("odd", thing=Broken())

    assert "repr raised RuntimeError" in lines(stream)[0]["thing"]


def test_cyclic_value_ends(stream: io.StringIO) -> None:
    loop: dict[str, object] = {}
    loop["self"] = loop

    structlog.get_logger().info("loop", value=loop)

    assert lines(stream)[0]["event"] == "loop"


def test_uncaught_exception_in_a_thread_is_logged_redacted(stream: io.StringIO) -> None:
    def fail() -> None:
        message = f"token={TOKEN}"
        raise RuntimeError(message)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    (line,) = lines(stream)
    assert line["event"] == "uncaught_exception"
    assert TOKEN not in stream.getvalue()


def test_uncaught_exception_of_the_process_is_logged_redacted(stream: io.StringIO) -> None:
    error = RuntimeError(f"token={TOKEN}")

    sys.excepthook(RuntimeError, error, None)

    assert lines(stream)[0]["event"] == "uncaught_exception"
    assert TOKEN not in stream.getvalue()


def test_level_filters_both_kinds_of_logger() -> None:
    out = io.StringIO()
    logs.configure("warning", stream=out)

    structlog.get_logger().info("ours")
    logging.getLogger("theirs").info("theirs")

    assert out.getvalue() == ""


def test_unknown_level_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="unknown log level 'LOUD', use one of DEBUG, INFO"):
        logs.configure("LOUD")


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "token" * 40_000, "1" * 200_000, "://" * 60_000, "<" * 200_000]
)
def test_redaction_of_hostile_text_takes_linear_time(text: str) -> None:
    began = time.perf_counter()
    Redactor().text(text)

    assert time.perf_counter() - began < 2
