"""A corp of any size, made inside the database: two years of contacts with all that belongs to them, and work to do.

Everything follows from a number ``n`` (1 is the oldest contact), so that a row's id can be told without a query. What
belongs to one contact lies scattered, as it does where rows come in the order in which things happen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection

from scrm import seal
from scrm.db import Database
from scrm.models import Base
from scrm.spelling import spell

SPAN = timedelta(days=730)
BACKLOG = 20_000  # events and calls that wait, at every size
CHANNELS = 40
COMMON_TAGS, RARE_TAGS = (
    10,
    50,
)  # a tenth of all contacts has each of the first, a hundredth each of the others
PAYLOADS_KEPT = 0.04  # of the history: what the retention job has not yet emptied
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢"
)
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉玲华红玉建春梅鑫鹏飞宇婷雪琳晨浩欣怡子涵梓轩"
_BASE = 10**15
XML = "<xml>" + "".join(f"<Field{n}><![CDATA[value of field {n}]]></Field{n}>" for n in range(16)) + "</xml>"


def contact_id(n: Any) -> str:
    return f"01CONTACT0{_BASE + n}"


def tag_id(n: int) -> str:
    return f"01TAG00000{_BASE + n}"


def staff_id(n: int) -> str:
    return f"01STAFF000{_BASE + n}"


def channel_id(n: int) -> str:
    return f"01CHANNEL0{_BASE + n}"


def _id(prefix: str, number: str) -> str:
    """The same in SQL."""
    return f"'{prefix.ljust(10, '0')}' || ({_BASE} + {number})"


def _letter(letters: str, index: str) -> str:
    return f"substr('{letters}', 1 + CAST({index} AS INTEGER), 1)"


def _syllable(letters: str, index: str, *, width: int = 6) -> str:
    """How one of these is spelled, in SQL."""
    spelled = "".join(spell(letter)[0].ljust(width) for letter in letters)
    return f"trim(substr('{spelled}', 1 + {width} * CAST({index} AS INTEGER), {width}))"


def name_of(n: int) -> str:
    """The name of the n-th contact."""
    first, second, third = SURNAMES[n * 7919 % 49], GIVEN[n * 131 % 47], GIVEN[n * 17 % 43]
    return first + second + (third if n % 3 else "")


@dataclass(frozen=True)
class Population:
    """``size`` contacts until ``now``."""

    size: int
    now: datetime
    backlog: int = BACKLOG

    @property
    def staff(self) -> int:
        return max(20, self.size // 2000)

    @property
    def spacing(self) -> int:
        """Seconds between two contacts."""
        return max(1, int(SPAN.total_seconds()) // self.size)

    def created(self, n: int) -> datetime:
        return self.now - timedelta(seconds=(self.size - n) * self.spacing)

    def fill(self, database: Database, tell: Callable[[str], None] = lambda _: None) -> None:
        """Fill an empty database at head, and let it gather statistics."""
        sealed = {
            "payload": seal.ring().seal(XML, "inbox.payload"),
            "command": seal.ring().seal(
                json.dumps({"external_userid": "wm" * 16, "add_tag": ["et" * 16] * 2}), "outbox.command"
            ),
            "phone": seal.ring().seal("13800000000", "contact.phone"),
        }
        with database.write_connection() as connection:
            _without_checks(connection)
            indexes = [] if connection.dialect.name == "mysql" else _drop_indexes(connection)
            _number(connection, max(self.size, self.backlog, CHANNELS))
            for table, columns, where in self._rows(Dialect(connection.dialect.name, self.now)):
                tell(table)
                statement = (
                    f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())}"
                    f" FROM bench_number WHERE {where}"
                )
                used = {key: value for key, value in sealed.items() if f":{key}" in statement}
                connection.execute(text(statement), used)
            connection.exec_driver_sql("DROP TABLE bench_number")
            for index in indexes:
                index.create(connection)
        gather_statistics(database)

    def _rows(self, sql: Dialect) -> Iterator[tuple[str, dict[str, str], str]]:
        yield from _people(sql, self.staff)
        everybody = f"n <= {self.size}"
        age = f"({self.size} - n) * {self.spacing}"
        yield from _contacts(sql, everybody, age, self.staff)
        yield from _tags(sql, everybody, age, self.staff)
        yield from _touches(sql, everybody, age, self.staff)
        recent = f"n > {int(self.size * (1 - PAYLOADS_KEPT))}"
        yield from _history(sql, everybody, age, recent)
        yield from _backlog(sql, self.size, self.backlog)


class Dialect:
    """The little in which the three differ."""

    def __init__(self, name: str, now: datetime) -> None:
        self._name = name
        self._now = now.strftime("%Y-%m-%d %H:%M:%S")

    def ago(self, seconds: str) -> str:
        if self._name == "postgresql":
            return f"TIMESTAMPTZ '{self._now}+00' - ({seconds}) * INTERVAL '1 second'"
        if self._name == "mysql":
            return f"TIMESTAMP'{self._now}' - INTERVAL ({seconds}) SECOND"
        moment = f"strftime('%Y-%m-%d %H:%M:%S', '{self._now}', '-' || ({seconds}) || ' seconds')"
        return f"{moment} || '.000000'"


Rows = Iterator[tuple[str, dict[str, str], str]]


def _people(sql: Dialect, staff: int) -> Rows:
    at = sql.ago("0")
    yield (
        "staff",
        {"id": _id("01STAFF", "n"), "userid": "'user' || n", "name": "'员工' || n", "position": "'销售'"}
        | {"status": "'active'", "serves": "TRUE", "on_leave": "FALSE", "updated_at": at},
        f"n <= {staff}",
    )
    yield (
        "channel",
        {"id": _id("01CHANNEL", "n"), "name": "'渠道' || n", "kind": "'wecom'", "state": "'active'"}
        | {"schedule": "'[]'", "welcomes": "'[]'", "skip_verify": "TRUE", "cost_fen": "0"}
        | {"created_at": at, "created_by": "'system'"},
        f"n <= {CHANNELS}",
    )
    group = {"id": _id("01GROUP", "n"), "name": "'分组' || n", "position": "0"}
    yield "tag_group", group, "n = 1"
    tag = {"id": _id("01TAG", "n"), "group_id": _id("01GROUP", "1"), "name": "'标签' || n", "position": "0"}
    yield "tag", tag, f"n <= {COMMON_TAGS + RARE_TAGS}"


def _contacts(sql: Dialect, everybody: str, age: str, staff: int) -> Rows:
    owner = _id("01STAFF", f"1 + (n * 7919) % {staff}")
    channel = _id("01CHANNEL", f"1 + (n * 31) % {CHANNELS}")
    added = lost = sql.ago(age)
    third = f"CASE WHEN n % 3 = 0 THEN '' ELSE {_letter(GIVEN, '(n * 17) % 43')} END"
    name = f"{_letter(SURNAMES, '(n * 7919) % 49')} || {_letter(GIVEN, '(n * 131) % 47')} || {third}"
    syllables = [
        _syllable(SURNAMES, "(n * 7919) % 49"),
        _syllable(GIVEN, "(n * 131) % 47"),
        f"CASE WHEN n % 3 = 0 THEN '' ELSE {_syllable(GIVEN, '(n * 17) % 43')} END",
    ]
    spelled = {
        "pinyin": " || ".join(syllables),
        "initials": " || ".join(f"substr({syllable}, 1, 1)" for syllable in syllables),
    }
    gone = "n % 10 = 0"
    yield (
        "contact",
        {"id": _id("01CONTACT", "n"), "name": name, "gender": "n % 3", "wechat_type": "1"}
        | spelled
        | {
            "phone": "CASE WHEN n % 5 = 0 THEN :phone END",
            "phone_index": "CASE WHEN n % 5 = 0 THEN 'ph' || n END",
        }
        | {
            "stage": "CASE n % 20 WHEN 0 THEN 'customer' WHEN 1 THEN 'opportunity' WHEN 2 THEN 'mql' ELSE 'lead' END"
        }
        | {"owner_id": owner, "first_channel_id": channel, "first_source_at": added, "profile_at": added}
        | {"lost_at": f"CASE WHEN {gone} THEN {lost} END", "created_at": added},
        everybody,
    )
    identity = {"id": _id("01IDENTITY", "n"), "contact_id": _id("01CONTACT", "n"), "created_at": added}
    known = {"kind": "'wecom_external_userid'", "value": f"'wmEXTERNALUSERID' || ({_BASE} + n)"}
    yield "contact_identity", identity | known, everybody
    yield from _relations(sql, everybody, age, staff, name)


def _relations(sql: Dialect, everybody: str, age: str, staff: int, name: str) -> Rows:
    """How they came, and whom they know: everybody one member, every eighth two."""
    owner = _id("01STAFF", f"1 + (n * 7919) % {staff}")
    channel = _id("01CHANNEL", f"1 + (n * 31) % {CHANNELS}")
    added = lost = sql.ago(age)
    gone = "n % 10 = 0"
    relation = {
        "contact_id": _id("01CONTACT", "n"),
        "channel_id": channel,
        "event_at": added,
        "added_at": added,
        "regained": "0",
        "notice_owed": "FALSE",
    }
    scan = {
        "id": _id("01SCAN", "n"),
        "channel_id": channel,
        "contact_id": _id("01CONTACT", "n"),
        "staff_id": owner,
    }
    known = {"at": added, "is_new": "TRUE", "effect_key": f"'scan' || ({_BASE} + n)"}
    yield "scan", scan | known, everybody
    answered = sql.ago(f"{age} - 30 - (n * 37) % 14400")
    first = {
        "id": _id("01RELATION", "n"),
        "staff_id": owner,
        "state": f"CASE WHEN {gone} THEN 'lost' ELSE 'active' END",
        "lost_at": f"CASE WHEN {gone} THEN {lost} END",
        "remark": f"CASE WHEN n % 3 = 1 THEN {name} || '-展会' END",
        "first_response_at": f"CASE WHEN n % 4 > 0 AND {age} > 14430 THEN {answered} END",
    }
    yield "relation", relation | first, everybody
    second = {
        "id": _id("02RELATION", "n"),
        "staff_id": _id("01STAFF", f"1 + (n * 7919 + 7) % {staff}"),
        "state": "'active'",
    }
    yield "relation", relation | second, f"{everybody} AND n % 8 = 3"


def _tags(sql: Dialect, everybody: str, age: str, staff: int) -> Rows:
    link = {
        "contact_id": _id("01CONTACT", "n"),
        "staff_id": _id("01STAFF", f"1 + (n * 7919) % {staff}"),
        "source": "'channel'",
        "set_at": sql.ago(age),
        "contact_at": sql.ago(age),
    }
    common = {"id": _id("01LINK", "n"), "tag_id": _id("01TAG", f"1 + (n * 7) % {COMMON_TAGS}")}
    yield "contact_tag", link | common, everybody
    rare = {
        "id": _id("02LINK", "n"),
        "tag_id": _id("01TAG", f"{COMMON_TAGS + 1} + (n * 29) % {RARE_TAGS}"),
    }
    yield "contact_tag", link | rare, f"{everybody} AND (n * 31) % 97 < 48"


def _touches(sql: Dialect, everybody: str, age: str, staff: int) -> Rows:
    entry = {"contact_id": _id("01CONTACT", "n"), "actor": "'system'"}
    detail = '\'{"staff":"王敏","channel":"上海展会","content":"电话沟通了需求，下周给答复"}\''
    for kind, share in (("relation.added", 1), ("welcome.sent", 1), ("followup.call", 2)):
        what = {"kind": f"'{kind}'", "at": sql.ago(age), "detail": detail}
        yield "timeline_entry", entry | what, f"{everybody} AND n % {share} = 0"
    followup = {
        "id": _id("01FOLLOWUP", "n"),
        "contact_id": _id("01CONTACT", "n"),
        "staff_id": _id("01STAFF", f"1 + (n * 7919) % {staff}"),
        "kind": "CASE n % 6 WHEN 0 THEN 'visit' WHEN 2 THEN 'call' ELSE 'note' END",
        "content": "'电话沟通了需求，客户表示下周给答复，再约一次上门演示'",
        "at": sql.ago(age),
        "created_at": sql.ago(age),
        "created_by": "'system'",
    }
    yield "followup", followup, f"{everybody} AND n % 2 = 0"
    yield from _tasks(sql, everybody, staff)


def _tasks(sql: Dialect, everybody: str, staff: int) -> Rows:
    """Every hundredth contact has one to do, due within the last month; every fifth has had one that is done."""
    due = sql.ago("(n % 720) * 3600")
    task = {
        "id": _id("01TASK", "n"),
        "contact_id": _id("01CONTACT", "n"),
        "staff_id": _id("01STAFF", f"1 + (n * 7919) % {staff}"),
        "title": "'发报价单'",
        "content": "'[]'",
        "due_at": due,
        "source": "'manager'",
        "created_at": due,
        "created_by": "'system'",
    }
    yield "task", task | {"state": "'open'"}, f"{everybody} AND n % 100 = 0"
    yield "task", task | {"state": "'done'", "closed_at": due}, f"{everybody} AND n % 5 = 1"


def _event(at: str) -> dict[str, str]:
    return {"source": "'wecom'", "received_at": at, "available_at": at} | {
        "kind": "'wecom.change_external_contact.add_external_contact'"
    }


def _call(at: str) -> dict[str, str]:
    return {
        "api": "'externalcontact/mark_tag'",
        "command_kind": "'MarkTags'",
        "command": ":command",
        "recovery": "'repeat'",
        "attempt_limit": "8",
        "uncertain": "FALSE",
        "created_at": at,
        "available_at": at,
    }


def _history(sql: Dialect, everybody: str, age: str, recent: str) -> Rows:
    """What is over: one event and one call for each contact; the payloads of the last month are still there."""
    at = sql.ago(age)
    over = {"id": "n", "attempts": "1", "lane": "'c:' || n", "done_at": at}
    event = {
        "dedupe_key": f"'history' || ({_BASE} + n)",
        "priority": "5",
        "state": "CASE WHEN n % 1000 = 0 THEN 'dead' WHEN n % 50 = 0 THEN 'ignored' ELSE 'done' END",
        "payload": f"CASE WHEN {recent} THEN :payload END",
    }
    yield "inbox", _event(at) | over | event, everybody
    call = {
        "effect_key": f"'history' || ({_BASE} + n)",
        "priority": "5",
        "state": "CASE WHEN n % 1000 = 0 THEN 'failed' WHEN n % 50 = 0 THEN 'skipped' ELSE 'sent' END",
        "contact_id": _id("01CONTACT", "n"),
        "caused_by": "n",
    }
    yield "outbox", _call(at) | over | call, everybody
    yield "outbox_attempt", {"outbox_id": "n", "n": "1", "started_at": at, "finished_at": at}, everybody


def _backlog(sql: Dialect, size: int, backlog: int) -> Rows:
    """What waits: two of each lane, every tenth urgent."""
    at = sql.ago(f"{backlog + 10} - n")
    waits = {
        "id": f"{size} + n",
        "attempts": "0",
        "lane": f"'waits:' || (n % {backlog // 2})",
        "priority": "CASE n % 10 WHEN 0 THEN 0 WHEN 1 THEN 3 ELSE 5 END",
        "state": "'pending'",
    }
    event = {"dedupe_key": f"'waits' || ({_BASE} + n)", "payload": ":payload"}
    yield "inbox", _event(at) | waits | event, f"n <= {backlog}"
    call = {"effect_key": f"'waits' || ({_BASE} + n)", "contact_id": _id("01CONTACT", f"1 + n % {size}")}
    yield "outbox", _call(at) | waits | call, f"n <= {backlog}"


def _without_checks(connection: Connection) -> None:
    """Foreign keys hold by construction: no need to look each up."""
    match connection.dialect.name:
        case "postgresql":
            connection.exec_driver_sql("SET session_replication_role = replica")
            connection.exec_driver_sql("SET maintenance_work_mem = '256MB'")
        case "mysql":
            connection.exec_driver_sql(
                "SET foreign_key_checks = 0, unique_checks = 0, sql_mode = 'PIPES_AS_CONCAT'"
            )


def _drop_indexes(connection: Connection) -> list[Any]:
    """To be made again at once when the rows are there, which is quicker."""
    indexes = [index for table in Base.metadata.sorted_tables for index in table.indexes]
    for index in indexes:
        index.drop(connection)
    return indexes


def _number(connection: Connection, count: int) -> None:
    connection.exec_driver_sql("CREATE TABLE bench_number (n BIGINT PRIMARY KEY)")
    for first in range(1, count + 1, 20_000):
        values = ",".join(f"({n})" for n in range(first, min(first + 20_000, count + 1)))
        connection.exec_driver_sql(f"INSERT INTO bench_number VALUES {values}")


def gather_statistics(database: Database) -> None:
    """Let the engine know what its tables hold."""
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        match database.dialect:
            case "postgresql":
                connection.exec_driver_sql("VACUUM (ANALYZE)")
                connection.exec_driver_sql("CHECKPOINT")
            case "mysql":
                tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
                connection.exec_driver_sql(f"ANALYZE TABLE {tables}").all()
    # autocommit sessions of the pool would keep what _without_checks set
    database.dispose()
