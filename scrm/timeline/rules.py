"""What a timeline entry says, in one sentence. Pure: a kind and its details in, words out.

Every key a sentence names may be missing: the entry was written by an older version, or nobody knew. Such a part is
left out, together with the words around it, by the ``[...]`` in a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scrm.routing import rules as why

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{(\w+)\}")
_WORDS: Mapping[str, tuple[str, str]] = {
    # reasons why no welcome was owed
    "no_code": ("企业微信没有给出欢迎语凭证", "WeCom gave no welcome code"),
    "no_welcome_configured": ("没有适用的欢迎语", "no welcome is configured for this hour"),
    "callback_missed": ("当时没有收到企业微信的通知", "WeCom's callback never reached us"),
    "replayed": ("这是重放的旧事件", "this is an old event, replayed"),
    # reasons of a failed transfer
    "customer_refused": ("客户拒绝", "the customer refused"),
    "customer_limit_exceed": ("接替员工的客户数已达上限", "the successor has too many customers"),
    # how somebody joined or left a group
    "join.1": ("受邀进群", "invited"),
    "join.2": ("通过邀请链接", "by a link"),
    "join.3": ("扫群二维码", "by the group's code"),
    "quit.1": ("被移出", "removed"),
    # message and event types of the app
    "text": ("文字", "text"),
    "image": ("图片", "image"),
    "voice": ("语音", "voice"),
    "video": ("视频", "video"),
    "location": ("位置", "location"),
    "link": ("链接", "link"),
}
_TAG_SOURCES: Mapping[str, tuple[str, str]] = {
    "channel": ("渠道自动", "the channel"),
    "staff": ("员工", "the rep"),
    "api": ("接口", "the API"),
    "rule": ("规则", "a rule"),
    "sync": ("同步", "the sync"),
}

# kind → (Chinese, English)
SENTENCES: Mapping[str, tuple[str, str]] = {
    "contact.added": (
        "添加了[{staff}]为好友[（来自「{channel}」）]",
        "Added[ {staff}][ through “{channel}”]",
    ),
    "contact.half_added": (
        "请求添加[{staff}]为好友，等待对方通过",
        "Asked to add[ {staff}]; waiting for confirmation",
    ),
    "contact.regained": ("重新添加了[{staff}]为好友", "Added[ {staff}] again"),
    "contact.lost": ("客户删除了好友[{staff}]", "The contact deleted[ {staff}]"),
    "contact.removed": ("[{staff}]删除了该客户", "Deleted by[ {staff}]"),
    "contact.transferred": ("从[{staff}]名下转给了其他员工", "Handed over from[ {staff}] to another rep"),
    "contact.transfer_failed": (
        "转接给[{staff}]失败[：{reason}]",
        "Hand-over to[ {staff}] failed[: {reason}]",
    ),
    "contact.edited": ("[{staff}]修改了备注或标签", "Remark or tags changed by[ {staff}]"),
    "contact.created": ("作为线索录入[，来自「{channel}」]", "Entered as a lead[, from “{channel}”]"),
    "contact.imported": ("从表格导入[，来自「{channel}」]", "Imported from a file[, from “{channel}”]"),
    "contact.changed": ("资料已修改[：{names}]", "Details changed[: {names}]"),
    "contact.stage_changed": ("阶段[从{before}]变为{after}", "Stage changed[ from {before}] to {after}"),
    "archive.agreed": ("同意了会话存档", "Agreed to the conversation archive"),
    "scan.recorded": ("扫描了渠道活码[「{channel}」]", "Scanned the channel code[ “{channel}”]"),
    "welcome.sent": ("欢迎语已发送", "Welcome sent"),
    "welcome.expired": (
        "欢迎语未发送：超过 20 秒有效期[（{reason}）]",
        "Welcome not sent: its 20 seconds had passed[ ({reason})]",
    ),
    "welcome.failed": (
        "欢迎语发送失败[：{reason}][（{errcode}）]",
        "The welcome could not be sent[: {reason}][ ({errcode})]",
    ),
    "welcome.unknown": (
        "欢迎语结果未知，需要人工核对[：{reason}]",
        "Nobody knows whether the welcome arrived; please check[: {reason}]",
    ),
    "welcome.skipped": ("欢迎语未发送[：{reason}]", "Welcome skipped[: {reason}]"),
    "welcome.not_owed": ("没有发送欢迎语[：{reason}]", "No welcome was due[: {reason}]"),
    "tag.added": ("[{source}]打上标签[：{names}]", "Tagged[: {names}][ by {source}]"),
    "tag.removed": ("[{source}]去掉标签[：{names}]", "Tags removed[: {names}][ by {source}]"),
    "tag.sent": ("标签已同步到企业微信", "Tags written to WeCom"),
    "tag.failed": (
        "标签没有同步到企业微信[：{reason}][（{errcode}）]",
        "Tags could not be written to WeCom[: {reason}][ ({errcode})]",
    ),
    "tag.unknown": (
        "标签是否同步到企业微信未知[：{reason}]",
        "Nobody knows whether the tags reached WeCom[: {reason}]",
    ),
    "tag.skipped": ("标签未同步到企业微信[：{reason}]", "Tags not written to WeCom[: {reason}]"),
    "tag.expired": ("标签未同步到企业微信：已过期", "Tags not written to WeCom: too late"),
    "remark.sent": ("备注已写入企业微信[：「{remark}」]", "Remark written to WeCom[: “{remark}”]"),
    "remark.failed": (
        "备注修改失败[：{reason}][（{errcode}）]",
        "The remark could not be set[: {reason}][ ({errcode})]",
    ),
    "remark.unknown": (
        "备注是否修改成功未知[：{reason}]",
        "Nobody knows whether the remark was set[: {reason}]",
    ),
    "remark.skipped": ("备注未修改[：{reason}]", "Remark not set[: {reason}]"),
    "remark.expired": ("备注未修改：已过期", "Remark not set: too late"),
    "notice.sent": ("已通知员工[{staff}]", "Rep notified[: {staff}]"),
    "notice.failed": (
        "通知员工[{staff}]失败[：{reason}][（{errcode}）]",
        "The rep[ {staff}] could not be notified[: {reason}][ ({errcode})]",
    ),
    "notice.unknown": (
        "是否通知到员工[{staff}]未知[：{reason}]",
        "Nobody knows whether the rep[ {staff}] was notified[: {reason}]",
    ),
    "notice.skipped": ("未通知员工[{staff}][：{reason}]", "Rep[ {staff}] not notified[: {reason}]"),
    "notice.expired": ("未通知员工[{staff}]：已过期", "Rep[ {staff}] not notified: too late"),
    "owner.assigned": ("负责人变为[{staff}][：{why}]", "Owner is now[ {staff}][: {why}]"),
    "followup.note": ("[{staff}]记录了跟进[：{content}]", "Note[ by {staff}][: {content}]"),
    "followup.call": ("[{staff}]与客户通了电话[：{content}]", "Call[ by {staff}][: {content}]"),
    "followup.visit": ("[{staff}]拜访了客户[：{content}]", "Visit[ by {staff}][: {content}]"),
    "task.created": ("给[{staff}]安排了待办[：{title}]", "Task[ for {staff}][: {title}]"),
    "task.done": ("[{staff}]完成了待办[：{title}]", "Task done[ by {staff}][: {title}]"),
    "task.skipped": ("[{staff}]跳过了待办[：{title}]", "Task skipped[ by {staff}][: {title}]"),
    "task.reopened": ("恢复了[{staff}]的待办[：{title}]", "Task[ of {staff}] opened again[: {title}]"),
    "task.postponed": ("推迟了[{staff}]的待办[：{title}]", "Task[ of {staff}] put off[: {title}]"),
    "task.withdrawn": ("撤回了给[{staff}]的待办[：{title}]", "Task[ for {staff}] withdrawn[: {title}]"),
    "task.handed_over": (
        "未完成的待办[（{n} 个）]随客户[从{before_staff}]转给了[{staff}]",
        "Open tasks[ ({n})] went with the customer[ from {before_staff}] to[ {staff}]",
    ),
    "group.joined": ("进入客户群[「{group}」][（{how}）]", "Joined the group[ “{group}”][ ({how})]"),
    "group.left": ("退出客户群[「{group}」][（{how}）]", "Left the group[ “{group}”][ ({how})]"),
    "followup.commented": ("[{who}]评论了跟进[：{content}]", "Comment[ by {who}][: {content}]"),
    "profile.read": ("已更新客户资料", "Profile read from WeCom"),
    "message.received": ("收到[{kind}]消息[：{content}]", "Received a[ {kind}] message[: {content}]"),
    "menu.clicked": ("点击了菜单[「{names}」]", "Tapped the menu[ “{names}”]"),
    "app.click": ("点击了应用菜单[「{event_key}」]", "Tapped the app's menu[ “{event_key}”]"),
    "app.view": ("打开了应用菜单链接[{event_key}]", "Opened a link of the app's menu[: {event_key}]"),
    "app.enter_agent": ("进入了应用", "Opened the app"),
    "app.subscribe": ("关注了应用", "Subscribed to the app"),
    "app.unsubscribe": ("取消关注应用", "Unsubscribed from the app"),
}
STAGES: Mapping[str, tuple[str, str]] = {
    "lead": ("线索", "lead"),
    "mql": ("市场认可线索", "MQL"),
    "sal": ("销售接受线索", "SAL"),
    "sql": ("销售认可线索", "SQL"),
    "opportunity": ("商机", "opportunity"),
    "customer": ("成交客户", "customer"),
    "lost": ("已流失", "lost"),
}
_NEUTRAL = ("记录了一项动态（{kind}）", "Something happened ({kind})")
_LONGEST = 80


def title(kind: str, detail: Mapping[str, Any], locale: str = "zh_CN") -> str:
    """One sentence about the entry; a neutral one for a kind nobody has told us about."""
    language = 0 if locale.startswith("zh") else 1
    template = SENTENCES.get(kind)
    if template is None:
        return _NEUTRAL[language].format(kind=kind)
    values = _values(kind, detail, language)

    def optional(found: re.Match[str]) -> str:
        names = _PLACE.findall(found[1])
        return found[1] if all(values.get(name) for name in names) else ""

    text = _OPTIONAL.sub(optional, template[language])
    return _PLACE.sub(lambda found: values.get(found[1], ""), text).strip()


def _values(kind: str, detail: Mapping[str, Any], language: int) -> dict[str, str]:
    values = {key: _shown(value, language) for key, value in detail.items()}
    values["staff"] = values.get("staff") or values.get("userid") or ""
    values["names"] = values.get("names") or values.get("tags") or ""
    if kind.startswith("tag."):
        source = _TAG_SOURCES.get(str(detail.get("source")))
        values["source"] = source[language] if source else ""
    for key in ("before", "after"):
        if key in values:
            values[key] = STAGES.get(values[key], (values[key], values[key]))[language]
    if kind == "owner.assigned" and detail.get("reason") in why.SENTENCES:
        values["why"] = why.sentence(detail["reason"], detail, ("zh_CN", "en")[language])
    if values.get("kind", "").startswith("message."):
        values["kind"] = _shown(values["kind"].removeprefix("message."), language)
    return values


def _shown(value: Any, language: int) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, list | tuple):
        return ("、" if language == 0 else ", ").join(_shown(item, language) for item in value)
    word = _WORDS.get(str(value))
    text = " ".join((word[language] if word else str(value)).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
