"""What went wrong, so that visitors see how it is shown, can replay or retry it, and see it end as a real one would.

Two failed calls, one of unknown outcome; one quarantined event, one dead, one ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.demo.book import Row
from bot.demo.lives import Life
from bot.demo.wire import Wire
from bot.sandbox.events import contact_event, system_event
from bot.wechat.errcodes import RULES
from bot.wechat.errors import OutcomeUnknown
from scrm.contacts.models import RelationState
from scrm.inbox.models import EventState
from scrm.inbox.service import MAX_ATTEMPTS
from scrm.outbox.commands import DUPLICATE_CHECK, MarkTags
from scrm.outbox.models import CallState
from scrm.timeline.models import TimelineEntry

RIVAL, NOT_FRIENDS = 41051, 84061
DISK_FULL = """OperationalError: (sqlite3.OperationalError) database or disk is full
[SQL: INSERT INTO contact (id, name, avatar, gender, wechat_type, corp_name, ...) VALUES (?, ?, ?, ?, ?, ?, ...)]
Traceback (most recent call last):
  File "handlers/wecom_contacts.py", in on_contact_added
    added = contacts.record_added(session, event.external_userid, staff, at=event.at, half=half)
  File "scrm/contacts/service.py", in ensure_contact
    session.flush()
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database or disk is full

说明：当晚磁盘写满，事件重试 8 次后停下，没有丢失。清理磁盘后点“重放”，客户即补录（欢迎语已过 20 秒，不会补发）。"""
CLOCK_OFF = (
    "签名正确，但时间戳比收到的时刻早 47 分钟，超过允许的 300 秒，已隔离、未处理。"
    "常见原因：服务器时钟不准、网络长时间中断，或有人重发旧请求。核对无误后可“重放”。"
)


def write(wire: Wire, lives: Sequence[Life]) -> list[Life]:
    """All of them; the lives they are about, which have no ordinary story on the wire besides."""
    quiet = [
        life
        for life in lives
        if life.fate.second == "none" and life.arrival.at < wire.book.now - timedelta(days=1)
    ]
    removed = [life for life in quiet if _state(life) == RelationState.REMOVED]
    friends = [life for life in quiet if _state(life) == RelationState.ACTIVE and _was_greeted(wire, life)]
    marked, greeted, told, gone = (removed or friends)[-1], friends[-3], friends[-12], friends[-40]
    _failed_tag(wire, marked)
    _failed_welcome(wire, greeted)
    _unknown_notice(wire, told)
    _quarantined(wire, gone)
    _dead(wire, friends[-20])
    _ignored(wire)
    return [marked, greeted, told, gone]


def _state(life: Life) -> RelationState:
    state: RelationState = life.relations[life.arrival.userid]["state"]
    return state


def _entry(wire: Wire, life: Life, kind: str) -> Row | None:
    rows = wire.book.rows[TimelineEntry]
    return next(
        (row for row in rows if row["contact_id"] == life.contact["id"] and row["kind"] == kind), None
    )


def _was_greeted(wire: Wire, life: Life) -> bool:
    return life.arrival.source is not None and life.arrival.at > wire.book.now - timedelta(days=9)


def _retell(wire: Wire, life: Life, before: str, after: str, **detail: Any) -> None:
    """The contact's timeline says what really came of it."""
    row = _entry(wire, life, before)
    if row is None:
        return
    row["kind"], row["detail"] = after, {"userid": life.arrival.userid, **detail}


def _channel(wire: Wire, life: Life) -> Row:
    assert life.arrival.source is not None  # noqa: S101 - chosen so
    return wire.channels[life.arrival.source.spec.name]


def _added(wire: Wire, life: Life) -> tuple[Row, str]:
    """The event of the add, and its welcome code."""
    at = life.arrival.at + timedelta(milliseconds=180)
    code = wire.book.ids.external() + wire.book.ids.external()
    event = wire.add_event(life, life.arrival.userid, at, code, _channel(wire, life)["way_state"])
    return wire.callback(event, at, str(life.external)), code


def _failed_welcome(wire: Wire, life: Life) -> None:
    """Another app of the corp had taken the code: it greets once only."""
    event, code = _added(wire, life)
    at = event["received_at"] + timedelta(milliseconds=40)
    reason = f"{RULES[RIVAL].message_zh}（{RIVAL}）"
    greeting = wire.greeting(life, life.arrival.userid, code, _channel(wire, life))
    wire.call(greeting, at, life, event, state=CallState.FAILED, errcode=RIVAL, reason=reason,
              expires_at=at + timedelta(seconds=18))  # fmt: skip
    _retell(wire, life, "welcome.sent", "welcome.failed", errcode=RIVAL, reason=reason)


