"""Whose rows a limited session knows: lists, counts, joins and lookups alike."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from scrm.access.scope import BELONGING, actor_of, limit_to
from scrm.accounts.models import Account, Department, Staff, StaffDepartment
from scrm.accounts.roles import USUAL_REACH, Reach, Role
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.contacts.queries import ContactFilter, list_contacts, load_cards
from scrm.contacts.service import get_contact
from scrm.db import Base, Database
from scrm.errors import NotFound
from scrm.followups.models import Followup
from scrm.groups.models import GroupChat, GroupMember, MemberKind
from scrm.models import contacts  # noqa: F401 - the whole metadata
from scrm.timeline.models import TimelineEntry
from tests.conftest import NOW

pytestmark = pytest.mark.every_engine


class World:
    """East has its manager and two reps; south has one rep. Each rep owns a contact; one is shared, one nobody's."""

    def __init__(self, session: Session) -> None:
        self.session = session
        session.add_all([Department(id=1, name="公司"), Department(id=2, name="华东", parent_id=1)])
        session.add_all(
            [Department(id=3, name="华东一组", parent_id=2), Department(id=4, name="华南", parent_id=1)]
        )
        self.staff = {name: self._staff(name) for name in ("manager", "rep", "mate", "south")}
        for name, number, leads in (
            ("manager", 2, True),
            ("rep", 3, False),
            ("mate", 3, False),
            ("south", 4, False),
        ):
            session.add(StaffDepartment(staff_id=self.staff[name].id, department_id=number, is_leader=leads))
        self.contacts = {name: self._contact(name, name) for name in ("rep", "mate", "south")}
        self.contacts["shared"] = self._contact("shared", "mate")
        self._relate("shared", "rep", RelationState.ACTIVE)
        self.contacts["handed over"] = self._contact("handed over", "mate")
        self._relate("handed over", "rep", RelationState.TRANSFERRED)
        self.contacts["lead"] = self._contact("lead", None)
        session.flush()

    def _staff(self, userid: str) -> Staff:
        row = Staff(userid=userid, name=userid, updated_at=NOW)
        self.session.add(row)
        self.session.flush()
        return row

    def _contact(self, name: str, owner: str | None) -> Contact:
        row = Contact(name=name, owner_id=self.staff[owner].id if owner else None, created_at=NOW)
        self.session.add(row)
        self.session.flush()
        at = NOW + timedelta(seconds=1)
        self.session.add(TimelineEntry(contact_id=row.id, at=at, kind="note", actor="system", detail={}))
        if owner:
            self._relate_row(row, owner, RelationState.ACTIVE)
        return row

    def _relate(self, contact: str, staff: str, state: RelationState) -> None:
        self._relate_row(self.contacts[contact], staff, state)

    def _relate_row(self, contact: Contact, staff: str, state: RelationState) -> None:
        relation = Relation(contact_id=contact.id, staff_id=self.staff[staff].id, state=state, event_at=NOW)
        self.session.add(relation)
        self.session.flush()

    def account(self, who: str, role: Role, reach: Reach | None = None) -> Account:
        made = Account(
            staff_id=self.staff[who].id, name=who, role=role, reach=reach or USUAL_REACH[role], created_at=NOW
        )
        self.session.add(made)
        self.session.flush()
        return made


@pytest.fixture
def seen(database: Database):
    """Names of the contacts that somebody sees, through a session of his own."""
    with database.write() as session:
        world = World(session)

    def see(who: str, role: Role, reach: Reach | None = None):
        with database.write() as session:
            world.session = session
            account = world.account(who, role, reach)
        limited = database._session()
        limit_to(limited, actor_of(limited, account))
        return limited

    see.world = world
    return see


@pytest.mark.parametrize(
    ("who", "role", "names"),
    [
        ("rep", Role.SALES, ["rep", "shared"]),
        ("mate", Role.SDR, ["handed over", "mate", "shared"]),
        ("south", Role.SUCCESS, ["south"]),
        ("manager", Role.MANAGER, ["handed over", "mate", "rep", "shared"]),
        ("south", Role.MARKETING, ["handed over", "lead", "mate", "rep", "shared", "south"]),
        ("south", Role.READONLY, ["handed over", "lead", "mate", "rep", "shared", "south"]),
        ("rep", Role.ADMIN, ["handed over", "lead", "mate", "rep", "shared", "south"]),
    ],
)
def test_each_sees_whom_they_may(seen, who: str, role: Role, names: list[str]):
    with seen(who, role) as session:
        assert sorted(session.scalars(select(Contact.name))) == names
        assert session.scalar(select(func.count()).select_from(Contact)) == len(names)
        assert session.scalar(select(func.count(Contact.id))) == len(names)
        assert len(list_contacts(session, ContactFilter())) == len(names)


