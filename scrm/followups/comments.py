"""What colleagues say about a follow-up; the rep who wrote it is told by an app message, once per comment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.service import get_contact
from scrm.errors import Invalid, NotFound
from scrm.followups.models import Followup, FollowupComment
from scrm.ids import new_id
from scrm.outbox import service as outbox
from scrm.outbox.commands import NotifyStaff
from scrm.timeline import service as timeline

MAX_TEXT = 500
MOST = 200  # comments read for a page of follow-ups
_TITLE, _DESCRIPTION = 40, 170  # characters WeCom shows of a card


@dataclass(frozen=True)
class Author:
    """Who comments: as timelines name people, as people read it, and the member they are, if any."""

    actor: str
    name: str
    staff_id: str | None = None


@dataclass(frozen=True)
class Notice:
    """What the message to the rep needs of the configuration: the app, and the page of a contact for a member."""

    agent_id: int
    url: str


def find_followup(session: Session, followup_id: str) -> Followup:
    """Raises NotFound for one that is not there, or not for this session."""
    found = session.scalar(select(Followup).where(Followup.id == followup_id))
    if found is None:
        raise NotFound("followup_not_found", "没有这条跟进，或您无权查看")
    return found


def writer_of(session: Session, followup: Followup) -> Staff:
    """The rep who wrote it."""
    return session.get_one(Staff, followup.staff_id)


def add_comment(
    session: Session, followup: Followup, *, text: str, author: Author, notice: Notice, now: datetime
) -> FollowupComment:
    """Keep a comment; the timeline tells it, and its rep is told, unless it is the rep's own. Raises Invalid."""
    text = text.strip()
    if not 1 <= len(text) <= MAX_TEXT:
        told = f"请填写 1-{MAX_TEXT} 个字的评论"
        raise Invalid("comment_invalid", f"评论没有保存：{told}", {"text": told})
    comment = FollowupComment(
        id=new_id(),
        followup_id=followup.id,
        contact_id=followup.contact_id,
        author=author.actor[:128],
        author_name=author.name[:128],
        text=text,
        at=now,
    )
    session.add(comment)
    session.flush()
    detail = {"who": author.name, "content": text, "followup_id": followup.id}
    timeline.append(
        session,
        followup.contact_id,
        "followup.commented",
        at=now,
        actor=author.actor,
        detail=detail,
        key=f"comment:{comment.id}",
    )
    _tell(session, followup, comment, author, notice, now)
    return comment


def _tell(
    session: Session,
    followup: Followup,
    comment: FollowupComment,
    author: Author,
    notice: Notice,
    now: datetime,
) -> None:
    rep = writer_of(session, followup)
    if rep.id == author.staff_id or rep.status is not StaffStatus.ACTIVE:
        return
    contact = get_contact(session, followup.contact_id)
    about = " ".join(followup.content.split())[:40]
    command = NotifyStaff(
        userid=rep.userid,
        staff=rep.name,
        agent_id=notice.agent_id,
        title=f"{author.name}评论了您的跟进"[:_TITLE],
        description=f"{comment.text}\n客户：{contact.name or '一位微信客户'}\n跟进：{about}"[:_DESCRIPTION],
        url=notice.url,
        unique=f"comment:{comment.id}",
    )
    outbox.enqueue(session, command, now=now, contact_id=followup.contact_id)


def comments_of(session: Session, followup_ids: Collection[str]) -> dict[str, list[FollowupComment]]:
    """The comments on these follow-ups, oldest first, the newest ``MOST`` at most."""
    found: dict[str, list[FollowupComment]] = {}
    if not followup_ids:
        return found
    query = select(FollowupComment).where(FollowupComment.followup_id.in_(followup_ids))
    newest = query.order_by(FollowupComment.at.desc(), FollowupComment.id.desc()).limit(MOST)
    for comment in reversed(session.scalars(newest).all()):
        found.setdefault(comment.followup_id, []).append(comment)
    return found
