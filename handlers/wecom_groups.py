"""Group chats with customers change. Events carry ids without names, so the group is read again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from handlers.context import Context
from handlers.events import Answer, GroupChanged
from scrm.groups import rules
from scrm.groups import service as groups
from scrm.jobs import service as jobs
from scrm.outbox import service as outbox
from scrm.outbox.commands import FetchGroup


def on_group_changed(session: Session, event: GroupChanged, context: Context) -> None:
    """Keep who left and how, which only the event tells; read what the group is now."""
    if event.detail == "del_member":
        groups.record_left(session, event.chat_id, event.members, at=event.at, scene=event.quit_scene)
    unique = f"{event.change}:{event.detail}:{int(event.at.timestamp())}:{event.version}"
    fetch = FetchGroup(chat_id=event.chat_id, version=event.version, unique=unique)
    outbox.enqueue(session, fetch, now=context.now, caused_by=context.caused_by)


def on_group_dismissed(session: Session, event: GroupChanged, context: Context) -> None:  # noqa: ARG001
    """The group is over; its members and their times are kept."""
    groups.record_dismissed(session, event.chat_id, at=event.at)


def apply_answer_group(session: Session, event: Answer, context: Context) -> None:
    """A group was read: names, owner, notice, who joined and who is gone; or it is no more.

    The member list may lag behind its event: then those on it have joined, and it is read again for those who left.
    """
    job_id = event.command.get("job_id")
    seen = rules.parse_group(event.answer)
    if seen is None:
        chat_id = str(event.command["chat_id"])
        if event.errcode in rules.GONE and groups.record_dismissed(session, chat_id, at=event.at):
            group = groups.find_group(session, chat_id)
            jobs.add_to_report(session, job_id, {"groups_gone": [group.name if group else chat_id]})
        return
    wanted, turn = str(event.command.get("version") or ""), int(event.command.get("turn") or 1)
    is_current = not wanted or wanted == seen.version or turn >= rules.MOST_READS
    changes = groups.apply_group(session, seen, at=event.at, is_complete=is_current)
    report: dict[str, int | list[str]] = {
        "groups_added": [seen.name or seen.chat_id] if changes.is_new else [],
        "group_members_joined": 0 if changes.is_new else changes.joined,
        "group_members_left": changes.left,
    }
    jobs.add_to_report(session, job_id, report)
    if not is_current:
        again = FetchGroup(
            chat_id=seen.chat_id, version=wanted, unique=str(event.command.get("unique") or ""), turn=turn + 1
        )
        later = context.now + rules.READ_AGAIN_AFTER
        outbox.enqueue(session, again, now=context.now, caused_by=context.caused_by, not_before=later)
