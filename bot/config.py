"""What a deployment may choose, read once at start, checked whole, and typed.

``load_config`` reads ``config.toml``, lays the environment over it, resolves ``env:`` and ``file:`` values and answers
one frozen ``Config``, or raises one ``ConfigError`` that names every mistake. No secret is ever shown: neither in
``repr`` nor in an error. What WeChat decides (limits, lifetimes) is not here: those are constants beside their use.
Each field carries a description and an example; errors and the check of docs/configuration.md read them from here.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from bot import config_checks as checks
from bot.config_errors import ConfigError, Location, Problem, from_pydantic
from bot.config_source import RawConfig, read_raw

__all__ = ["CallbackKeys", "Config", "ConfigError", "Problem", "load_config"]

Text = Annotated[str, BeforeValidator(checks.plain_text)]
Int = Annotated[int, BeforeValidator(checks.whole_number)]
Secret = Annotated[SecretStr, BeforeValidator(checks.secret)]
Token = Annotated[Secret, AfterValidator(checks.callback_token)]
AesKey = Annotated[Secret, AfterValidator(checks.encoding_aes_key)]
Origin = Annotated[Text, AfterValidator(checks.http_url)]
ApiBase = Annotated[Text, AfterValidator(checks.api_base)]
PlatformId = Annotated[Text, AfterValidator(checks.platform_id)]
AES_KEY_EXAMPLE = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


class Section(BaseModel):
    """A table of config.toml: frozen, closed to unknown keys, silent about its input in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class CallbackKeys(Section):
    """One pair with which the platform signs and encrypts its callbacks."""

    token: Token
    encoding_aes_key: AesKey


class AppSection(Section):
    """The product as people and browsers see it, and the keys it keeps its own secrets with."""

    base_url: Origin = Field(
        description="Address at which browsers and WeCom reach this server, without a trailing slash.",
        examples=["https://scrm.example.com"],
    )
    timezone: Annotated[Text, AfterValidator(checks.timezone)] = Field(
        "Asia/Shanghai", description="Zone of working hours and of times shown.", examples=["Asia/Shanghai"]
    )
    locale: Literal["zh_CN", "en"] = Field(
        "zh_CN", description="Language before a person chooses one.", examples=["zh_CN"]
    )
    secret_key: Annotated[Secret, AfterValidator(checks.secret_key)] = Field(
        description="Signs sessions and links; at least 32 characters. Changing it logs everybody out.",
        examples=["file:/run/secrets/secret_key"],
    )
    encryption_keys: Annotated[
        tuple[Annotated[Secret, AfterValidator(checks.encryption_key)], ...],
        BeforeValidator(checks.as_list),
        Field(min_length=1),
    ] = Field(
        description="Base64 of 32 bytes each. The first encrypts, all decrypt: put a new key in front to rotate.",
        examples=[["env:LIANKE_DATA_KEY"]],
    )


class ServerSection(Section):
    """Where the web server listens."""

    host: Annotated[Text, AfterValidator(checks.bind_host)] = Field(
        "127.0.0.1", description="Address to listen on; 0.0.0.0 for all.", examples=["127.0.0.1"]
    )
    port: Annotated[Int, Field(ge=1, le=65535)] = Field(8000, description="TCP port.", examples=[8000])
    threads: Annotated[Int, Field(ge=1, le=256)] = Field(
        8, description="Threads that serve pages and the REST API.", examples=[8]
    )
    trusted_proxies: Annotated[
        tuple[Annotated[Text, AfterValidator(checks.network)], ...], BeforeValidator(checks.as_list)
    ] = Field(
        (),
        description="Networks of the proxies in front, whose X-Forwarded-For is believed; nobody else's is.",
        examples=[["127.0.0.1/32"]],
    )


class DatabaseSection(Section):
    """The one place where truth is kept."""

    url: Annotated[Text, AfterValidator(checks.database_url)] = Field(
        description="SQLAlchemy URL: sqlite, postgresql+psycopg or mysql+pymysql. May hold a password: never logged.",
        examples=["sqlite:///var/lianke.db"],
        repr=False,
    )
    pool_size: Annotated[Int, Field(ge=2, le=500)] = Field(
        20,
        description="Connections each process keeps open; up to as many more for moments of need.",
        examples=[20],
    )


class RedisSection(Section):
    """Wake-ups, locks, caches and rate buckets; nothing that may not be lost."""

    url: Annotated[Text, AfterValidator(checks.redis_url)] = Field(
        "",
        description="Empty: none, embedded. May hold a password: never logged.",
        examples=["redis://127.0.0.1:6379/0"],
        repr=False,
    )


class RuntimeSection(Section):
    """How the work is spread."""

    mode: Literal["embedded", "cluster"] = Field(
        "embedded",
        description="embedded: one process does all. cluster: many processes; needs Redis and a server database.",
        examples=["embedded"],
    )


