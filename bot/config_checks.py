"""The rules for single configuration values and for values that must fit each other. Messages are for people."""

import base64
import binascii
import ipaddress
import json
import re
import zoneinfo
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import PydanticCustomError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.config_errors import Problem

MIN_SECRET_KEY = 32
# What config.example.toml holds is public: fine for the sandbox, a back door before the real platform.
PUBLIC_VALUES = frozenset(
    {
        "sandbox-secret-key-do-not-use-in-production",
        "c2FuZGJveC1kYXRhLWtleS1ub3QtYS1zZWNyZXQtISE=",
        "LiankeSandboxToken",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    }
)
PLATFORM_DOMAIN = "weixin.qq.com"
DATABASE_DRIVERS = ("sqlite", "postgresql+psycopg", "mysql+pymysql")


def wrong(text: str) -> PydanticCustomError:
    """A finding whose text is shown to people as it is. Braces are not expanded."""
    return PydanticCustomError("lianke", "{text}", {"text": text})


def plain_text(value: object) -> str:
    """Accept text only."""
    if not isinstance(value, str):
        raise wrong("应当是带引号的文本")
    return value


def whole_number(value: object) -> int:
    """Accept an integer, or one written as text (environment variables are text)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        return int(value)
    raise wrong("应当是整数")


def as_list(value: object) -> object:
    """Accept a list, or its text form: JSON, or parts separated by commas."""
    if not isinstance(value, str):
        if isinstance(value, list | tuple):
            return value
        raise wrong("应当是列表")
    text = value.strip()
    if not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except ValueError:
        raise wrong("不是正确的 JSON 列表") from None


def secret(value: object) -> SecretStr:
    """Accept non-empty text without blanks, and hide it."""
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise wrong("应当是带引号的文本")
    if not value:
        raise wrong("不能为空")
    if re.search(r"\s", value):
        raise wrong("不能含有空格或换行,请检查是否多复制了字符")
    return SecretStr(value)


def secret_key(value: SecretStr) -> SecretStr:
    """Refuse what could be guessed."""
    if len(value.get_secret_value()) < MIN_SECRET_KEY:
        raise wrong(
            f"太短,至少 {MIN_SECRET_KEY} 个字符;可用 python3 -c 'import secrets; print(secrets.token_urlsafe(48))' 生成"
        )
    return value


def encryption_key(value: SecretStr) -> SecretStr:
    """Accept base64, standard or URL-safe, of exactly 32 bytes."""
    text = value.get_secret_value().replace("-", "+").replace("_", "/")
    if _decoded_length(text) != 32:  # noqa: PLR2004 - the size of an AES-256 key
        raise wrong("应当是 32 字节的 base64(44 个字符,以 = 结尾);可用 openssl rand -base64 32 生成")
    return value


def callback_token(value: SecretStr) -> SecretStr:
    """Accept what the platforms accept. An empty one would let anybody sign."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{3,32}", value.get_secret_value()):
        raise wrong("应当是 3 到 32 个英文字母或数字,与管理后台填写的一致")
    return value


def encoding_aes_key(value: SecretStr) -> SecretStr:
    """Accept 43 characters that decode to 32 bytes, as both platforms make them."""
    text = value.get_secret_value()
    if len(text) != 43 or _decoded_length(text + "=") != 32:  # noqa: PLR2004 - the platform's format
        raise wrong(
            f"应当是 43 个 base64 字符(字母、数字、+、/),现在是 {len(text)} 个字符;请从管理后台整段复制"
        )
    return value


def _decoded_length(text: str) -> int:
    try:
        return len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return -1


def http_url(value: str) -> str:
    """Accept an absolute http(s) address without query; answer it without its trailing slash."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", value):
        raise wrong("不是可用的网址,应以 http:// 或 https:// 开头并带域名或 IP")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise wrong("网址里不能带账号、? 或 #")
    return value.rstrip("/")


def api_base(value: str) -> str:
    """Accept the prefix before /cgi-bin/; the real platform only by HTTPS."""
    url = http_url(value)
    if "/cgi-bin" in url:
        raise wrong("只写 /cgi-bin 之前的部分")
    if is_platform(url) and not url.startswith("https://"):
        raise wrong("连接微信必须用 https://,否则密钥会明文传输")
    return url


def is_platform(url: object) -> bool:
    """Whether an address belongs to the real WeChat or WeCom."""
    try:
        host = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        return False
    return bool(host) and (host == PLATFORM_DOMAIN or str(host).endswith("." + PLATFORM_DOMAIN))


def platform_id(value: str) -> str:
    """Accept an id as the platforms write them."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{2,64}", value):
        raise wrong("应当由字母和数字组成,请从管理后台整段复制")
    return value


def account_name(value: str) -> str:
    """Accept a name that can stand in a URL."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", value):
        raise wrong("只能用小写字母、数字、- 和 _,最多 32 个字符(它是回调网址的一部分)")
    return value


def timezone(value: str) -> str:
    """Accept a zone this machine knows."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong("这台机器不认识这个时区;应写成 洲/城市(系统缺少时区数据时请安装 tzdata)") from None
    return value


