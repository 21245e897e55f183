"""The servers a cluster needs: whether they are there, and whether the database is ours to use."""

from __future__ import annotations

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from bot.check.storage import check_storage
from bot.config import Config
from bot.demo import seed
from bot.demo.places import CannotStart
from bot.moving.target import MOVING
from migrations import runner
from scrm.db import Database

CONNECT_SECONDS = 5
MISSING = {"postgresql": "3D000", "mysql": 1049}  # invalid_catalog_name, ER_BAD_DB_ERROR
ADMIN = {"postgresql": "postgres", "mysql": ""}  # where one connects to make a database; MySQL needs none
CREATE = {
    "postgresql": "CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0",
    "mysql": "CREATE DATABASE {name} CHARACTER SET utf8mb4",
}
INSTALL = {
    "postgresql": "sudo apt install postgresql && sudo systemctl start postgresql",
    "mysql": "sudo apt install mariadb-server && sudo systemctl start mariadb",
}


def reach_redis(url: str) -> None:
    """Raise CannotStart unless Redis answers."""
    redis = Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS)
    try:
        redis.ping()
    except (RedisError, OSError) as error:
        raise CannotStart(
            f"Redis 没有应答（{_shown(url)}）：{error}\n"
            "集群演示需要 Redis：先启动它（例如 sudo apt install redis-server && sudo systemctl start redis-server），"
            "再核对 --redis 的地址、密码和库号。"
        ) from error
    finally:
        redis.close()


def reach_database(url: URL) -> bool:
    """The database exists and lets us in. Whether it was made now. Raises CannotStart."""
    kind = url.get_backend_name()
    engine = _engine(url)
    try:
        engine.connect().close()
    except DBAPIError as error:
        if _code(error) != MISSING[kind]:
            raise CannotStart(_why_not(url, error)) from error
    else:
        return False
    finally:
        engine.dispose()
    _create(url, kind)
    return True


def _create(url: URL, kind: str) -> None:
    engine = _engine(url.set(database=ADMIN[kind])).execution_options(isolation_level="AUTOCOMMIT")
    name = engine.dialect.identifier_preparer.quote(str(url.database))
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(CREATE[kind].format(name=name))
    except DBAPIError as error:
        raise CannotStart(
            f"数据库 {url.database} 不存在，这个账号也不能新建它：{_words(error)}\n"
            f"请由管理员执行：{CREATE[kind].format(name=name)};"
        ) from error
    finally:
        engine.dispose()


def _engine(url: URL) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS})


def _code(error: DBAPIError) -> object:
    """What the server calls the error: a number on MySQL, five characters on PostgreSQL."""
    first = next(iter(getattr(error.orig, "args", ())), None)
    if isinstance(first, int):
        return first
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is None and "does not exist" in str(error.orig) and "database" in str(error.orig):
        return MISSING["postgresql"]  # psycopg gives no code while connecting
    return sqlstate


def _why_not(url: URL, error: DBAPIError) -> str:
    return (
        f"连不上数据库（{url.render_as_string()}）：{_words(error)}\n"
        f"集群演示需要 PostgreSQL 或 MySQL/MariaDB：先启动它（例如 {INSTALL[url.get_backend_name()]}），"
        "再核对 --database 的地址、用户名和密码。"
    )


def _words(error: DBAPIError) -> str:
    """The driver's own words, in one line."""
    return " ".join(str(error.orig).split())[:300]


def _shown(url: str) -> str:
    """A Redis URL without its password."""
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else url


def prepare(database: Database, config: Config) -> None:
    """The database has the newest structure, and is empty, a demo's, or was moved from one. Raises CannotStart."""
    current = runner.current(database)
    if current == MOVING:
        raise CannotStart("这个库是一次没做完的 lianke migrate-data 的目标：用同样的参数再运行它，做完再来。")
    if current is None and inspect(database.engine).get_table_names():
        raise CannotStart("这个库里已有别的程序的表，演示不会改动它。请换一个库名，不存在的库会新建。")
    if current is not None:
        seed.require_ours(database)
    runner.upgrade(database)
    findings, _ = check_storage(config, database)
    for finding in findings:
        if finding.level == "fail":
            raise CannotStart(
                f"数据库不能用：{finding.text}。{finding.advice}。\n"
                "这个库若是用别的目录里的演示写的，请在那里启动，或换一个库名。"
            )


def url_of(text: str) -> URL:
    """A URL that the configuration has accepted."""
    return make_url(text)