class WecomSection(Section):
    """The WeCom corp this deployment serves, and the app that serves it."""

    corp_id: PlatformId = Field(description="我的企业 → 企业信息 → 企业ID.", examples=["ww1a2b3c4d5e6f7a8b"])
    agent_id: Annotated[Int, Field(ge=1)] = Field(
        description="应用管理 → the app → AgentId.", examples=[1000002]
    )
    secret: Secret = Field(description="应用管理 → the app → Secret.", examples=["env:WECOM_SECRET"])
    contact_secret: Secret = Field(
        description="客户与上下游 → 客户联系 → API → Secret.", examples=["env:WECOM_CONTACT_SECRET"]
    )
    token: Token = Field(
        description="Token of the callback (接收消息 → API 接收).", examples=["env:WECOM_TOKEN"]
    )
    encoding_aes_key: AesKey = Field(
        description="EncodingAESKey of the callback: 43 characters.", examples=[AES_KEY_EXAMPLE]
    )
    api_base: ApiBase = Field(
        "https://qyapi.weixin.qq.com",
        description="Prefix before /cgi-bin/...; the sandbox's in the demo.",
        examples=["https://qyapi.weixin.qq.com"],
    )
    previous_token: Token | None = Field(
        None, description="Rotation: the old Token, still accepted.", examples=["env:WECOM_OLD_TOKEN"]
    )
    previous_encoding_aes_key: AesKey | None = Field(
        None,
        description="Rotation: the old EncodingAESKey, still accepted.",
        examples=["env:WECOM_OLD_AES_KEY"],
    )

    @property
    def callback_keys(self) -> tuple[CallbackKeys, ...]:
        """The key pairs a callback may be signed with, the current one first; two while keys are rotated."""
        current = CallbackKeys(token=self.token, encoding_aes_key=self.encoding_aes_key)
        previous = CallbackKeys(
            token=self.previous_token or self.token,
            encoding_aes_key=self.previous_encoding_aes_key or self.encoding_aes_key,
        )
        return (current,) if previous == current else (current, previous)


class OfficialAccountSection(Section):
    """One official account (公众号) of the corp."""

    name: Annotated[Text, AfterValidator(checks.account_name)] = Field(
        description="Its name in URLs: /callback/official/<name>.", examples=["main"]
    )
    app_id: PlatformId = Field(description="设置与开发 → 基本配置 → AppID.", examples=["wx1a2b3c4d5e6f7a8b"])
    secret: Secret = Field(description="AppSecret.", examples=["env:OFFICIAL_SECRET"])
    token: Token = Field(description="Token of 服务器配置.", examples=["env:OFFICIAL_TOKEN"])
    encoding_aes_key: AesKey = Field(
        description="EncodingAESKey of 服务器配置: 43 characters.", examples=[AES_KEY_EXAMPLE]
    )
    api_base: ApiBase = Field(
        "https://api.weixin.qq.com",
        description="Prefix before /cgi-bin/...; the sandbox's in the demo.",
        examples=["https://api.weixin.qq.com"],
    )


class Config(Section):
    """Everything a deployment chose. Build it with ``load_config``; in tests from a dictionary of sections."""

    app: AppSection = Field(description="应用")
    server: ServerSection = Field(ServerSection(), description="网页服务")
    database: DatabaseSection = Field(description="数据库")
    redis: RedisSection = Field(RedisSection(), description="Redis")
    runtime: RuntimeSection = Field(RuntimeSection(), description="运行方式")
    wecom: WecomSection = Field(description="企业微信")
    official_accounts: Annotated[tuple[OfficialAccountSection, ...], BeforeValidator(checks.as_list)] = Field(
        (), description="公众号"
    )

    @property
    def is_secure(self) -> bool:
        """Whether people reach the product by HTTPS, so that cookies can be marked Secure."""
        return urlsplit(self.app.base_url).scheme == "https"

    def secret_values(self) -> frozenset[str]:
        """Every secret of this deployment, for ``logs.configure(secrets=...)`` to hide wherever it turns up."""
        return frozenset(_secrets_in(self))


def _secrets_in(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for _, item in value:
                yield from _secrets_in(item)
        case tuple():
            for item in value:
                yield from _secrets_in(item)


def load_config(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Answer the checked configuration, or raise one ConfigError that lists every mistake.

    The file is ``path``, else the one named by ``LIANKE_CONFIG``, else ``./config.toml``.
    """
    raw = read_raw(Config, path, environ)
    if raw.unreadable:
        raise ConfigError(raw.source, raw.problems)
    problems = [*raw.problems, *checks.across_sections(raw.tree)]
    config = _validate(raw, problems)
    if config is None or problems:
        raise ConfigError(raw.source, problems)
    return config


def _validate(raw: RawConfig, problems: list[Problem]) -> Config | None:
    known: set[Location] = {problem.location for problem in problems}
    required: dict[str, object] = {
        name: {} for name, info in Config.model_fields.items() if info.is_required()
    }
    try:
        return Config.model_validate(required | raw.tree)  # a missing section: name each key it must have
    except ValidationError as error:
        found = from_pydantic(Config, error, raw.overridden)
        problems += [problem for problem in found if problem.location not in known]
        return None
