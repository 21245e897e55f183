"""Event kind → handler. The whole behaviour of the bot on one screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy.orm import Session

from handlers import (
    answers,
    app_messages,
    events,
    sync_pages,
    wecom_contacts,
    wecom_groups,
    wecom_staff,
    wecom_tags,
)
from handlers.context import Context
from scrm import batch
from scrm.inbox.models import InboxEvent

Handler = Callable[[Session, Any, Context], None]

CONTACT = "wecom.change_external_contact."
STAFF = "wecom.change_contact."
TAG = "wecom.change_external_tag."
CHAT = "wecom.change_external_chat"

HANDLERS: Mapping[str, Handler] = {
    CONTACT + "add_external_contact": wecom_contacts.on_contact_added,
    CONTACT + "add_half_external_contact": wecom_contacts.on_contact_added,
    CONTACT + "edit_external_contact": wecom_contacts.on_contact_edited,
    CONTACT + "del_external_contact": wecom_contacts.on_contact_deleted,
    CONTACT + "del_follow_user": wecom_contacts.on_member_deleted,
    CONTACT + "transfer_fail": wecom_contacts.on_transfer_failed,
    CONTACT + "msg_audit_approved": wecom_contacts.on_archive_agreed,
    STAFF + "create_user": wecom_staff.on_user_created,
    STAFF + "update_user": wecom_staff.on_user_updated,
    STAFF + "delete_user": wecom_staff.on_user_deleted,
    STAFF + "create_party": wecom_staff.on_department_changed,
    STAFF + "update_party": wecom_staff.on_department_changed,
    STAFF + "delete_party": wecom_staff.on_department_deleted,
    TAG + "create": wecom_tags.on_tag_created,
    TAG + "update": wecom_tags.on_tag_updated,
    TAG + "delete": wecom_tags.on_tag_deleted,
    TAG + "shuffle": wecom_tags.on_tags_shuffled,
    CHAT: wecom_groups.on_group_changed,
    CHAT + ".create": wecom_groups.on_group_changed,
    CHAT + ".update": wecom_groups.on_group_changed,
    CHAT + ".dismiss": wecom_groups.on_group_dismissed,
    "wecom.message.text": app_messages.on_app_event,
    "wecom.message.image": app_messages.on_app_event,
    "wecom.message.voice": app_messages.on_app_event,
    "wecom.message.video": app_messages.on_app_event,
    "wecom.message.location": app_messages.on_app_event,
    "wecom.message.link": app_messages.on_app_event,
    "wecom.subscribe": app_messages.on_app_event,
    "wecom.unsubscribe": app_messages.on_app_event,
    "wecom.enter_agent": app_messages.on_app_event,
    "wecom.click": app_messages.on_app_event,
    "wecom.view": app_messages.on_app_event,
    "answer.externalcontact/get": answers.on_contact_read,
    "answer.externalcontact/add_contact_way": answers.on_way_added,
    "answer.externalcontact/update_contact_way": answers.on_way_updated,
    "answer.media/upload": answers.on_media_uploaded,
    "answer.externalcontact/get_corp_tag_list": wecom_tags.apply_answer_tags,
    "answer.externalcontact/add_corp_tag": wecom_tags.apply_answer_tags_added,
    "answer.externalcontact/groupchat/get": wecom_groups.apply_answer_group,
    "answer.user/get": wecom_staff.apply_answer_user,
    "answer.department/list": wecom_staff.apply_answer_departments,
    **sync_pages.HANDLERS,
}


# Kinds whose events are handled as one batch, and what they look up together. Their handlers read nothing back that
# another event of the same kind wrote: each is about a contact of its own, which their lanes see to.
TOGETHER: Mapping[str, Callable[[Session, Sequence[Any]], None]] = {
    CONTACT + "add_external_contact": wecom_contacts.look_ahead,
    "answer.externalcontact/get": answers.look_ahead,
}

Contexts = Callable[[InboxEvent], AbstractContextManager[Context]]  # entered while its event is handled


def dispatch(session: Session, row: InboxEvent, context: Context) -> bool:
    """Run the handler of an event in the caller's transaction. False when the kind is known to nobody: 'ignored'."""
    return dispatch_together(session, [row], lambda _row: nullcontext(context))[0]


def dispatch_together(session: Session, rows: Sequence[InboxEvent], context: Contexts) -> list[bool]:
    """As ``dispatch``, for events of one kind."""
    loaded = [(row, _load(row)) for row in rows]
    look_ahead = TOGETHER.get(rows[0].kind) if len(rows) > 1 else None
    if look_ahead is None:
        return [_run(session, row, event, context) for row, event in loaded]
    with batch.collect(session):
        look_ahead(session, [event for _, event in loaded if event])
        return [_run(session, row, event, context) for row, event in loaded]


def dispatch_urgent(session: Session, rows: Sequence[InboxEvent], context: Contexts) -> list[InboxEvent]:
    """Run only what cannot wait, in one batch. Returns the rows it was run for, for which ``dispatch`` must follow."""
    added = ((row, _load(row)) for row in rows if row.kind == CONTACT + "add_external_contact")
    urgent = {row: event for row, event in added if isinstance(event, events.ContactChanged)}
    with batch.collect(session):
        wecom_contacts.look_ahead(session, list(urgent.values()))
        for row, event in urgent.items():
            with context(row) as its:
                wecom_contacts.greet_first(session, event, its)
    return list(urgent)


def _run(session: Session, row: InboxEvent, event: events.Event | None, context: Contexts) -> bool:
    if event is None:
        return False
    with context(row) as its:
        HANDLERS[row.kind](session, event, its)
    return True


def _load(row: InboxEvent) -> events.Event | None:
    if row.kind not in HANDLERS or row.payload is None:
        return None
    return events.load(row.kind, row.payload, row.sent_at or row.received_at)
