"""The contenders, each as a process of its own: ours and the baselines on the same server with one worker.

``python -m benchmarks.servers NAME PORT DATABASE``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from flask import Flask, request
from granian import Granian
from granian.constants import Interfaces
from sqlalchemy import String, Text, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from wechatpy.work import parse_message
from wechatpy.work.crypto import WeChatCrypto

from bot.sandbox.settings import SandboxSettings

BOX = SandboxSettings()
THREADS = 8


def noop() -> Flask:
    """A bare Flask endpoint that does nothing."""
    app = Flask("noop")

    @app.post("/callback/wecom")
    def callback() -> str:
        return ""

    return app


def wechatpy_only() -> Flask:
    """Verifies, decrypts and parses with wechatpy; stores nothing."""
    app = Flask("wechatpy")
    crypto = WeChatCrypto(BOX.token, BOX.encoding_aes_key, BOX.corp_id)

    @app.post("/callback/wecom")
    def callback() -> str:
        query = request.args
        text = crypto.decrypt_message(
            request.get_data(), query["msg_signature"], query["timestamp"], query["nonce"]
        )
        parse_message(text)
        return ""

    return app


class Base(DeclarativeBase):
    pass


class Event(Base):
    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(96))
    payload: Mapped[str] = mapped_column(Text)


def naive(database: str) -> Flask:
    """The endpoint people usually write: the same, plus one ORM INSERT and commit per request."""
    app = Flask("naive")
    crypto = WeChatCrypto(BOX.token, BOX.encoding_aes_key, BOX.corp_id)
    engine = create_engine(database)
    Base.metadata.create_all(engine)

    @app.post("/callback/wecom")
    def callback() -> str:
        query = request.args
        text = crypto.decrypt_message(
            request.get_data(), query["msg_signature"], query["timestamp"], query["nonce"]
        )
        message = parse_message(text)
        with Session(engine) as session:
            session.add(Event(kind=str(message.type), payload=text))
            session.commit()
        return ""

    return app


def plain(database: str) -> Flask:
    """One INSERT and commit per request with the driver itself, from a pool; nothing is verified or parsed."""
    app = Flask("plain")
    engine = create_engine(database, pool_size=THREADS)
    Base.metadata.create_all(engine)
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    insert = f"INSERT INTO event (kind, payload) VALUES ({mark}, {mark})"

    @app.post("/callback/wecom")
    def callback() -> str:
        connection = engine.raw_connection()  # psycopg's, PyMySQL's or sqlite3's own
        try:
            cursor = connection.cursor()
            cursor.execute(insert, ("event", request.get_data(as_text=True)))
            connection.commit()
        finally:
            connection.close()
        return ""

    return app


def ours(database: str, port: int) -> Any:
    """The product's web part as ``lianke web`` runs it: durable, deduplicating; no workers."""
    from benchmarks.config import product_config  # noqa: PLC0415 - the baselines must not load the product
    from bot.app import build, create_asgi  # noqa: PLC0415 - the baselines must not load the product
    from migrations import runner  # noqa: PLC0415 - the baselines must not load the product

    product = build(product_config(database, port))
    runner.upgrade(product.database)
    return create_asgi(product)[0]


def load_app() -> Any:
    """Called by granian in its worker."""
    name, port, database = sys.argv[1:4]
    makers = {"noop": noop, "wechatpy": wechatpy_only}
    if name in makers:
        return makers[name]()
    if name in ("naive", "plain"):
        return {"naive": naive, "plain": plain}[name](database)
    return ours(database, int(port))


def main() -> None:
    name, port, database = sys.argv[1:4]
    if database.startswith("sqlite:///"):
        Path(database.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    Granian(
        "benchmarks.servers:load_app",
        factory=True,
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.ASGI if name == "ours" else Interfaces.WSGI,
        workers=1,
        blocking_threads=1 if name == "ours" else THREADS,
        backlog=2048,
        log_enabled=False,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main()
