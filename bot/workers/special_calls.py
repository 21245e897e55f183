"""Owed calls that take more than one call.

The welcome that names the customer, the contact way that must be looked up after an unknown outcome, the upload of a
stored file.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from bot.wechat.errors import WeChatError
from bot.wechat.transport import Timeout
from bot.workers.sender import Attempt, Gated, sent, too_late, verdict_of
from scrm.channels import rules
from scrm.channels.media import media_ids
from scrm.channels.models import MediaFile
from scrm.db import Database
from scrm.outbox import service as outbox
from scrm.outbox.commands import AddContactWay, Command, SendWelcome, UploadMedia
from scrm.outbox.models import OutboxCall
from scrm.outbox.service import Outcome, Verdict

log = structlog.get_logger(__name__)

PROFILE_SECONDS = 3.0  # a welcome does not wait longer for a name
HASTE = timedelta(seconds=8)  # a welcome with so little time left goes out without the name
PROFILE_API = "externalcontact/get"
MEDIA_EXPIRED = 40007
WELCOME_TIMEOUT = Timeout(connect=3.0, read=5.0)
LOOK_BACK = timedelta(minutes=10)
DATABASE_AWAY = timedelta(seconds=1)


class SpecialCalls:
    """The senders by command; the gate has admitted the main call already."""

    def __init__(self, database: Database, gated: Gated) -> None:
        self._database = database
        self._gated = gated
        self._readers = ThreadPoolExecutor(16, thread_name_prefix="profile")

    def table(self) -> dict[type[Command], Callable[..., Attempt]]:
        return {
            SendWelcome: self.send_welcome,
            AddContactWay: self.add_contact_way,
            UploadMedia: self.upload_media,
        }

    def send_welcome(self, row: OutboxCall, command: SendWelcome) -> Attempt:
        """Greet by name where the text has one, and without a name when the profile is slow to come."""
        try:
            prepared = self._prepare_welcome(row, command)
        except DBAPIError as error:  # our own database is away: nothing was sent
            self._gated.gate.release(row.api)
            log.warning("welcome_not_prepared", error=str(error))
            soon = self._gated.clock() + DATABASE_AWAY
            return Attempt(Outcome(Verdict.LATER, reason="数据库暂时不可用，欢迎语尚未发送", retry_at=soon))
        except BaseException:
            self._gated.gate.release(row.api)  # admitted, and not made: its place is free again
            raise
        if isinstance(prepared, Attempt):
            self._gated.gate.release(row.api)
            return prepared
        request, profile = prepared
        try:
            answer = self._gated.run(
                row.api, lambda: self._gated.client.call(row.api, request, timeout=WELCOME_TIMEOUT)
            )
        except WeChatError as error:
            outcome = verdict_of(row, command, error, self._gated.clock())
            if error.errcode == MEDIA_EXPIRED and row.attempts < row.attempt_limit:
                outcome = self._renew(command, outcome)
            return Attempt(outcome, profile)
        missing = len(command.attachments) - len(request.get("attachments", []))
        reason = f"{missing} 个附件的素材尚未就绪，未随欢迎语发送" if missing else None
        return Attempt(sent(answer, reason), profile)

    def _prepare_welcome(
        self, row: OutboxCall, command: SendWelcome
    ) -> tuple[dict[str, Any], dict[str, Any] | None] | Attempt:
        """The request and the profile read for it; or what came of the call because it is not to be made."""
        needs_name = command.customer_name is None and rules.names_customer(command.text)
        with self._database.read() as session:
            if outbox.greeted_lately(session, row, now=self._gated.clock()):
                return Attempt(Outcome(Verdict.SKIPPED, reason="同一位客户刚刚已收到欢迎语"))
            wanted = rules.media_of(command.attachments)
            media = media_ids(session, wanted, now=self._gated.clock()) if wanted else {}
        profile = self._read_profile(row, command.external_userid) if needs_name else None
        name = command.customer_name or (profile or {}).get("external_contact", {}).get("name")
        request = rules.build_welcome_request(command, customer=name, media=media)
        late = too_late(row, self._gated.clock())  # waiting for a place, or for the name, took too long
        return (request, profile) if late is None else Attempt(late, profile)

    def _read_profile(self, row: OutboxCall, external_userid: str) -> dict[str, Any] | None:
        """The customer's profile, or None when it does not come within PROFILE_SECONDS, or there is no time to ask."""
        left = row.expires_at - self._gated.clock() if row.expires_at is not None else None
        if left is not None and left < HASTE:
            return None
        if not self._gated.admitted(PROFILE_API, 0, patience=0.5).granted:
            return None
        reading: Future[dict[str, Any]] = self._readers.submit(
            self._gated.run,
            PROFILE_API,
            lambda: self._gated.client.call(
                PROFILE_API,
                params={"external_userid": external_userid},
                timeout=Timeout(connect=1.0, read=PROFILE_SECONDS),
            ),
        )
        try:
            return reading.result(PROFILE_SECONDS)
        except FutureTimeout:
            log.warning("welcome_profile_slow")
        except WeChatError as error:
            log.warning("welcome_profile_failed", error=str(error))
        return None

    def _renew(self, command: SendWelcome, outcome: Outcome) -> Outcome:
        """A media id died early: upload its file again and come back within the code's life."""
        for media_file_id in rules.media_of(command.attachments):
            try:
                self._upload(media_file_id)
            except (
                WeChatError,
                LookupError,
            ) as error:  # LookupError: deleted meanwhile, and left out next time
                log.warning("welcome_media_renewal_failed", error=str(error))
        return replace(outcome, verdict=Verdict.LATER, retry_at=self._gated.clock())

    def add_contact_way(self, row: OutboxCall, command: AddContactWay) -> Attempt:
        """Create the contact way; after an unknown outcome, first look whether it exists."""
        client = self._gated.client

        def create() -> dict[str, Any]:
            if row.uncertain:
                found = self._find_way(row, command.state)
                if found is not None:
                    return found
            return client.call(row.api, outbox.request_text(command).encode(), secret=command.secret)

        return Attempt(sent(self._gated.run(row.api, create)))

    def _find_way(self, row: OutboxCall, state: str) -> dict[str, Any] | None:
        since = int((row.created_at - LOOK_BACK).timestamp())
        cursor = ""
        while True:
            body: dict[str, Any] = {"start_time": since, "limit": 1000}
            if cursor:
                body["cursor"] = cursor
            page = self._gated.client.call("externalcontact/list_contact_way", body)
            for item in page.get("contact_way") or []:
                answer = self._gated.client.call(
                    "externalcontact/get_contact_way", {"config_id": item["config_id"]}
                )
                way = answer.get("contact_way") or {}
                if way.get("state") == state:
                    return {"errcode": 0, "config_id": way["config_id"], "qr_code": way.get("qr_code", "")}
            cursor = page.get("next_cursor") or ""
            if not cursor:
                return None

    def upload_media(self, row: OutboxCall, command: UploadMedia) -> Attempt:
        """Upload a stored file; a file deleted meanwhile needs no upload."""
        try:
            answer = self._gated.run(row.api, lambda: self._upload(command.media_file_id))
        except LookupError:
            return Attempt(Outcome(Verdict.SKIPPED, reason="素材已删除"))
        return Attempt(sent(answer))

    def _upload(self, media_file_id: str) -> dict[str, Any]:
        with self._database.read() as session:
            stored = session.get(MediaFile, media_file_id)
            if stored is None:
                raise LookupError(media_file_id)
            kind, filename, content = stored.kind, stored.filename, stored.content
        uploaded = self._gated.client.upload_media(kind, filename, content)
        with self._database.write() as session:
            stored = session.get(MediaFile, media_file_id)
            if stored is not None:
                stored.media_id, stored.uploaded_at = uploaded.media_id, uploaded.created_at
        return {
            "errcode": 0,
            "media_id": uploaded.media_id,
            "created_at": int(uploaded.created_at.timestamp()),
        }

    def close(self) -> None:
        self._readers.shutdown(wait=False, cancel_futures=True)
