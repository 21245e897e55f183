"""The console at ``/console``: what managers and marketers work with.

``door.Console`` declares every page, with the permission it asks for. A page's values are made in its module; its
template lays them out. What it reads comes from ``visit.read()``, which knows only what the visitor may see.
"""

from __future__ import annotations

from flask import Blueprint

from bot.web.console import (
    audit,
    bulk,
    calls,
    changes,
    channel_batch,
    channel_new,
    channel_page,
    channels,
    columns,
    comments,
    contact,
    contacts,
    corp,
    entry,
    events,
    followups,
    groups,
    hours,
    importing,
    jobs,
    library,
    library_edit,
    logo,
    look,
    overview,
    people,
    poster,
    replay,
    search,
    segments,
    settings,
    staff,
    staff_page,
    tag,
    tags,
    tokens,
)
from bot.web.console.door import Console
from bot.web.site import Site


def register(blueprint: Blueprint, site: Site) -> Console:
    """Put all pages of the console on the blueprint."""
    console = Console(blueprint, site)
    entry.register(blueprint, site, console)
    pages = (
        overview,
        contacts,
        contact,
        groups,
        channels,
        channel_new,
        channel_batch,
        poster,
        channel_page,
        followups,
        library,
        library_edit,
        comments,
        events,
        replay,
        calls,
        importing,
        jobs,
        audit,
        tags,
        tag,
        staff,
        staff_page,
        changes,
        settings,
        people,
        tokens,
        corp,
        hours,
        logo,
        look,
        bulk,
        columns,
        search,
        segments,
    )
    for module in pages:
        module.register(console)
    return console
