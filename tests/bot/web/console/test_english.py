"""Every page, with people and things that have English names: no Chinese is left but the switch back to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from bot.wechat.errcodes import RULES
from bot.words.sentences import CHINESE
from scrm.accounts import tokens
from scrm.accounts.models import Account, Department, Login, Staff, StaffDepartment
from scrm.accounts.roles import Role
from scrm.channels.models import Channel, ChannelCode, ChannelStaff
from scrm.contacts.models import Contact, RelationState
from scrm.followups.models import FollowupComment
from scrm.groups.models import GroupChat, GroupMember, MemberKind
from scrm.inbox.models import EventState
from scrm.jobs import service as jobs
from scrm.jobs.models import JobState
from scrm.library.models import FolderKind
from scrm.outbox.models import CallState, OutboxAttempt
from scrm.routing.models import Assignment
from scrm.segments import service as segments
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from scrm.tasks.models import Task, TaskSource
from scrm.timeline import rules
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.bot.web.console.test_logs import add_call, add_event
from tests.bot.web.test_sidebar_chat import CLIENT
from tests.bot.web.test_sidebar_chat import enter as enter_sidebar
from tests.scrm.library import factory

Enter = Callable[..., Browser]
ENGLISH = {"Accept-Language": "en"}
SWITCH = re.compile(r">中文<|lang=\"zh-CN\"[^<]*<")
AROUND = re.compile(rf".{{0,60}}{CHINESE.pattern}+.{{0,20}}")
ARGUMENT = re.compile(r"<(?:(any)\(([^)]*)\):|\w+:)?(\w+)>")
FAILED = "WeCom refused"
DETAIL = {
    "staff": "Wang Min", "channel": "Fair", "names": ["High"], "reason": RULES[84061].message_zh, "errcode": 84061,
    "content": "Asked for a quote", "title": "Send it", "group": "Buyers", "how": "join.1", "who": "Boss",
    "before": "lead", "after": "mql", "source": "channel", "remark": "VIP", "kind": "text", "event_key": "menu",
}  # fmt: skip


class World:
    """A company whose every thing has a row, each with an English name; ``ids`` are those of addresses."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.ids: dict[str, Any] = {"contact_id": desk.contact.id, "channel_id": desk.channel.id}
        self.ids["staff_id"] = desk.rep.id
        self._rename()
        self._people()
        self._tags()
        self._channel()
        self._contact()
        self._library()
        self._logs()
        self._jobs()

    def _rename(self) -> None:
        with self.desk.product.database.write() as session:
            session.get_one(Staff, self.desk.rep.id).name = "Wang Min"
            session.get_one(Channel, self.desk.channel.id).name = "Fair"
            contact = session.get_one(Contact, self.desk.contact.id)
            given = session.query(Assignment).filter_by(contact_id=contact.id).one()
            given.detail = {"staff": "Wang Min", "channel": "Fair"}
            contact.name, contact.corp_name = "Li Lei", "Far Freight Ltd"
        self.desk.rep.name = "Wang Min"

    def _people(self) -> None:
        desk = self.desk
        desk.add(Department(id=1, name="Sales", parent_id=0))
        desk.add(StaffDepartment(staff_id=desk.rep.id, department_id=1))
        other = desk.staff("lina", "Li Na", on_leave=True)
        desk.relate(
            desk.contact,
            other,
            state=RelationState.LOST,
            lost_at=desk.now,
            added_at=desk.now - timedelta(days=3),
        )
        desk.customer("Lost", phone=None, corp_name="Lost Ltd")
        desk.add(Contact(name="A lead", created_at=desk.now))
        with desk.product.database.write() as session:
            token, _ = tokens.create_token(
                session, name="ERP", role="readonly", ttl=timedelta(days=9), now=desk.now
            )
            self.ids["token_id"] = token.id

    def _tags(self) -> None:
        desk = self.desk
        group = desk.add(TagGroup(name="Interest", wecom_id="g"))
        tag = desk.add(Tag(group_id=group.id, name="High", wecom_id="t"))
        desk.add(Tag(group_id=group.id, name="Low"))
        for source in TagSource:
            held = desk.add(Tag(group_id=group.id, name=source.value, wecom_id=source.value))
            fields = {"source": source, "set_at": desk.now, "contact_at": desk.contact.created_at}
            desk.add(ContactTag(contact_id=desk.contact.id, tag_id=held.id, staff_id=desk.rep.id, **fields))
        self.ids["tag_id"], self.tag_group = tag.id, group.id

    def _channel(self) -> None:
        desk, channel = self.desk, self.desk.channel
        error = f"创建渠道码失败：{RULES[48002].message_zh}（错误码 48002）。可在「调用」中重试"
        code = {"state": "ch", "users": [], "wanted": [], "error": error, "updated_at": desk.now}
        desk.add(ChannelCode(channel_id=channel.id, **code))
        desk.add(ChannelStaff(channel_id=channel.id, staff_id=desk.rep.id))
        other = desk.add(Channel(name="Web", created_at=desk.now, welcomes=[], schedule=[], kind="wecom"))
        ready = {"config_id": "c1", "qr_url": "https://example.com/q", "updated_at": desk.now}
        desk.add(
            ChannelCode(channel_id=other.id, state="ch2", users=["wangmin"], wanted=["wangmin"], **ready)
        )

    def _contact(self) -> None:
        desk = self.desk
        for kind in rules.SENTENCES:
            desk.happened(kind, actor="staff:wangmin", **DETAIL)
        desk.happened("owner.assigned", actor="account:boss", staff="Wang Min", reason="scanned_code")
        desk.followed("Asked for a quote", next_at=desk.now + timedelta(days=1), next_step="Send it")
        followup = desk.followups()[0]
        note = {"author": "account:boss", "author_name": "Boss", "text": "Good", "at": desk.now}
        desk.add(FollowupComment(followup_id=followup.id, contact_id=desk.contact.id, **note))
        self.ids["followup_id"] = followup.id
        for hours in (-30, 2, 90):
            due = desk.now + timedelta(hours=hours)
            task = {"title": f"Call {hours}", "due_at": due, "created_at": desk.now, "source": TaskSource.OWN}
            desk.add(Task(contact_id=desk.contact.id, staff_id=desk.rep.id, **task))
        group = desk.add(GroupChat(chat_id="wr1", name="Buyers", owner_id=desk.rep.id, opened_at=desk.now))
        for n, contact_id in enumerate((desk.contact.id, None)):
            member = {"userid": f"wm{n}", "joined_at": desk.now, "name": f"Member {n}", "join_scene": 3}
            member |= {"left_at": desk.now, "quit_scene": 1} if n else {}
            desk.add(GroupMember(group_id=group.id, kind=MemberKind.CONTACT, contact_id=contact_id, **member))
        self.group = group.id

    def _library(self) -> None:
        desk = self.desk
        with desk.product.database.write() as session:
            replies = factory.folder(session, desk.now, "Prices")
            materials = factory.folder(session, desk.now, "Cards", kind=FolderKind.MATERIALS)
            link = factory.link(session, desk.now, materials, "Home page")
            self.reply = factory.reply(
                session, desk.now, replies, "Quote", "Hello {customer}", material_id=link.id
            ).id
            self.material = factory.picture(session, desk.now, materials, "Poster").id
            self.ids["folder_id"] = replies.id
            self.ids["material_id"] = self.material

    def _logs(self) -> None:
        desk = self.desk
        dead = "Traceback\nscrm.errors.NotFound: channel_not_found: 没有编号为 9 的渠道"
        for n, state in enumerate(EventState):
            error = dead if state is EventState.DEAD else None
            event = add_event(desk, n, state=state, error=error, lane="contact:wm1", payload="<xml></xml>")
        self.ids["event_id"] = event.id
        for n, state in enumerate(CallState):
            call = add_call(desk, n, state=state, command={}, caused_by=event.id, contact_id=desk.contact.id)
            desk.add(OutboxAttempt(outbox_id=call.id, n=2, started_at=desk.now))
        reason = {"errcode": None, "reason": "无法连接企业微信服务器，请求未发出"}
        self.ids["call_id"] = add_call(desk, 90, state=CallState.UNKNOWN, command={}, **reason).id

    def _jobs(self) -> None:
        desk = self.desk
        error = "发起人的账号已停用，任务已停止；请由有权限的同事重新发起"
        report = {"created": 3, "bad": 2, "unreadable_departments": ["7"], "failed": [], "changed": 2}
        with desk.product.database.write() as session:
            for kind in ("sync", "contacts.import", "contacts.export", "followups.export", "tag_contacts"):
                job = jobs.start_job(session, kind, created_by="scheduler", now=desk.now, lane=kind)
                job.state, job.error, job.report = JobState.FAILED, error, report
                job.params = {"ids": [desk.contact.id], "add": [], "remove": []}
            session.flush()
            self.ids["job_id"] = job.id

    def start(self, account: Account) -> None:
        """What belongs to whoever looks: a segment, a session, a job."""
        self.ids["account_id"] = account.id
        with self.desk.product.database.write() as session:
            made = segments.save_segment(
                session, account.id, "Mine", {"stage": "lead"}, is_shared=True, now=self.desk.now
            )
            self.ids["segment_id"] = made.id
            jobs.get_job(session, self.ids["job_id"]).created_by = f"account:{account.id}"
            self.ids["login_id"] = session.query(Login).filter_by(account_id=account.id).first().id

    def addresses(self, rule: str) -> list[str]:
        """The rule with ids that exist; with each word of a choice."""
        known = dict(self.ids)
        known["group_id"] = self.tag_group if "/tags/" in rule else self.group
        known["item_id"] = self.material if "material" in rule else self.reply
        known |= {"shelf": "replies", "which": "waiting", "kind": "result", "nonce": "x", "size": "300"}
        found = [rule]
        for match in ARGUMENT.finditer(rule):
            words = match[2].split(",") if match[1] else [known.get(match[3], "x")]
            found = [one.replace(match[0], str(word), 1) for one in found for word in words]
        return found


