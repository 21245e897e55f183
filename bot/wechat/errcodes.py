"""What each WeCom errcode means for us: the one table behind the error tree and the screens.

Source: developer.work.weixin.qq.com path/90313 (全局错误码) and the pages of the single APIs, as collected in
`wecom/semantics.md` section 10. The official account uses some of the same numbers for other things (40130,
41051): it needs a table of its own.

To add a code, add a line in its group. The first argument is what happened, the second what a person does next;
both are shown to people, so both are Chinese. A code that is not here is retried a few times and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Kind(StrEnum):
    """Which class of the error tree a code becomes (see `bot.wechat.errors`)."""

    RETRYABLE = "retryable"
    PERMANENT = "permanent"
    TOKEN_INVALID = "token_invalid"
    QUOTA_SPENT = "quota_spent"
    ALREADY_DONE = "already_done"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table. `after` is how long to wait at least, `tries` how often to try in all (None: no cap)."""

    kind: Kind
    message_zh: str
    next_step_zh: str
    needs_admin: bool = False
    after: timedelta | None = None
    tries: int | None = None


def _again(message: str, next_step: str, *, seconds: float, tries: int | None = None) -> Rule:
    """The platform did nothing and will accept the same call later."""
    return Rule(Kind.RETRYABLE, message, next_step, after=timedelta(seconds=seconds), tries=tries)


def _fix(message: str, next_step: str) -> Rule:
    """The same bytes will be refused for ever."""
    return Rule(Kind.PERMANENT, message, next_step)


def _admin(message: str, next_step: str) -> Rule:
    """Refused until somebody changes a setting in the WeCom admin console."""
    return Rule(Kind.PERMANENT, message, next_step, needs_admin=True)


def _done(message: str, next_step: str) -> Rule:
    """The platform's state already is so, or can no longer be otherwise: nothing is left to do."""
    return Rule(Kind.ALREADY_DONE, message, next_step)


def _token(message: str, next_step: str, *, needs_admin: bool = False) -> Rule:
    return Rule(Kind.TOKEN_INVALID, message, next_step, needs_admin=needs_admin)


_BUG = "属于程序问题，请把调用记录编号发给技术支持"
_WAIT = "无需处理，系统会自动重试"
_EDIT = "请修改内容后重新提交"
_RESYNC = "请在「同步」页重新同步后再操作"
_RELOGIN = "请重新打开页面登录"
_RANGE = "请管理员在企业微信后台把相关成员或部门加入应用可见范围"
_RIGHT = "请管理员在企业微信后台「客户联系 → 可调用接口的应用」中勾选本应用"
_MEDIA = "请更换素材后重新提交"
_STOP = "无需处理，该步骤已停止"

_TOKENS = {
    40001: _token(
        "应用凭证（Secret）不正确",
        "请管理员核对 config.toml 中的 secret，并运行 lianke check",
        needs_admin=True,
    ),
    40014: _token("访问凭证无效", _WAIT),
    42001: _token("访问凭证已过期", _WAIT),
    42009: _token("第三方应用的访问凭证已过期", _WAIT),
    40013: _admin("企业 ID（corp_id）不正确", "请管理员核对 config.toml 中的 corp_id"),
    40056: _admin("应用 ID（agent_id）不正确", "请管理员核对 config.toml 中的 agent_id"),
    40091: _admin(
        "Secret 不属于这家企业", "请管理员核对 config.toml 中的 secret 与 corp_id 是否同属一家企业"
    ),
    41001: _fix("调用缺少访问凭证", _BUG),
    41002: _admin("缺少企业 ID（corp_id）", "请管理员在 config.toml 中填写 corp_id"),
    41004: _admin("缺少应用凭证（Secret）", "请管理员在 config.toml 中填写 secret"),
    42012: _fix("JS-SDK 票据不可用", "请刷新侧边栏页面；仍然出现时请运行 lianke check"),
    40093: _fix("JS-SDK 签名不正确", "请刷新侧边栏页面；仍然出现时请检查访问域名是否与配置一致"),
    91040: _fix("票据类型不正确", _BUG),
}

