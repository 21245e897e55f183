"""What is wrong with a channel, in English: Chinese as ``scrm.channels`` has it, with ``{}`` → English."""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    "每日上限": "the daily limit",
    "成本（分）": "the cost (in fen)",
    "数值": "the number",
    "请填写成本（分），没有成本请填 0": "Give the cost in fen, 0 for none",
    "{}应为 {} 到 {} 之间的整数": "{} must be a whole number from {} to {}",
    "最多 {} 条欢迎语": "At most {} welcomes",
    '应为对象，例如 {"text": "您好"}': 'must be an object, such as {"text": "Hello"}',
    "最多 {} 字节（约 1333 个汉字），当前 {} 字节": "At most {} bytes (some 1333 Chinese characters); there are {}",
    "文字和附件至少填写一项": "Give a text or an attachment",
    "最多 {} 个附件，当前 {} 个": "At most {} attachments; there are {}",
    '应为对象，例如 {"msgtype": "link", "link": {…}}': 'must be an object, such as {"msgtype": "link", "link": {…}}',
    "应为 image、link、miniprogram、video 或 file": "must be image, link, miniprogram, video or file",
    "缺少内容": "has no content",
    "请填写素材编号 media（或图片链接 pic_url，二选一）": "Give the material's id as media, or an address as pic_url",
    "应为以 http:// 或 https:// 开头的网址": "must be an address that begins with http:// or https://",
    "最多 {} 个班次": "At most {} shifts",
    '应为对象，例如 {"weekdays": [1], "from": "09:00", "to": "18:00"}': (
        'must be an object, such as {"weekdays": [1], "from": "09:00", "to": "18:00"}'
    ),
    "请填写时间，例如 09:00": "Give a time, such as 09:00",
    "应为成员账号（userid）的列表": "must be a list of userids",
    "应为 1（周一）到 7（周日）的列表": "must be a list of 1 (Monday) to 7 (Sunday)",
    "时间格式应为 HH:MM，例如 09:00": "A time is HH:MM, such as 09:00",
    "开始时间请写 00:00": "Write a beginning as 00:00",
    "开始和结束时间请一起填写": "Give the beginning together with the end",
    "没有编号为 {} 的渠道": "There is no channel {}",
    "渠道 {} 还没有渠道码": "Channel {} has no code yet",
    "企业微信还没有给出二维码": "WeCom has not made the code yet",
    "没有这个尺寸": "There is no such size",
    "没有这个批次": "There is no such batch",
    "渠道没有可以接待的成员：请添加在职、已开通客户联系且未休假的成员": (
        "Nobody of the channel can serve: add members who are here, not on leave, and have customer contact"
    ),
    "一个渠道码最多 {} 名成员，当前需要 {} 名": "A code leads to at most {} members; {} are needed",
    "已有名为“{}”的渠道，请换一个名称": "There is a channel named “{}” already: choose another name",
    "名称已被使用": "the name is taken",
    "渠道码创建后不能修改，请新建渠道": "This cannot change once the code is made: make a new channel",
    "没有账号为“{}”的成员": "There is no member with the userid “{}”",
    "成员“{}”已离职": "The member “{}” has left",
    "有多个标签叫“{}”，请写成“组名/标签名”": "Several tags are named “{}”: write group/tag",
    "没有标签“{}”，请先在标签库中创建": "There is no tag “{}”: make it first",
    "没有这个素材，请先上传": "There is no such file: upload it first",
    "这里需要 {} 类型的素材，该素材是 {}": "A file of the kind {} is needed; this is {}",
    "welcome 和 welcomes 只填一个": "Give welcome or welcomes, not both",
    "请至少选择一名接待成员": "Choose at least one member who serves",
    "“{}” 已是接待成员，不能同时做后备": "“{}” serves already and cannot be a backup, too",
    "“{}” 不在接待成员中": "“{}” is not one of the members who serve",
    '应为对象，例如 {"zhangsan": 2}': 'must be an object, such as {"zhangsan": 2}',
    "请填写数字": "Give a number",
    # --- the logo in the middle of codes
    "请选择一个 PNG 或 JPEG 图片": "Choose a PNG or JPEG picture",
    "标识文件最多 {} MB，请压缩后再上传": "A logo has at most {} MB: make the file smaller and upload it again",
    "标识应为 PNG 或 JPEG 图片（按文件内容判断，与扩展名无关），请另存后再上传": (
        "A logo is a PNG or JPEG picture, by its content, not by its name: save it as one and upload it again"
    ),
    "这个图片打不开，可能没有传完整，请另存后再上传": (
        "The picture cannot be opened; it may be cut off: save it anew and upload it again"
    ),
    "标识每边最多 {} 像素，请缩小后再上传": "A logo has at most {} pixels each way: make it smaller, then upload it",
    "标识太小：长边至少 {} 像素，去掉空白后只有 {} 像素": (
        "Too small: the longer side needs {} pixels and has {} without its margins"
    ),
    "标识太长：长边最多是短边的 {} 倍，请换一个紧凑的版本": (
        "Too long: at most {} times as long as high. Take a more compact version"
    ),
    "标识在白底上看不见（全透明或全白），请换一个有颜色的版本": (
        "It cannot be seen on white (all transparent, or all white). Take a version in colour"
    ),
    "标识里不能有二维码或条形码：手机会扫到它。请换一个版本": (
        "A logo may hold no code of its own: phones would read that one. Take another version"
    ),
    # --- what became of its code
    "渠道码在企业微信侧已被删除，已印出的二维码失效，请新建渠道": (
        "The code was deleted in WeCom and printed ones no longer work: make a new channel"
    ),
    "没有可以接待的成员，渠道码保持原有成员不变：请添加在职、已开通客户联系且未休假的成员": (
        "Nobody can serve, so the code keeps its members: add some who are here, not on leave, with customer contact"
    ),
    "创建渠道码失败": "The code could not be made",
    "更新接待成员失败": "The members could not be changed",
    "企业微信没有返回渠道码": "WeCom returned no code",
    "{}：结果未知，请在「调用」中核对后重试": "{}: the outcome is not known; look at the call, then retry it",
    "{}：{}（错误码 {}）。可在「调用」中重试": "{}: {} (errcode {}). The call can be retried",
    "{}：{}。可在「调用」中重试": "{}: {}. The call can be retried",
    "（错误码 {}）": " (errcode {})",
    "原因未知": "the reason is not known",
}
