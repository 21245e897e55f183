"""Does WeCom accept our credentials, and does it allow what we need? Only reads."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from bot.check.findings import Check, Finding, listed
from bot.check.settings import is_local
from bot.config import Config
from bot.wechat.errors import NotSent, WeChatError
from bot.wechat.wecom import WeComClient

NETWORK = Check("platform", "企业微信服务器")
CLOCK = Check("clock", "时钟")
APP_SECRET = Check("app_secret", "应用凭证")
CONTACT_SECRET = Check("contact_secret", "客户联系凭证")
APP = Check("app", "应用")
RANGE = Check("app_range", "应用可见范围")
RIGHT = Check("contact_right", "客户联系权限")
DOMAIN = Check("trusted_domain", "可信域名")

CODE_SECRET, CODE_NO_CORP, CODE_IP = 40001, 40013, 60020
CODE_NO_API, CODE_NO_RIGHT = 48002, 84074
AHEAD_FATAL = 10.0  # welcomes are dropped 18 s after the platform's own time stamp
SKEW_FATAL = 240.0  # callbacks more than 300 s off are quarantined
SKEW_SEEN = 3.0
_FROM_IP = re.compile(r"from ip:\s*([0-9a-fA-F.:]+)")
WHERE_APP = "管理后台 → 应用管理 → 该应用"
WHERE_CONTACT = "管理后台 → 客户与上下游 → 客户联系"


@dataclass
class Seen:
    """What the platform told; None where it could not be asked."""

    agent: Mapping[str, Any] | None = None
    followers: list[str] | None = None


def check_platform(config: Config, client: WeComClient) -> tuple[list[Finding], Seen]:
    """Reach the platform, get both tokens, read the app and who may serve customers."""
    seen = Seen()
    found = check_clock(config)
    if found[0].id == NETWORK.id and found[0].level != "ok":
        return found, seen
    app = _token(client, "app", APP_SECRET, "[wecom] secret", f"{WHERE_APP} → Secret")
    contact = _token(
        client, "contact", CONTACT_SECRET, "[wecom] contact_secret", f"{WHERE_CONTACT} → API → Secret"
    )
    found += [app, contact]
    if app.level == "ok":
        found += _app(config, client, seen)
    if contact.level == "ok":
        found.append(_followers(client, seen))
    return found, seen


def check_clock(config: Config) -> list[Finding]:
    """Compare our clock with the platform's, by the Date of an answer to an empty gettoken."""
    url = f"{config.wecom.api_base}/cgi-bin/gettoken"
    before = time.time()
    try:
        answer = requests.get(url, timeout=(3.0, 5.0), allow_redirects=False)
    except requests.RequestException as error:
        text = f"连不上 {urlsplit(url).netloc}（{type(error).__name__}）"
        return [NETWORK.fail(text, "检查服务器能否访问外网、代理和防火墙；使用沙箱时先启动 lianke sandbox")]
    ours = (before + time.time()) / 2
    reachable = NETWORK.ok(f"可以连接 {urlsplit(url).netloc}")
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"]).timestamp() + 0.5  # Date has whole seconds
    except (KeyError, ValueError, TypeError):
        return [reachable, CLOCK.warn("对方没有给出时间，无法比较", "请确认服务器开启了时间同步（NTP）")]
    return [reachable, clock_finding(ours - theirs)]


def clock_finding(ahead: float) -> Finding:
    """What it means that our clock is ``ahead`` seconds ahead of the platform's."""
    sync = "开启时间同步：timedatectl set-ntp true"
    told = f"服务器时间比企业微信{'快' if ahead > 0 else '慢'} {abs(ahead):.0f} 秒"
    if ahead >= AHEAD_FATAL:
        return CLOCK.fail(f"{told}：欢迎语会被当作过期而不发送", sync)
    if abs(ahead) >= SKEW_FATAL:
        return CLOCK.fail(f"{told}：回调会被当作可疑请求隔离", sync)
    if abs(ahead) >= SKEW_SEEN:
        return CLOCK.warn(told, sync)
    return CLOCK.ok("与企业微信一致")


def _token(client: WeComClient, secret: str, check: Check, key: str, where: str) -> Finding:
    try:
        client.sdk(secret).access_token  # noqa: B018 - reading it asks gettoken
    except WeChatError as error:
        return refused(error, check, key, where)
    return check.ok("能换取访问凭证")


