"""The overview's words: key → (Simplified Chinese, English). Read through ``texts.Words`` only."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "overview_new": ("{period}新增 {new} 位客户", "{period}: {new} new {new|contact|contacts}"),
    "overview_more": ("，比上一周期多 {n}", ", {n} more than in the period before"),
    "overview_fewer": ("，比上一周期少 {n}", ", {n} fewer than in the period before"),
    "overview_same": ("，与上一周期持平", ", as many as in the period before"),
    "overview_lost": (
        "；流失 {lost} 位，写了 {followups} 条跟进。",
        "; {lost} lost, {followups} {followups|follow-up|follow-ups} written.",
    ),
    "followups_is": ("跟进：员工在这段时间写下的跟进记录", "Follow-ups that reps wrote in the period"),
    "compared": ("与之前 {n} 天相比", "compared with the {n} {n|day|days} before"),
    "before_was": ("上一周期 {value}", "{value} before"),
    "chart_new": ("每天新增客户", "New contacts by day"),
    "chart_text": (
        "{period}每天新增客户，共 {new} 位；数字见图下表格",
        "New contacts by day, {period}: {new} in all; the table below has the numbers",
    ),
    "chart_table": ("查看数据", "Show the numbers"),
    "chart_before": ("上一周期", "The period before"),
    "csv_response_worked": ("首响中位（工作时间，分钟）", "First response, median (working minutes)"),
    "csv_response": ("首响中位（自然时间，分钟）", "First response, median (plain minutes)"),
    "by_channel": ("按渠道", "By channel"),
    "rep": ("员工", "Rep"),
    "by_rep": ("按员工", "By rep"),
    "all_channels": ("全部渠道", "All channels"),
    "direct_line": ("直接添加、导入等", "Added directly, imported, …"),
    "nobody_owns": ("无负责人", "No owner"),
    "more_reps": ("另有 {n} 位员工", "{n} more {n|rep|reps}"),
    "nothing_in_period": ("这段时间没有数据。", "Nothing in this period."),
    "first_steps": ("四步开始使用", "Four steps to begin"),
    "first_steps_why": (
        "每一步都会自动检查，完成后打勾。",
        "Each is checked by itself and ticked when done.",
    ),
    "step_connected": ("连接企业微信", "Connect WeCom"),
    "step_connected_why": ("收到企业微信的第一个回调或答复", "WeCom has sent or answered something"),
    "step_staff": ("同步员工", "Sync staff"),
    "step_staff_why": ("读取到企业的成员；也可运行 lianke sync", "Members were read; or run lianke sync"),
    "step_channel": ("创建渠道", "Make a channel"),
    "step_channel_why": ("企业微信给出二维码", "WeCom has made its code"),
    "step_scan": ("扫码试试", "Try a scan"),
    "step_scan_why": ("第一位客户扫码添加", "The first customer came through a code"),
    "step_done": ("已完成", "Done"),
    "step_open": ("未完成", "Not yet"),
    "step_go": ("去完成", "Do it"),
}
