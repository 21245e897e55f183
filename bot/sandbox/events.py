"""The plain XML of callbacks (callbacks.md §2-§9): strings in CDATA, integers bare, CreateTime in seconds."""

from __future__ import annotations

from dataclasses import dataclass

Field = tuple[str, "str | int | list[Field]"]


@dataclass(frozen=True)
class Event:
    """One callback before encryption. ``change_type`` is empty for app messages and events without one."""

    event: str
    change_type: str
    xml: str


def element(name: str, value: str | int | list[Field]) -> str:
    """One element with its text or children."""
    if isinstance(value, list):
        return f"<{name}>{''.join(element(*field) for field in value)}</{name}>"
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    return f"<{name}><![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"


def compose(corp_id: str, sender: str, at: float, fields: list[Field]) -> str:
    """The frame every callback has, then ``fields`` in order."""
    head: list[Field] = [("ToUserName", corp_id), ("FromUserName", sender), ("CreateTime", int(at))]
    return element("xml", [*head, *fields])


def system_event(corp_id: str, at: float, event: str, change_type: str, fields: list[Field]) -> Event:
    """An event sent by the platform itself (FromUserName ``sys``)."""
    frame: list[Field] = [("MsgType", "event"), ("Event", event), ("ChangeType", change_type)]
    return Event(event, change_type, compose(corp_id, "sys", at, [*frame, *fields]))


def contact_event(
    corp_id: str, at: float, change_type: str, userid: str, customer: str, extra: list[Field] | None = None
) -> Event:
    """A change_external_contact event about one pair; empty extra fields are left out."""
    fields: list[Field] = [("UserID", userid), ("ExternalUserID", customer)]
    fields += [field for field in extra or [] if field[1] != ""]
    return system_event(corp_id, at, "change_external_contact", change_type, fields)


def tag_event(corp_id: str, at: float, change_type: str, tag_id: str, kind: str) -> Event:
    """A change_external_tag event; ``kind`` is tag or tag_group. The event carries no names."""
    frame: list[Field] = [("MsgType", "event"), ("Event", "change_external_tag")]
    fields: list[Field] = [("Id", tag_id)]
    if kind:  # shuffle has none
        fields.append(("TagType", kind))
    fields.append(("ChangeType", change_type))
    return Event("change_external_tag", change_type, compose(corp_id, "sys", at, [*frame, *fields]))


def chat_event(
    corp_id: str, at: float, chat_id: str, change_type: str, extra: list[Field] | None = None
) -> Event:
    """A change_external_chat event; names, owners and notices are never in it."""
    frame: list[Field] = [("MsgType", "event"), ("Event", "change_external_chat"), ("ChatId", chat_id)]
    fields: list[Field] = [*frame, ("ChangeType", change_type), *(extra or [])]
    return Event("change_external_chat", change_type, compose(corp_id, "sys", at, fields))


def app_event(
    corp_id: str, at: float, agent_id: int, userid: str, event: str, event_key: str | None
) -> Event:
    """A member opens the app, taps its menu and so on."""
    fields: list[Field] = [("MsgType", "event"), ("Event", event)]
    if event_key is not None:
        fields.append(("EventKey", event_key))
    return Event(event, "", compose(corp_id, userid, at, [*fields, ("AgentID", agent_id)]))


def app_text(corp_id: str, at: float, agent_id: int, userid: str, content: str, msgid: int) -> Event:
    """A member writes to the app."""
    fields: list[Field] = [("MsgType", "text"), ("Content", content), ("MsgId", msgid), ("AgentID", agent_id)]
    return Event("text", "", compose(corp_id, userid, at, fields))
