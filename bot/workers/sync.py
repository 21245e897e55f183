"""Reads the platform stage by stage for a sync job; each page becomes an event that takes effect in its order.

The job's cursor is committed with each page, so a killed sync goes on where it was. Reads are harmless: whatever
fails for a moment is asked again; what fails for long gives the job back, to be resumed.
"""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from os import getpid
from typing import Any

import structlog

from bot.wechat.errors import AlreadyDone, Permanent, WeChatError
from bot.wechat.wecom import WeComClient
from bot.workers.sync_reader import STAGES, Reader, SyncProgress
from handlers.context import Corp
from scrm.db import Database
from scrm.errors import Conflict, LeaseLost
from scrm.groups.rules import GONE
from scrm.jobs import service as jobs
from scrm.jobs.models import Job
from scrm.sync import service

__all__ = ["STAGES", "SyncProgress", "resume_sync", "run_sync"]

log = structlog.get_logger(__name__)

RESUME_AFTER = timedelta(minutes=5)  # when a job was given back after a fault
PAGE_LIMIT = 100  # batch/get_by_user (path/92994)
GROUP_LIMIT = 100  # groupchat/list (path/92120): as many as are read before the place is kept
WAY_LIMIT = 1000  # list_contact_way (path/92572)
FIRST_WAY = datetime(2021, 7, 10, tzinfo=UTC)  # older contact ways are not listed (path/92572)

NO_RELATION = 84061  # no contacts: an error instead of an empty list
NO_SUCH_WAY = 41044
NO_SUCH_USER = 60111
TOO_MANY_OWNERS = 81017  # groupchat/list without owner_filter (path/92120)
BAD_CURSOR = 40058
UNREADABLE_STAFF = frozenset({40003, 60011, 60111, 84074})  # one such member refuses the whole batch
UNREADABLE_GROUP = sorted(GONE | UNREADABLE_STAFF)
UNREADABLE_DEPARTMENT = frozenset({60003, 60011, 60123})


