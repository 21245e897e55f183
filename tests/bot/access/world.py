"""One company for the matrix: of everything an address can name, one of mine, one of my department's, one of others.

Whatever belongs to a customer carries the mark of its place, so that an answer that leaks it is seen at once.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flask.testing import FlaskClient

from bot.app import create_app
from bot.web.links import Grant
from scrm.accounts import logins, tokens
from scrm.accounts.models import (
    Account,
    ApiToken,
    Department,
    IdempotencyKey,
    LoginWay,
    Staff,
    StaffDepartment,
)
from scrm.accounts.roles import PERMISSIONS, WHOLE_REACH, Reach, Role
from scrm.audit import service as audit
from scrm.channels.models import ChannelCode, MediaFile, Scan
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind
from scrm.contacts.service import set_phone
from scrm.followups.models import Followup, FollowupComment, FollowupKind
from scrm.groups.models import GroupChat, GroupMember, MemberKind
from scrm.inbox.models import EventState, InboxEvent
from scrm.jobs import files
from scrm.jobs.models import FileKind, Job, JobState
from scrm.library.models import Folder, FolderKind, Material, MaterialKind, Reply
from scrm.outbox.models import CallState, OutboxCall
from scrm.segments.models import Segment
from scrm.tags.models import Tag, TagGroup
from scrm.tasks.models import Task, TaskSource
from scrm.timeline import service as timeline
from tests.bot.web.conftest import Desk

MINE, NEAR, FAR, NOTHING = "mine", "near", "far", "nothing"
PLACES = (MINE, NEAR, FAR)
MARKS = {MINE: "Zmineq", NEAR: "Znearq", FAR: "Zfarq"}  # in what belongs to a customer
OWN_MARKS = {place: f"P{mark[1:]}" for place, mark in MARKS.items()}  # in what belongs to a person
SEEN: dict[Reach, tuple[str, ...]] = {
    Reach.OWN: (MINE,),
    Reach.DEPARTMENT: (MINE, NEAR),
    Reach.ALL: PLACES,
}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


class Kind(StrEnum):
    """What an address can name by id."""

    CONTACT = "contact"
    FOLLOWUP = "followup"
    TASK = "task"
    CHAT = "chat"
    REPLY = "reply"
    MATERIAL = "material"
    REPLY_FOLDER = "reply_folder"
    MATERIAL_FOLDER = "material_folder"
    SEGMENT = "segment"
    JOB = "job"
    DRAFT = "draft"
    BULK = "bulk"
    BATCH = "batch"
    EVENT = "event"
    CALL = "call"
    CHANNEL = "channel"
    TAG = "tag"
    TAG_GROUP = "tag_group"
    IMAGE = "image"
    COVER = "cover"
    STAFF = "staff"
    ACCOUNT = "account"
    TOKEN = "token"


NUMBERED = (Kind.JOB, Kind.DRAFT, Kind.BULK, Kind.EVENT, Kind.CALL)


class World(Desk):
    """The company, and one person in it whose role and reach change between requests."""

    def __init__(self, database_url: str, now: datetime) -> None:
        super().__init__(database_url, now)
        self.app = create_app(self.product)
        self.role, self.reach = Role.ADMIN, Reach.ALL
        self.ids: dict[Kind, dict[str, str]] = {kind: {} for kind in Kind}
        self.people = {
            MINE: self.rep,
            NEAR: self.staff("near", "同事"),
            FAR: self.staff("far", "外人"),
        }
        self.accounts: dict[str, Account] = {}
        self._corp()
        for place in PLACES:
            self._person(place)
            self._customer(place)
            self._library(place)
            self._work(place)
            self._log(place)
        self.client = self._enter()

    # --- who asks

    def become(self, role: Role, reach: Reach) -> None:
        """From the next request on the person has this role and this reach."""
        self.role, self.reach = role, reach
        with self.product.database.write() as session:
            logins.set_role(session, session.get_one(Account, self.accounts[MINE].id), role, reach)

    def may(self, permission: str) -> bool:
        """Whether the role has it, and the reach lets it count."""
        far_enough = self.reach is Reach.ALL or permission not in WHOLE_REACH
        return permission in PERMISSIONS[self.role] and far_enough

    def id(self, kind: Kind, place: str) -> str:
        """The id of an object; of ``NOTHING`` one that no object has."""
        if place != NOTHING:
            return self.ids[kind][place]
        return "987654321" if kind in NUMBERED else f"no-such-{kind.value}".ljust(26, "0")[:26]

    def token(self, role: str) -> str:
        """A program's token that acts for the person."""
        ttl = timedelta(days=1)
        with self.product.database.write() as session:
            return tokens.create_token(
                session, name=role, role=role, ttl=ttl, now=self.now, person=self.rep.userid
            )[1]

    def form_of(self, contact_id: str) -> str:
        """What makes a form of the sidebar the person's own."""
        grant = Grant(contact_id, self.rep.userid, self.now + timedelta(hours=8))
        return self.product_links().sign_form(grant, now=self.now)

    def _enter(self) -> FlaskClient:
        with self.product.database.write() as session:
            account = session.get_one(Account, self.accounts[MINE].id)
            _, cookie = logins.open_login(session, account, LoginWay.PASSWORD, now=self.now)
        client = self.app.test_client()
        client.set_cookie("lianke_login", cookie)
        return client

    # --- rows

    def _keep(self, kind: Kind, place: str, row: Any) -> Any:
        made = self.add(row)
        self.ids[kind][place] = str(made.id)
        return made

    def _of_corp(self, kind: Kind, row: Any) -> Any:
        made = self.add(row)
        self.ids[kind] = dict.fromkeys(PLACES, str(made.id))
        return made

    def _corp(self) -> None:
        """What the whole company shares."""
        for number, name in ((1, "销售一部"), (2, "销售二部")):
            self.add(Department(id=number, name=name))
        for place, number in ((MINE, 1), (NEAR, 1), (FAR, 2)):
            self.add(StaffDepartment(staff_id=self.people[place].id, department_id=number))
        self.ids[Kind.CHANNEL] = dict.fromkeys(PLACES, self.channel.id)
        code = {"config_id": "cfg", "qr_url": "https://wework.qpic.cn/1", "updated_at": self.now}
        self.add(ChannelCode(channel_id=self.channel.id, state="ch_1", **code))
        group = self._of_corp(Kind.TAG_GROUP, TagGroup(name="行业"))
        self._of_corp(Kind.TAG, Tag(group_id=group.id, name="物流"))
        image = {"kind": "image", "filename": "a.png", "size": len(PNG), "content": PNG, "sha256": "a" * 64}
        self.picture = self._of_corp(Kind.IMAGE, MediaFile(**image, created_at=self.now))
        folder = self.add(Folder(kind=FolderKind.MATERIALS, name="团队", created_at=self.now))
        card = self._material(folder, MaterialKind.LINK, "团队链接", {"url": "https://example.com"})
        self.ids[Kind.COVER] = dict.fromkeys(PLACES, card.id)
        self._of_corp(
            Kind.TOKEN,
            ApiToken(
                name="程序", token_hash="0" * 64, role="admin", scopes=[], created_at=self.now,
                expires_at=self.now + timedelta(days=1),
            ),
        )  # fmt: skip

    def _material(self, folder: Folder, kind: MaterialKind, title: str, detail: dict[str, str]) -> Material:
        made: Material = self.add(
            Material(
                folder_id=folder.id, kind=kind, title=title, detail=detail, media_file_id=self.picture.id,
                created_at=self.now, updated_at=self.now,
            )
        )  # fmt: skip
        return made

    def _person(self, place: str) -> None:
        staff: Staff = self.people[place]
        account = self._keep(
            Kind.ACCOUNT,
            place,
            Account(
                name=staff.name, staff_id=staff.id, role=Role.SALES, reach=Reach.ALL, created_at=self.now
            ),
        )
        self.accounts[place] = account
        self.ids[Kind.STAFF][place] = staff.id
        said = {"query": {"stage": ["mql"]}, "created_at": self.now, "updated_at": self.now}
        self._keep(
            Kind.SEGMENT, place, Segment(account_id=account.id, name=f"人群{OWN_MARKS[place]}", **said)
        )
        self.ids[Kind.BATCH][place] = f"nonce-{place}"
        batch = {"key": f"form:batch:nonce-{place}", "request_hash": "0" * 64, "created_at": self.now}
        self.add(IdempotencyKey(token_id=account.id, body=json.dumps([self.channel.id]), **batch))

    def _customer(self, place: str) -> None:
        """A customer of this place's member and all that hangs on one."""
        staff, mark = self.people[place], MARKS[place]
        phone = f"1390000000{PLACES.index(place)}"
        contact = self.add_contact(f"客户{mark}", staff, phone)
        self.ids[Kind.CONTACT][place] = contact.id
        of = {"contact_id": contact.id, "staff_id": staff.id}
        wrote = {"kind": FollowupKind.NOTE, "at": self.now, "created_at": self.now}
        followup = self._keep(Kind.FOLLOWUP, place, Followup(**of, content=f"谈到{mark}", **wrote))
        said = {"author": "system", "author_name": "系统", "text": f"评论{mark}", "at": self.now}
        self.add(FollowupComment(followup_id=followup.id, contact_id=contact.id, **said))
        due = {"due_at": self.now + timedelta(hours=1), "source": TaskSource.OWN, "created_at": self.now}
        self._keep(Kind.TASK, place, Task(**of, title=f"回访{mark}", **due))
        scan = {"channel_id": self.channel.id, "at": self.now, "is_new": True}
        self.add(Scan(**of, **scan, effect_key=f"scan:{place}"))
        with self.product.database.write() as session:
            detail = {"channel": f"渠道{mark}", "staff": staff.name, "text": mark}
            timeline.append(session, contact.id, "contact.added", at=self.now, actor="system", detail=detail)
        chat = {"chat_id": f"wr{place}", "name": f"群{mark}", "owner_id": staff.id, "opened_at": self.now}
        group = self._keep(Kind.CHAT, place, GroupChat(**chat, customers=1, colleagues=1))
        inside = {"kind": MemberKind.CONTACT, "userid": f"wm-{place}", "joined_at": self.now}
        self.add(GroupMember(group_id=group.id, contact_id=contact.id, name=f"成员{mark}", **inside))

    def add_contact(self, name: str, staff: Staff, phone: str) -> Any:
        """A customer whom this member owns and is connected with."""
        mark = name.removeprefix("客户")
        held, self.rep = self.rep, staff
        contact = self.customer(name, channel=self.channel, corp_name=f"公司{mark}")
        self.rep = held
        with self.product.database.write() as session:
            set_phone(session.get_one(Contact, contact.id), phone)
        who = {"kind": IdentityKind.WECOM, "value": f"wm-{self._place_of(staff)}", "created_at": self.now}
        self.add(ContactIdentity(contact_id=contact.id, **who))
        return contact

    def _place_of(self, staff: Staff) -> str:
        return next(place for place, one in self.people.items() if one.id == staff.id)

    def _library(self, place: str) -> None:
        """A member's own folders."""
        mark, now = OWN_MARKS[place], self.now
        where = {"owner_id": self.people[place].id, "name": f"夹{mark}", "created_at": now}
        texts = self._keep(Kind.REPLY_FOLDER, place, Folder(kind=FolderKind.REPLIES, **where))
        wrote = {"title": f"话术{mark}", "text": f"文字{mark}", "created_at": now, "updated_at": now}
        self._keep(Kind.REPLY, place, Reply(folder_id=texts.id, **wrote))
        shelf = self._keep(Kind.MATERIAL_FOLDER, place, Folder(kind=FolderKind.MATERIALS, **where))
        made = self._material(shelf, MaterialKind.IMAGE, f"素材{mark}", {})
        self.ids[Kind.MATERIAL][place] = made.id

    def _work(self, place: str) -> None:
        """An export that is done, an import that waits to be confirmed, a deed on many."""
        account = self.accounts[place]
        name = f"{OWN_MARKS[place]}.csv"
        params = {"filename": name, "account_id": account.id}
        row = {"created_by": f"account:{account.id}", "created_at": self.now, "cursor": {}, "lane": place}
        over = {"state": JobState.DONE, "finished_at": self.now}
        export = self._keep(Kind.JOB, place, Job(kind="contacts.export", params=params, **row, **over))
        draft = self._keep(Kind.DRAFT, place, Job(kind="contacts.import", params=params, **row))
        bulk = {"ids": [self.ids[Kind.CONTACT][place]], "add": [], "remove": []}
        found = {"failed": [{"id": "1", "name": f"客户{MARKS[place]}", "code": "x"}], "failed_count": 1}
        self._keep(Kind.BULK, place, Job(kind="tag_contacts", params=bulk, report=found, **row, **over))
        with self.product.database.write() as session:
            text = f"姓名,电话\n客户{MARKS[place]},13900000009\n".encode()
            files.save(session, export, FileKind.RESULT, name, text, now=self.now)
            files.save(session, draft, FileKind.INPUT, name, text, now=self.now)

    def _log(self, place: str) -> None:
        """What WeCom told and was told of the customer, and what the audit trail says."""
        mark, contact_id = MARKS[place], self.ids[Kind.CONTACT][place]
        came = {"source": "wecom", "kind": "x", "received_at": self.now, "state": EventState.DONE}
        told = {"payload": f"<xml>{mark}</xml>", "dedupe_key": place, "lane": f"contact:wm-{place}"}
        event = self._keep(Kind.EVENT, place, InboxEvent(**came, **told, done_at=self.now))
        owed = {"api": "remark", "command_kind": "x", "state": CallState.FAILED, "contact_id": contact_id}
        said = {"command": {"remark": mark}, "reason": mark, "effect_key": place, "caused_by": event.id}
        self._keep(Kind.CALL, place, OutboxCall(**owed, **said, created_at=self.now))
        with self.product.database.write() as session:
            deed = audit.Deed("system", "系统", "contacts:exported", "job", "1", {"filters": mark})
            audit.append(session, deed, now=self.now)
