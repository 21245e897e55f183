"""Members write to the app or use its menu: kept on the member's timeline; replies come with a later issue."""

from __future__ import annotations

from sqlalchemy.orm import Session

from handlers.context import Context
from handlers.events import AppEvent
from scrm.accounts.service import ensure_staff
from scrm.timeline import service as timeline


def on_app_event(session: Session, event: AppEvent, context: Context) -> None:
    """One entry per message or menu use, however often the platform delivers it."""
    staff = ensure_staff(session, event.userid, now=context.now)
    kind = "message.received" if event.kind.startswith("message.") else f"app.{event.kind}"
    detail = {"kind": event.kind, "content": event.content[:500], "event_key": event.event_key}
    timeline.append(
        session,
        None,
        kind[:48],
        at=event.at,
        actor=f"staff:{event.userid}",
        staff_id=staff.id,
        detail={key: value for key, value in detail.items() if value},
        key=f"app:{event.msg_id or context.caused_by}:{staff.id}",
    )
