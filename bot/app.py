"""The composition root: every part is made here, once, from the configuration. No route lives in this file."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from a2wsgi import WSGIMiddleware
from apiflask import APIFlask
from prometheus_client import Counter, Histogram

from bot import memory
from bot.api import PREFIX, create_api
from bot.callbacks.asgi import Asgi, CallbackApp
from bot.callbacks.intake import Intake
from bot.callbacks.wecom import WecomReceiver
from bot.config import Config
from bot.health import health
from bot.proxies import TrustedProxies
from bot.web import Links, web
from bot.wechat.crypto import CallbackCrypto
from bot.wechat.redis_tokens import RedisBackend
from bot.wechat.tokens import TokenStore
from bot.wechat.wecom import CallRecord, WeComClient
from bot.workers.limits import Gate
from bot.workers.messages import Messages
from bot.workers.wakeup import Queue, SharedWakeups, Wakeups
from handlers.context import Corp
from scrm import clock as real_clock
from scrm import seal
from scrm.db import Database

EXCHANGES = Counter("lianke_wecom_exchanges_total", "HTTP exchanges with WeCom", ["api", "outcome"])
ERRCODES = Counter("lianke_wecom_errcodes_total", "Errcodes other than 0 from WeCom", ["api", "errcode"])
EXCHANGE_SECONDS = Histogram(
    "lianke_wecom_exchange_seconds", "Duration of HTTP exchanges with WeCom", ["api"]
)

LARGEST_REQUEST = 26 * 1024 * 1024


@dataclass(frozen=True)
class Product:
    """The parts of one process, wired. ``owner`` names it in leases."""

    config: Config
    database: Database
    client: WeComClient
    gate: Gate
    wakeups: Wakeups
    corp: Corp
    clock: Callable[[], datetime]
    owner: str
    messages: Messages | None = None  # to the other processes of a cluster


def _observe(record: CallRecord) -> None:
    EXCHANGES.labels(record.api, record.outcome).inc()
    EXCHANGE_SECONDS.labels(record.api).observe(record.ms / 1000)
    if record.errcode:
        ERRCODES.labels(record.api, record.errcode).inc()


def wecom_client(config: Config, tokens: TokenStore | None = None) -> WeComClient:
    """The client of the configured corp, measured; tokens are kept in Redis where there is one."""
    secrets = {
        "app": config.wecom.secret.get_secret_value(),
        "contact": config.wecom.contact_secret.get_secret_value(),
    }
    if tokens is None:
        tokens = TokenStore(RedisBackend(config.redis.url)) if config.redis.url else TokenStore()
    return WeComClient(config.wecom.corp_id, secrets, config.wecom.api_base, tokens=tokens, on_call=_observe)


def _corp(config: Config) -> Corp:
    links = Links(config.app.secret_key.get_secret_value())
    tz = ZoneInfo(config.app.timezone)
    return Corp(tz, config.wecom.agent_id, config.app.base_url, links.sign_link)


def build(
    config: Config, *, clock: Callable[[], datetime] = real_clock.now, client: WeComClient | None = None
) -> Product:
    """Wire one process. Opens no socket and starts no thread."""
    seal.use(seal.Keyring([key.get_secret_value() for key in config.app.encryption_keys]))
    is_cluster = config.runtime.mode == "cluster"
    messages = Messages(config) if is_cluster else None
    return Product(
        config=config,
        database=Database(config.database.url, pool_size=config.database.pool_size),
        client=client or wecom_client(config),
        gate=Gate(redis_url=config.redis.url) if is_cluster else Gate(),
        wakeups=SharedWakeups(messages.tell) if messages else Wakeups(),
        corp=_corp(config),
        clock=clock,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        messages=messages,
    )


def create_app(product: Product) -> APIFlask:
    """The Flask application: REST, health, pages."""
    app = APIFlask("lianke", enable_openapi=False, static_folder=None)  # type: ignore[arg-type]  # Flask takes None: no folder
    app.config.update(
        SECRET_KEY=product.config.app.secret_key.get_secret_value(),
        SESSION_COOKIE_NAME="lianke_forms",  # holds nothing but the secret behind forms' tokens
        SESSION_COOKIE_SECURE=product.config.is_secure,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,  # the API says its own limits
        WTF_CSRF_TIME_LIMIT=12 * 3600,  # as long as a session can last
    )
    api = create_api(product.database, clock=product.clock, wake=product.wakeups.wake, corp=product.corp)
    app.register_blueprint(api, url_prefix=PREFIX)
    app.register_blueprint(health(product.database, product.gate, product.clock, product.messages))
    app.register_blueprint(web(product))
    app.wsgi_app = TrustedProxies(app.wsgi_app, product.config.server.trusted_proxies)  # type: ignore[method-assign]
    return app


def create_asgi(product: Product) -> tuple[CallbackApp, Intake]:
    """What the web server runs: the callback path in front, Flask behind it."""
    wecom = product.config.wecom
    pairs = [
        CallbackCrypto(keys.token.get_secret_value(), keys.encoding_aes_key.get_secret_value(), wecom.corp_id)
        for keys in wecom.callback_keys
    ]
    intake = Intake(product.database, recorded=lambda _new: product.wakeups.wake(Queue.INBOX))
    flask: Asgi = WSGIMiddleware(create_app(product), workers=product.config.server.threads)  # type: ignore[arg-type,assignment]
    memory.settle()
    return CallbackApp(WecomReceiver(pairs, product.clock), intake, flask), intake
