"""Words of pages that keep up, of trying an event, of comments, and of codes in batches: key → (Chinese, English)."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # --- pages that keep up
    "live_news_people": (
        "客户时间线有 {n} 条新动态，点此查看",
        "{n} new {n|entry|entries} in customers’ timelines. Show {n|it|them}",
    ),
    "live_news_contact": (
        "时间线有 {n} 条新动态，点此查看",
        "{n} new {n|entry|entries} in the timeline. Show {n|it|them}",
    ),
    "live_news_events": ("有 {n} 个新事件，点此查看", "{n} new {n|event|events}. Show {n|it|them}"),
    "live_news_calls": ("有 {n} 个新调用，点此查看", "{n} new {n|call|calls}. Show {n|it|them}"),
    "live_news_event": ("内容有更新，点此查看", "Something changed. Show it"),
    "live_news_call": ("内容有更新，点此查看", "Something changed. Show it"),
    "live_changed": ("内容有更新，点此查看", "Something changed. Show it"),
    # --- the way of an event, and trying it
    "place_callback": ("回调", "Callback"),
    "place_inbox": ("收件箱", "Inbox"),
    "place_handler": ("处理程序", "Handler"),
    "place_changes": ("数据变化", "Changes"),
    "place_outbox": ("待办箱", "Outbox"),
    "place_call": ("接口调用", "API call"),
    "place_answer": ("返回结果", "Answer"),
    "step_arrived": ("企业微信发出", "Sent by WeCom"),
    "event_dead_do": (
        "怎么办：看下面的错误，修正原因（多半是程序或数据问题，报告时附上事件编号），再点「重放事件」，会先试运行。",
        "What to do: read the error below, mend its cause (quote the event’s number), then replay; it is tried first.",
    ),
    "call_unknown_do": (
        "怎么办：在企业微信里看客户是否已收到或已生效。没有，就重试；已有，就不用管它，它不会自己重发。",
        "What to do: look in WeCom whether it arrived. If not, retry; if so, leave it: it is not sent again by itself.",
    ),
    "call_failed_do": (
        "怎么办：按下面的原因处理好以后，点「重试调用」。",
        "What to do: act on the reason below, then retry the call.",
    ),
    "event_replay_try": ("试运行并重放", "Try and replay"),
    "trial_title": ("试运行事件 {n}", "Trying event {n}"),
    "trial_would": (
        "重放会改动 {changes} 行数据，要调用 {calls} 次接口。",
        "A replay would change {changes} {changes|row|rows} and owe {calls} {calls|call|calls}.",
    ),
    "trial_undone": ("刚才的试运行已全部撤销，什么都没有发出。", "This trial was undone; nothing was sent."),
    "trial_fails": ("现在重放会出错。", "A replay would fail now."),
    "trial_fails_do": (
        "请先修正原因。仍要重放也可以：出错时不会留下任何改动。",
        "Mend the cause first. You may still replay: a failure leaves nothing behind.",
    ),
    "trial_ignored": (
        "这类事件没有处理程序，重放后会标为「无需处理」。",
        "Nothing handles this kind: a replay marks it ignored.",
    ),
    "trial_confirm": ("确认重放", "Replay it"),
    "trial_cancel": ("不重放", "Do not replay"),
    "trial_changes": ("会改变的数据", "What would change"),
    "trial_calls": ("会调用的接口", "What would be called"),
    "trial_no_changes": ("数据不会改变。", "No row would change."),
    "trial_no_calls": ("不会调用任何接口。", "Nothing would be called."),
    "trial_more": ("还有 {n} 行。", "{n} more {n|row|rows}."),
    "trial_late": ("已过期，不会发送", "too late, would not be sent"),
    "trial_new": ("新增", "New"),
    "trial_changed": ("修改", "Changed"),
    "trial_gone": ("删除", "Gone"),
    "table_contact": ("客户", "contact"),
    "table_contact_identity": ("客户身份", "identity"),
    "table_relation": ("好友关系", "relation"),
    "table_staff": ("员工", "member"),
    "table_timeline_entry": ("动态", "timeline entry"),
    "table_assignment": ("负责人分配", "assignment"),
    "table_scan": ("扫码", "scan"),
    "table_contact_tag": ("客户标签", "contact’s tag"),
    "table_channel_code": ("渠道码", "channel code"),
    # --- comments on follow-ups
    "comment_write": ("评论", "Comment"),
    "comment_text": ("写给跟进人，最多 500 字", "To the rep, up to 500 characters"),
    "comment_send": ("发送评论", "Send"),
    "comment_wrong": (
        "评论没有保存：请填写 1-500 个字。",
        "The comment was not kept: write 1 to 500 characters.",
    ),
    "deed_followup:commented": ("评论跟进", "Commented on a follow-up"),
    "chart_csv": ("下载 CSV", "Download as CSV"),
    # --- codes to print, copies and batches
    "qr_svg": ("任意大小、印刷", "any size, print"),
    "qr_svg_name": ("下方带渠道名", "with the channel’s name"),
    "qr_svg_rep": ("下方带员工姓名：{name}", "with the rep’s name: {name}"),
    "qr_logo": ("企业标识", "The corp’s logo"),
    "qr_logo_1": ("带标识", "With logo"),
    "qr_logo_0": ("不带标识", "Without logo"),
    "qr_logo_hint": (
        "读不出企业微信的二维码时不加标识，原图照旧可扫。",
        "Where WeCom’s code cannot be read no logo is put on; its own picture works as ever.",
    ),
    "qr_logo_none": (
        "上传企业标识，放在二维码中间",
        "Upload the corp’s logo for the middle of codes",
    ),
    "poster": ("打印海报", "Poster to print"),
    "poster_sample": ("微信扫一扫，添加我们", "Scan with WeChat to add us"),
    "poster_back": ("返回渠道", "Back to the channel"),
    "poster_paper": ("纸张", "Paper"),
    "poster_title": ("标题", "Title"),
    "poster_text": ("说明文字", "Text"),
    "poster_rep": ("码下的姓名", "Name below the code"),
    "poster_logo": ("标识", "Logo"),
    "poster_show": ("预览", "Preview"),
    "poster_hint": (
        "打印时请选「实际大小」、不要页眉页脚；打印后先用手机扫一次再张贴。",
        "Print at actual size without headers; scan one copy with a phone before you put it up.",
    ),
    "print": ("打印", "Print"),
    "channel_copy": ("复制渠道", "Copy"),
    "channel_copy_name": ("{name} 副本", "{name} (copy)"),
    "batch": ("批量新建", "Create many"),
    "batch_lead": (
        "上传一张表，一行一个渠道。先看每一行对不对，确认后才创建。",
        "Upload a sheet, one channel a row. Every row is looked at first; nothing is made before you say so.",
    ),
    "batch_ready": ("{n} 行都没有问题，可以创建。", "{n|The|All} {n} {n|row is|rows are} fine."),
    "batch_wrong": (
        "{n} 行中有 {wrong} 行要修改。改好表格后重新上传，全部没有问题才会创建。",
        "{wrong} of {n} {n|row|rows} {wrong|needs|need} a change. Mend them and upload it again; all or none are made.",
    ),
    "batch_make": ("创建 {n} 个渠道", "Create {n} {n|channel|channels}"),
    "batch_back": ("返回渠道列表", "Back to the channels"),
    "batch_line": ("行", "Row"),
    "batch_limit": ("每日上限", "Daily limit"),
    "batch_state": ("状态", "State"),
    "batch_fine": ("没有问题", "Fine"),
    "batch_file": ("表格文件（xlsx 或 csv）", "Sheet (xlsx or csv)"),
    "batch_hint": (
        "列：名称、成员、标签、每日上限、欢迎语，最多 200 行。成员填 userid 或姓名，多个用顿号隔开；标签写「组/名」。",
        "Columns: name, staff, tags, daily limit, welcome; up to 200 rows. Staff by userid or name; tags: group/name.",
    ),
    "batch_example": ("下载示例表", "Download an example"),
    "batch_sample_name": ("华东展会A馆", "Spring fair, hall A"),
    "batch_sample_tag": ("来源/展会", "Source/Fair"),
    "batch_look": ("检查表格", "Check the sheet"),
    "batch_no_file": ("请选择一个 xlsx 或 csv 文件。", "Choose an xlsx or csv file."),
    "batch_no_rows": ("表里只有标题，没有内容。", "The sheet has a heading and nothing below."),
    "batch_columns": ("表里缺少这些列：{names}", "Columns are missing: {names}"),
    "batch_staff": (
        "找不到，或有同名的成员：{names}（请填 userid）",
        "No such member, or more than one: {names} (use the userid)",
    ),
    "batch_tags": ("没有这个标签，或有同名的：{names}", "No such tag, or more than one: {names}"),
    "batch_name_taken": ("已有同名渠道", "A channel has this name"),
    "batch_name_twice": ("与第 {line} 行同名", "The same name as in row {line}"),
    "batch_made": ("已创建 {n} 个渠道", "{n} {n|channel|channels} created"),
    "batch_all_ready": ("二维码都已生成。", "All codes are ready."),
    "batch_some_ready": (
        "{n} 个中已生成 {ready} 个二维码，其余正在向企业微信申请。",
        "{ready} of {n} {n|code|codes} {ready|is|are} ready; the others are being asked for.",
    ),
    "batch_zip": ("下载全部二维码（{n} 个）", "Download all codes ({n})"),
    "batch_zip_logo": ("全部下载，带标识", "All, with logo"),
    # --- the logo in the middle of codes
    "tab_settings_logo": ("企业标识", "Logo"),
    "why_settings_logo": (
        "放在渠道二维码中间的企业标识",
        "The corp’s logo in the middle of channel codes",
    ),
    "logo_answer": (
        "渠道二维码和海报中间可以带企业标识；在渠道页选「带标识」或「不带标识」。",
        "Codes and posters of channels can carry the corp’s logo; choose with or without on the channel’s page.",
    ),
    "logo_now": ("现在的标识", "The logo now"),
    "logo_none": ("还没有标识，二维码按原样下载。", "There is none; codes come without."),
    "logo_alt": ("企业标识", "The corp’s logo"),
    "logo_file": ("上传标识", "Upload a logo"),
    "logo_replace": ("换一个标识", "Replace it"),
    "logo_file_hint": (
        (
            "PNG 或 JPEG，最多 {mb} MB，每边最多 {largest} 像素；长边至少 {smallest} 像素，不超过短边的 {ratio} 倍。"
            "空白边会裁掉，透明处变白。"
        ),
        (
            "PNG or JPEG, up to {mb} MB and {largest} pixels each way, at least {smallest} along the longer side and "
            "no more than {ratio} times as long as high. White margins are cut off; what is transparent becomes white."
        ),
    ),
    "logo_upload": ("上传", "Upload"),
    "logo_saved": (
        "标识已保存，之后下载的二维码都可以带上。",
        "Saved. Codes downloaded from now on can carry it.",
    ),
    "logo_removed": (
        "标识已删除；已经印出的二维码不受影响。",
        "Removed. Codes that are printed already stay as they are.",
    ),
    "logo_not_saved": ("没有保存，标识和以前一样。", "Not saved; the logo is as it was."),
    "logo_remove": ("删除标识", "Remove the logo"),
    "logo_remove_what": (
        "之后下载的二维码不再带标识；已经印出的不受影响。",
        "Codes downloaded from then on come without; printed ones stay as they are.",
    ),
    "logo_used": ("怎样保证扫得出", "Why it still scans"),
    "logo_used_by": (
        "二维码按最高纠错级别（H）重新绘制，内容与企业微信的一致；标识最多占宽度的 22%。印之前请先用手机扫一次。",
        (
            "The code is drawn anew at the highest error level (H) with what WeCom’s says; the logo takes at most "
            "22 % of its width. Scan one with a phone before you print."
        ),
    ),
    "deed_logo:changed": ("更换企业标识", "Changed the corp’s logo"),
    "deed_logo:removed": ("删除企业标识", "Removed the corp’s logo"),
}
