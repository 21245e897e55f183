"""What happens between each contact and the reps, from the scan on: the rows our handlers and services would write."""

# ruff: noqa: PLR2004 - shares and seconds are plain numbers
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.demo import company, names, phrases
from bot.demo.book import Book, Row
from bot.demo.company import Member
from bot.demo.crowd import Arrival, Desk
from bot.demo.fates import Fate, Second
from scrm import seal
from scrm.channels.models import Scan
from scrm.channels.rules import render_remark
from scrm.contacts.models import ContactIdentity, IdentityKind, Relation, RelationState
from scrm.tags.models import TagSource

MEMBERS = {member.userid: member for member in company.STAFF}
BY_CODE, BY_PHONE, BY_CARD = 1, 2, 3  # add_way (path/92114)


@dataclass
class Life:
    """One person as the story goes on. ``member`` is who looks after them now."""

    arrival: Arrival
    fate: Fate
    contact: Row
    external: str | None
    real_name: str
    firm: str
    role: str
    city: str
    member: Member
    relations: dict[str, Row] = field(default_factory=dict)
    ends_at: datetime | None = None

    @property
    def facts(self) -> dict[str, Any]:
        return {"firm": names.short_firm(self.firm), "role": self.role, "city": self.city}


class Story:
    """Writes lives into the book. ``channels`` maps channel names to their rows."""

    def __init__(self, book: Book, channels: dict[str, Row]) -> None:
        self.book = book
        self.channels = channels
        self.desk = Desk(book)
        self.phones: set[str] = set()
        self.special = {400: names.RIGHT_TO_LEFT, 900: names.SIXTY}
        self.count = 0

    def begin(self, arrival: Arrival, fate: Fate) -> Life:
        """The person, known from the moment they come."""
        book, rng = self.book, self.book.rng
        firm = names.firm(rng)
        real, gender = names.person(rng)
        name = real if arrival.is_lead else names.wechat_name(rng, real, firm)
        name = self.special.get(self.count, name)
        self.count += 1
        wecom_user = not arrival.is_lead and rng.random() < 0.03
        contact = book.new_contact(
            arrival.at,
            name=name,
            gender=gender if rng.random() < 0.8 else 0,
            wechat_type=2 if wecom_user else 1,
            corp_name=firm if wecom_user or arrival.is_lead else None,
            profile_at=None if arrival.is_lead else arrival.at + timedelta(seconds=1),
        )
        external = None if arrival.is_lead else book.ids.external()
        if external and wecom_user:
            external = "wo" + external[2:]
        life = Life(
            arrival,
            fate,
            contact,
            external,
            real,
            firm,
            rng.choice(phrases.ROLES),
            firm[:2],
            MEMBERS[arrival.userid],
        )
        if external:
            self._identify(life, IdentityKind.WECOM, external, arrival.at)
            self.add_rep(life, arrival.userid, arrival.at, channel=_name_of(arrival))
        else:
            self._enter_lead(life)
        return life

    def _identify(self, life: Life, kind: IdentityKind, value: str, at: datetime) -> None:
        self.book.add(
            ContactIdentity,
            id=self.book.new_id(at),
            contact_id=life.contact["id"],
            kind=kind,
            value=value,
            created_at=at,
        )

    def _enter_lead(self, life: Life) -> None:
        """A business card, typed in by marketing and given to an SDR in turn."""
        at, contact = life.arrival.at, life.contact
        channel = self.channels[company.FAIR]
        contact["first_channel_id"], contact["first_source_at"] = channel["id"], at
        self.take_phone(life, at)
        self.book.tell(
            contact, "contact.created", at, actor=f"staff:{company.MARKETER}", detail={"channel": channel["name"]},
            key=f"created:{contact['id']}",
        )  # fmt: skip
        member = self.book.staff[life.member.userid]
        why = {
            "pool": len(company.SDRS),
            "weight": 1,
            "load": len(self.phones) % 40,
            "channel": channel["name"],
        }
        self.book.own(contact, member, at + timedelta(seconds=1), "round_robin", why)

    def take_phone(self, life: Life, at: datetime) -> None:
        """The person's number, sealed, with its keyed hash."""
        number = names.phone(self.book.rng, self.phones)
        index = seal.ring().blind_index(number)
        life.contact["phone"], life.contact["phone_index"] = number, index
        self._identify(life, IdentityKind.PHONE, index, at)

    def add_rep(
        self, life: Life, userid: str, at: datetime, *, channel: str | None, add_way: int = BY_CODE
    ) -> Row:
        """The contact adds the rep: relation, scan, owner, tags, welcome, remark, notice."""
        contact, member = life.contact, self.book.staff[userid]
        row = self._relation(life, userid, at, channel=channel, add_way=add_way)
        stamp, said = int(at.timestamp()), {"staff": member["name"], "userid": userid}
        key = f"contact.added:{contact['id']}:{member['id']}:{stamp}"
        self.book.tell(contact, "contact.added", at, actor="customer", detail=said, key=key)
        if channel:
            self.scan(life, userid, at, channel, is_new=len(life.relations) == 1)
        if contact["owner_id"] is None:
            reason, detail = ("scanned_code", {"channel": channel}) if channel else ("added_directly", {})
            self.book.own(contact, member, at, reason, detail)
        self.greet(life, userid, at, channel)
        return row

    def _relation(self, life: Life, userid: str, at: datetime, *, channel: str | None, add_way: int) -> Row:
        row = self.book.add(
            Relation,
            id=self.book.new_id(at),
            contact_id=life.contact["id"],
            staff_id=self.book.staff[userid]["id"],
            state=RelationState.ACTIVE,
            event_at=at,
            added_at=at,
            lost_at=None,
            regained=0,
            channel_id=self.channels[channel]["id"] if channel else None,
            way_state=self.channels[channel]["way_state"] if channel else None,
            add_way=add_way if channel else self.book.rng.choice((BY_PHONE, BY_CARD)),
            remark=None,
            description=None,
            notice_owed=False,
            first_response_at=None,
        )
        life.relations[userid] = row
        return row

    def scan(self, life: Life, userid: str, at: datetime, channel: str, *, is_new: bool) -> None:
        """One scan; the first is the contact's source."""
        row, member, contact = self.channels[channel], self.book.staff[userid], life.contact
        key = f"{life.external}:{userid}:{int(at.timestamp())}"
        self.book.add(
            Scan,
            id=self.book.new_id(at),
            channel_id=row["id"],
            contact_id=contact["id"],
            staff_id=member["id"],
            at=at,
            is_new=is_new,
            effect_key=key,
        )
        if contact["first_source_at"] is None and is_new:
            contact["first_channel_id"], contact["first_source_at"] = row["id"], at
        said = {"channel": channel, "staff": member["name"], "userid": userid}
        self.book.tell(contact, "scan.recorded", at, actor="customer", detail=said, key=f"scan:{key}")

    def greet(self, life: Life, userid: str, at: datetime, channel: str | None) -> None:
        """What the bot does in the seconds after an add."""
        book, contact, member = self.book, life.contact, self.book.staff[userid]
        moment = at + timedelta(seconds=book.rng.uniform(0.3, 0.9))
        said = {"errcode": 0, "userid": userid}
        if book.rng.random() < 0.985:
            book.tell(contact, "welcome.sent", moment, detail=said)
        else:
            late = {"reason": "超过有效期，未发送", "userid": userid}
            book.tell(contact, "welcome.expired", at + timedelta(seconds=18), detail=late)
        if channel:
            row = self.channels[channel]
            given = book.tag(contact, member, row["tags"], at, TagSource.CHANNEL, row["id"])
            if given:
                tagged = {**said, "add": [tag["wecom_id"] for tag in given]}
                book.tell(contact, "tag.sent", moment + timedelta(seconds=0.4), detail=tagged)
            if row["remark_template"]:
                self._remark(life, userid, moment + timedelta(seconds=0.8), row)
        notified = {**said, "staff": member["name"]}
        book.tell(contact, "notice.sent", moment + timedelta(seconds=1.1), detail=notified)

    def _remark(self, life: Life, userid: str, at: datetime, channel: Row) -> None:
        date = at.astimezone(self.book.tz).strftime("%m%d")
        remark = render_remark(
            channel["remark_template"], customer=life.contact["name"], channel=channel["name"], date=date
        )
        life.relations[userid]["remark"] = remark
        detail = {"errcode": 0, "userid": userid, "remark": remark}
        self.book.tell(life.contact, "remark.sent", at, detail=detail)

    def lose(self, life: Life, userid: str, at: datetime, *, by_rep: bool = False) -> None:
        """The contact deletes the rep, or the rep the contact."""
        row, member = life.relations[userid], self.book.staff[userid]
        row["state"] = RelationState.REMOVED if by_rep else RelationState.LOST
        row["event_at"] = row["lost_at"] = at
        kind, actor = ("contact.removed", f"staff:{userid}") if by_rep else ("contact.lost", "customer")
        said = {"staff": member["name"], "userid": userid}
        key = f"{kind}:{life.contact['id']}:{member['id']}:{int(at.timestamp())}"
        self.book.tell(life.contact, kind, at, actor=actor, detail=said, key=key)
        if all(one["lost_at"] for one in life.relations.values()):
            life.contact["lost_at"] = life.ends_at = at

    def regain(self, life: Life, userid: str, at: datetime, channel: str | None) -> None:
        """The contact adds the same rep again."""
        row, member = life.relations[userid], self.book.staff[userid]
        row.update(
            state=RelationState.ACTIVE, event_at=at, added_at=at, lost_at=None, regained=row["regained"] + 1
        )
        row["first_response_at"] = None
        life.contact["lost_at"] = life.ends_at = None
        said = {"staff": member["name"], "userid": userid}
        key = f"contact.regained:{life.contact['id']}:{member['id']}:{int(at.timestamp())}"
        self.book.tell(life.contact, "contact.regained", at, actor="customer", detail=said, key=key)
        if channel:
            self.scan(life, userid, at, channel, is_new=False)
        self.greet(life, userid, at, channel)

    def second_source(self, life: Life) -> company.Source:
        """Another channel than the first, where somebody else serves."""
        first = life.arrival.source
        others = [one for one in company.SOURCES if one is not first and one.spec.name != company.ADS]
        return self.book.rng.choice(others)

    def second_rep(self, life: Life, at: datetime) -> None:
        """The contact gets to know another rep, in the way fate says."""
        if life.fate.second is Second.INTRODUCED:
            self._introduce(life, at)
            return
        source = self.second_source(life)
        userid = self.desk.serve(source, at)
        if userid in life.relations:
            spec = source.spec
            userid = next(
                one
                for one in (*spec.staff, *spec.backup_staff, company.EAST_BOSS)
                if one not in life.relations
            )
        previous = life.member
        if life.fate.second is Second.OWNER_GONE:
            self.lose(life, previous.userid, at - (at - life.arrival.at) * 0.3)
        self.add_rep(life, userid, at, channel=source.spec.name)
        life.ends_at = life.contact["lost_at"] = None
        if life.fate.second is Second.OWNER_GONE:
            member = self.book.staff[userid]
            self.book.own(life.contact, member, at, "owner_gone", {"previous": previous.name})
            life.member = MEMBERS[userid]

    def _introduce(self, life: Life, at: datetime) -> None:
        """The SDR hands the contact to sales of the region; the manager says who."""
        east = life.city not in ("广州", "深圳", "东莞", "佛山", "厦门", "惠州", "中山", "南宁", "长沙")
        boss = company.EAST_BOSS if east else company.SOUTH_BOSS
        reps = company.EAST_REPS if east else company.SOUTH_REPS[:1]
        userid = self.book.rng.choice(reps if east else [*reps, boss])
        self.add_rep(life, userid, at, channel=None)
        member, actor = self.book.staff[userid], f"staff:{boss}"
        moment = at + timedelta(minutes=self.book.rng.uniform(1, 20))
        self.book.own(life.contact, member, moment, "manual", {"actor": MEMBERS[boss].name}, actor=actor)
        life.member = MEMBERS[userid]


def _name_of(arrival: Arrival) -> str | None:
    return arrival.source.spec.name if arrival.source else None
