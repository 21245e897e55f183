"""Limits a database session to the customers an actor may see, in every query that runs in it.

A view cannot forget it: ``limit_to`` puts the actor into the session, and each ORM select of a contact, or of what
belongs to one, is narrowed as it runs: lists, counts, joins and lookups by id alike. What is not visible is not found.
Group chats and their members likewise: by who owns the group or is, or was, in it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, event, select, union
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption

from scrm.accounts.models import Account, Department, StaffDepartment
from scrm.accounts.roles import PERMISSIONS, WHOLE_REACH, Reach, Role
from scrm.channels.models import Scan
from scrm.contacts.models import Contact, ContactIdentity, Relation, RelationState
from scrm.errors import Refused
from scrm.followups.models import Followup, FollowupComment
from scrm.groups.models import GroupChat, GroupMember
from scrm.routing.models import Assignment
from scrm.tags.models import ContactTag
from scrm.tasks.models import Task
from scrm.timeline.models import TimelineEntry

_KEY = "lianke_seen"
BELONGING = (
    ContactIdentity,
    Relation,
    ContactTag,
    Followup,
    FollowupComment,
    Task,
    TimelineEntry,
    Assignment,
    Scan,
)
_contact = Contact.__table__.alias(
    "seen_contact"
)  # names of their own: not to be mixed up with what they narrow
_relation = Relation.__table__.alias("seen_relation")
_group = GroupChat.__table__.alias("seen_group")
_member = GroupMember.__table__.alias("seen_member")


@dataclass(frozen=True)
class Actor:
    """A person who asks. ``sees`` are the staff whose customers they see; None: all, leads without owner too."""

    account_id: str
    name: str
    role: Role
    staff_id: str | None
    sees: frozenset[str] | None

    def may(self, permission: str) -> bool:
        """Whether the role has it; what speaks of all customers only for somebody who sees them all."""
        far_enough = self.sees is None or permission not in WHOLE_REACH
        return far_enough and permission in PERMISSIONS[self.role]

    def require(self, permission: str) -> None:
        """Raises Refused for somebody who may not."""
        if not self.may(permission):
            raise Refused("not_permitted", "您的角色没有这个权限，请联系管理员")

    @property
    def audit_name(self) -> str:
        """The person as the audit trail names people."""
        return f"account:{self.account_id}"


def actor_of(session: Session, account: Account) -> Actor:
    """The person behind an account, with whom they see as of now."""
    return Actor(account.id, account.name, account.role, account.staff_id, _sees(session, account))


def _sees(session: Session, account: Account) -> frozenset[str] | None:
    if account.reach is Reach.ALL:
        return None
    if account.staff_id is None:
        return frozenset()
    own = {account.staff_id}
    if account.reach is Reach.OWN:
        return frozenset(own)
    return frozenset(own | _colleagues(session, account.staff_id))


def _colleagues(session: Session, staff_id: str) -> set[str]:
    """Everybody in the departments this member leads, and in those below them; in their own where they lead none."""
    rows = session.execute(
        select(StaffDepartment.department_id, StaffDepartment.is_leader).where(
            StaffDepartment.staff_id == staff_id
        )
    ).all()
    wanted = {row.department_id for row in rows if row.is_leader} or {row.department_id for row in rows}
    lines = session.execute(select(Department.id, Department.parent_id))
    parents = {line.id: line.parent_id for line in lines}
    inside = {number for number in parents if wanted & _line(number, parents)}
    members = select(StaffDepartment.staff_id).where(StaffDepartment.department_id.in_(inside))
    return set(session.scalars(members))


def _line(number: int, parents: dict[int, int]) -> set[int]:
    """A department and all above it."""
    found: set[int] = set()
    while number in parents and number not in found:
        found.add(number)
        number = parents[number]
    return found


def limit_to(session: Session, actor: Actor) -> None:
    """From now on this session knows only what the actor may see. Cannot be widened again."""
    if actor.sees is None:
        return
    session.info[_KEY] = _criteria(tuple(sorted(actor.sees)))  # made once: a page makes dozens of selects
    if not event.contains(session, "do_orm_execute", _narrow):
        event.listen(session, "do_orm_execute", _narrow)


def _narrow(state: ORMExecuteState) -> None:
    if not state.is_select or state.is_column_load or state.is_relationship_load:
        return
    state.statement = state.statement.options(*state.session.info[_KEY])


def _criteria(staff_ids: Collection[str]) -> list[ExecutableOption]:
    inside, groups = visible_contacts(staff_ids), visible_groups(staff_ids)
    return [
        with_loader_criteria(Contact, lambda seen: seen.id.in_(inside), include_aliases=True),
        *(
            with_loader_criteria(model, lambda seen: seen.contact_id.in_(inside), include_aliases=True)
            for model in BELONGING
        ),
        with_loader_criteria(GroupChat, lambda seen: seen.id.in_(groups), include_aliases=True),
        with_loader_criteria(GroupMember, lambda seen: seen.group_id.in_(groups), include_aliases=True),
    ]


def visible_contacts(staff_ids: Collection[str]) -> Select[Any]:
    """The ids of those whom these members own, or are or were connected with, unless handed over."""
    owned = select(_contact.c.id).where(_contact.c.owner_id.in_(staff_ids))
    connected = select(_relation.c.contact_id).where(
        _relation.c.staff_id.in_(staff_ids), _relation.c.state != RelationState.TRANSFERRED
    )
    return select(union(owned, connected).subquery().c.id)


def visible_groups(staff_ids: Collection[str]) -> Select[Any]:
    """The ids of the groups that these members own, or are or were in."""
    owned = select(_group.c.id).where(_group.c.owner_id.in_(staff_ids))
    inside = select(_member.c.group_id).where(_member.c.staff_id.in_(staff_ids))
    return select(union(owned, inside).subquery().c.id)
