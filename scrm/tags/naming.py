"""Which tag a person means by a name."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.errors import Invalid
from scrm.tags.models import Tag, TagGroup
from scrm.tags.rules import possible_names


def find_tag_by_name(session: Session, name: str, group: str | None = None) -> Tag | None:
    """The live tag of that name; None when there is none, or several and no ``group`` tells them apart."""
    found = [tag for tag, group_name in named_tags(session, [name]) if group is None or group_name == group]
    return found[0] if len(found) == 1 else None


def named_tags(session: Session, names: Collection[str]) -> list[tuple[Tag, str]]:
    """Live tags of these names, each with its group's name."""
    query = (
        select(Tag, TagGroup.name)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.name.in_(names), Tag.deleted_at.is_(None))
        .order_by(Tag.id)
    )
    return [(tag, group) for tag, group in session.execute(query)]


def resolve_tags(session: Session, names: Sequence[str]) -> list[Tag]:
    """The tags people named, by name or "组/名", each once. Raises Invalid that lists what fits none or several."""
    meanings = {name: possible_names(name) for name in names}
    rows = named_tags(session, {tag for options in meanings.values() for _, tag in options}) if names else []
    chosen: dict[str, Tag] = {}
    wrong: dict[str, str] = {}
    for name, options in meanings.items():
        fits = [
            tag for tag, group in rows if any(tag.name == said and g in (None, group) for g, said in options)
        ]
        if len(fits) == 1:
            chosen[fits[0].id] = fits[0]
        else:
            wrong[name] = f"有 {len(fits)} 个同名标签，请写成「组/标签」" if fits else "没有这个标签"
    if wrong:
        text = "；".join(f"{name}：{problem}" for name, problem in wrong.items())
        raise Invalid("tags_unresolved", f"标签无法识别：{text}", {"tags": text})
    return list(chosen.values())
