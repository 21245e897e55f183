"""The judge of what chaos left: the platform's truth (the sandbox's callbacks, ledger and phones) against our tables.

Every callback that was answered 200 is an event, once, and was handled; a contact's events in the order in which they
were recorded. What we owed happened once, what happened we know of. Pairs stand as they do on the platform.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select

from handlers.xml import parse, text_of
from scrm.accounts.models import Staff
from scrm.channels.models import ChannelCode
from scrm.contacts.models import Contact, ContactIdentity, Relation, RelationState
from scrm.contacts.service import LIVE
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall, Recovery
from scrm.timeline.models import TimelineEntry
from tests.rig import Rig

ADDED = "add_external_contact"
WELCOME, TAG, NOTICE = "externalcontact/send_welcome_msg", "externalcontact/mark_tag", "message/send"
WAY = "externalcontact/add_contact_way"
NOT_RELATED = 84061  # the pair has ended meanwhile: there is nobody to tag or to read
MAY_STAY_UNKNOWN = (Recovery.OPERATOR, Recovery.WINDOW)
CUT_OFF = "发送进程中断，结果未知"  # an attempt whose process died
RECORDING = timedelta(seconds=0.5)  # the sandbox's own delay between an answer and its note of it


@dataclass
class Verdict:
    """What the judge found. ``wrong`` is empty when every promise was kept."""

    events: int = 0  # accepted by us, as the platform knows it
    scans: int = 0  # of these
    undelivered: int = 0
    recorded: int = 0
    handled: int = 0
    effects: Counter[str] = field(default_factory=Counter)
    doubled: int = 0
    missing: int = 0
    in_order: int = 0
    overlapping: int = 0
    disorder: int = 0
    pairs: int = 0
    welcomes: Counter[str] = field(default_factory=Counter)
    repeated_attempts: int = 0
    unknown: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {api.split('/')[-1]}" for api, count in sorted(self.effects.items()))
        ended = ", ".join(f"{count} {state}" for state, count in sorted(self.welcomes.items()))
        lost, total = self.events - self.recorded, self.effects.total()
        inside = f"{self.recorded} in the inbox, {self.handled} done, {lost} lost"
        tried = f"{self.undelivered} callbacks never accepted, {self.repeated_attempts} calls tried again"
        lines = [
            f"events: {self.events} sent by the platform, {inside}",
            f"effects: {total} on the platform ({counted}), {self.doubled} doubled, {self.missing} missing",
            f"order: {self.disorder} violations in {self.in_order} successions of a contact's events",
            f"pairs: {self.pairs} compared with the platform",
            f"welcomes: {ended}",
            f"unknown: {'; '.join(self.unknown) or 'none'}",
            f"by the way: {tried}, {self.overlapping} events handled while an earlier one was being recorded",
            f"promises broken: {len(self.wrong)}",
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Delivery:
    """A callback as the platform knows it."""

    key: str
    change: str
    userid: str
    customer: str
    at: int
    code: str
    accepted: bool
    answered_by: datetime

    @classmethod
    def read(cls, item: dict[str, Any]) -> Delivery:
        fields = parse(item["xml"].encode())
        return cls(
            key=hashlib.sha256(item["xml"].encode()).hexdigest(),
            change=text_of(fields, "ChangeType"),
            userid=text_of(fields, "UserID"),
            customer=text_of(fields, "ExternalUserID"),
            at=int(text_of(fields, "CreateTime")),
            code=text_of(fields, "WelcomeCode"),
            accepted=item["state"] == "delivered",
            answered_by=datetime.fromisoformat(item["at"]) + timedelta(milliseconds=item["ms"] or 0),
        )


class _Evidence:
    """Both sides, read once."""

    def __init__(self, rig: Rig) -> None:
        self.deliveries = [Delivery.read(item) for item in rig.get("/callbacks")]
        self.phones = {item["id"]: item for item in rig.get("/customers")}
        self.ledger = rig.get("/ledger")
        self.ways = Counter(item["state"] for item in rig.get("/ways"))
        with rig.database.read() as session:
            self.events = list(session.scalars(select(InboxEvent).order_by(InboxEvent.id)))
            self.calls = list(session.scalars(select(OutboxCall)))
            ids = select(ContactIdentity.value, ContactIdentity.contact_id)
            self.contact_ids = dict(session.execute(ids).all())
            self.contacts = {row.id: row for row in session.scalars(select(Contact))}
            pairs = select(Relation, Staff.userid).join(Staff, Staff.id == Relation.staff_id)
            self.relations = {(row.contact_id, userid): row for row, userid in session.execute(pairs)}
            self.channels = list(session.scalars(select(ChannelCode.state)))
            entries = select(TimelineEntry.contact_id, TimelineEntry.kind)
            self.told = Counter(session.execute(entries).all())
            again = select(func.count()).select_from(OutboxAttempt).where(OutboxAttempt.n > 1)
            self.repeated_attempts = session.scalar(again) or 0
            cut_off = select(OutboxAttempt.outbox_id, func.count()).where(OutboxAttempt.error == CUT_OFF)
            self.deaths = dict(session.execute(cut_off.group_by(OutboxAttempt.outbox_id)).all())
        self.by_key = {row.dedupe_key: row for row in self.events if row.source == "wecom"}
        self.never_accepted = {(it.customer, it.userid) for it in self.deliveries if not it.accepted}
        self.lively = {it.customer for it in self.deliveries if it.change != ADDED}


def judge(rig: Rig) -> Verdict:
    """Compare the platform with our tables, after a drain."""
    seen, found = _Evidence(rig), Verdict()
    found.repeated_attempts = seen.repeated_attempts
    _judge_events(seen, found)
    _judge_order(seen, found)
    _judge_outcomes(seen, found)
    _judge_effects(seen, found)
    for delivery in seen.deliveries:
        if delivery.accepted and delivery.change == ADDED and delivery.key in seen.by_key:
            found.scans += 1
            _judge_scan(seen, found, delivery)
    _judge_pairs(seen, found)
    return found


def _judge_events(seen: _Evidence, found: Verdict) -> None:
    """Answered 200: in the inbox, once (its key is unique there), and handled."""
    for delivery in seen.deliveries:
        if not delivery.accepted:
            found.undelivered += 1
            continue
        found.events += 1
        row = seen.by_key.get(delivery.key)
        if row is None:
            about = f"{delivery.change} of {delivery.customer}"
            found.wrong.append(f"the callback {about} was answered 200 and is not in the inbox")
            continue
        found.recorded += 1
        found.handled += row.state is EventState.DONE
    sent = {delivery.key for delivery in seen.deliveries}
    for row in seen.events:
        if row.state is not EventState.DONE:
            found.wrong.append(f"event {row.id} {row.kind} is left {row.state}: {row.error}")
        if row.source == "wecom" and row.dedupe_key not in sent:
            found.wrong.append(f"event {row.id} {row.kind} was never sent by the platform")


def _judge_order(seen: _Evidence, found: Verdict) -> None:
    """A contact's events were handled in the order of their rows.

    Numbers are given when a row is written and rows are seen when they are committed: one may be handled while an
    earlier one is still being recorded, and only then.
    """
    answered = {delivery.key: delivery.answered_by for delivery in seen.deliveries}
    lanes: dict[str, list[InboxEvent]] = defaultdict(list)
    for row in seen.events:
        if row.lane is not None and row.done_at is not None:
            lanes[row.lane].append(row)
    for rows in lanes.values():
        for earlier, later in pairwise(rows):
            assert earlier.done_at is not None and later.done_at is not None  # noqa: PT018 - for mypy
            recorded = answered.get(earlier.dedupe_key, earlier.received_at)
            found.in_order += 1
            if later.done_at > earlier.done_at:
                continue
            if later.done_at <= recorded + RECORDING:
                found.overlapping += 1
            else:
                found.disorder += 1
                found.wrong.append(f"event {later.id} was handled before {earlier.id} of the same lane")


def _judge_outcomes(seen: _Evidence, found: Verdict) -> None:
    """Every call came to an end, or waits for a person where its class says that only a person can tell.

    Or where its sender died at every attempt it has: no further process is risked for it.
    """
    for call in seen.calls:
        what = f"call {call.id} {call.api} is {call.state}: {call.errcode} {call.reason}"
        if call.state is CallState.UNKNOWN and call.available_at is None:
            found.unknown.append(what)
            if call.recovery not in MAY_STAY_UNKNOWN and seen.deaths.get(call.id, 0) < call.attempt_limit:
                found.wrong.append(what)
        elif call.state is CallState.FAILED and call.errcode == NOT_RELATED and _has_ended(seen, call):
            continue
        elif call.state not in (CallState.SENT, CallState.EXPIRED, CallState.SKIPPED):
            found.wrong.append(what)


def _has_ended(seen: _Evidence, call: OutboxCall) -> bool:
    """Whether a rep ever deleted this customer."""
    customer = call.command.get("external_userid")
    return any(it.change == "del_external_contact" and it.customer == customer for it in seen.deliveries)


def _judge_effects(seen: _Evidence, found: Verdict) -> None:
    """What is in the ledger was owed, as often; what we take for sent is in the ledger, what we do not is not."""
    happened = Counter(filter(None, (_effect(item["api"], item["body"]) for item in seen.ledger)))
    found.effects = Counter(item["api"] for item in seen.ledger)
    owed: dict[tuple[str, str], list[OutboxCall]] = defaultdict(list)
    for call in seen.calls:
        effect = _effect(call.api, call.command | json.loads(call.request or "{}"))
        if effect is not None:
            owed[effect].append(call)
    for effect, times in happened.items():
        if times > max(1, len(owed[effect]) if effect[0] == TAG else 1):
            found.doubled += 1
            found.wrong.append(f"{effect} took effect {times} times")
        states = [call.state for call in owed[effect]]
        if not {CallState.SENT, CallState.UNKNOWN} & set(states):
            found.wrong.append(f"{effect} took effect, and we know of {states or 'no such call'}")
    for effect, calls in owed.items():  # marking a tag that is there already is no effect: pairs are compared
        if effect[0] != TAG and not happened[effect] and any(it.state is CallState.SENT for it in calls):
            found.missing += 1
            found.wrong.append(f"{effect} did not take effect, and call {calls[0].id} is sent")
    for state in seen.channels:
        if seen.ways[state] != 1:
            found.wrong.append(f"the channel {state} has {seen.ways[state]} contact ways on the platform")


def _effect(api: str, body: dict[str, Any]) -> tuple[str, str] | None:
    """What makes an effect the same one: of a request, or of the command behind it. None for reads."""
    if api == WELCOME:
        return api, body["welcome_code"]
    if api == NOTICE:
        return api, json.dumps([body["touser"], body["textcard"]], sort_keys=True)
    if api == TAG:
        added, removed = (body.get(f"{verb}_tag", body.get(verb)) or [] for verb in ("add", "remove"))
        return api, json.dumps([body["userid"], body["external_userid"], sorted(added), sorted(removed)])
    return (api, body["state"]) if api == WAY else None


def _judge_scan(seen: _Evidence, found: Verdict, scan: Delivery) -> None:
    """Greeted and known as sent, or not greeted and reported; who scanned once is tagged and told of once."""
    contact_id = seen.contact_ids.get(scan.customer)
    who = f"{seen.phones[scan.customer]['name']} ({scan.customer})"
    if contact_id is None:
        found.wrong.append(f"{who} is no contact")
        return
    calls = [call for call in seen.calls if call.contact_id == contact_id]
    welcomes = [call for call in calls if call.command.get("welcome_code") == scan.code]
    if len(welcomes) != 1:
        if welcomes or not _was_overtaken(seen, scan):
            found.wrong.append(f"{who} is owed {len(welcomes)} welcomes for one scan")
        return
    _judge_welcome(seen, found, welcomes[0], who)
    if scan.customer in seen.lively:
        return
    for api, what in ((TAG, "tagged"), (NOTICE, "told of to the rep")):
        times = sum(call.api == api and call.state is CallState.SENT for call in calls)
        if times != 1:
            known = ", ".join(f"{call.id} {call.state}: {call.reason}" for call in calls if call.api == api)
            found.wrong.append(f"{who} was {what} {times} times; calls: {known or 'none'}")


def _judge_welcome(seen: _Evidence, found: Verdict, call: OutboxCall, who: str) -> None:
    """That it happened or not is for the effects; here: was it given up in time, and does the timeline tell?"""
    presumed = (call.reason or "").startswith("presumed_sent")
    found.welcomes["presumed_sent" if presumed else call.state.value] += 1
    was_refused = call.errcode is not None
    if call.state is CallState.EXPIRED and call.done_at < call.expires_at and not was_refused:
        found.wrong.append(f"the welcome of {who} was given up before its time")
    same = [
        it
        for it in seen.calls
        if it.contact_id == call.contact_id and it.api == WELCOME and it.state is call.state
    ]
    times = seen.told[call.contact_id, f"welcome.{call.state.value}"]
    if times != len(same):
        found.wrong.append(f"the timeline of {who} tells {times} times of {len(same)} welcomes {call.state}")


def _was_overtaken(seen: _Evidence, scan: Delivery) -> bool:
    """Whether a later event of the pair was handled first: then nobody is greeted any more."""
    mine = seen.by_key[scan.key].done_at
    later = (
        seen.by_key.get(it.key)
        for it in seen.deliveries
        if (it.customer, it.userid) == (scan.customer, scan.userid) and it.at > scan.at
    )
    return any(row is not None and row.done_at and mine and row.done_at < mine for row in later)


def _judge_pairs(seen: _Evidence, found: Verdict) -> None:
    """Each pair stands as it does on the platform, with its remark and tags; each contact has its name."""
    for customer, userid in {(it.customer, it.userid) for it in seen.deliveries}:
        contact_id = seen.contact_ids.get(customer)
        if (customer, userid) in seen.never_accepted or contact_id is None:
            continue  # the nightly sync heals what the platform gave up telling us
        found.pairs += 1
        phone = seen.phones[customer]
        there = next((it for it in phone["relations"] if it["userid"] == userid), None)
        relation = seen.relations.get((contact_id, userid))
        who = f"{userid} and {phone['name']} ({customer})"
        if relation is None or relation.state is not _state_of(there):
            found.wrong.append(f"{who} are {relation and relation.state}, on the platform {_state_of(there)}")
            continue
        if relation.state in LIVE and there is not None:
            found.wrong += _differences(seen, relation, there, phone, who)


def _state_of(there: dict[str, Any] | None) -> RelationState:
    if there is None:
        return RelationState.REMOVED
    return RelationState.LOST if there["deleted_by_customer"] else RelationState.ACTIVE


def _differences(
    seen: _Evidence, relation: Relation, there: dict[str, Any], phone: dict[str, Any], who: str
) -> Iterable[str]:
    if (relation.remark or "") != there["remark"]:
        yield f"the remark of {who} is {relation.remark!r}, on the platform {there['remark']!r}"
    if seen.contacts[relation.contact_id].name != phone["name"]:
        yield f"the name of {who} is {seen.contacts[relation.contact_id].name!r}"
    if not any(tag["staff"] == there["userid"] for tag in phone["tags"]):
        yield f"{who}: the channel's tag is not on the platform"