@pytest.fixture
def world(desk: Desk) -> World:
    return World(desk)


def left(answer: TestResponse) -> list[str]:
    """What Chinese a page has, each with a little of what is around it; a file or a number has none."""
    if answer.status_code >= 500:
        return [f"broken: {answer.status}"]
    if answer.mimetype not in ("text/html", "application/json"):
        return []
    return AROUND.findall(SWITCH.sub("", answer.text))


def test_no_page_of_the_console_has_chinese_in_english(desk: Desk, world: World, enter: Enter) -> None:
    browser = enter(Role.ADMIN)
    with desk.product.database.read() as session:
        world.start(session.query(Account).one())
    seen, wrong = 0, {}
    for page in desk.app.extensions["lianke_console"]:
        if page.method == "GET":
            for address in world.addresses(page.rule):
                answer = browser.get(address, headers=ENGLISH)
                seen += answer.status_code == 200
                wrong |= {f"{page.rule} {line}": address for line in left(answer)}
    for address in EXTRA:
        wrong |= {f"{address} {line}": address for line in left(browser.get(address, headers=ENGLISH))}

    assert seen > 40
    assert "\n".join(sorted(wrong)) == ""


EXTRA = (
    *(
        f"/console/contacts?{query}"
        for query in ("q=nobody", "from=x", "stage=mql", "state=lost", "owner=lina")
    ),
    *(f"/console?range={days}" for days in (7, 30, "x")),
    *(f"/console/settings/corp?step={step}" for step in ("server", "platform", "callback", "domain", "work")),
    *(
        "/console/followups?late=1",
        "/console/library/replies?idle=1",
        "/console/search?q=li",
        "/console/nothing",
    ),
    *("/console/login", "/", "/console/groups?group_state=dismissed"),
)