def refused(error: WeChatError, check: Check, key: str, where: str) -> Finding:
    """Say why the platform gave no token."""
    match error.errcode:
        case int(code) if code == CODE_SECRET:
            return check.fail(f"{key} 不正确（{code}）", f"从 {where} 重新复制到配置文件")
        case int(code) if code == CODE_NO_CORP:
            return check.fail(
                f"[wecom] corp_id 不正确（{code}）", "从 管理后台 → 我的企业 → 企业信息 → 企业ID 重新复制"
            )
        case int(code) if code == CODE_IP:
            ip = _FROM_IP.search(error.errmsg)
            address = ip[1] if ip else "错误信息中的地址"
            return check.fail(
                f"服务器 IP {address} 不在企业可信 IP 中（{code}）",
                f"在 {WHERE_APP} → 企业可信IP 中加入 {address}，约 1 分钟后生效",
            )
    return _told(error, check)


def _told(error: WeChatError, check: Check) -> Finding:
    """An error in the words of the table of codes."""
    told = error.explanation
    code = f"（{error.errcode}）" if error.errcode is not None else ""
    level = check.warn if isinstance(error, NotSent) else check.fail
    return level(f"{told.message_zh}{code}", told.next_step_zh)


def _app(config: Config, client: WeComClient, seen: Seen) -> list[Finding]:
    try:
        agent = client.call("agent/get", params={"agentid": config.wecom.agent_id}, secret="app")
    except WeChatError as error:
        if error.errcode == CODE_IP:
            return [refused(error, APP, "", "")]
        return [_told(error, APP)]
    seen.agent = agent
    return [_open(agent), _range(agent), domain_finding(config, str(agent.get("redirect_domain") or ""))]


def _open(agent: Mapping[str, Any]) -> Finding:
    name = agent.get("name") or "（没有名称）"
    if agent.get("close"):
        return APP.fail(f"「{name}」已被停用", f"在 {WHERE_APP} 中启用")
    return APP.ok(
        f"「{name}」可用",
        f"回调地址配在哪里，接口读不到：在 {WHERE_APP} → 接收消息 → 设置API接收 中点保存，成功就是通的",
    )


def _range(agent: Mapping[str, Any]) -> Finding:
    users = len((agent.get("allow_userinfos") or {}).get("user") or ())
    parties = len((agent.get("allow_partys") or {}).get("partyid") or ())
    tags = len((agent.get("allow_tags") or {}).get("tagid") or ())
    parts = [(users, "名成员"), (parties, "个部门"), (tags, "个标签")]
    told = "、".join(f"{count} {noun}" for count, noun in parts if count)
    if not told:
        return RANGE.fail("是空的：看不到任何员工", f"在 {WHERE_APP} → 可见范围 中加入要服务客户的部门或成员")
    return RANGE.ok(told)


def domain_finding(config: Config, trusted: str) -> Finding:
    """Compare the app's trusted domain with the host of base_url."""
    ours = urlsplit(config.app.base_url)
    theirs = urlsplit(trusted if "://" in trusted else f"//{trusted}")
    same_port = theirs.port is None or theirs.port == ours.port or is_local(config.app.base_url)
    if trusted and theirs.hostname == ours.hostname and same_port:
        return DOMAIN.ok(f"{trusted}，与 base_url 一致")
    host = ours.netloc
    told = f"应用的可信域名是 {trusted}，与 base_url 的 {host} 不同" if trusted else "应用没有设置可信域名"
    advice = f"在 {WHERE_APP} → 网页授权及JS-SDK 中设为 {host}，并完成域名归属校验"
    if is_local(config.app.base_url):
        return DOMAIN.warn(told, f"本机试用可以忽略；正式使用时{advice}")
    return DOMAIN.fail(f"{told}：侧边栏和网页登录不能使用", advice)


def _followers(client: WeComClient, seen: Seen) -> Finding:
    allow = f"在 {WHERE_CONTACT} → API → 可调用接口的应用 中勾选本应用"
    grant = f"在 {WHERE_CONTACT} → 权限配置 中开启相关成员，并确认他们在应用可见范围内"
    try:
        answer = client.call("externalcontact/get_follow_user_list")
    except WeChatError as error:
        if error.errcode == CODE_NO_API:
            return RIGHT.fail(f"应用不能调用客户联系接口（{CODE_NO_API}）", allow)
        if error.errcode == CODE_NO_RIGHT:
            return RIGHT.fail(f"没有成员开通客户联系（{CODE_NO_RIGHT}）", grant)
        if error.errcode == CODE_IP:
            return refused(error, RIGHT, "", "")
        return _told(error, RIGHT)
    seen.followers = [str(userid) for userid in answer.get("follow_user") or ()]
    if not seen.followers:
        return RIGHT.fail("没有任何成员能服务客户", f"{grant}；若已开启，{allow}")
    return RIGHT.ok(f"{len(seen.followers)} 名成员：{listed(seen.followers)}")