_PLATFORM = {
    -1: Rule(
        Kind.OUTCOME_UNKNOWN,
        "企业微信系统繁忙，无法确定是否已经生效",
        "系统会先核对再决定是否重试，请勿手动重复操作",
        after=timedelta(seconds=2),
        tries=3,
    ),
    6000: _again("数据正被同时修改", _WAIT, seconds=1),
    45009: Rule(
        Kind.QUOTA_SPENT,
        "接口调用次数超过上限",
        "无需处理，系统会暂停后自动继续；若频繁出现请减少同时进行的任务",
        after=timedelta(seconds=60),
    ),
    45033: _again("接口并发超过上限", "无需处理，系统会降低并发后自动重试", seconds=0.5),
    45035: _again("同一客户正被同时修改", _WAIT, seconds=1),
    45029: _fix("返回内容过大", "属于程序问题，请减小每页数量"),
    40206: _fix("请求内容过大", "请减少单次提交的数量"),
    81017: _fix("一次查询的对象过多", "请缩小查询范围（指定群主或成员）"),
    48005: _fix("企业微信已下线该接口", _BUG),
}

_RIGHTS = {
    48001: _admin("应用未获得该接口的授权", _RIGHT),
    48002: _admin("应用没有调用该接口的权限", _RIGHT),
    48004: _admin("接口授权已失效", "请管理员重新授权本应用"),
    48006: _admin("接口权限因长期未使用已被收回", "请管理员在企业微信后台重新开启该权限"),
    48007: _admin("没有该客服账号的权限", "请管理员在「微信客服 → 可调用接口的应用」中授权该客服账号"),
    48008: _admin("只有通讯录编辑权限的应用可以调用", "请管理员开启通讯录同步并配置对应的 Secret"),
    48009: _admin("通讯录同步助手在新 IP 上不能读取详情", "请管理员改用自建应用的 Secret 读取通讯录"),
    84074: _admin("成员没有客户联系功能的权限", "请管理员在「客户联系 → 权限配置」中为该成员开启"),
    60011: _admin("应用没有该成员、部门或标签的权限", _RANGE),
    60021: _admin("成员不在应用可见范围内", _RANGE),
    50002: _admin("成员不在应用可见范围内", _RANGE),
    60020: _admin(
        "服务器 IP 不在企业可信 IP 列表中",
        "请管理员把错误信息中的 IP 加入应用的「企业可信 IP」，约 1 分钟后生效",
    ),
    301002: _admin("没有该应用（agentid）的权限", "请管理员核对 agent_id 与 secret 是否属于同一个应用"),
    50001: _admin("网页授权域名与可信域名不一致", "请管理员在应用的「网页授权及 JS-SDK」中设置可信域名"),
    50003: _admin("应用已被停用", "请管理员在企业微信后台启用本应用"),
    80001: _admin("可信域名未通过校验或未备案", "请管理员检查应用的可信域名与备案"),
    43012: _admin("应用没有设置接收消息的回调地址", "请管理员在应用的「接收消息」中设置回调 URL"),
    41057: _admin("企业没有绑定微信开发者 ID", "请管理员在「客户联系 → API」中绑定微信开发者 ID"),
    45024: _admin("账号数量已达上限", "请管理员清理账号或升级版本"),
    701008: _admin("没有互通账号许可", "请管理员购买并激活互通账号许可"),
    301042: _admin("服务器 IP 不在会话存档可信列表中", "请管理员在「会话内容存档」中加入服务器 IP"),
    301052: _admin("会话存档服务已到期", "请管理员续费会话内容存档"),
    301053: _admin("未开启会话存档服务", "请管理员开通会话内容存档"),
    845002: _admin("openid 与当前主体不匹配", "请管理员确认公众号与企业微信主体一致"),
    845003: _admin("unionid 与当前主体不匹配", "请管理员确认公众号与企业微信主体一致"),
}

