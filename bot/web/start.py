"""``/``: what is there, and how to connect a corp."""

from __future__ import annotations

from flask import Blueprint, Response

from bot.web.site import Screen, Site


def register(blueprint: Blueprint, site: Site) -> None:
    """Put the page at ``/``."""

    @blueprint.get("/")
    def start() -> Response:
        screen = Screen(site)
        links = [
            ("/api/v1/docs", "docs"),
            *([(site.sandbox_url, "sandbox")] if site.sandbox_url else []),
            (screen.url("sidebar"), "sidebar"),
            ("/readyz", "ready"),
            ("/metrics", "metrics"),
        ]
        return screen.page("start.html", links=links, callback=f"{site.base_url}/callback/wecom")
