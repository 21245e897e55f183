"""Settings: people with their roles and sessions, and tokens; as those who may and those who may not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from scrm.accounts.models import Account, ApiToken
from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
PEOPLE, TOKENS = "/console/settings/people", "/console/settings/tokens"


@pytest.fixture
def admin(enter: Enter) -> Browser:
    return enter(Role.ADMIN)


def deeds(desk: Desk) -> list[str]:
    with desk.product.database.read() as session:
        rows = session.scalars(select(AuditEntry.action).order_by(AuditEntry.n))
        return [action for action in rows if not action.startswith("login:")]


def secret(page: str) -> str:
    return re.findall(r"<code data-secret>([^<]+)</code>", page)[0]


def test_settings_show_each_role_the_pages_it_may_open(enter: Enter):
    admin, rep = (
        enter(Role.ADMIN).get("/console/settings").text,
        enter(Role.SALES).get("/console/settings").text,
    )

    assert "人员与角色" in admin
    assert "接口令牌" in admin
    assert "人员与角色" not in rep


def test_a_local_account_is_made_its_password_shown_once_and_good(desk: Desk, admin: Browser, browse):
    made = admin.post(PEOPLE, {"username": "lina", "role": "marketing"})

    password = secret(made.text)
    assert password not in admin.get(PEOPLE).text
    assert "待修改密码" in admin.get(PEOPLE).text
    assert browse().login("lina", password).status_code == 303
    assert deeds(desk) == ["account:created"]


def test_a_wrong_or_taken_name_is_told_at_the_field(admin: Browser):
    wrong = admin.post(PEOPLE, {"username": "Li Na", "role": "sales"})
    taken = admin.post(f"{PEOPLE}?lang=en", {"username": "admin", "role": "sales"})
    role = admin.post(PEOPLE, {"username": "lina", "role": "king"})

    assert [answer.status_code for answer in (wrong, taken, role)] == [422] * 3
    assert "用户名为 2-64 位小写字母" in wrong.text
    assert "That user name is taken" in taken.text
    assert "请选择一个角色和范围" in role.text


def test_a_role_and_reach_change_holds_at_the_next_request(desk: Desk, admin: Browser, enter: Enter, person):
    rep = enter(Role.SALES, staff=desk.rep)
    with desk.product.database.read() as session:
        account = session.scalars(select(Account).where(Account.username == "sales")).one()
    assert rep.get(PEOPLE).status_code == 403

    path = f"{PEOPLE}/{account.id}"
    answer = admin.post(f"{path}/role", {"role": "admin", "reach": "all"})

    assert "角色和范围已修改" in admin.get(answer.location).text
    assert rep.get(PEOPLE).status_code == 200
    assert admin.post(f"{path}/role", {"role": "admin", "reach": "moon"}).status_code == 422
    assert deeds(desk) == ["account:role_set"]


def test_a_disabled_account_is_out_at_once_and_may_be_let_in_again(desk: Desk, admin: Browser, enter: Enter):
    rep = enter(Role.SALES)
    with desk.product.database.read() as session:
        account = session.scalars(select(Account).where(Account.username == "sales")).one()
    path = f"{PEOPLE}/{account.id}"
    assert "1 个登录立即结束" in admin.get(path).text

    admin.post(f"{path}/disable")
    assert rep.get("/console").status_code == 303
    assert rep.login("sales").status_code == 403
    admin.post(f"{path}/enable")
    assert rep.login("sales").status_code == 303
    assert deeds(desk) == ["account:disabled", "account:enabled"]


def test_the_last_administrator_and_oneself_are_refused_in_words(desk: Desk, admin: Browser):
    with desk.product.database.read() as session:
        me = session.scalars(select(Account)).one()

    refused = admin.post(f"{PEOPLE}/{me.id}/role", {"role": "sales", "reach": "own"})

    assert refused.status_code == 422
    assert "不能修改自己的账号" in refused.text
    assert "停用账号" not in admin.get(f"{PEOPLE}/{me.id}").text
    assert deeds(desk) == []


def test_a_password_is_reset_and_one_session_ended(desk: Desk, admin: Browser, enter: Enter, browse):
    rep = enter(Role.SALES)
    with desk.product.database.read() as session:
        account = session.scalars(select(Account).where(Account.username == "sales")).one()
    path = f"{PEOPLE}/{account.id}"
    login = re.findall(r'name="login" value="([0-9a-f]{64})"', admin.get(path).text)[0]

    admin.post(f"{path}/logout", {"login": login})
    assert rep.get("/console").status_code == 303
    assert admin.post(f"{path}/logout", {"login": "0" * 64}).status_code == 404
    password = secret(admin.post(f"{path}/reset").text)
    assert browse().login("sales", password).status_code == 303
    assert admin.post(f"{path}/logout").status_code == 303
    assert deeds(desk) == ["logins:ended", "password:reset", "logins:ended"]


def test_a_member_who_was_never_in_is_given_a_role_before(desk: Desk, admin: Browser):
    answer = admin.post(f"{PEOPLE}/member", {"staff": desk.rep.id})

    assert "王敏" in admin.get(answer.location).text
    assert "所有员工都已有账号" in admin.get(PEOPLE).text
    assert admin.post(f"{PEOPLE}/member", {"staff": "nobody"}).status_code == 404


def test_a_token_is_made_shown_once_used_and_revoked(desk: Desk, admin: Browser):
    made = admin.post(TOKENS, {"name": "官网表单", "role": "readonly", "days": "30"})

    token = secret(made.text)
    api = desk.app.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    assert api.get("/api/v1/contacts", headers=headers).status_code == 200
    page = admin.get(TOKENS).text
    assert token not in page
    assert "1 个令牌有效。" in page
    with desk.product.database.read() as session:
        row = session.scalars(select(ApiToken)).one()
    assert row.expires_at == desk.now + timedelta(days=30)

    admin.post(f"{TOKENS}/{row.id}/revoke")
    admin.post(f"{TOKENS}/{row.id}/revoke")
    assert api.get("/api/v1/contacts", headers=headers).status_code == 401
    assert "已停用" in admin.get(TOKENS).text
    assert deeds(desk) == ["token:created", "token:revoked"]
    assert admin.post(f"{TOKENS}/nothing/revoke").status_code == 404


def test_a_token_may_act_for_a_person_and_then_sees_whom_they_see(desk: Desk, admin: Browser, person):
    stranger = desk.staff("zhang", "张三")
    desk.add(Contact(name="别人的", owner_id=stranger.id, created_at=desk.now))
    person(Role.SALES, "rep", staff=desk.rep)
    form = {"name": "x", "role": "sales", "days": "30"}

    nobody = admin.post(TOKENS, {**form, "person": "nobody"})
    assert (nobody.status_code, "没有这个账号" in nobody.text) == (422, True)
    assert "Nobody of this name" in admin.post(f"{TOKENS}?lang=en", {**form, "person": "nobody"}).text
    token = secret(admin.post(TOKENS, {**form, "person": "wangmin"}).text)

    headers = {"Authorization": f"Bearer {token}"}
    found = desk.app.test_client().get("/api/v1/contacts", headers=headers).json["items"]
    assert [one["name"] for one in found] == ["李雷"]
    assert "代表 <bdi>rep</bdi>" in admin.get(TOKENS).text


def test_a_token_without_name_or_with_a_wrong_role_or_time_is_not_made(desk: Desk, admin: Browser):
    for form in (
        {"name": "", "role": "admin", "days": "30"},
        {"name": "x", "role": "king", "days": "30"},
        {"name": "x", "role": "admin", "days": "99999999999"},
        {"name": "x", "role": "admin", "days": "x"},
    ):
        assert admin.post(TOKENS, form).status_code == 422
    with desk.product.database.read() as session:
        assert list(session.scalars(select(ApiToken))) == []


def test_who_does_not_see_everybody_gives_no_tokens(enter: Enter):
    narrow = enter(Role.ADMIN, reach=Reach.DEPARTMENT)

    assert narrow.get(TOKENS).status_code == 403
    assert narrow.post(TOKENS, {"name": "x", "role": "admin", "days": "30"}).status_code == 403


def test_settings_are_there_in_english(admin: Browser):
    for path, words in (
        (PEOPLE, "Members enter by WeCom"),
        (TOKENS, "tokens are live"),
        ("/console/settings", "Who may enter"),
    ):
        assert words in admin.get(f"{path}?lang=en").text


# --- the connection


def test_the_connection_shows_what_is_set_and_no_secret(desk: Desk, admin: Browser):
    page = admin.get("/console/settings/corp").text

    wecom, app = desk.product.config.wecom, desk.product.config.app
    assert wecom.corp_id in page
    assert f"{app.base_url}/callback/wecom" in page
    for secret_ in (wecom.secret, wecom.contact_secret, wecom.token, wecom.encoding_aes_key, app.secret_key):
        assert secret_.get_secret_value() not in page
    assert "已设置（不显示）" in page
    assert "现在检查" in page


def test_one_step_is_checked_and_what_is_wrong_is_told_with_what_to_do(admin: Browser):
    page = admin.get("/console/settings/corp?step=platform").text

    assert page.count("再检查一次") == 1
    assert "连不上 127.0.0.1:9100" in page
    assert "检查服务器能否访问外网、代理和防火墙" in page
    assert "检查了 1 项：1 项要处理，0 项要留意。" in page


def test_the_checks_of_the_server_and_the_work_say_what_is_well(admin: Browser):
    server = admin.get("/console/settings/corp?step=server").text
    work = admin.get("/console/settings/corp?step=work&lang=en").text

    assert "可以写入" in server
    assert "Channel codes" in work
    assert "Not paused" in work
    assert admin.get("/console/settings/corp?step=nothing").status_code == 200


# --- working hours

HOURS = "/console/settings/hours"


def test_hours_are_kept_used_by_new_channels_and_recorded(desk: Desk, admin: Browser):
    form = {"from_1": "08:30", "to_1": "17:30", "from_2": "08:30", "to_2": "17:30", "off": "2026-12-24\n"}

    saved = admin.post(HOURS, form)

    page = admin.get(saved.location).text
    assert "工作时间已保存" in page
    assert 'name="from_1" value="08:30"' in page
    assert "2026-12-24" in page
    assert "企业工作时间（周一、周二 08:30" in admin.get("/console/channels/new").text
    assert deeds(desk) == ["hours:changed"]


def test_wrong_hours_are_told_where_they_are_and_kept_in_the_form(desk: Desk, admin: Browser):
    wrong = admin.post(HOURS, {"from_1": "18:00", "to_1": "09:00", "off": "24.12."})

    assert wrong.status_code == 422
    assert "结束要晚于开始" in wrong.text
    assert "「24.12.」不是日期" in wrong.text
    assert 'value="18:00"' in wrong.text
    assert "Give both times" in admin.post(f"{HOURS}?lang=en", {"from_1": "x"}).text
    assert deeds(desk) == []


def test_who_may_not_change_hours_reads_them(enter: Enter):
    rep = enter(Role.SALES)

    assert "今天上班时间 09:00-18:00" in rep.get(HOURS).text
    assert '<button class="btn btn-primary">保存</button>' not in rep.get(HOURS).text
    assert rep.post(HOURS, {"from_1": "09:00", "to_1": "10:00"}).status_code == 403


# --- language and look

LOOK = "/console/settings/language"


def test_the_look_is_kept_for_the_account_in_every_browser(admin: Browser, browse):
    admin.post(LOOK, {"language": "en", "theme": "dark", "density": "compact"})

    other = browse()
    other.login("admin")
    page = other.get("/console/audit").text
    assert '<html lang="en" data-bs-theme="dark" data-theme="dark" data-density="compact">' in page
    assert "Who did what and when" in page
    assert "谁在什么时候做了什么" in other.get("/console/audit?lang=zh").text


def test_a_refused_page_speaks_the_chosen_language_too(enter: Enter):
    rep = enter(Role.SALES)
    rep.post(LOOK, {"language": "en"})

    assert "You may not see this" in rep.get("/console/audit", headers={"Accept-Language": "zh-CN"}).text


def test_a_switch_comes_back_to_the_page_without_its_language(admin: Browser):
    answer = admin.post(LOOK, {"language": "zh", "next": "/console/tags?lang=en&q=a"})

    assert answer.location == "/console/tags?q=a"
    assert admin.post(LOOK, {"language": "zh", "next": "//evil.example"}).location.startswith(LOOK)
    assert 'name="language" value="en"' in admin.get("/console/tags").text


def test_what_is_no_choice_changes_nothing(admin: Browser):
    admin.post(LOOK, {"theme": "dark"})
    admin.post(LOOK, {"theme": "pink", "density": "x"})

    assert 'data-theme="dark"' in admin.get("/console").text
    assert "data-density" not in admin.get("/console").text


def test_who_sees_less_ends_no_session_of_who_sees_more(desk: Desk, enter: Enter):
    boss = enter(Role.ADMIN, username="boss")
    narrow = enter(Role.ADMIN, username="narrow", reach=Reach.OWN)
    with desk.product.database.read() as session:
        account = session.scalars(select(Account).where(Account.username == "boss")).one()

    assert narrow.post(f"{PEOPLE}/{account.id}/logout").status_code == 403
    assert boss.get("/console/audit").status_code == 200
