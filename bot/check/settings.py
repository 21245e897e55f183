"""Whether the configuration is fit for more than this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from bot.check.findings import Check, Finding
from bot.config import Config
from bot.config_checks import PUBLIC_VALUES
from bot.config_errors import ConfigError

CONFIG = Check("config", "配置文件")
SECRETS = Check("secrets", "密钥")
ADDRESS = Check("base_url", "访问地址")


def is_local(url: str) -> bool:
    """Whether nobody but this machine, or its private network, can mean this address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_unspecified


def broken(error: ConfigError) -> list[Finding]:
    """One finding for each mistake."""
    return [
        CONFIG.fail(
            f"{problem.path}：{problem.text}" if problem.path else problem.text,
            f"例：{problem.example}" if problem.example else "请按 docs/configuration.md 修改",
        )
        for problem in error.problems
    ]


def check_settings(config: Config, source: str) -> list[Finding]:
    """The file is whole; its secrets are its own; its address is one WeCom can use."""
    return [CONFIG.ok(f"{source}，可读且完整"), _secrets(config), _address(config)]


def _secrets(config: Config) -> Finding:
    public = [
        name
        for name, values in (
            ("[app] secret_key", [config.app.secret_key]),
            ("[app] encryption_keys", list(config.app.encryption_keys)),
            ("[wecom] token", [config.wecom.token]),
            ("[wecom] encoding_aes_key", [config.wecom.encoding_aes_key]),
        )
        if any(value.get_secret_value() in PUBLIC_VALUES for value in values)
    ]
    if not public:
        return SECRETS.ok("不是示例里的公开值")
    what = f"{'、'.join(public)} 还是示例里的公开值"
    if is_local(config.app.base_url):
        return SECRETS.ok(f"{what}；只在本机使用，可以接受", "对外提供服务前请换掉")
    return SECRETS.fail(
        f"{what}，任何人都能伪造登录或回调",
        "用 openssl rand -base64 32 生成新值；encryption_keys 把新值放在最前面，旧值留在后面",
    )


def _address(config: Config) -> Finding:
    url = config.app.base_url
    if is_local(url):
        return ADDRESS.warn(
            f"{url} 是本机或内网地址，企业微信的服务器访问不到",
            "只用沙箱时没有影响；接入真实企业请改为 https 公网域名",
        )
    if not config.is_secure:
        return ADDRESS.fail(
            f"{url} 不是 https：侧边栏和网页授权不能使用", "给域名配置证书，并把 base_url 改为 https"
        )
    return ADDRESS.ok(f"{url}（从外网能否打开，这里看不出：请用手机流量访问试试）")