_PARAMETERS = {
    40003: _fix("成员 UserID 无效", "请确认该成员仍在企业中，" + _RESYNC),
    40008: _fix("消息类型不正确", _BUG),
    40031: _fix("成员列表不正确", "请检查所选成员，" + _RESYNC),
    40032: _fix("成员列表数量不正确", "请减少所选成员数量"),
    40033: _fix("内容包含非法字符", "请删除特殊字符后重试"),
    40035: _fix("参数不正确", _BUG),
    40058: _fix("参数不符合要求或过长", "请缩短内容后重试；具体字段见错误信息"),
    40063: _fix("必填内容为空", "请补充必填内容后重试"),
    40066: _fix("部门列表不正确", _RESYNC),
    46004: _fix("成员不存在", _RESYNC),
    60003: _fix("部门不存在", _RESYNC),
    60123: _fix("部门不存在", _RESYNC),
    60111: _done("成员不存在或已离职", "请改派给其他成员"),
    40029: _fix("登录授权码无效", _RELOGIN),
    42003: _fix("登录授权码已过期", _RELOGIN),
    42022: _fix("登录授权码已被使用", _RELOGIN),
    41008: _fix("缺少登录授权码", _RELOGIN),
    84014: _fix("登录票据已过期", _RELOGIN),
    84015: _fix("登录票据无效", _RELOGIN),
    84090: _fix("缺少登录票据", _RELOGIN),
    610014: _fix("unionid 无效", "请确认该 unionid 来自同一主体的公众号或小程序"),
}

_MEDIA_CODES = {
    40004: _fix("素材文件类型不支持", _MEDIA),
    40005: _fix("素材类型参数不正确", _BUG),
    40006: _fix("素材文件大小不符合要求", _MEDIA),
    40007: _fix("素材已过期（有效期 3 天）或无效", "请重新上传素材后重新提交"),
    40009: _fix("图片大小不符合要求", _MEDIA),
    40011: _fix("视频大小不符合要求", _MEDIA),
    40123: _fix("图片已损坏或格式不支持", _MEDIA),
    41005: _fix("没有收到素材文件", _MEDIA),
    41006: _fix("缺少素材 ID", "请重新选择素材"),
    44001: _fix("素材文件为空", _MEDIA),
    44004: _fix("文本内容为空", _EDIT),
    45001: _fix("素材文件过大", _MEDIA),
    45002: _fix("文本过长", "请缩短文本后重试"),
    45007: _fix("语音超过 60 秒", "请缩短语音后重试"),
    45008: _fix("图文条数超过上限", "请减少图文条数"),
    41072: _fix("附件类型与使用场景不匹配", _MEDIA),
    41080: _fix("附件大小不符合要求", _MEDIA),
    41081: _fix("图片分辨率过高", "请压缩图片后重试"),
    41082: _fix("视频时长超过 30 秒", "请缩短视频后重试"),
}

_CONTACT_WAYS = {
    41035: _fix("缺少客户相关参数", _BUG),
    41036: _fix("客户相关参数不正确", _BUG),
    41037: _fix("渠道码缺少类型", _BUG),
    41038: _fix("渠道码缺少场景", _BUG),
    41039: _fix("渠道码类型不正确", _BUG),
    41040: _fix("渠道码场景不正确", _BUG),
    41041: _fix("一个渠道码最多 100 名成员", "请减少成员或部门后重试"),
    41042: _fix("渠道码样式不正确", _BUG),
    41043: _fix("缺少渠道码 ID", _BUG),
    41044: _done("渠道码不存在或已删除", "若仍需要，请新建渠道码"),
    41045: _admin("企业的渠道码数量已达上限", "请管理员清理不再使用的渠道码"),
    41054: _admin("成员尚未激活企业微信", "请该成员登录企业微信激活，或换一名成员"),
    40098: _admin("成员尚未实名认证", "请该成员在企业微信中完成实名认证，或换一名成员"),
    41091: _fix("一个群活码最多关联 5 个群", "请减少关联的群"),
    41095: _admin("获客链接数量已达上限", "请管理员删除不再使用的获客链接"),
}

