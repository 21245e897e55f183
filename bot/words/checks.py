"""The doctor's sentences in English: Chinese as ``bot/check`` has it, ``{}`` for what it fills in → English.

WeCom's own pages are named as its console in English names them.
"""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    # --- where things are in WeCom's console
    "管理后台 → 应用管理 → 该应用": "WeCom's admin console → App Management → the app",
    "管理后台 → 客户与上下游 → 客户联系": "WeCom's admin console → Customers & Partners → Customer Contact",
    # --- settings
    "{}：{}": "{}: {}",
    "例：{}": "For example: {}",
    "请按 docs/configuration.md 修改": "Change it as docs/configuration.md says",
    "{}，可读且完整": "{} can be read and is whole",
    "不是示例里的公开值": "None is a public value of the examples",
    "{} 还是示例里的公开值": "Still the public values of the examples: {}",
    "{}；只在本机使用，可以接受": "{}; good enough while only this machine uses it",
    "对外提供服务前请换掉": "Replace them before others can reach this server",
    "{}，任何人都能伪造登录或回调": "{}; anybody could forge a sign-in or a callback",
    "用 openssl rand -base64 32 生成新值；encryption_keys 把新值放在最前面，旧值留在后面": (
        "Make new values with openssl rand -base64 32; in encryption_keys put the new one first and keep the old"
    ),
    "{} 是本机或内网地址，企业微信的服务器访问不到": (
        "{} is an address of this machine or its network: WeCom's servers cannot reach it"
    ),
    "只用沙箱时没有影响；接入真实企业请改为 https 公网域名": (
        "Fine with the sandbox; for a real corp use a public https domain"
    ),
    "{} 不是 https：侧边栏和网页授权不能使用": "{} is not https: neither sidebar nor sign-in can work",
    "给域名配置证书，并把 base_url 改为 https": "Give the domain a certificate and change base_url to https",
    "{}（从外网能否打开，这里看不出：请用手机流量访问试试）": (
        "{} (whether it opens from outside cannot be seen from here: try it with a phone on mobile data)"
    ),
    # --- storage
    "还没有数据库文件 {}": "There is no database file {} yet",
    "运行 lianke migrate（或 lianke serve）创建它": "Run lianke migrate (or lianke serve) to make it",
    "不能打开 {}：{}": "Cannot open {}: {}",
    "检查数据库文件和所在目录的所有者和权限": "Check owner and permissions of the database file and its folder",
    "不能读取：{}": "Cannot read: {}",
    "检查 [database] url 的地址、用户名、密码和库名": (
        "Check host, user, password and database name in [database] url"
    ),
    "可以连接（{}）": "Can be reached ({})",
    "连不上 {}:{}（{}）": "Cannot reach {}:{} ({})",
    "确认数据库已启动、地址和端口正确、防火墙放行": (
        "See that the database runs, that host and port are right and the firewall lets it through"
    ),
    "读取时出错：{}": "Reading failed: {}",
    "查看数据库的日志": "Look at the log of the database",
    "可以写入": "Can be written",
    "不能写入：{}": "Cannot be written: {}",
    "检查数据库文件和所在目录的权限，或账号的权限": (
        "Check the permissions of the database file and its folder, or of the database user"
    ),
    "是最新版本 {}": "Up to date: {}",
    "是 {}，程序需要 {}": "Is at {}, the program needs {}",
    "空库": "an empty database",
    "运行 lianke migrate": "Run lianke migrate",
    "[app] encryption_keys 解不开已有的数据": "[app] encryption_keys cannot open the data there is",
    "把写入数据时用的密钥加回列表（新密钥在前，旧密钥在后）": (
        "Put the key the data was written with back into the list (new keys first)"
    ),
    "能解开已有的数据": "Opens the data there is",
    "{} 还剩 {} GB": "{} has {} GB left",
    "磁盘将满，回调会写不进去：请立即清理": "The disk is nearly full and callbacks will be lost: free some space now",
    "请尽快清理或扩容": "Free some space soon, or get more",
    # --- the platform
    "连不上 {}（{}）": "Cannot reach {} ({})",
    "检查服务器能否访问外网、代理和防火墙；使用沙箱时先启动 lianke sandbox": (
        "Check the way out, proxy and firewall; with the sandbox, start lianke sandbox first"
    ),
    "可以连接 {}": "{} can be reached",
    "对方没有给出时间，无法比较": "The answer had no time to compare with",
    "请确认服务器开启了时间同步（NTP）": "See that the server keeps its time by NTP",
    "开启时间同步：timedatectl set-ntp true": "Switch time synchronisation on: timedatectl set-ntp true",
    "服务器时间比企业微信{} {} 秒": "Compared with WeCom the server's clock is {}, in seconds: {}",
    "快": "fast",
    "慢": "slow",
    "{}：欢迎语会被当作过期而不发送": "{}: welcomes count as too late and are not sent",
    "{}：回调会被当作可疑请求隔离": "{}: callbacks are quarantined as suspicious",
    "与企业微信一致": "Agrees with WeCom",
    "能换取访问凭证": "Access tokens are granted",
    "{} 不正确（{}）": "{} is wrong ({})",
    "从 {} 重新复制到配置文件": "Copy it again from {} into the configuration",
    "[wecom] corp_id 不正确（{}）": "[wecom] corp_id is wrong ({})",
    "从 管理后台 → 我的企业 → 企业信息 → 企业ID 重新复制": (
        "Copy it again from WeCom's admin console → My Company → Company Info → Company ID"
    ),
    "错误信息中的地址": "in the error message",
    "服务器 IP {} 不在企业可信 IP 中（{}）": "The server's IP {} is not one of the trusted IPs ({})",
    "在 {} → 企业可信IP 中加入 {}，约 1 分钟后生效": (
        "Add to {} → Trusted IPs: {}. It holds after about a minute"
    ),
    "（没有名称）": "(no name)",
    "「{}」已被停用": "“{}” is disabled",
    "在 {} 中启用": "Enable it in {}",
    "「{}」可用": "“{}” is enabled",
    "回调地址配在哪里，接口读不到：在 {} → 接收消息 → 设置API接收 中点保存，成功就是通的": (
        "Where callbacks go cannot be read by API: save it in {} → Receive Messages; if that works, it arrives"
    ),
    "{} 名成员": "{} {|member|members}",
    "{} 个部门": "{} {|department|departments}",
    "{} 个标签": "{} {|tag|tags}",
    "名成员": "members",
    "个部门": "departments",
    "个标签": "tags",
    "在 {} → 可见范围 中加入要服务客户的部门或成员": (
        "Add the departments or members who serve customers in {} → Visible Range"
    ),
    "是空的：看不到任何员工": "Is empty: no staff can be seen",
    "{}，与 base_url 一致": "{}, as in base_url",
    "应用没有设置可信域名": "The app has no trusted domain",
    "应用的可信域名是 {}，与 base_url 的 {} 不同": "The app trusts {}, but base_url is on {}",
    "在 {} → 网页授权及JS-SDK 中设为 {}，并完成域名归属校验": (
        "In {} → Web Authorization and JS-SDK enter {} and prove that the domain is yours"
    ),
    "本机试用可以忽略；正式使用时{}": "Does not matter on this machine. To go live: {}",
    "{}：侧边栏和网页登录不能使用": "{}: neither sidebar nor sign-in can work",
    "在 {} → API → 可调用接口的应用 中勾选本应用": "Tick this app in {} → API → Apps that may call the API",
    "在 {} → 权限配置 中开启相关成员，并确认他们在应用可见范围内": (
        "Enable the members in {} → Permissions, and see that the app's visible range has them"
    ),
    "应用不能调用客户联系接口（{}）": "The app may not call the customer-contact API ({})",
    "没有成员开通客户联系（{}）": "No member has customer contact ({})",
    "{}；若已开启，{}": "{}. If they are: {}",
    "没有任何成员能服务客户": "No member may serve customers",
    "{} 名成员：{}": "{} {|member|members}: {}",
    # --- our own callback
    "从外网能否访问，这里看不出：在管理后台保存一次回调地址即可验证"
    "（应用 → 接收消息 → 设置API接收；客户联系 → API → 接收事件服务器）": (
        "Whether it can be reached from outside cannot be seen from here: save the address once in WeCom's admin "
        "console (the app → Receive Messages; Customer Contact → API → Event Server)"
    ),
    "{} 的证书无效": "The certificate of {} is not valid",
    "更换为受信任的完整证书链：企业微信不接受自签名证书": (
        "Use a whole chain that is trusted: WeCom takes no self-signed certificate"
    ),
    "{} 没有应答（{}）": "{} did not answer ({})",
    "先启动 lianke serve 再检查；已启动时请检查 base_url 和反向代理": (
        "Start lianke serve first; if it runs, check base_url and the reverse proxy"
    ),
    "签名、解密、应答都正确": "Signature, decryption and answer are right",
    "{} 应答的不是联客": "What answers at {} is not Lianke",
    "base_url 指到了别的程序：检查域名和反向代理": (
        "base_url leads to another program: check the domain and the reverse proxy"
    ),
    "{} 拒绝了用当前配置签名的请求（403）": "{} refused a request signed with this configuration (403)",
    "运行中的服务用的是旧的 token / encoding_aes_key / corp_id，或时间不准：重启 lianke serve 再检查": (
        "The running service has an old token, encoding_aes_key or corp_id, or a wrong clock: restart lianke serve"
    ),
    "{} 要求跳转（{}），企业微信不会跟随": "{} redirects ({}), and WeCom does not follow",
    "把 base_url 改为跳转后的地址，或去掉跳转": "Change base_url to where it leads, or drop the redirect",
    "{} 不存在（404）": "{} does not exist (404)",
    "反向代理没有把 {} 转给联客：检查它的路径设置": (
        "The reverse proxy does not pass {} on to Lianke: check its paths"
    ),
    "反向代理在运行，但联客没有应答（{}）": "The reverse proxy runs, but Lianke does not answer ({})",
    "先启动 lianke serve 再检查": "Start lianke serve first",
    "{} 应答 {}": "{} answers {}",
    "查看 lianke serve 的日志和 /readyz": "Look at the log of lianke serve, and at /readyz",
    # --- who else welcomes
    "最近 7 天还没有发过欢迎语，无从判断": "No welcome went out in 7 days: nothing to judge by",
    "最近 7 天发出的 {} 条欢迎语没有被抢发": "None of {} {|welcome|welcomes} in 7 days was forestalled",
    "最近 7 天 {} 条欢迎语中有 {} 条被别的应用抢先（41051 已被发送 {} 次，41096 正被发送 {} 次），涉及 {}": (
        "Of {} {|welcome|welcomes} in 7 days another app forestalled {} (41051 sent: {}, 41096 being sent: {}): {}"
    ),
    "另一个能调用客户联系接口的应用也在给这些员工的新客户发欢迎语，谁先发谁生效。到 管理后台 → 客户联系 → "
    "API → 可调用接口的应用，以及各第三方应用里，关掉它的欢迎语或取消勾选": (
        "Another app welcomes these reps' new customers, too; the first one counts. Switch its welcome off, or untick "
        "it in WeCom's admin console → Customer Contact → API → Apps that may call the API, and in third-party apps"
    ),
    "最近 7 天没有员工疑似在管理后台设置了欢迎语": "Nobody seems to have a welcome of WeCom's console (7 days)",
    "最近 7 天这些员工的新客户大多没有欢迎语凭证：{}": (
        "Most new customers of these reps came without a welcome code (7 days): {}"
    ),
    "很可能在管理后台设置了欢迎语，它优先于所有应用：到 管理后台 → 客户联系 → 加客户 → 欢迎语 中去掉这些员工": (
        "They probably have a welcome set in WeCom's admin console, which goes before all apps: take them out in "
        "Customer Contact → Add Customers → Welcome Message"
    ),
    # --- what waits
    "{} 个事件多次处理失败，已停下": "{} {|event|events} failed repeatedly and stopped",
    "先用 lianke dry-run 编号 看原因，修好后运行 lianke replay --dead": (
        "See why with lianke dry-run NUMBER; once mended, run lianke replay --dead"
    ),
    "{} 个事件被隔离": "{} {|event is|events are} quarantined",
    "时间戳与服务器相差超过 5 分钟：确认时钟和来源后运行 lianke replay --quarantined": (
        "Their time is more than 5 minutes off: check the clock and who sent them, then lianke replay --quarantined"
    ),
    "{} 个，没有失败或被隔离的": "{}, none failed or quarantined",
    "没有积压": "No backlog",
    "最早的事件已等了 {} 分钟": "The oldest event has waited for {} {|minute|minutes}",
    "确认 lianke serve（或工作进程）在运行，并查看它的日志": (
        "See that lianke serve (or a worker) runs, and look at its log"
    ),
    "没有": "None",
    "{} 个调用不知道是否生效：{}": "Of {} {|call|calls} nobody knows the outcome: {}",
    "请人工核对后决定是否重发：GET /api/v1/calls?state=unknown，POST /api/v1/calls/编号/retry": (
        "Look, then decide: GET /api/v1/calls?state=unknown, POST /api/v1/calls/NUMBER/retry"
    ),
    "没有暂停": "Not paused",
    "发送已暂停（{}），{} 个调用在等，新客户也收不到欢迎语": (
        "Sending is paused ({}), {} {|call waits|calls wait}, and new customers get no welcome"
    ),
    "运行 lianke outbox status 看会发什么，再运行 lianke outbox resume": (
        "See with lianke outbox status what would go out, then run lianke outbox resume"
    ),
    "{} 个渠道还没有二维码：{}": "{} {|channel has|channels have} no code yet: {}",
    "刚新建的稍等片刻；一直没有时运行 lianke sync": "New ones take a moment; else run lianke sync",
    "{} 个渠道码有问题：{}": "{} channel {|code has|codes have} a problem: {}",
    "运行 lianke sync；已在企业微信删除的需要新建渠道": (
        "Run lianke sync; make a new channel for one that was deleted in WeCom"
    ),
    "{} 个，都有二维码": "{}, all with a code",
    "「{}」（{}）": "“{}” ({})",
    "「{}」的 {}": "“{}”: {}",
    "「{}」": "“{}”",
    "{}等 {} 个": "{} and others, {} in all",
    "渠道码里都是能服务客户的员工": "All members of channel codes may serve customers",
    "渠道码里有已离职或没有客户联系权限的员工：{}": (
        "Channel codes have members who left or may not serve customers: {}"
    ),
    "运行 lianke sync 更新员工，并在渠道里换人；只剩这些人的渠道扫码后没人接待": (
        "Run lianke sync and replace them in the channels: where nobody else is left, nobody answers a scan"
    ),
}
