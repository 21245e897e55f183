"""Words of the members' pages: key → (Simplified Chinese, English). Read through ``texts.Words`` only."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "rail_staff_list": ("员工", "Staff"),
    "staff_answer": (
        "现在 {on} 人值班，{off} 人休假；{late}。",
        "{on} on duty now, {off} on leave; {late}.",
    ),
    "staff_late": (
        "{n} 位客户等待首次跟进超过 30 分钟",
        "{n} {n|contact has|contacts have} waited over 30 minutes for a first answer",
    ),
    "staff_none_late": (
        "没有客户等待首次跟进超过 30 分钟",
        "nobody has waited over 30 minutes for a first answer",
    ),
    "staff_show_serving": ("可服务客户", "May serve customers"),
    "staff_show_all": ("全部成员", "All members"),
    "staff_position": ("职务", "Position"),
    "staff_departments": ("部门", "Departments"),
    "staff_whole": ("整个企业", "The whole corp"),
    "staff_member": ("员工", "Member"),
    "staff_in_wecom": ("企业微信状态", "In WeCom"),
    "staff_state_serving": ("可服务客户", "Serves customers"),
    "staff_state_no_right": ("没有客户联系权限", "No customer-contact right"),
    "staff_state_disabled": ("已停用", "Disabled"),
    "staff_state_inactive": ("未激活", "Not activated"),
    "staff_state_left": ("已离职", "Left"),
    "staff_leave": ("休假中", "On leave"),
    "staff_owned": ("负责客户", "Owned"),
    "staff_owned_is": ("该员工是负责人的客户", "Contacts this member owns"),
    "staff_new": ("今日新增", "New today"),
    "staff_new_is": ("今天与该员工建立的好友关系", "Connections made with this member today"),
    "staff_waiting": ("等待首次跟进", "Waiting"),
    "staff_waiting_is": (
        "近 30 天加了该员工、仍是好友、还没有被首次跟进的客户",
        "Connected in the last 30 days, still connected, not answered yet",
    ),
    "staff_late_of": ("{n} 位超过 30 分钟", "{n} over 30 minutes"),
    "staff_duty": ("现在值班的渠道", "On duty now"),
    "staff_no_duty": ("不在班", "Off duty"),
    "staff_role": ("登录角色", "Role"),
    "staff_never_in": ("没有登录过", "Never signed in"),
    "staff_none_here": (
        "这里没有成员。运行 lianke sync 从企业微信读取通讯录。",
        "Nobody here. Run lianke sync to read the members from WeCom.",
    ),
    "staff_more": ("更多员工", "More members"),
    "staff_more_duty": ("{first} 等 {n} 个", "{first} and {n} in all"),
    "staff_hidden": ("不在您的数据范围内", "Not among what you may see"),
    # --- one member
    "staff_one_answer": (
        "负责 {owned} 位客户，今天新增 {new} 位，{waiting} 位等待首次跟进。",
        "Owns {owned} {owned|contact|contacts}, {new} new today, {waiting} waiting for a first answer.",
    ),
    "staff_week": ("班次", "Shifts"),
    "staff_week_text": (
        "一周的班次，按小时；下面的表格里有同样的内容",
        "The week's shifts by hour; the table below says the same",
    ),
    "staff_channels": ("所在渠道", "Channels"),
    "staff_no_channels": (
        "不在任何渠道里，扫码的新客户不会分给这名员工。",
        "In no channel: new scans do not come to this member.",
    ),
    "staff_now": ("现在值班", "On duty now"),
    "staff_backup": ("备用", "Backup"),
    "staff_all_day": ("全天", "All day"),
    "staff_and_more": ("等 {n} 人", " and others, {n} in all"),
    "staff_median": ("近 7 天首次跟进中位（工作时间）", "Median first answer, 7 days (working time)"),
    "staff_numbers": ("数据", "Numbers"),
    "staff_leave_title": ("休假", "Leave"),
    "staff_leave_go": ("设为休假", "Put on leave"),
    "staff_leave_back": ("结束休假", "End the leave"),
    "staff_leave_first": (
        "休假后不再接收新客户，已有客户不变。一分钟内渠道会这样变化：",
        "On leave no new contacts come; those already there stay. Within a minute the channels change like this:",
    ),
    "staff_leave_no_channels": (
        "这名员工不在任何渠道里，渠道没有变化。",
        "This member is in no channel: none of them changes.",
    ),
    "staff_is_away": (
        "休假中：不接收新客户，各渠道由其他人接待。结束休假后一分钟内恢复。",
        "On leave: no new contacts come, others serve the channels. It ends within a minute of being switched off.",
    ),
    "leave_shift": ("「{channel}」由 {who} 接待", "“{channel}” is served by {who}"),
    "leave_backup": (
        "「{channel}」没有人在班，由备用员工 {who} 接待",
        "“{channel}”: nobody is on, the backup {who} serves",
    ),
    "leave_all_off": (
        "「{channel}」没有人在班也没有备用，由 {who} 接待",
        "“{channel}”: nobody is on and there is no backup, {who} serves",
    ),
    "leave_nobody": (
        "「{channel}」没有其他人能接待：请先在渠道里加人，否则扫码的客户仍会加到这名员工",
        "“{channel}”: nobody else can serve. Add somebody to the channel first, or scans still lead to this member",
    ),
    "staff_logins": ("登录", "Sign-ins"),
    "staff_role_is": ("{role}，可以看到：{reach}", "{role}; sees: {reach}"),
    "staff_no_sessions": ("现在没有登录。", "Not signed in anywhere now."),
    "staff_logout_all": ("结束全部登录", "End all sessions"),
    "staff_logout_what": (
        "{n} 个登录会立即结束；本人可以重新登录。要禁止登录，请到「设置 → 人员与角色」停用账号。",
        "{n} {n|session ends|sessions end} at once; they can sign in again. To lock them out, disable the account.",
    ),
    "staff_done_left": ("已设为休假，一分钟内渠道码会换人。", "On leave. The codes change within a minute."),
    "staff_done_back": ("已结束休假，一分钟内恢复接待。", "Back. The codes change within a minute."),
    "staff_done_logout": ("全部登录已结束。", "All sessions have ended."),
    "way_password": ("密码", "Password"),
    "way_scan": ("企业微信扫码", "WeCom scan"),
    "way_client": ("企业微信内", "Inside WeCom"),
    "last_used": ("最近使用", "Last used"),
    "way": ("方式", "Way"),
    "browser": ("浏览器", "Browser"),
    "deed_staff:on_leave": ("设为休假", "Put on leave"),
    "deed_staff:back": ("结束休假", "Ended a leave"),
    "deed_logins:ended": ("结束全部登录", "Ended all sessions"),
}