_CUSTOMERS = {
    84061: _done("客户与该成员不是好友关系", "无需处理；对方可能已删除好友"),
    84084: _done("成员不是该客户的跟进人，或不在应用可见范围", _RESYNC),
    40096: _fix("客户 ID 无效", _RESYNC),
    41056: _fix("该类型的客户不支持此操作", "请改用其他方式联系该客户"),
    40068: _done("标签或标签组不存在", "请在「标签」页重新同步后再操作"),
    40070: _fix("成员标签的范围均无效", _RESYNC),
    40071: _done("标签名称已存在", "请直接使用已有标签"),
    40072: _fix("标签名称过长或为空", "请修改标签名称（不超过 30 个字）"),
    40126: _admin("企业标签数量已达上限", "请管理员清理不再使用的标签"),
    40050: _done("群聊不存在", _RESYNC),
    49008: _done("群聊已解散", _STOP),
    41068: _fix("敏感词数量超过上限", "请减少敏感词"),
    41069: _fix("敏感词规则数量超过上限", "请删除不用的规则"),
    41070: _fix("敏感词规则 ID 不正确", _RESYNC),
    41071: _done("敏感词规则已删除", _STOP),
    41076: _fix("敏感词规则适用范围过大", "请改用部门设置范围"),
    41077: _fix("敏感词规则名称重复", "请修改规则名称"),
    41083: _fix("敏感词不合法", "请修改敏感词"),
    41084: _fix("敏感语义不合法", _EDIT),
    40201: _fix("内容触发防骚扰规则", _EDIT),
    40204: _fix("内容触发防骚扰规则", _EDIT),
    41073: _fix("商品描述不正确", _EDIT),
    41074: _done("商品已删除", _STOP),
    41075: _fix("商品 ID 不正确", _RESYNC),
    41085: _fix("商品编号不正确", _EDIT),
    41086: _fix("商品价格不正确", _EDIT),
    41087: _fix("商品描述不正确", _EDIT),
}

_TRANSFERS = {
    40097: _fix("移交成员尚未离职", "请改用在职继承"),
    40099: _admin("接替成员的客户数量已满", "请换一名接替成员，或请管理员扩容"),
    40100: _done("客户已在转接流程中", "无需处理，请等待转接结果"),
    40128: _fix("客户 90 天内已转接 2 次", "请等待期满后再转接"),
    40129: _done("客户正在转接中", "无需处理，请等待转接结果"),
    40130: _fix("移交成员与接替成员相同", "请选择另一名接替成员"),
    40131: _fix("移交成员不是该客户的跟进人", _RESYNC),
    40143: _admin("成员账号被封禁", "请管理员联系企业微信客服处理"),
    40205: _admin("成员超过一年没有登录", "请该成员登录企业微信，或换一名成员"),
    90500: _fix("群主尚未离职", "请改用在职群继承"),
    90501: _fix("该群不是客户群", _RESYNC),
    90502: _fix("群主已离职", "请改用离职群继承"),
    90503: _fix("群成员已满", "请先移出部分群成员"),
    90504: _done("群主没有变化", _STOP),
    90507: _done("群正在继承中", "无需处理，请等待结果"),
    90508: _done("群已被继承", _STOP),
    90509: _fix("该群不是企业微信客户群", _RESYNC),
    90510: _admin("企业超过一年不活跃", "请管理员登录企业微信后台恢复使用"),
    90511: _fix("opengid 无效", _RESYNC),
}

