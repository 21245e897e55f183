"""The start of the cluster's demo, step by step, and its end."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.app import Product, build
from bot.demo import places as places_
from bot.demo import seed, summary
from bot.demo.child import Sandbox
from bot.demo.cluster import servers
from bot.demo.cluster.fleet import ROLES, Fleet
from bot.demo.cluster.places import ClusterPlaces, find_places
from bot.demo.launch import guarded, keep_bytecode, logging_to, tell_programs
from scrm.db import Database


def run(database_url: str, redis_url: str) -> None:
    """Start everything and watch over it until SIGTERM or Ctrl-C. Exits with a plain message when it cannot."""
    guarded(lambda began: _run(find_places(database_url, redis_url), began))


def _run(places: ClusterPlaces, began: float) -> None:
    lock = places_.take_lock(places)
    keep_bytecode(places)
    try:
        places_.check_ports(places)
        places_.write_config(places)
        with logging_to(places) as config:
            servers.reach_redis(config.redis.url)
            url = servers.url_of(config.database.url)
            if servers.reach_database(url):
                summary.tell(f"数据库 {url.database} 不存在，已新建（{url.render_as_string()}）")
            product = build(config)
            servers.prepare(product.database, config)
            _serve(places, product, began)
    finally:
        os.close(lock)


def _serve(places: ClusterPlaces, product: Product, began: float) -> None:
    now = product.clock()
    fresh = seed.ensure_seeded(product.database, product.config, now=now, tz=product.corp.tz)
    places = replace(places, world=seed.world_of(product.database))
    _adopt_sandbox(places)
    sandbox = Sandbox(places)
    fleet = Fleet(places, product.config, summary.tell)
    sandbox.start()
    try:
        sandbox.wait()
        info = _fill(places, product, sandbox, now)
        fleet.start_workers()
        fleet.start_web(lambda: summary.is_ready(places))
        processes = {"sandbox": (sandbox.pid, places.sandbox_log)} | {
            name: (fleet.parts[name].process.pid, places.log_of(name)) for name in ROLES
        }
        summary.show_cluster(places, info, processes, time.monotonic() - began, fresh=fresh)
        fleet.watch()
    except KeyboardInterrupt:
        summary.tell("正在停止：先停网页，再等手上的任务做完（最多 25 秒；再按一次 Ctrl-C 立即结束）")
        _stop(fleet)
    except BaseException:
        fleet.kill()
        raise
    finally:
        sandbox.stop()  # last: calls in the air get their answers


def _stop(fleet: Fleet) -> None:
    try:
        fleet.stop()
    except KeyboardInterrupt:
        fleet.kill()


def _fill(places: ClusterPlaces, product: Product, sandbox: Sandbox, now: datetime) -> dict[str, Any]:
    """The sandbox knows the company, what fell due meanwhile is owed, and var/demo.json tells where everything is."""
    seed.fill_sandbox(product.database, sandbox, now=now)
    seed.catch_up(product.database, places.sandbox_url, now=now, tz=product.corp.tz)
    info = tell_programs(places, product, now)
    product.database.dispose()
    return info


def _adopt_sandbox(places: ClusterPlaces) -> None:
    """Where this world grew up in the embedded demo, the platform's side of it comes along: a copy of its database."""
    theirs = places.embedded
    if places.sandbox_database.exists() or not theirs.sandbox_database.exists():
        return
    if not theirs.database.exists() or _world_of(theirs.database) != places.world:
        return
    with (
        closing(sqlite3.connect(theirs.sandbox_database)) as source,
        closing(sqlite3.connect(places.sandbox_database)) as target,
    ):
        source.backup(target)


def _world_of(path: os.PathLike[str]) -> str:
    database = Database(f"sqlite:///{path}")
    try:
        return seed.world_of(database)
    finally:
        database.dispose()
