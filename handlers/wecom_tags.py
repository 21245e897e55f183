"""Corp tags changed at WeCom. Events carry ids without names, so what they are about is read again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from handlers.context import Context
from handlers.events import Answer, TagChanged
from scrm.jobs import service as jobs
from scrm.outbox import service as outbox
from scrm.outbox.commands import FetchTags
from scrm.tags import service as tags

GROUP = "tag_group"
TAG_UNKNOWN = 40068  # errcode: no such tag (path/90313)


def on_tag_created(session: Session, event: TagChanged, context: Context) -> None:
    """Read the new tag or group."""
    _read_again(session, event, context)


def on_tag_updated(session: Session, event: TagChanged, context: Context) -> None:
    """Read the renamed or moved tag or group."""
    _read_again(session, event, context)


def on_tag_deleted(session: Session, event: TagChanged, context: Context) -> None:
    """The tag is gone, or a whole group with its tags; an answer on its way may bring it back, so read again."""
    if event.tag_id is None:
        return
    if event.tag_type == GROUP:
        tags.forget_group(session, event.tag_id, now=event.at)
    else:
        tags.forget_tag(session, event.tag_id, now=event.at)
    _read_again(session, event, context)


def on_tags_shuffled(session: Session, event: TagChanged, context: Context) -> None:
    """An administrator dragged tags into another order: read all of them."""
    unique = f"shuffle:{event.tag_id or ''}:{int(event.at.timestamp())}"
    outbox.enqueue(session, FetchTags(unique=unique), now=context.now, caused_by=context.caused_by)


def _read_again(session: Session, event: TagChanged, context: Context) -> None:
    if event.tag_id is None:
        return
    is_group = event.tag_type == GROUP
    fetch = FetchTags(
        tag_ids=[] if is_group else [event.tag_id],
        group_ids=[event.tag_id] if is_group else [],
        unique=f"{event.change}:{event.tag_id}:{int(event.at.timestamp())}",
    )
    outbox.enqueue(session, fetch, now=context.now, caused_by=context.caused_by)


def apply_answer_tags(session: Session, event: Answer, context: Context) -> None:
    """Tags were read: of those asked for, or all. While we create some, a list of all deletes nothing."""
    tag_ids, group_ids = event.command.get("tag_ids") or [], event.command.get("group_ids") or []
    if event.answer is None:
        if event.errcode == TAG_UNKNOWN:
            tags.on_tags_read(session, [], tag_ids=tag_ids, group_ids=group_ids, now=event.at)
        return
    groups = event.answer.get("tag_group") or []
    if not tag_ids and not group_ids and tags.is_creating(session, since=event.at):
        changes = tags.upsert_groups(
            session, groups, full=False, now=context.now, caused_by=context.caused_by
        )
    else:
        changes = tags.on_tags_read(
            session,
            groups,
            tag_ids=tag_ids,
            group_ids=group_ids,
            now=context.now,
            caused_by=context.caused_by,
        )
    report = {
        "tags_added": [tag.name for tag in changes.added],
        "tags_renamed": [f"{old} → {new}" for old, new in changes.renamed],
        "tags_deleted": [tag.name for tag in changes.deleted],
    }
    jobs.add_to_report(session, event.command.get("job_id"), report)


def apply_answer_tags_added(session: Session, event: Answer, context: Context) -> None:
    """Our new tags got their ids: who has them already is marked now. A failure stays on the calls page."""
    if event.answer is None:
        return
    tags.on_tags_added(
        session,
        str(event.command["group_name"]),
        list(event.command["names"]),
        event.answer.get("tag_group"),
        now=context.now,
        caused_by=context.caused_by,
    )
