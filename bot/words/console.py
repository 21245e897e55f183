"""The console's words: key → (Simplified Chinese, English). Read through ``texts.Words`` only."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # --- in and out
    "login": ("登录", "Sign in"),
    "login_title": ("登录控制台", "Sign in to the console"),
    "login_help": (
        "忘记密码：请在服务器上运行 lianke account reset",
        "Forgot the password? Run lianke account reset on the server",
    ),
    "login_wrong": ("用户名或密码不对，请重新输入。", "That user name and password do not match. Try again."),
    "login_too_often": (
        "尝试次数过多，请 15 分钟后再试，或在服务器上运行 lianke account reset。",
        "Too many tries. Wait 15 minutes, or run lianke account reset on the server.",
    ),
    "username": ("用户名", "User name"),
    "password": ("密码", "Password"),
    "password_change": ("修改密码", "Change password"),
    "password_must": (
        "当前密码由系统生成，请先换成您自己的。",
        "The password was generated. Please choose your own first.",
    ),
    "password_old": ("当前密码", "Current password"),
    "password_new": ("新密码（至少 10 个字符）", "New password (10 characters or more)"),
    "password_old_wrong": ("当前密码不对", "That is not the current password"),
    "password_same": ("新密码不能与当前密码相同", "The new password must differ from the current one"),
    "password_form": ("新密码为 10-128 个字符", "The new password has 10 to 128 characters"),
    "logout": ("退出登录", "Sign out"),
    "theme": ("深色 / 浅色", "Dark / light"),
    # --- the frame
    "skip": ("跳到内容", "Skip to content"),
    "search": ("搜索", "Search"),
    "search_hint": ("搜索客户、渠道、标签、员工（按 /）", "Search contacts, channels, tags, staff (press /)"),
    "keys": ("键盘快捷键", "Keyboard shortcuts"),
    "keys_rows": ("上一行 / 下一行", "Next / previous row"),
    "keys_open": ("打开选中的行", "Open the chosen row"),
    "section_people": ("客户管理", "People"),
    "section_work": ("获客与跟进", "Reach and follow up"),
    "section_team": ("团队", "Team"),
    "section_records": ("记录", "Records"),
    "rail_overview": ("概览", "Overview"),
    "rail_contact_list": ("客户", "Contacts"),
    "rail_channel_list": ("渠道活码", "Channels"),
    "rail_followup_log": ("跟进", "Follow-ups"),
    "rail_event_log": ("事件", "Events"),
    "rail_audit_trail": ("审计", "Audit"),
    "denied_title": ("您没有这个权限", "You may not see this"),
    "denied_what": (
        "这个页面不在您的角色权限内。",
        "This page is not among what your role may see.",
    ),
    "denied_do": ("如需查看，请联系管理员调整您的角色。", "Ask an administrator to change your role."),
    # --- lists
    "when": ("时间", "When"),
    "who": ("谁", "Who"),
    "did": ("做了什么", "Did what"),
    "object": ("对象", "Object"),
    "older": ("更早的", "Older"),
    # --- the audit trail
    "audit_lead": (
        "谁在什么时候做了什么。记录只增不改，每条都与前一条相扣，改动会被验证出来。",
        "Who did what and when. Entries are only added; each is tied to the one before, so a change shows.",
    ),
    "audit_verify": ("验证完整性", "Verify"),
    "audit_whole": ("已验证 {n} 条记录，全部完好。", "{n} {n|entry|entries} checked, all as written."),
    "audit_broken": (
        "第 {n} 条与写入时不符（之前的 {checked} 条完好）。请从备份核对，并查明谁能直接修改数据库。",
        "Entry {n} is not as written; the {checked} before {checked|is|are}. Check a backup; see who can write there.",
    ),
    "audit_address": ("来源地址", "From"),
    "audit_empty": ("还没有记录。", "Nothing yet."),
    "deed_login:opened": ("登录", "Signed in"),
    "deed_login:refused": ("登录被拒绝", "Sign-in refused"),
    "deed_login:ended": ("退出登录", "Signed out"),
    "deed_password:changed": ("修改密码", "Changed the password"),
    "file_choose": ("拖到这里，或点击选择文件", "Drop a file here, or click to choose one"),
}
