"""Inbox and outbox against a model: any order of events, faults, crashes and time, judged by the platform's effects.

A worker may die at any point between claim and finish. Whatever happens: no event is lost, nothing that must happen
once happens twice, no row stays ``sending`` after its lease, and lanes keep their order. At the end all is settled.
More examples: ``HYPOTHESIS_PROFILE=nightly``.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from bot.wechat.errors import NotSent, OutcomeUnknown, WeChatError, error_for
from bot.workers.sender import Attempt
from handlers.context import Context
from handlers.dispatch import dispatch
from handlers.events import envelope
from handlers.xml import BadXml, parse
from scrm.accounts.models import Setting
from scrm.channels.media import DEFAULT_WELCOME
from scrm.db import Database
from scrm.errors import LeaseLost
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.inbox.service import Arrival
from scrm.outbox import claims
from scrm.outbox import service as outbox
from scrm.outbox.commands import Command
from scrm.outbox.models import CallState, OutboxCall, Recovery
from tests.bot.workers.platform import CutAfter
from tests.bot.workers.stand import CORP, Stand
from tests.envelopes import event_xml
from tests.scrm.outbox.factory import facts, notice, remark, way

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
PROFILE = settings(
    max_examples=300 if NIGHTLY else 30,
    stateful_step_count=60 if NIGHTLY else 15,
    deadline=None,
    report_multiple_bugs=False,
    phases=[phase for phase in Phase if NIGHTLY or phase is not Phase.shrink],  # shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
CHANGES = ["add_external_contact", "add_half_external_contact", "del_follow_user", "del_external_contact"]

OWED = ["remark", "notice", "way", "operator"]
SECONDS = [0.2, 1, 3, 10, 20, 65, 400, 1700]
MAX_POISONS = 2


class Crash(BaseException):
    """The process dies here."""


FAULTS = ["cut after", "cut before", "not sent", "busy", "quota", "token", "later", "refused"]
FATES = ["lives", "lives", "dies before", "dies after", "hangs after", *FAULTS]
TURNS = st.tuples(
    st.lists(st.sampled_from(["wm1", "wm2", "wm3"]), max_size=2),
    st.lists(st.sampled_from(OWED), min_size=1, max_size=3),
    st.lists(st.sampled_from(FATES), min_size=12, max_size=12),
    st.sampled_from(SECONDS),
)


def make_fault(name: str) -> WeChatError | CutAfter:
    """What a call comes to, made anew for each use."""
    return {
        "cut after": CutAfter(),
        "cut before": OutcomeUnknown(errmsg="reset"),
        "not sent": NotSent(errmsg="refused"),
        "busy": error_for(-1, "busy"),
        "quota": error_for(45009, "quota"),
        "token": error_for(40014, "token"),
        "later": error_for(45035, "later"),
        "refused": error_for(40058, "refused"),
    }[name]


class Machine(RuleBasedStateMachine):
    """One product against one platform."""

    home: Path
    template: Path
    numbers: Iterator[int] = count()
    judged: Counter[str]  # of all plans: themselves, and what they left, by state

    events = Bundle("events")
    claimed_events = Bundle("claimed_events")
    claimed_calls = Bundle("claimed_calls")

    @initialize()
    def start(self) -> None:
        path = self.home / f"{next(self.numbers)}.db"
        shutil.copy(self.template, path)
        self.path = path
        database = Database(f"sqlite:///{path}")
        event.listen(
            database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF")
        )  # no power is cut here
        self.stand = Stand(database)
        self.ledger: set[str] = set()  # what the platform was told 200 for
        self.handled: dict[str, list[int]] = defaultdict(list)
        self.serial = count(1)
        self.poisons = 0
        self.hanging: list[tuple[OutboxCall, Attempt]] = []
        with self.stand.database.write() as session:
            welcomes = {"welcomes": [{"text": "{customer}您好"}]}
            session.add(
                Setting(key=DEFAULT_WELCOME, value=welcomes, updated_at=self.stand.clock(), updated_by="test")
            )

    # the platform and people

    @rule(
        target=events,
        change=st.sampled_from(CHANGES),
        who=st.sampled_from(["zhangsan", "lisi"]),
        whom=st.sampled_from(["wm1", "wm2"]),
        code=st.booleans(),
        age=st.sampled_from([0, 0, 0, 5, 17, 19]),
    )
    def happens(self, change: str, who: str, whom: str, code: bool, age: int) -> str:
        """Something happens, ``age`` seconds ago, and is acknowledged."""
        at = int(self.stand.clock().timestamp()) - age
        fields: dict[str, object] = {"UserID": who, "ExternalUserID": whom, "CreateTime": at}
        if code and change.startswith("add"):
            fields["WelcomeCode"] = f"CODE-{next(self.serial)}"
        fields["Nonce"] = str(next(self.serial))  # no two things that happen are the same
        text = event_xml(change, **fields)
        self.record(text)
        return text

    @rule(text=events)
    def resend(self, text: str) -> None:
        """The platform missed our 200."""
        self.record(text)

    def record(self, text: str) -> None:
        about = envelope(parse(text))
        arrival = Arrival(
            source="wecom",
            kind=about.kind,
            payload=text,
            received_at=self.stand.clock(),
            lane=about.lane,
            priority=about.priority,
            sent_at=about.at,
        )
        with self.stand.database.write_connection() as connection:
            new = inbox.record(connection, [arrival])
        assert new == int(text not in self.ledger)
        self.ledger.add(text)

    @rule(kind=st.sampled_from(OWED), whom=st.sampled_from(["wm1", "wm2"]))
    def owe(self, kind: str, whom: str) -> None:
        """Somebody wants a call made."""
        number = str(next(self.serial))
        made: Command
        if kind == "way":
            made = way(f"ch_{number}")
        elif kind == "notice":
            made = notice(number)
            object.__setattr__(made, "url", f"https://x/{number}")
        else:
            made = remark(number, whom=whom)
            object.__setattr__(made, "remark", number)
        call_id = self.stand.owe(made)
        if kind == "operator":
            self.stand.change(call_id, recovery=Recovery.OPERATOR)

    @rule(number=st.integers(10, 12))
    def crowd(self, number: int) -> None:
        """More scans at once than a worker takes: they are greeted first."""
        for _ in range(number):
            self.happens("add_external_contact", "zhangsan", f"wm{next(self.serial)}", code=True, age=0)

    @rule(fate=st.sampled_from(FAULTS))
    def profiles_fail(self, fate: str) -> None:
        self.stand.platform.next("externalcontact/get", make_fault(fate))

    @rule(seconds=st.sampled_from(SECONDS))
    def time_passes(self, seconds: float) -> None:
        self.stand.clock.advance(seconds)

    # the workers, healthy and dying

    @rule(target=claimed_events, limit=st.integers(1, 4))
    def claim_events(self, limit: int) -> Any:
        """A worker takes events; whether it lives to handle them is another matter."""
        with self.stand.database.write() as session:
            rows = inbox.claim_events(session, owner="w", now=self.stand.clock(), limit=limit)
        return multiple(*rows)

    @rule(row=consumes(claimed_events), lives=st.booleans())
    def handle(self, row: InboxEvent, lives: bool) -> None:
        if lives:
            self.handle_now(row)
        else:
            self.die_while_handling(row)

    def handle_now(self, row: InboxEvent) -> None:
        before = self.state_of(row)
        self.stand.inbox_worker._handle(row)
        if before is not EventState.DONE and self.state_of(row) is EventState.DONE and row.lane:
            self.handled[row.lane].append(row.id)

    def die_while_handling(self, row: InboxEvent) -> None:
        """All but the commit: nothing of it may be seen."""
        context = Context(self.stand.clock(), row.received_at, row.id, CORP)
        with suppress(Crash, BadXml), self.stand.database.write() as session:
            dispatch(session, row, context)
            raise Crash

    @rule(target=claimed_calls, limit=st.integers(1, 4), welcome=st.sampled_from([True, False, None]))
    def claim_calls(self, limit: int, welcome: bool | None) -> Any:
        with self.stand.database.write() as session:
            rows = claims.claim_calls(
                session, owner="w", now=self.stand.clock(), limit=limit, welcome=welcome
            )
        return multiple(*rows)

    @rule(row=consumes(claimed_calls), fate=st.sampled_from(FATES))
    def send(self, row: OutboxCall, fate: str) -> None:
        """A sender makes its call within its lease, by its timeouts."""
        now = self.stand.clock()
        held = self.stand.call(row.id).lease_token == row.lease_token
        if held and row.available_at is not None and row.available_at > now:
            self.send_now(row, fate)

    def send_now(self, row: OutboxCall, fate: str) -> None:
        if fate == "dies before":
            return
        script = self.stand.platform.script[row.api]
        script.clear()
        if fate not in ("lives", "dies after", "hangs after"):
            script.append(make_fault(fate))
        if fate == "dies after":
            self.stand.sender.attempt(row)  # the platform may have done it, and nobody wrote that down
        elif fate == "hangs after":
            self.hanging.append((row, self.stand.sender.attempt(row)))
        else:
            self.stand.worker.perform(row)
        script.clear()

    @rule(limit=st.integers(1, 6), fates=st.lists(st.sampled_from(FATES), min_size=6, max_size=6))
    def send_batch(self, limit: int, fates: list[str]) -> None:
        """A worker's whole turn, each of its senders with a fate of its own."""
        with self.stand.database.write() as session:
            rows = claims.claim_calls(session, owner="w", now=self.stand.clock(), limit=limit)
        for row, fate in zip(rows, fates, strict=False):
            self.send_now(row, fate)

    def wake_up(self) -> None:
        """Senders that hung write down what came of their calls; who lost his lease changes nothing."""
        for row, attempt in self.hanging:
            before = self.stand.call(row.id)
            mine = before.state is CallState.SENDING and before.lease_token == row.lease_token
            try:
                with self.stand.database.write() as session:
                    outbox.finish(session, row, attempt.outcome, now=self.stand.clock())
            except LeaseLost:
                assert not mine
                assert facts(self.stand.call(row.id)) == facts(before)
            else:
                assert mine
        self.hanging.clear()

    @rule(limit=st.integers(1, 4))
    def hang_before_handling(self, limit: int) -> None:
        """An inbox worker that wakes up when another one has its events."""
        with self.stand.database.write() as session:
            rows = inbox.claim_events(session, owner="slow", now=self.stand.clock(), limit=limit)
        self.stand.clock.advance(inbox.LEASE.total_seconds())
        with self.stand.database.write() as session:
            inbox.claim_events(session, owner="w", now=self.stand.clock(), limit=1000)
        calls = len(self.stand.calls())
        for row in rows:
            self.handle_now(row)
        assert len(self.stand.calls()) == calls
        assert not [row.id for row in rows if self.state_of(row) is EventState.DONE]

    @rule(turns=st.lists(TURNS, min_size=2, max_size=6))
    def busy_hour(self, turns: list[tuple[list[str], list[str], list[str], float]]) -> None:
        """Some of everything: hypothesis leaves out rules in most examples, and one alone does nothing."""
        for scans, owed, fates, seconds in turns:
            for whom in scans:
                self.happens("add_external_contact", "zhangsan", whom, code=True, age=0)
            for kind in owed:
                self.owe(kind, "wm1")
            self.handle_batch()
            self.send_batch(6, fates[:6])
            self.stand.clock.advance(seconds)
            self.sweep()
            self.send_batch(6, fates[6:])
            self.wake_up()

    @rule()
    def handle_batch(self) -> None:
        """An inbox worker's whole turn."""
        before = {event.id for event in self.stand.events() if event.state is EventState.DONE}
        self.stand.inbox_worker.step()
        for done in self.stand.events():
            if done.state is EventState.DONE and done.id not in before and done.lane:
                self.handled[done.lane].append(done.id)

    @precondition(lambda self: self.poisons < MAX_POISONS)
    @rule(whom=st.sampled_from(["wm1", "wm2"]))
    def poison(self, whom: str) -> None:
        """An event that no handler survives."""
        text = f"<xml><Broken>{next(self.serial)}"
        arrival = Arrival(
            source="wecom",
            kind="wecom.change_external_contact.add_external_contact",
            payload=text,
            received_at=self.stand.clock(),
            lane=f"contact:{whom}",
            priority=0,
        )
        with self.stand.database.write_connection() as connection:
            assert inbox.record(connection, [arrival]) == 1
        self.ledger.add(text)
        self.poisons += 1

    @rule()
    def sweep(self) -> None:
        self.stand.sweep()
        now = self.stand.clock()
        left = [call for call in self.stand.calls() if call.state is CallState.SENDING]
        assert all(call.available_at is not None and call.available_at > now for call in left)

    @rule()
    def restart(self) -> None:
        """The process dies and comes back: nobody else holds a lease now."""
        with self.stand.database.write() as session:
            inbox.release_all(session, now=self.stand.clock())
            claims.sweep_expired_leases(session, now=self.stand.clock(), everyone=True)
        assert not [call for call in self.stand.calls() if call.state is CallState.SENDING]

    # what must always be so

    def state_of(self, row: InboxEvent) -> EventState:
        with self.stand.database.read() as session:
            return session.get_one(InboxEvent, row.id).state

    @invariant()
    def nothing_happens_twice(self) -> None:
        once = {
            key: number
            for key, number in self.stand.platform.effects.items()
            if key.startswith(("welcome:", "notice:", "way:"))
        }
        assert set(once.values()) <= {1}, once

    @invariant()
    def lanes_keep_their_order(self) -> None:
        for lane, ids in self.handled.items():
            assert ids == sorted(ids), (lane, ids)
        remarks: dict[str, list[int]] = defaultdict(list)
        for effect in self.stand.platform.order:
            if effect.startswith("externalcontact/remark:"):
                number = effect.split('"remark": "')[1].split('"')[0]
                remarks[effect.split('"external_userid": "')[1].split('"')[0]].append(int(number))
        for whom, numbers in remarks.items():
            assert numbers == sorted(numbers), (whom, numbers)

    # the end

    def teardown(self) -> None:
        if not hasattr(self, "stand"):
            return
        try:
            self.settle()
            self.check()
        finally:
            self.stand.close()
            self.stand.database.dispose()
            for suffix in ("", "-wal", "-shm", ".writer"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def settle(self) -> None:
        """No more faults; workers that live; as much time as it takes."""
        self.wake_up()
        for steps in self.stand.platform.script.values():
            steps.clear()
        for _ in range(1000):
            self.stand.clock.advance(70)
            self.stand.sweep()
            with self.stand.database.write() as session:
                rows = inbox.claim_events(session, owner="last", now=self.stand.clock())
            for row in rows:
                self.handle_now(row)
            sent = self.stand.send()
            if not rows and not sent and not self.open():
                return
        raise AssertionError(f"not settled: {self.open()}")

    def open(self) -> list[tuple[object, ...]]:
        calls = [
            (call.id, call.api, call.state, call.available_at)
            for call in self.stand.calls()
            if call.state in (CallState.PENDING, CallState.SENDING)
            or (call.state is CallState.UNKNOWN and call.available_at is not None)
        ]
        waiting = (EventState.PENDING, EventState.LEASED)
        return calls + [
            (event.id, event.kind, event.state) for event in self.stand.events() if event.state in waiting
        ]

    def check(self) -> None:
        # no event lost, none counted twice, none failed
        told = [event for event in self.stand.events() if event.source == "wecom"]
        assert {event.payload for event in told} == self.ledger
        assert len(told) == len(self.ledger)
        bad = [
            (event.kind, event.state, event.error)
            for event in self.stand.events()
            if event.state != EventState.DONE
        ]
        fair = ("every worker that took this event died", "BadXml: no element found")
        assert all(state is EventState.DEAD and (error or "").startswith(fair) for _, state, error in bad), (
            bad
        )
        # every call is settled, and what we say is what the platform did
        effects = self.stand.platform.effects
        keys = Counter(self.effect_of(call) for call in self.stand.calls())
        for call in self.stand.calls():
            key = self.effect_of(call)
            if key is None or keys[key] > 1:  # two notices may say the same
                continue
            if call.state is CallState.SENT:
                assert effects[key] >= 1, (call.id, key)
            elif call.state in (CallState.EXPIRED, CallState.SKIPPED) or not call.uncertain:
                assert effects[key] == 0, (call.id, key, call.state)
        self.nothing_happens_twice()
        self.lanes_keep_their_order()
        self.judged.update(
            ["plan", *(event.state for event in told), *(call.state for call in self.stand.calls())]
        )

    @staticmethod
    def effect_of(call: OutboxCall) -> str | None:
        match call.command_kind:
            case "SendWelcome":
                return f"welcome:{call.command['welcome_code']}"
            case "NotifyStaff":
                return f"notice:{call.request}"
            case "AddContactWay":
                return f"way:{call.command['state']}"
        return None


@pytest.mark.timeout(400)  # hundreds of plans, on a busy machine
def test_inbox_and_outbox_under_crashes(migrated_file: Path, tmp_path: Path):
    Machine.home, Machine.template, Machine.judged = tmp_path, migrated_file, Counter()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    try:
        run_state_machine_as_test(Machine, settings=PROFILE)
    finally:
        structlog.reset_defaults()

    # every plan came to its end and was judged there; work was done in them
    assert Machine.judged["plan"] >= PROFILE.max_examples, Machine.judged
    assert Machine.judged[EventState.DONE] > 0, Machine.judged
    assert Machine.judged[CallState.SENT] > 0, Machine.judged