def bind_host(value: str) -> str:
    """Accept an IP address or a host name, without scheme or port."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not re.fullmatch(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value):
            raise wrong("应当是 IP 或主机名,不带 http:// 和端口") from None
    return value


def network(value: str) -> str:
    """Accept an address or a network in CIDR form; a network of everybody is no trust."""
    try:
        found = ipaddress.ip_network(value)
    except ValueError:
        raise wrong("应当是网段或 IP,例如 10.0.0.0/8") from None
    if found.prefixlen == 0:
        raise wrong("不能信任所有地址,请写代理所在的网段")
    return str(found)


def database_url(value: str) -> str:
    """Accept the three databases, each with the driver we install, and one that outlives the process."""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise wrong("不是可用的数据库地址") from None
    if url.drivername not in DATABASE_DRIVERS:
        raise wrong(f"只支持 {'、'.join(name + '://' for name in DATABASE_DRIVERS)}")
    if url.drivername == "sqlite":
        if url.database in {None, "", ":memory:"}:
            raise wrong("内存数据库会在退出时丢失全部数据,请写文件路径")
        if url.host:
            raise wrong("SQLite 的相对路径写三个斜杠,绝对路径写四个")
    elif not url.host or not url.database:
        raise wrong("缺少主机名或库名,应为 驱动://用户:密码@主机:端口/库名")
    return value


def redis_url(value: str) -> str:
    """Accept nothing, or an address redis-py understands."""
    if not value:
        return value
    try:
        parts = urlsplit(value)
        usable = (parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0) or (
            parts.scheme == "unix" and bool(parts.path)
        )
    except ValueError:
        usable = False
    if not usable:
        raise wrong("不是可用的 Redis 地址,应以 redis:// 、rediss:// 或 unix:// 开头;不用 Redis 就留空")
    return value


def across_sections(tree: Mapping[str, Any]) -> list[Problem]:
    """Find values that do not fit each other. Works on the raw tree, so that it runs beside other mistakes."""
    return [*_cluster_needs(tree), *_account_names(tree), *_public_secrets(tree)]


def _cluster_needs(tree: Mapping[str, Any]) -> list[Problem]:
    if _value(tree, "runtime", "mode") != "cluster":
        return []
    problems = []
    if not _value(tree, "redis", "url"):
        problems.append(
            Problem(("redis", "url"), 'mode = "cluster" 需要 Redis', 'url = "redis://127.0.0.1:6379/0"')
        )
    if str(_value(tree, "database", "url")).startswith("sqlite"):
        example = 'url = "postgresql+psycopg://lianke:密码@127.0.0.1:5432/lianke"'
        problems.append(
            Problem(("database", "url"), 'mode = "cluster" 不能用 SQLite,请用 PostgreSQL 或 MySQL', example)
        )
    return problems


def _account_names(tree: Mapping[str, Any]) -> list[Problem]:
    problems = []
    seen: set[object] = set()
    for index, account in enumerate(_accounts(tree)):
        name = account.get("name")
        if isinstance(name, str) and name in seen:
            text = "与前面的公众号重名,每个公众号要有自己的名字"
            problems.append(
                Problem(("official_accounts", index, "name"), text, f'name = "account{index + 1}"')
            )
        seen.add(name if isinstance(name, str) else None)
    return problems


def _public_secrets(tree: Mapping[str, Any]) -> list[Problem]:
    wecom = tree.get("wecom")
    wecom_is_real = isinstance(wecom, Mapping) and is_platform(
        wecom.get("api_base", "https://qyapi.weixin.qq.com")
    )
    places: list[tuple[str | int, ...]] = []
    if wecom_is_real:
        places += [("app", "secret_key"), ("wecom", "token"), ("wecom", "encoding_aes_key")]
        places += [("wecom", "previous_token"), ("wecom", "previous_encoding_aes_key")]
    for index, account in enumerate(_accounts(tree)):
        if is_platform(account.get("api_base", "https://api.weixin.qq.com")):
            places += [("official_accounts", index, key) for key in ("token", "encoding_aes_key")]
    text = "这是示例配置里公开的值,连接真实平台前请换成自己的"
    found = [Problem(place, text) for place in places if _value(tree, *place) in PUBLIC_VALUES]
    keys = _value(tree, "app", "encryption_keys")
    if wecom_is_real and any(public in str(keys) for public in PUBLIC_VALUES):
        found.append(Problem(("app", "encryption_keys"), text + ";可用 openssl rand -base64 32 生成"))
    return found


def _accounts(tree: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    accounts = tree.get("official_accounts", ())
    if not isinstance(accounts, list | tuple):
        return []
    return [account if isinstance(account, Mapping) else {} for account in accounts]


def _value(tree: Mapping[str, Any], *steps: str | int) -> Any:
    value: Any = tree
    for step in steps:
        match value, step:
            case Mapping(), _:
                value = value.get(step)
            case list(), int():
                value = value[step]
            case _:
                return None
    return value if isinstance(value, str | list | tuple) else None