def _failed_tag(wire: Wire, life: Life) -> None:
    """The rep had deleted the contact before the tags got there."""
    event, _ = _added(wire, life)
    channel, userid = _channel(wire, life), life.arrival.userid
    tags = [wire.book.tags[name]["wecom_id"] for name in channel["tags"]]
    unique = f"channel:{channel['id']}:{int(life.arrival.at.timestamp())}"
    mark = MarkTags(userid=userid, external_userid=str(life.external), add=tags, unique=unique)
    reason = f"{RULES[NOT_FRIENDS].message_zh}（{NOT_FRIENDS}）"
    at = event["received_at"] + timedelta(milliseconds=41)
    wire.call(mark, at, life, event, state=CallState.FAILED, errcode=NOT_FRIENDS, reason=reason)
    _retell(wire, life, "tag.sent", "tag.failed", errcode=NOT_FRIENDS, reason=reason)


def _unknown_notice(wire: Wire, life: Life) -> None:
    """The answer never came, and the half hour in which the platform drops repeats ran out."""
    event, _ = _added(wire, life)
    userid, at = life.arrival.userid, event["received_at"] + timedelta(milliseconds=430)
    reason = OutcomeUnknown().explanation.message_zh
    notice = wire.notice(life, userid, at, _channel(wire, life)["name"])
    row = wire.call(
        notice, at, life, event, state=CallState.UNKNOWN, errcode=None, reason=reason, uncertain=True,
        available_at=None, attempts=3, done_at=None, repeat_until=at + DUPLICATE_CHECK - timedelta(minutes=5),
    )  # fmt: skip
    wire.tries[id(row)] = [
        wire.attempt(row, at + timedelta(minutes=late), timedelta(seconds=5), http_status=None, error=reason)
        for late in (0, 4, 19)
    ]
    _retell(wire, life, "notice.sent", "notice.unknown", reason=reason)


def _quarantined(wire: Wire, life: Life) -> None:
    """The contact deleted the rep; the callback's timestamp was off. The platform knows it, we do not yet."""
    userid, external = life.arrival.userid, str(life.external)
    happened = wire.book.now - timedelta(hours=27)
    event = contact_event(wire.corp["corp_id"], happened.timestamp(), "del_follow_user", userid, external)
    at = happened + timedelta(minutes=47, seconds=12)
    wire.callback(
        event, at, external, state=EventState.QUARANTINED, error=CLOCK_OFF, done_at=None, attempts=0, priority=2,
        sent_at=happened.replace(microsecond=0),
    )  # fmt: skip
    wire.platform_only.append({"external_userid": external, "deleted": userid})


def _dead(wire: Wire, like: Life) -> None:
    """Somebody who scanned in the night the disk was full: known to the platform, not to us, until a replay."""
    at = _last_evening(wire)
    userid, external, channel = like.arrival.userid, wire.book.ids.external(), _channel(wire, like)
    code = wire.book.ids.external() + wire.book.ids.external()
    fields = [("State", channel["way_state"]), ("WelcomeCode", code)]
    event = contact_event(
        wire.corp["corp_id"], at.timestamp(), "add_external_contact", userid, external, list(fields)
    )
    wire.callback(
        event, at, external, state=EventState.DEAD, error=DISK_FULL, attempts=MAX_ATTEMPTS,
        done_at=at + timedelta(minutes=9),
    )  # fmt: skip
    relation = {
        "userid": userid,
        "createtime": int(at.timestamp()),
        "state": channel["way_state"],
        "add_way": 1,
    }
    wire.platform_only.append(
        {"external_userid": external, "name": "何建国", "gender": 1, "relations": [relation]}
    )


def _last_evening(wire: Wire) -> datetime:
    local = wire.book.now.astimezone(wire.book.tz) - timedelta(days=1)
    return local.replace(hour=21, minute=14, second=37, microsecond=0).astimezone(wire.book.now.tzinfo)


def _ignored(wire: Wire) -> None:
    """A group chat changed its name: recorded, nobody handles it yet."""
    at = wire.book.now - timedelta(hours=30)
    fields = [("ChatId", "wrDemo0000000000000000000000Chat"), ("UpdateDetail", "change_name")]
    event = system_event(wire.corp["corp_id"], at.timestamp(), "change_external_chat", "update", list(fields))
    wire.event(
        "wecom.change_external_chat.update",
        event.xml,
        at,
        lane="chat:wrDemo",
        state=EventState.IGNORED,
        priority=5,
    )