def test_a_foreign_contact_is_not_found_by_any_way(seen):
    foreign = seen.world.contacts["south"].id
    with seen("rep", Role.SALES) as session:
        assert session.get(Contact, foreign) is None
        with pytest.raises(NotFound):
            get_contact(session, foreign)
        assert list_contacts(session, ContactFilter(ids=[foreign])) == []
        assert list_contacts(session, ContactFilter(q="sou")) == []
        other = aliased(Contact)
        assert session.scalars(select(other.name).where(other.id == foreign)).all() == []
        assert session.scalars(select(TimelineEntry).where(TimelineEntry.contact_id == foreign)).all() == []
        assert session.scalars(select(Relation).where(Relation.contact_id == foreign)).all() == []
        joined = (
            select(Contact.name)
            .join(Relation, Relation.contact_id == Contact.id)
            .where(Contact.id == foreign)
        )
        assert session.scalars(joined).all() == []


def test_of_a_visible_contact_everything_is_there(seen):
    with seen("rep", Role.SALES) as session:
        shared = get_contact(session, seen.world.contacts["shared"].id)
        (card,) = load_cards(session, [shared])

    assert sorted(staff.name for _, staff in card.relations) == ["mate", "rep"]
    assert card.owner.name == "mate"


def test_a_local_account_without_a_member_sees_nobody_unless_all(database: Database, seen):
    with database.write() as session:
        session.add(Account(username="guest", name="guest", role=Role.SALES, reach=Reach.OWN, created_at=NOW))
    with database.read() as session:
        account = session.scalars(select(Account).where(Account.username == "guest")).one()
        limit_to(session, actor_of(session, account))
        assert session.scalars(select(Contact)).all() == []
        assert session.scalars(select(Followup)).all() == []


def test_every_table_with_a_contact_is_narrowed():
    """A new one must be named in BELONGING, or here with a reason."""
    plumbing = {"inbox", "outbox"}  # events and calls: pages of their own, for administrators
    counted = {"library_use"}  # its rows are counted by item, never listed with their customers
    by_group = {"group_member"}  # shown with its group, which is narrowed by who is in it
    named = {model.__tablename__ for model in BELONGING}
    with_contact = {table.name for table in Base.metadata.tables.values() if "contact_id" in table.c}

    assert with_contact - plumbing - counted - by_group == named


@pytest.fixture
def groups(database: Database, seen) -> dict[str, str]:
    """Groups by the name of who owns them; the rep was in the south's once, and the south's own has nobody else."""
    made = {}
    with database.write() as session:
        for name, owner in (("of the rep", "rep"), ("of the south", "south"), ("the south's own", "south")):
            group = GroupChat(
                chat_id=f"wr{name}", name=name, owner_id=seen.world.staff[owner].id, opened_at=NOW
            )
            session.add(group)
            session.flush()
            made[name] = group.id
        for name, userid, left_at in (
            ("of the rep", "rep", None), ("of the south", "rep", NOW), ("the south's own", "south", None),
        ):  # fmt: skip
            staff_id = seen.world.staff[userid].id
            row = {"group_id": made[name], "userid": userid, "staff_id": staff_id, "left_at": left_at}
            session.add(GroupMember(kind=MemberKind.STAFF, joined_at=NOW, **row))
    return made


@pytest.mark.parametrize(
    ("who", "role", "names"),
    [
        ("rep", Role.SALES, ["of the rep", "of the south"]),
        ("mate", Role.SDR, []),
        ("manager", Role.MANAGER, ["of the rep", "of the south"]),
        ("south", Role.SUCCESS, ["of the south", "the south's own"]),
        ("mate", Role.READONLY, ["of the rep", "of the south", "the south's own"]),
    ],
)
def test_each_sees_the_groups_they_own_or_were_in(seen, groups, who: str, role: Role, names: list[str]):
    with seen(who, role) as session:
        assert sorted(session.scalars(select(GroupChat.name))) == names
        inside = select(GroupChat.name).join(GroupMember, GroupMember.group_id == GroupChat.id)
        assert sorted(session.scalars(inside)) == names


def test_a_foreign_group_is_not_found(seen, groups):
    with seen("rep", Role.SALES) as session:
        assert session.get(GroupChat, groups["the south's own"]) is None
        other = aliased(GroupMember)
        members = select(other.id).where(other.group_id == groups["the south's own"])
        assert session.scalars(members).all() == []
