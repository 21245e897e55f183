"""What is kept with a call beside its errcode, in English: sentences of ours, which are kept in Chinese."""

from __future__ import annotations

import re

_MISSING = re.compile(r"(\d+) 个附件的素材尚未就绪，未随欢迎语发送")

REASONS: dict[str, str] = {
    "企业微信拒绝了请求（HTTP 错误）": "WeCom refused the request (HTTP error)",
    "无法连接企业微信服务器，请求未发出": "WeCom could not be reached; nothing was sent",
    "请求已发出但没有收到明确结果": "The request went out, but no clear answer came",
    "发送进程中断，结果未知": "The sending process was cut off; the outcome is not known",
    "可能在备份之后已经发出，结果未知": "It may have gone out after the backup; the outcome is not known",
    "欢迎语发送时已读取客户资料": "The profile was read when the welcome was sent",
    "前一次结果未知，平台已不再去重，请人工核对后决定是否重发": (
        "An earlier outcome is not known and WeCom no longer drops a second one: look, then decide"
    ),
    "超过有效期，未发送": "Too late; not sent",
    "前一次结果未知，凭证失效后核对": "An earlier outcome is not known; it is looked up once the code is over",
    "平台上已不存在，视为完成": "No longer there in WeCom: as good as done",
    "presumed_sent：前一次结果未知，平台答复已发过": (
        "presumed_sent: an earlier outcome was not known, WeCom says it was sent"
    ),
    "数据库暂时不可用，欢迎语尚未发送": "The database was away; the welcome is not sent yet",
    "同一位客户刚刚已收到欢迎语": "The contact has just had a welcome",
    "素材已删除": "The file was deleted",
}


def reason_in_english(reason: str) -> str:
    """A kept reason in English where it is one of ours; as it is where it is not."""
    limited = reason.removeprefix("限流：")
    if limited != reason:
        return f"Held back by a rate limit: {limited}"
    missing = _MISSING.fullmatch(reason)
    if missing:
        return f"{missing[1]} attachments were not ready and did not go with the welcome"
    return REASONS.get(reason, reason)