def test_no_refused_form_of_the_console_has_chinese_in_english(
    desk: Desk, world: World, enter: Enter
) -> None:
    """Each form, sent empty and sent with nonsense: what it says is in English."""
    browser = enter(Role.ADMIN)
    with desk.product.database.read() as session:
        world.start(session.query(Account).one())
    token, seen, wrong = browser.token(), 0, {}
    for page in desk.app.extensions["lianke_console"]:
        if page.method != "POST" or page.rule.endswith(("/logout", "/password", "/settings/language")):
            continue
        for address in world.addresses(page.rule):
            for form in ({}, NONSENSE):
                answer = browser.post(
                    address, {"csrf_token": token, **form}, headers=ENGLISH, follow_redirects=True
                )
                seen += answer.status_code == 422
                wrong |= {f"{page.rule} {line}": address for line in left(answer)}

    assert seen > 5
    assert "\n".join(sorted(wrong)) == ""


NAMES = (
    "name", "title", "text", "q", "username", "staff", "tag_id", "add", "remove", "deed", "note", "stage", "phone",
    "content", "nonce", "from_1", "off", "days", "role", "group", "names", "kind", "daily_limit", "cost",
)  # fmt: skip
NONSENSE = dict.fromkeys(NAMES, "x" * 300)


def test_no_page_of_the_sidebar_has_chinese_in_english(desk: Desk, world: World) -> None:
    enter_sidebar(desk, desk.rep)
    rules_of = [rule for rule in desk.app.url_map.iter_rules() if rule.rule.startswith("/sidebar")]
    seen, wrong = 0, {}
    for rule in rules_of:
        for address in world.addresses(rule.rule):
            for method in rule.methods & {"GET", "POST"}:
                send = desk.client.get if method == "GET" else desk.client.post
                answer = send(address, headers={**ENGLISH, **CLIENT})
                seen += answer.status_code == 200
                wrong |= {f"{rule.rule} {line}": address for line in left(answer)}

    assert seen > 8
    assert "\n".join(sorted(wrong)) == ""
