"""Pages of the platform as values, and what may be concluded from them. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scrm import clock
from scrm.contacts.models import RelationState

CLOCKS_APART = timedelta(minutes=5)  # by how much our clock and the platform's may differ
BIG_LOSS = 20  # relations one rep may lose in one sync without a look at the share


@dataclass(frozen=True)
class FollowSeen:
    """One (staff, contact) pair of batch/get_by_user. ``since`` is when the pair was connected."""

    userid: str
    external_userid: str
    since: datetime
    state: str | None
    tag_ids: frozenset[str]
    profile: Mapping[str, Any]
    follow: Mapping[str, Any]

    @property
    def pair(self) -> tuple[str, str]:
        """Return the platform's ids of staff and contact."""
        return (self.userid, self.external_userid)


def parse_page(answer: Mapping[str, Any]) -> list[FollowSeen]:
    """The pairs of one page; items without ids or time are passed over."""
    found = []
    for item in answer.get("external_contact_list") or ():
        profile, follow = item.get("external_contact") or {}, item.get("follow_info") or {}
        since = clock.from_unix(follow.get("createtime"))
        if not (profile.get("external_userid") and follow.get("userid") and since):
            continue
        found.append(
            FollowSeen(
                userid=str(follow["userid"]),
                external_userid=str(profile["external_userid"]),
                since=since,
                state=str(follow["state"]) if follow.get("state") else None,
                tag_ids=frozenset(str(tag) for tag in follow.get("tag_id") or ()),
                profile=profile,
                follow=follow,
            )
        )
    return found


def unlicensed(answer: Mapping[str, Any]) -> set[str]:
    """Members the platform did not read for us, for want of a licence."""
    return {str(userid) for userid in (answer.get("fail_info") or {}).get("unlicensed_userid_list") or ()}


def connects(state: RelationState, event_at: datetime, since: datetime) -> bool:
    """Whether "listed, connected at ``since``" makes a relation live that is ``state`` since ``event_at``.

    A contact who deleted the rep is listed on (semantics.md §5), and one the rep deleted may be for some
    seconds: only a connection newer than the end counts.
    """
    return state == RelationState.HALF or (state != RelationState.ACTIVE and since > event_at)


def is_plausible_loss(active: int, gone: int) -> bool:
    """Whether so many of a rep's relations can be gone; else the rep's list was probably not shown to us."""
    return gone <= BIG_LOSS or gone * 2 <= active


def page_key(job_id: int, stage: str, part: str, generation: int, page: int) -> str:
    """What makes a page of a job count once: part (a batch, a department), attempt at it, number."""
    return f"sync:{job_id}:{stage}:{part}:{generation}:{page}"


def dedupe_key(key: str) -> str:
    """The inbox's form of a page key."""
    return hashlib.sha256(key.encode()).hexdigest()


def lane(job_id: int) -> str:
    """The inbox lane of a job: its pages take effect one after another."""
    return f"sync:{job_id}"


def names(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Say for a report who is meant, each with the rep."""
    return [f"{customer or '未命名客户'}（{rep}）" for customer, rep in rows]