def run_sync(
    database: Database,
    client: WeComClient,
    job_id: int,
    *,
    corp: Corp,
    clock: Callable[[], datetime],
    on_progress: Callable[[SyncProgress], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    owner: str | None = None,
) -> Job:
    """Run (or go on with) a sync made by ``scrm.sync.service.start_sync`` and return the job as it ended.

    ``done`` with a report; ``failed`` where somebody must change a setting; ``pending`` where the platform could
    not be reached: to be resumed. Raises Conflict when another process works on it.
    """
    owner = owner or f"{socket.gethostname()}:{getpid()}"[:64]
    with database.write() as session:
        job = jobs.claim_job(session, job_id=job_id, owner=owner, now=clock())
    if job is None:
        raise Conflict("job_busy", f"同步任务 {job_id} 已结束，或正由另一个进程执行")
    run = _Run(database, client, job, corp, clock, on_progress, sleep)
    try:
        run.all_stages()
    except LeaseLost:
        log.warning("sync_lost_its_job", job_id=job_id)  # cancelled by a person, or taken over
    except WeChatError as error:
        run.stop(error)
    except BaseException:  # a shutdown or a defect: whoever comes next goes on from the last page
        run.give_back(after=timedelta(0), error=traceback.format_exc(limit=-2)[:2000])
        raise
    with database.read() as session:
        return jobs.get_job(session, job_id)


def resume_sync(
    database: Database, client: WeComClient, *, corp: Corp, clock: Callable[[], datetime]
) -> Job | None:
    """For the scheduler: run a sync that waits, or was cut off; None when there is none."""
    with database.read() as session:
        left = jobs.find_open_job(session, service.KIND)
        if left is None or not jobs.is_abandoned(left, now=clock()):
            return None
    try:
        return run_sync(database, client, left.id, corp=corp, clock=clock)
    except Conflict:
        return None


class _Run(Reader):
    """The stages, in their order."""

    # --- the course of a job

    def all_stages(self) -> None:
        """Go through the stages that are left, each after the one before took effect."""
        order = list(STAGES)
        current = self.cursor.get("stage", order[0])
        for stage in order[order.index(current) :]:
            if self.cursor.get("stage") != stage:
                self.cursor = {"stage": stage}
            getattr(self, f"_read_{stage}")()
            self.drain()
        with self.database.write() as session:
            report = service.finish_sync(session, self.job, now=self.clock())
        self.tell(total=self.done)
        counts = {name: value for name, value in report.items() if isinstance(value, int)}
        log.info("sync_done", job_id=self.job.id, **counts)

    def stop(self, error: WeChatError) -> None:
        """The platform could not be read: try later, or tell a person what to change."""
        told = error.explanation
        log.error("sync_stopped", job_id=self.job.id, api=error.api, error=str(error))
        text = f"{told.message_zh}。{told.next_step_zh}（{error}）"
        if isinstance(error, Permanent) or told.needs_admin:
            with self.database.write() as session:
                jobs.fail(session, self.job, text, now=self.clock())
        else:
            self.give_back(after=RESUME_AFTER, error=text)

    def give_back(self, *, after: timedelta, error: str) -> None:
        """Leave the job to whoever comes next."""
        try:
            with self.database.write() as session:
                jobs.give_back(session, self.job, now=self.clock() + after, error=error)
        except LeaseLost:
            pass

    # --- stages

    def _read_departments(self) -> None:
        if "read" in self.cursor:
            return
        at = self.clock()
        answer = self.call("department/list", secret="app")
        self.keep(self.page("department/list", "", {}, answer, at), {"read": True})

    def _read_staff(self) -> None:
        with self.database.read() as session:
            numbers = service.department_ids(session, after=self.cursor.get("after", 0))
        for left, number in zip(range(len(numbers), 0, -1), numbers, strict=True):
            at, command = self.clock(), {"department_id": number}
            answer: Mapping[str, Any] | None = None
            try:
                answer = self.call("user/list", params=command, secret="app")
            except WeChatError as error:
                if error.errcode not in UNREADABLE_DEPARTMENT:
                    raise
                self.report({"unreadable_departments": [str(number)]})
            page = self.page("user/list", str(number), command, answer, at) if answer is not None else None
            self.keep(page, {"after": number}, left=left - 1)

    def _read_absent(self) -> None:
        while True:
            with self.database.read() as session:
                rows = service.unseen_staff(session, before=self.began, after=self.cursor.get("after", ""))
            if not rows:
                return
            for left, staff in zip(range(len(rows), 0, -1), rows, strict=True):
                page = self.ask("user/get", staff.userid, {"userid": staff.userid}, (NO_SUCH_USER, 60011))
                self.keep(page, {"after": staff.id}, left=left - 1)

    def _read_followers(self) -> None:
        if "read" in self.cursor:
            return
        at, api = self.clock(), "externalcontact/get_follow_user_list"
        self.keep(self.page(api, "", {}, self.call(api), at), {"read": True})

    def _read_tags(self) -> None:
        if "read" in self.cursor:
            return
        at, api = self.clock(), "externalcontact/get_corp_tag_list"
        self.keep(self.page(api, "", {}, self.call(api, {}), at), {"read": True})

    def _read_ways(self) -> None:
        while True:
            with self.database.read() as session:
                codes = service.codes_after(session, after=self.cursor.get("after", ""))
                looking = not codes and service.has_codeless_channel(session)
            for code in codes:
                self._read_way(str(code.config_id), {"after": code.id})
            if not codes:
                break
        if looking:
            self._look_for_ways()

    def _look_for_ways(self) -> None:
        """Read ways we do not know: one may be a channel's whose creation was never answered."""
        body = {
            "limit": WAY_LIMIT,
            "start_time": int(FIRST_WAY.timestamp()),
            "end_time": int(self.clock().timestamp()) + 60,
        }
        cursor = ""
        while True:
            answer = self.call("externalcontact/list_contact_way", {**body, "cursor": cursor})
            listed = [str(way["config_id"]) for way in answer.get("contact_way") or ()]
            with self.database.read() as session:
                known = service.known_config_ids(session, listed)
            for config_id in listed:
                if config_id not in known:
                    self._read_way(config_id, {})
            cursor = str(answer.get("next_cursor") or "")
            if not cursor:
                return

    def _read_way(self, config_id: str, step: Mapping[str, Any]) -> None:
        body = {"config_id": config_id}
        page = self.ask("externalcontact/get_contact_way", config_id, body, (NO_SUCH_WAY,), post=True)
        self.keep(page, step)

    def _read_contacts(self) -> None:
        if "userids" in self.cursor:
            self._read_batch()
        while True:
            with self.database.read() as session:
                batch = service.next_batch(session, after=self.cursor.get("after", ""))
            if not batch:
                return
            self.cursor |= {
                "userids": [staff.userid for staff in batch],
                "last": batch[-1].id,
                "batch_at": self.clock().isoformat(),
                "generation": 0,
                "page": 0,
                "cursor": "",
            }
            self._read_batch()

    def _read_batch(self) -> None:
        """Read the batch in the cursor to its end; where one member cannot be read, the others one by one."""
        userids: list[str] = self.cursor["userids"]
        resumed = self.cursor["page"] > 0
        try:
            self._read_pages_of(userids, part=userids[0])
        except Permanent as error:
            if (
                resumed and error.errcode not in UNREADABLE_STAFF
            ):  # the old cursor is no longer taken: from the start
                self._restart_batch()
                self._read_pages_of(userids, part=userids[0])
            elif error.errcode in UNREADABLE_STAFF:
                self._read_one_by_one(userids)
            else:
                raise
        except AlreadyDone:
            self._read_one_by_one(userids)
        after = self.cursor["last"]
        self.done += len(userids)
        self.cursor = {"stage": "contacts"}
        self.keep(None, {"after": after}, units=0)

    def _read_one_by_one(self, userids: Sequence[str]) -> None:
        for userid in userids:
            self._restart_batch()
            try:
                self._read_pages_of([userid], part=f"{userids[0]}/{userid}")
            except (Permanent, AlreadyDone) as error:
                if error.errcode not in UNREADABLE_STAFF:
                    raise
                self.report({"unreadable_staff": [userid]})

    def _restart_batch(self) -> None:
        generation = self.cursor["generation"] + 1
        self.cursor |= {
            "generation": generation,
            "page": 0,
            "cursor": "",
            "batch_at": self.clock().isoformat(),
        }

    def _read_pages_of(self, userids: Sequence[str], *, part: str) -> None:
        api = "externalcontact/batch/get_by_user"
        while True:
            at, number = self.clock(), int(self.cursor["page"])
            body = {"userid_list": userids, "cursor": self.cursor["cursor"], "limit": PAGE_LIMIT}
            answer = self._contacts_page(api, body)
            command = {"since": self.job.params.get("since"), "userids": list(userids)}
            following = str(answer.get("next_cursor") or "")
            if following and following == self.cursor["cursor"]:
                raise Permanent(errmsg="next_cursor does not move", api=api)
            page = self.page(api, part, command, answer, at)
            self.keep(page, {"page": number + 1, "cursor": following}, units=0)
            if not following:
                break
        end = {
            "part": part,
            "userids": list(userids),
            "generation": self.cursor["generation"],
            "pages": self.cursor["page"],
            "started_at": self.cursor["batch_at"],
        }
        self.keep(self.page("sync/batch_read", part, end, {}, self.clock()), {}, units=0)

    def _contacts_page(self, api: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self.call(api, body)
        except AlreadyDone as error:
            if error.errcode == NO_RELATION:
                return {"external_contact_list": [], "next_cursor": ""}
            raise

    def _read_groups(self) -> None:
        """Read every group that is listed, then those of ours that were not: they may be over."""
        if not self.cursor.get("listed"):
            try:
                self._list_groups()
            except Permanent as error:  # who may not see groups has none: no reason to fail the rest
                told = f"客户群没有核对：{error.explanation.message_zh}（{error.errcode}）"
                self.report({"warnings": [told]})
                return
            self.keep(None, {"listed": True}, units=0)
        self.drain()
        while True:
            with self.database.read() as session:
                after = str(self.cursor.get("after", ""))
                chat_ids = service.unread_groups(session, before=self.began, after=after)
            for chat_id in chat_ids:
                self._read_group(chat_id, {"after": chat_id})
            if not chat_ids:
                return

    def _list_groups(self) -> None:
        try:
            self._read_listed({})
        except Permanent as error:
            if error.errcode != TOO_MANY_OWNERS:
                raise
            self._list_groups_by_owner()

    def _list_groups_by_owner(self) -> None:
        while True:
            with self.database.read() as session:
                batch = service.next_batch(session, after=self.cursor.get("owners_after", ""))
            if not batch:
                return
            self._read_listed({"owner_filter": {"userid_list": [staff.userid for staff in batch]}})
            self.keep(None, {"owners_after": batch[-1].id, "cursor": ""}, units=0)

    def _read_listed(self, owners: Mapping[str, Any]) -> None:
        """The groups of these owners, page by page; from the start where an old cursor is no longer taken."""
        while True:
            cursor = str(self.cursor.get("cursor") or "")
            body = {"status_filter": 0, "limit": GROUP_LIMIT, "cursor": cursor, **owners}
            try:
                answer = self.call("externalcontact/groupchat/list", body)
            except Permanent as error:
                if not cursor or error.errcode != BAD_CURSOR:
                    raise
                self.cursor["cursor"] = ""
                continue
            for item in answer.get("group_chat_list") or ():
                self._read_group(str(item["chat_id"]), {})
            following = str(answer.get("next_cursor") or "")
            if not following or following == cursor:
                return
            self.keep(None, {"cursor": following}, units=0)

    def _read_group(self, chat_id: str, step: Mapping[str, Any]) -> None:
        body = {"chat_id": chat_id, "need_name": 1}
        page = self.ask("externalcontact/groupchat/get", chat_id, body, UNREADABLE_GROUP, post=True)
        self.keep(page, step)
