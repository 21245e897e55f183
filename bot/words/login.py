"""Words of the sign-in with WeCom and of the sidebar it opens: key → (Simplified Chinese, English)."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "login_or": ("或", "or"),
    "login_wecom": ("企业微信扫码登录", "Sign in by scanning with WeCom"),
    "login_state_title": ("登录没有完成", "The sign-in was not completed"),
    "login_state_what": (
        "这次登录超过了 10 分钟、已经用过，或不是从这个浏览器开始的，所以没有让任何人进入。",
        "It took over 10 minutes, was used before, or did not begin in this browser; so nobody was let in.",
    ),
    "login_state_do": (
        "请重新登录：在企业微信里重新打开侧边栏，或回到登录页再扫一次码。",
        "Sign in again: reopen the sidebar in WeCom, or go back to the sign-in page and scan once more.",
    ),
    "login_code_title": ("企业微信没有认可这次登录", "WeCom did not accept this sign-in"),
    "login_code_what": (
        "登录码无效、已过期（5 分钟）或已经用过。",
        "The code is not valid, is over 5 minutes old, or was used before.",
    ),
    "login_code_do": (
        "请重新登录一次；仍不行时，把下面的编号发给管理员（没有编号时说明是在哪一步）。",
        "Sign in once more; if it fails again, send the number below (or the step it failed at) to your administrator.",
    ),
    "login_away_title": ("现在连不上企业微信", "WeCom cannot be reached right now"),
    "login_away_what": (
        "我们没有得到企业微信的答复，所以还不知道您是谁。",
        "WeCom did not answer us, so we do not know who you are yet.",
    ),
    "login_away_do": (
        "请过一分钟重新登录；仍不行时请管理员运行 lianke check。",
        "Sign in again in a minute; if it fails again, ask your administrator to run lianke check.",
    ),
    "login_outsider_title": ("您不是本企业的成员", "You are not a member of this corp"),
    "login_outsider_what": (
        "登录的微信或企业微信不属于本企业，所以不能进入。",
        "This WeChat or WeCom account does not belong to the corp, so it was not let in.",
    ),
    "login_outsider_do": (
        "请切换到本企业的企业微信账号，再登录一次。",
        "Switch to your account in this corp and sign in again.",
    ),
    "login_unknown_title": ("还没有您的员工资料", "Your staff record is not here yet"),
    "login_unknown_what": (
        "企业微信认识您，但联客还没有同步到您，可能是您刚加入，或不在应用的可见范围内。",
        "WeCom knows you, but Lianke has not met you: you may be new, or outside what the app may see.",
    ),
    "login_unknown_do": (
        "请管理员把您加入应用的可见范围，并运行 lianke sync，然后重新登录。",
        "Ask your administrator to add you to the app's range and to run lianke sync, then sign in again.",
    ),
    "login_left_title": ("您的账号已停用", "Your account is not active"),
    "login_left_what": (
        "您的企业微信账号已离职或停用，不能再进入。",
        "Your WeCom account is disabled or has left the corp.",
    ),
    "login_left_do": (
        "如果这不对，请让管理员在企业微信后台启用您的账号，几分钟后再试。",
        "If this is wrong, ask your administrator to enable it in WeCom, then try again in a few minutes.",
    ),
    "login_disabled_title": ("您的账号已被停用", "Your account was disabled"),
    "login_disabled_what": (
        "管理员停用了您在联客的账号。",
        "An administrator disabled your account in Lianke.",
    ),
    "login_disabled_do": ("如需恢复，请联系管理员。", "To have it back, ask your administrator."),
    # --- the sidebar beside a chat
    "sidebar_enter": ("用企业微信登录", "Sign in with WeCom"),
    "chat_title": ("正在打开客户资料…", "Opening the customer’s profile…"),
    "chat_failed_title": ("没有读到当前客户", "The open customer could not be read"),
    "chat_failed_what": (
        "企业微信没有告诉我们正在和谁聊天。",
        "WeCom did not tell us whose chat is open.",
    ),
    "chat_failed_do": (
        "请关闭侧边栏再打开一次；仍不行时，请管理员检查应用的可信域名和客户联系权限。",
        "Close the sidebar and open it again; if it fails again, have the app’s domain and rights checked.",
    ),
    "chat_script": (
        "请允许这个页面运行脚本：要靠它向企业微信询问当前客户。",
        "Please let this page run its script: it asks WeCom whose chat is open.",
    ),
    "chat_stranger_title": ("看不到这位客户的资料", "You cannot see this customer’s profile"),
    "chat_stranger_what": (
        "这位客户不在您可见的范围内，或刚刚添加、还没有同步到联客。",
        "The customer is not among those you may see, or was added just now and is not in Lianke yet.",
    ),
    "chat_stranger_do": (
        "如果是您刚添加的客户，请过几秒重新打开；如果是同事的客户，请找负责人或您的主管。",
        "If you added them just now, reopen this in a few seconds; if a colleague did, ask them or your manager.",
    ),
    "chat_again": ("重新打开", "Open again"),
}
