"""Pages for people: the start page, the console, and the profile behind a signed link.

Views only: what they show comes from scrm's queries, what they change goes through scrm's services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint
from flask.blueprints import BlueprintSetupState
from jinja2 import StrictUndefined

from bot.check.settings import is_local
from bot.check.steps import Connection
from bot.web import console, failures, headers, library, start, wecom_login
from bot.web.links import Links
from bot.web.sidebar import chat, edit, groups, home, task_cards, views
from bot.web.sidebar import library as sidebar_library
from bot.web.site import Platform, Site
from bot.wechat.pictures import Pictures

if TYPE_CHECKING:
    from bot.app import Product

__all__ = ["Links", "web"]


def web(product: Product) -> Blueprint:
    """The pages as a blueprint for ``/``."""
    site = _site(product)
    blueprint = Blueprint("web", __name__, template_folder="templates", static_folder="static")
    blueprint.record(_strict_templates)
    start.register(blueprint, site)
    chat.register(blueprint, site)
    views.register(blueprint, site)
    groups.register(blueprint, site)
    library.register(blueprint, site)
    sidebar_library.register(blueprint, site)
    edit.register(blueprint, site)
    task_cards.register(blueprint, site)
    home.register(blueprint, site)
    pages = console.register(blueprint, site).pages
    blueprint.record(lambda state: state.app.extensions.update(lianke_console=pages))
    wecom_login.register(blueprint, site, product.config.app.secret_key.get_secret_value())
    failures.register(blueprint, site)
    headers.register(blueprint, site)
    return blueprint


def _site(product: Product) -> Site:
    config = product.config
    api = urlsplit(config.wecom.api_base)
    return Site(
        database=product.database,
        clock=product.clock,
        tz=product.corp.tz,
        links=Links(config.app.secret_key.get_secret_value()),
        platform=Platform(config.wecom.corp_id, config.wecom.agent_id, product.client),
        connection=Connection(config),
        locale=config.app.locale,
        base_url=config.app.base_url,
        is_secure=config.is_secure,
        sandbox_url=f"{api.scheme}://{api.netloc}" if is_local(config.wecom.api_base) else None,
        corp=product.corp,
        pictures=Pictures(config.wecom.api_base, is_double=is_local(config.wecom.api_base)),
        redis_url=config.redis.url if config.runtime.mode == "cluster" else "",
        wake=product.wakeups.wake,
    )


def _strict_templates(state: BlueprintSetupState) -> None:
    """A name a template does not know is a mistake, not an empty place."""
    state.app.jinja_env.undefined = StrictUndefined
    state.app.jinja_env.trim_blocks = True
    state.app.jinja_env.lstrip_blocks = True
