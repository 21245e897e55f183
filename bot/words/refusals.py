"""The domain's sentences in English: Chinese as ``scrm`` and the jobs have it, with ``{}`` → English."""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    # --- shared by many forms
    "应为文字": "must be a text",
    "应为列表": "must be a list",
    "应为文字的列表": "must be a list of texts",
    "应为 true 或 false": "must be true or false",
    "不能为空": "must not be empty",
    "不能包含控制字符": "must not have control characters",
    "不能为空，也不能包含控制字符": "must not be empty or have control characters",
    "只能有一行，不能包含控制字符": "One line only, without control characters",
    "没有这个字段": "There is no such field",
    "最多 {} 个字": "At most {} characters",
    "最多 {} 个字符，当前 {} 个": "At most {} characters; there are {}",
    "最多 {} 项，当前 {} 项": "At most {}; there are {}",
    "“{}” 重复": "“{}” is there twice",
    "；另有 {} 处": "; and {} more",
    "请改正后重试。{}{}": "Please correct this: {}{}",
    "没有保存：{}": "Not saved: {}",
    # --- accounts, staff, hours, tokens
    "请填写开始和结束时间（如 09:00 和 18:00），结束要晚于开始": (
        "Give both times (as 09:00 and 18:00), the end after the beginning"
    ),
    "请至少选择一个上班的日子": "Choose at least one working day",
    "{} 同时写在休息日和上班日里": "{} is both a day off and a working day",
    "工作时间没有保存：{}": "The hours were not saved: {}",
    "「{}」不是日期，请写成 2026-02-16": "“{}” is not a date: write it as 2026-02-16",
    "最多 {} 天，现在有 {} 天": "At most {} days; there are {}",
    "用户名为 2-64 位小写字母、数字或 . _ -，以字母或数字开头": (
        "A user name has 2 to 64 small letters, digits or . _ -, and begins with a letter or digit"
    ),
    "用户名 {} 已被使用": "The user name {} is taken",
    "密码为 {}-{} 个字符": "A password has {} to {} characters",
    "您的企业微信账号已离职或停用": "Your WeCom account has left or is disabled",
    "您的账号已被管理员停用": "An administrator disabled your account",
    "还没有同步到这位员工": "This member has not been synced yet",
    "没有这个账号": "There is no such account",
    "该账号用企业微信登录，没有密码": "This account signs in with WeCom and has no password",
    "不能修改自己的账号，请由另一位管理员操作": "You cannot change your own account: ask another administrator",
    "不能管理数据范围比您大的账号，也不能给出比您大的范围": (
        "You can neither manage an account with a wider reach than yours nor give one"
    ),
    "这是最后一位管理员，请先让另一个账号成为管理员": (
        "This is the last administrator: make another account one first"
    ),
    "没有这个登录，可能已经结束": "There is no such session; it may be over",
    "请填写 1-64 个字的名称": "Give a name of 1 to 64 characters",
    "请选择其中之一：{}": "Choose one of: {}",
    "有效期最长一年": "A token lives a year at most",
    "令牌没有创建：{}": "The token was not made: {}",
    "没有这个令牌": "There is no such token",
    "该令牌早已停用": "That token was revoked before",
    "您的角色没有这个权限，请联系管理员": "Your role does not allow this: ask an administrator",
    "您的角色不能写跟进": "Your role may not write follow-ups",
    "只读的账号不计使用次数": "What a read-only account uses is not counted",
    "您的角色不能添加话术": "Your role may not add replies",
    "这里涉及全部客户，您的数据范围不包括": "This concerns all customers, and your reach does not take in all of them",
    "没有这个账号，请填写登录名或员工的 userid（该员工须登录过）": (
        "There is no such account: give a user name, or the userid of a member who has signed in once"
    ),
    "只能为自己或您管理的员工设置休假": "You can set leave only for yourself and for the staff you manage",
    "该员工还没有登录过": "This member has never signed in",
    "没有这位员工": "There is no such member",
    "没有这名员工": "There is no such member",
    "没有这位员工，请核对": "There is no such member: please check",
    "没有这位在职员工": "No such member serves here",
    "不是在职员工": "has left",
    "{} 已离职或停用，请另选一位": "{} has left or is disabled: choose somebody else",
    # --- customers, tags, segments
    "没有这位客户，或您无权查看": "There is no such customer, or you may not see them",
    "资料没有保存：{}": "The details were not saved: {}",
    "您不是该客户的好友": "You are not connected with this customer",
    "电话号码不正确，请填写 7-15 位数字": "Not a phone number: 7 to 15 digits",
    "应为 7-15 位数字": "must have 7 to 15 digits",
    "已有客户使用这个电话号码，请先搜索该号码；搜不到就是您无权查看，请联系管理员": (
        "A customer has this phone number: search for it. If not found, they are not yours to see: ask an administrator"
    ),
    "这个手机号已属于一位您无权查看的客户，没有导入；需要时请联系管理员": (
        "The number belongs to a customer whom you may not see; not imported. Ask an administrator if it should be"
    ),
    "已属于另一位客户": "belongs to another customer",
    "没有这个标签组，或它已被删除": "There is no such tag group, or it was deleted",
    "已有标签组「{}」，请换一个名称": "There is a tag group “{}” already: choose another name",
    "该标签组正在企业微信中创建，请稍后再试": "WeCom is making this group: try again in a moment",
    "该客户没有好友关系，企业微信中无法打标签；请先让员工添加客户": (
        "Nobody is connected with this customer, so WeCom allows no tags: a rep has to add them first"
    ),
    "{} 不是该客户的好友，请换一位员工": "{} is not connected with this customer: choose another rep",
    "不是该客户的好友": "not connected with this customer",
    "有 {} 个同名标签，请写成「组/标签」": "{} tags have that name: write it as group/tag",
    "没有这个标签": "There is no such tag",
    "标签无法识别：{}": "Not a tag: {}",
    "标签组名称需为 1 到 {} 个字": "The name of a group has 1 to {} characters",
    "标签名称需为 1 到 {} 个字": "The name of a tag has 1 to {} characters",
    "没有这个标签，或它已被删除": "There is no such tag, or it was deleted",
    "同一标签组里已有「{}」": "The group has a tag “{}” already",
    "该标签正在企业微信中创建，请稍后再试": "WeCom is making this tag: try again in a moment",
    "没有这个人群，可能已被删除；请刷新页面": "There is no such segment; it may be deleted: load the page again",
    "请先选好条件，再存为人群": "Choose filters first, then save them as a segment",
    "没有条件": "no filters",
    "每人最多保存 {} 个人群，请先删除不用的": "A person keeps at most {} segments: delete some first",
    "已达上限": "as many as allowed",
    "这个人群由同事共享，只有建立者可以修改或删除": (
        "A colleague shares this segment: only they can change or delete it"
    ),
    "人群名称为 1-{} 个字符": "The name of a segment has 1 to {} characters",
    "1-{} 个字符": "1 to {} characters",
    "您已有名为「{}」的人群，请换一个名称": "You have a segment named “{}” already: choose another name",
    "没有这个客户群，或您无权查看": "There is no such group chat, or you may not see it",
    # --- follow-ups, tasks
    "没有安排过这个待办，或您无权撤回": "This task was not given by anybody, or is not yours to withdraw",
    "这个待办已完成，不能撤回": "The task is done and cannot be withdrawn",
    "没有这条跟进，或您无权查看": "There is no such follow-up, or you may not see it",
    "请填写 1-{} 个字的评论": "Write 1 to {} characters",
    "评论没有保存：{}": "The comment was not saved: {}",
    "请填写 1-{} 个字的跟进内容": "Write 1 to {} characters",
    "跟进时间不能晚于现在": "The time of a follow-up must not be in the future",
    "下次跟进时间应晚于现在": "The next follow-up must be in the future",
    "跟进没有保存：{}": "The follow-up was not saved: {}",
    "时间应晚于现在": "The time must be in the future",
    "请填写 1-{} 个字的待办内容": "Write 1 to {} characters",
    "待办没有保存：{}": "The task was not saved: {}",
    "待办已撤回": "The task was taken back",
    "该员工不是这位客户的负责人，也没有添加过这位客户": (
        "The rep neither owns this contact nor was ever connected with it"
    ),
    "待办没有保存：{}，看不到这个待办；请先把客户分配给该员工，或换一位员工": (
        "The task was not saved: {}, and would not see it; assign the contact to the rep first, or choose another rep"
    ),
    "待办没有推迟：{}": "The task was not put off: {}",
    "没有这个待办，或您无权查看": "There is no such task, or you may not see it",
    "这个待办{}；需要时请先恢复它": "This task {}; open it again first",
    "已完成": "is done",
    "已跳过": "was skipped",
    "已变化": "has changed",
    # --- the library
    "没有这个文件夹，或您无权查看": "There is no such folder, or you may not see it",
    "没有这个文件夹": "There is no such folder",
    "团队的内容由管理员、市场或销售主管维护；可以存一份到自己的文件夹": (
        "Administrators, marketing and sales managers keep what the team has; save a copy in a folder of your own"
    ),
    "团队的文件夹由管理员、市场或销售主管维护": (
        "Administrators, marketing and sales managers keep the team's folders"
    ),
    "最多 {} 个文件夹，请先删除不用的": "At most {} folders: delete some first",
    "只有员工才有自己的文件夹": "Only members have folders of their own",
    "已有名为「{}」的文件夹": "There is a folder named “{}” already",
    "{}，请换一个名称": "{}: choose another name",
    "没有这张封面": "There is no such cover",
    "没有这张图片": "There is no such picture",
    "没有占位符 {}，可用的是 {}": "There is no placeholder {}; there are {}",
    "文件的类型与素材不符": "The file is of another kind",
    "请上传文件": "Upload a file",
    "请填写以 wx 开头的小程序 AppID": "Give the mini program's AppID, which begins with wx",
    "请填写以 .html 结尾的页面路径，例如 pages/index.html": (
        "Give a path that ends with .html, such as pages/index.html"
    ),
    "请上传封面图片": "Upload a cover",
    "封面应为 JPG 或 PNG 图片": "A cover is a JPG or PNG",
    "「{}」里已有同名的话术": "“{}” has a reply of that title already",
    "已有同名的话术": "a reply has that title already",
    "素材的类型不能改变，请新建一个": "The kind of a material cannot change: make a new one",
    "不能改变": "cannot change",
    "没有这条{}，或您无权查看": "There is no such {}, or you may not see it",
    "话术": "reply",
    "素材": "material",
    "一个文件夹最多 {} 条，请换一个文件夹": "A folder holds at most {}: use another one",
    "没有这个文件，请重新上传": "There is no such file: upload it again",
    "没有这个文件": "There is no such file",
    "团队话术只能附带团队素材": "A reply of the team can only have materials of the team",
    "没有这一类内容": "There is nothing of that kind",
    "没有这个操作": "There is no such deed",
    "没有这种用法": "It cannot be used so",
    "没有这个列表": "There is no such list",
    # --- files
    "素材类型应为 image、video 或 file": "The kind must be image, video or file",
    "应为 image、video 或 file": "must be image, video or file",
    "文件是空的或太小（至少 6 字节）": "The file is empty or too small (6 bytes at least)",
    "文件太小": "The file is too small",
    "文件太大：最多 {} MB，当前 {} MB": "The file is too large: at most {} MB, it has {} MB",
    "图片应为 JPG 或 PNG 格式": "A picture must be a JPG or PNG",
    "视频应为 MP4 格式": "A video must be an MP4",
    "{}（按文件内容判断，与扩展名无关）": "{} (judged by its content, whatever its name says)",
    "没有编号为 {} 的图片": "There is no picture {}",
    "文件超过 2 MB，请拆成几个文件": "The file is larger than 2 MB: split it",
    "文件里没有内容": "There is nothing in the file",
    "一次最多 {} 行，请拆成几个文件": "At most {} rows at a time: split the file",
    "打不开这个文件，请另存为 xlsx 或 csv 后再传": "The file cannot be opened: save it as xlsx or csv",
    "看不懂文件的编码，请另存为 UTF-8 的 csv 或 xlsx": "Its encoding is not known: save it as xlsx, or csv in UTF-8",
    "看不懂这个文件，请另存为 xlsx 后再传": "The file cannot be read: save it as xlsx",
    # --- the import
    "缺少姓名": "the name is missing",
    "缺少手机号": "the phone number is missing",
    "手机号不正确：应为 1 开头的 11 位大陆手机号，或以 + 开头的国际号码": (
        "not a phone number: a mainland mobile, or an international one with +"
    ),
    "没有渠道「{}」：请先新建，或核对名称": "no channel “{}”: create it first, or check its name",
    "{}超过 {} 个字": "{} is longer than {} characters",
    "{}含有换行或控制字符": "{} has line breaks or control characters",
    "这一行的列数比第一行多：含逗号的内容请用英文双引号括起来": (
        "more cells than the first line has: put texts with commas into quotes"
    ),
    "不能导入：{}": "This file cannot be imported ({})",
    "第一行缺少列 {}；可用的列：姓名、手机、公司、渠道、备注": (
        "columns missing in the first line: {}; there may be name, phone, company, channel and remark"
    ),
    "{}（或 {}）": "{}, or {}",
    "姓名": "name",
    "手机": "phone",
    "公司": "company",
    "渠道": "channel",
    "备注": "remark",
    "文件超过 {} MB，请拆成几个文件": "larger than {} MB: split it",
    "文件有 {} 行，最多 {} 行，请拆成几个文件": "it has {} rows, {} are the most: split it",
    "文件是空的": "it is empty",
    "第 {} 行不是合格的 CSV（{}）": "line {} is not proper CSV: {}",
    "文件不是 Excel 工作簿，既不是 UTF-8 也不是 GBK 编码；请在 Excel 中另存为 xlsx 或「CSV UTF-8」": (
        "neither an Excel workbook nor text in UTF-8 or GBK: save it as xlsx or CSV UTF-8 in Excel"
    ),
    "工作簿设有密码，请去掉密码后再导入": "the workbook has a password: take it off first",
    "文件打不开：可能已损坏，或不是 Excel 工作簿；请在 Excel 中另存为 xlsx": (
        "it cannot be opened; it may be broken or no Excel workbook: save it as xlsx in Excel"
    ),
    "第一张工作表是空的；要导入的数据请放在第一张": "the first sheet is empty: put the rows there",
    "文件打不开：可能已损坏；请在 Excel 中另存为 xlsx": (
        "it cannot be opened and may be broken: save it as xlsx in Excel"
    ),
    "工作簿展开后过大，请拆成几个文件，或另存为 CSV": "the workbook is too large unpacked: split it, or save it as CSV",
    "没有这次导入，或它已经开始": "There is no such import, or it has begun",
    "负责人": "owner",
    "来源渠道": "channel",
    "电话": "phone",
    "描述": "description",
    # --- jobs
    "已有同类任务（编号 {}，{} 开始）尚未结束，请等它完成或先取消": (
        "A job of that kind (number {}, begun {}) is not over: wait for it, or cancel it first"
    ),
    "这个任务已经开始或结束，请到任务中心查看": "This job has begun or is over: see the list of jobs",
    "执行该任务的进程反复中断": "The processes that ran this job were cut off again and again",
    "任务已结束（{}），不能取消": "The job is over ({}) and cannot be cancelled",
    "任务没有失败或取消（{}），不用重试": "The job neither failed nor was cancelled ({}): no need to go on",
    "没有编号为 {} 的任务": "There is no job {}",
    "没有这个文件，或它已超过 7 天": "There is no such file, or it is older than 7 days",
    "没有这个文件，或它已超过保存期": "There is no such file, or it is no longer kept",
    "没有这个文件，或它已超过保存期；请重新上传": "There is no such file, or it is no longer kept: upload it again",
    "发起人的账号已停用，任务已停止；请由有权限的同事重新发起": (
        "The account that started this was disabled, so the job stopped: somebody with the right can start it again"
    ),
    "发起人已没有做这件事的权限，任务已停止；请联系管理员，或由有权限的同事重新发起": (
        "Whoever started this may no longer do it, so the job stopped: ask an administrator, or somebody with the right"
    ),
    "程序出错（{}），详情在日志里（background_job_crashed）；重试会接着做": (
        "The program failed ({}); the log has the details (background_job_crashed). It can go on where it stopped"
    ),
    "这个任务没有可撤销的改动，或还没有结束": "This job has nothing to undo, or is not over",
    # --- the sync
    "同步任务 {} 已结束，或正由另一个进程执行": "Sync {} is over, or another process runs it",
    "已完成 {}/{}": "{} of {} done",
    "核对任务 {} 正在进行（{}）；若执行它的进程已中断，最多 2 分钟后即可接着做": (
        "Sync {} is under way ({}); if its process was cut off, it can go on within 2 minutes"
    ),
    "企业微信没有返回任何可服务客户的成员：请检查应用是否在「客户联系 → 可调用接口的应用」中": (
        "WeCom names no member who may serve customers: see whether the app may call the customer-contact API"
    ),
    "{} 的 {} 位客户中有 {} 位在企业微信中看不到": "Customers of {} ({}) who are not seen in WeCom: {}",
    "{}，未作处理：请核实应用的可见范围": "{}; nothing was changed: check the app's visible range",
    "客户群没有核对：{}（{}）": "Group chats were not synced: {} ({})",
    "部门": "departments",
    "部门 {}": "Department {}",
    "员工": "staff",
    "核对离职员工": "staff who left",
    "客户联系权限": "customer-contact rights",
    "客户标签": "tags",
    "渠道码": "channel codes",
    "客户": "customers",
    "客户群": "group chats",
    "未命名客户": "Customer without a name",
    # --- events and calls
    "新增": "new",
    "修改": "changed",
    "删除": "gone",
    "没有编号为 {} 的事件": "There is no event {}",
    "该事件正在处理中，请稍后再试": "The event is being handled: try again in a moment",
    "该事件的内容已超过保存期，无法重放": "The event's content is no longer kept: it cannot be replayed",
    "该事件的内容已超过保存期，无法试运行": "The event's content is no longer kept: it cannot be tried",
    "没有编号为 {} 的调用": "There is no call {}",
    "该调用的状态是 {}，只有失败或结果未知的调用可以重试": (
        "The call is {}: only failed calls and those of unknown outcome can be retried"
    ),
    "该调用已超过有效期（例如欢迎语仅 20 秒内有效），不能再发送": (
        "It is too late for this call (a welcome, for example, holds for 20 seconds)"
    ),
    "发送没有暂停，无需恢复": "Sending is not paused",
    "从备份恢复没有做完：请重新运行 lianke restore": "A restore was not finished: run lianke restore again",
    "只能在发送暂停时放弃等待的调用": "Waiting calls can be dropped only while sending is paused",
    "从备份恢复": "restored from a backup",
    # --- figures
    "结束日期早于开始日期": "The end is before the beginning",
    "应不早于开始日期": "must not be before the beginning",
    "一次最多统计 {} 天": "At most {} days at a time",
    "最多 {} 天": "At most {} days",
}
