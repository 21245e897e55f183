"""Words of connecting the corp, and the doctor's checks in English: key → (Simplified Chinese, English)."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "colon": ("：", ": "),
    "corp_answer": (
        "按顺序完成这五步，每一步都可以马上检查；检查只看不改。",
        "Five steps in order, each with a check. Checks change nothing.",
    ),
    "corp_all_well": ("检查了 {n} 项，一切正常。", "{n} {n|check|checks}, all well."),
    "corp_found": (
        "检查了 {n} 项：{fails} 项要处理，{warns} 项要留意。",
        "{n} {n|check|checks}: {fails} to mend, {warns} to keep an eye on.",
    ),
    "corp_check_all": ("全部检查", "Check everything"),
    "corp_check": ("现在检查", "Check now"),
    "corp_again": ("再检查一次", "Check again"),
    "corp_secret": ("已设置（不显示）", "Set (not shown)"),
    "corp_sandbox": (
        "当前连接的是沙箱，不是真实的企业微信；检查方法相同。",
        "This is connected with the sandbox, not with the real WeCom; the checks are the same.",
    ),
    "corp_step_server": ("联客自己", "Lianke itself"),
    "corp_step_server_why": (
        "config.toml 里的值，修改后重启生效。地址必须是员工和企业微信都能打开的 https 域名。",
        "Values of config.toml; changes hold after a restart. WeCom and members must reach the address, by https.",
    ),
    "corp_step_platform": ("凭证与权限", "Credentials and rights"),
    "corp_step_platform_why": (
        (
            "在管理后台 → 应用管理 创建应用，把企业ID、AgentId、Secret 填进 config.toml；"
            "再到 客户与上下游 → 客户联系 → API 取客户联系 Secret，并勾选本应用可调用。"
        ),
        (
            "Make an app in WeCom's console; put corp id, AgentId and Secret into config.toml. Then take the Secret of "
            "Customer Contact → API and allow this app to call it."
        ),
    ),
    "corp_step_callback": ("接收事件", "Receiving events"),
    "corp_step_callback_why": (
        (
            "把这个地址贴到两处：应用 → 接收消息 → 设置API接收；客户联系 → API → 接收事件服务器。"
            "Token 和 EncodingAESKey 与 config.toml 相同，点保存成功就是通的。"
        ),
        (
            "Paste this address in two places: the app's Receive Messages, and Customer Contact → API → Event Server, "
            "with Token and EncodingAESKey as in config.toml. Saving there is the proof."
        ),
    ),
    "corp_step_domain": ("可信域名", "Trusted domain"),
    "corp_step_domain_why": (
        (
            "在应用 → 网页授权及JS-SDK 中把可信域名设为下面的域名，"
            "并在应用 → 企业微信授权登录 中设为回调域；侧边栏和扫码登录需要它。"
        ),
        (
            "Set this domain as the app's trusted domain (Web Authorization and JS-SDK), and as the callback of its "
            "sign-in. The sidebar and signing in by scan need it."
        ),
    ),
    "corp_step_work": ("运行情况", "At work"),
    "corp_step_work_why": (
        "有没有别的应用抢发欢迎语，有没有积压、失败和没有二维码的渠道。",
        "Whether another app sends our welcomes first, and what is stuck, failed or without a code.",
    ),
    "check_config": ("配置文件", "Configuration file"),
    "check_secrets": ("密钥", "Secrets"),
    "check_base_url": ("访问地址", "Address"),
    "check_database": ("数据库", "Database"),
    "check_database_write": ("数据库写入", "Writing to the database"),
    "check_migrations": ("数据库结构", "Database schema"),
    "check_encryption_keys": ("数据密钥", "Data keys"),
    "check_disk": ("磁盘空间", "Disk space"),
    "check_platform": ("企业微信服务器", "WeCom's servers"),
    "check_clock": ("时钟", "Clock"),
    "check_app_secret": ("应用凭证", "The app's credentials"),
    "check_contact_secret": ("客户联系凭证", "Customer-contact credentials"),
    "check_app": ("应用", "The app"),
    "check_app_range": ("应用可见范围", "The app's visible range"),
    "check_contact_right": ("客户联系权限", "Customer-contact right"),
    "check_callback": ("回调自检", "Callback"),
    "check_trusted_domain": ("可信域名", "Trusted domain"),
    "check_rival_app": ("抢发欢迎语的应用", "Another app that welcomes"),
    "check_console_welcome": ("管理后台欢迎语", "Welcome set in WeCom's console"),
    "check_events": ("收到的事件", "Events received"),
    "check_waiting": ("等待处理", "Waiting to be handled"),
    "check_calls": ("结果未知的调用", "Calls with an unknown outcome"),
    "check_paused": ("发送开关", "Sending"),
    "check_codes": ("渠道码", "Channel codes"),
    "check_code_members": ("渠道码成员", "Members of channel codes"),
}