_MESSAGES = {
    41046: _fix("缺少群发任务 ID", _BUG),
    41047: _fix("群发任务 ID 无效", _RESYNC),
    41048: _done("没有可以发送的客户", "请检查筛选条件，或等待客户的当月群发次数恢复"),
    41049: _fix("缺少欢迎语凭证", _BUG),
    41050: _fix("欢迎语凭证无效或已超过 20 秒", "欢迎语未能发出，请员工手动问候；频繁出现时请检查回调延迟"),
    41051: _done(
        "欢迎语已发送过，或双方已经开始聊天", "无需处理；若由其他应用发出，请运行 lianke check 查看"
    ),
    41053: _fix("客户尚未同意会话存档", "请等待客户同意后再发送"),
    41096: _again("其他应用正在发送欢迎语", _WAIT, seconds=1, tries=2),
    41055: _admin("入群欢迎语素材数量已满", "请管理员删除不用的入群欢迎语"),
    41058: _fix("不是该入群欢迎语的创建应用", "请在创建它的应用中修改"),
    41059: _fix("缺少朋友圈 ID", _BUG),
    41060: _fix("朋友圈 ID 无效", _RESYNC),
    41061: _fix("成员不是该朋友圈的发表者", _RESYNC),
    41062: _fix("该朋友圈尚未发表", "请等待成员发表后再查看"),
    41067: _fix("朋友圈类型不支持此操作", "个人发表的朋友圈不能由应用取消"),
    41063: _again("群发任务正在生成", _WAIT, seconds=15),
    41079: _again("朋友圈任务正在下发", _WAIT, seconds=15),
    41078: _again("进行中的朋友圈任务过多", _WAIT, seconds=60),
    41064: _fix("附件数量超过上限", "请减少附件（最多 9 个）"),
    41065: _fix("附件类型不支持", _MEDIA),
    41088: _fix("朋友圈附件列表为空", _EDIT),
    41089: _fix("朋友圈文字与附件均为空", _EDIT),
    41090: _fix("朋友圈视频格式不支持", _MEDIA),
    41093: _done("群发任务已取消", _STOP),
    41094: _fix("24 小时内提醒次数已用完（最多 3 次）", "请明天再提醒，或直接联系成员"),
    42052: _fix("消息超过 24 小时，不能撤回", "请直接联系接收人"),
    60140: _done("卡片消息的回复凭证无效或已使用", _STOP),
    81013: _done("所有接收人均无效", "请确认接收人在应用可见范围内"),
    82001: _fix("没有指定接收人", "请选择接收人"),
    86214: _fix("群发类型不正确", _BUG),
}

_SERVICE_DESK = {
    60251: _fix("缺少客服账号 ID", _BUG),
    60252: _fix("客服账号 ID 无效", _RESYNC),
    60253: _fix("成员不在该客服账号的接待人员中", "请先把该成员加入接待人员"),
    95001: _done("已达到 48 小时内 5 条消息的上限", "请等待客户再次发消息"),
    95002: _done("客户超过 48 小时没有发消息", "请等待客户再次发消息"),
    95018: _done("当前会话状态不允许发送", "请等待会话转到可发送状态"),
    95007: _again("客服消息凭证已失效，将改用游标拉取", _WAIT, seconds=1, tries=2),
    95013: _done("会话已结束", _STOP),
    95014: _done("成员不是该会话的接待人员", _RESYNC),
    95016: _done("会话状态不允许这样变更", _RESYNC),
    95019: _done("接待人员已停止接待", "请换一名接待人员"),
    301048: _done("会话存档文件已过期", _STOP),
    301058: _fix("会话存档一次拉取过多", "属于程序问题，请减小拉取数量"),
    301060: _fix("参数超过 100 个", "属于程序问题，请减小每批数量"),
    301059: _fix("不是内部群", _RESYNC),
    301061: _fix("成员不存在", _RESYNC),
}

RULES: dict[int, Rule] = {
    **_TOKENS,
    **_PLATFORM,
    **_RIGHTS,
    **_PARAMETERS,
    **_MEDIA_CODES,
    **_CONTACT_WAYS,
    **_CUSTOMERS,
    **_TRANSFERS,
    **_MESSAGES,
    **_SERVICE_DESK,
}
