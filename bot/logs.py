"""Structured logs: one line an event, with request and event ids, and never a secret or a phone number.

JSON lines by default, key=value on a terminal. ``configure`` takes over the standard library's root logger, so that
urllib3, requests, granian and warnings come out the same way; uncaught exceptions too. Use it as

    log = structlog.get_logger(__name__)
    with bound(request_id=...):
        log.info("callback_stored", kind=kind)
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, MutableMapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor

from bot.redact import Redactor

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FIRST = ("timestamp", "level", "event", "logger", "request_id", "event_id", "outbox_id")
LAST = ("exception", "stack")
# Granian's own handlers would bypass the redaction: pass this as log_dictconfig.
GRANIAN_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {
        "_granian": {"handlers": [], "level": "INFO", "propagate": True},
        "granian.access": {"handlers": [], "level": "INFO", "propagate": True},
    },
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def configure(
    level: str = "INFO",
    *,
    stream: TextIO | None = None,
    as_json: bool | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Send every log record of the process to one stream, redacted. Calling it again replaces the former setting.

    ``as_json=None`` decides by whether the stream is a terminal. ``secrets`` are values to hide wherever they appear.
    """
    if level.upper() not in LEVELS:
        message = f"unknown log level {level!r}, use one of {', '.join(LEVELS)}"
        raise ValueError(message)
    target = stream or sys.stderr
    redactor = Redactor(secrets)
    if as_json is None:
        as_json = not target.isatty()
    handler = _Handler(target)
    handler.setFormatter(_formatter(redactor, as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("urllib3").setLevel(max(logging.INFO, root.level))  # its DEBUG repeats every URL
    logging.captureWarnings(capture=True)
    _configure_structlog()
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def bound(**ids: object) -> AbstractContextManager[None]:
    """Put ids (request_id, event_id, outbox_id) on every line written inside the ``with`` block."""
    return structlog.contextvars.bound_contextvars(**ids)


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(redactor: Redactor, *, as_json: bool) -> logging.Formatter:
    def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> EventDict:
        ours = {key: event.pop(key) for key in ("timestamp", "level") if key in event}
        return ours | redactor.mapping(event)

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *_shared()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact,
            _ordered,
            _render_json if as_json else _render_pairs,
        ],
    )


def _ordered(_logger: object, _method: str, event: MutableMapping[str, Any]) -> EventDict:
    middle = [key for key in event if key not in FIRST and key not in LAST]
    return {key: event[key] for key in (*FIRST, *middle, *LAST) if key in event}


def _render_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    return _one_line(json.dumps(event, ensure_ascii=False, default=repr))


def _render_pairs(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """key=value on one line; a traceback follows indented, so that nothing in it can pass for a line of ours."""
    blocks = [str(event.pop(key)) for key in LAST if key in event]
    pairs = [str(event.pop(key)) for key in ("timestamp", "level", "event") if key in event]
    pairs += [f"{key}={_quoted(value)}" for key, value in event.items()]
    trace = [f"    | {_one_line(line)}" for block in blocks for line in block.splitlines()]
    return "\n".join([_one_line(" ".join(pairs)), *trace])


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r"[\s\"=]", text) else text


def _one_line(text: str) -> str:
    """Escape whatever a terminal or a log reader could take for a new line or a command."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to the stream; a record that cannot be formatted is reported without its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        error = sys.exc_info()[0]
        if error and issubclass(error, OSError | ValueError) and self.stream.closed:
            return
        line = {
            "level": "error",
            "event": "log_record_broken",
            "logger": record.name,
            "at": f"{record.filename}:{record.lineno}",
            "error": error.__name__ if error else "",
        }
        try:
            self.stream.write(json.dumps(line) + "\n")
        except (OSError, ValueError):
            return  # nowhere left to say it


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger("uncaught").critical("uncaught_exception", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    thread = args.thread.name if args.thread else ""
    structlog.get_logger("uncaught").critical(
        "uncaught_exception", thread_name=thread, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
