"""The code of a channel as an answer: whether it is there yet, waiting for it, and its picture."""

from __future__ import annotations

import io
import threading
import time
from enum import StrEnum

import segno
from sqlalchemy.orm import Session

from scrm.channels.models import ChannelCode
from scrm.channels.queries import get_channel, get_code
from scrm.db import Database
from scrm.errors import Conflict

WAIT_S = 5.0
POLL_S = 0.05
SCALE = {"png": 12, "svg": 8}  # 12 pixels a module: sharp when printed at 5 cm
QUIET_ZONE = 4  # modules; scanners need them
_pause = threading.Event()  # never set: an interruptible sleep


class CodeState(StrEnum):
    """Whether the platform has made the code."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


def state_of(code: ChannelCode | None) -> CodeState:
    """Whether the code can be scanned; an error beside a code that works concerns its last update only."""
    if code is not None and code.config_id is not None:
        return CodeState.READY
    return CodeState.FAILED if code is not None and code.error else CodeState.PENDING


def wait_for_code(database: Database, channel_id: str, *, seconds: float | None = None) -> None:
    """Return when the platform has answered, or after 5 seconds. Each look is a short read of its own."""
    end = time.monotonic() + (WAIT_S if seconds is None else seconds)
    while True:
        with database.read() as session:
            if state_of(get_code(session, channel_id)) is not CodeState.PENDING:
                return
        if time.monotonic() >= end:
            return
        _pause.wait(POLL_S)


def qr_image(session: Session, channel_id: str, kind: str) -> bytes:
    """The channel's code as a picture. Raises NotFound, and Conflict while the platform has not made it."""
    get_channel(session, channel_id)
    code = get_code(session, channel_id)
    if not code.qr_url:
        raise Conflict("channel_code_missing", code.error or "企业微信还没有给出二维码，请稍后再试")
    out = io.BytesIO()
    segno.make(code.qr_url, error="m", micro=False).save(out, kind=kind, scale=SCALE[kind], border=QUIET_ZONE)
    return out.getvalue()
