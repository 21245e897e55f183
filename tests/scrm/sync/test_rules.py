"""What may be concluded from pages of the platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scrm.contacts.models import RelationState
from scrm.sync import rules

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "seconds", "expected"),
    [
        (RelationState.ACTIVE, 10, False),
        (RelationState.HALF, -10, True),  # listed at all means that the member has confirmed
        (RelationState.LOST, -10, False),  # a one-way loss is listed on
        (RelationState.LOST, 0, False),
        (RelationState.LOST, 1, True),
        (RelationState.REMOVED, -1, False),
        (RelationState.REMOVED, 1, True),
        (RelationState.TRANSFERRED, 1, True),
    ],
)
def test_only_a_newer_connection_revives_a_relation(
    state: RelationState, seconds: int, expected: bool
) -> None:
    assert rules.connects(state, AT, AT + timedelta(seconds=seconds)) is expected


@pytest.mark.parametrize(
    ("active", "gone", "plausible"),
    [(0, 0, True), (20, 20, True), (21, 21, False), (100, 50, True), (100, 51, False)],
)
def test_a_big_loss_is_not_believed(active: int, gone: int, plausible: bool) -> None:
    assert rules.is_plausible_loss(active, gone) is plausible


def test_items_without_ids_or_time_are_passed_over() -> None:
    full = {
        "external_contact": {"external_userid": "wm1", "name": "小王"},
        "follow_info": {"userid": "zhangsan", "createtime": 1700000100, "tag_id": ["et1"], "state": ""},
    }
    broken = [{}, {"external_contact": {"external_userid": "wm2"}}, {"follow_info": {"userid": "a"}}]

    (seen,) = rules.parse_page({"external_contact_list": [*broken, full]})

    assert (seen.pair, seen.state, seen.tag_ids) == (("zhangsan", "wm1"), None, {"et1"})
    assert seen.since == datetime.fromtimestamp(1700000100, UTC)
    assert rules.parse_page({}) == []


def test_members_without_a_licence_are_named() -> None:
    assert rules.unlicensed({"fail_info": {"unlicensed_userid_list": ["lisi"]}}) == {"lisi"}
    assert rules.unlicensed({}) == set()
