"""What browsers are told about every page: run nothing but our own files, keep nothing, tell nobody."""

from __future__ import annotations

from flask import Blueprint, Response, request

from bot.web.site import Site

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src {connect}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self' https://*.work.weixin.qq.com"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # no-referrer would also take the Origin from our own forms
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
ONE_YEAR = 365 * 24 * 3600


def register(blueprint: Blueprint, site: Site) -> None:
    """Put the headers on every answer of the blueprint."""
    connect = (
        f"'self' {site.sandbox_url}" if site.sandbox_url else "'self'"
    )  # the JS-SDK's stand-in sends there
    fixed = {**HEADERS, "Content-Security-Policy": CSP.format(connect=connect)}

    @blueprint.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(fixed)
        if request.endpoint == "web.static":
            known = site.assets.get((request.view_args or {}).get("filename", ""))
            current = known is not None and request.args.get("v") == known
            response.headers["Cache-Control"] = (
                f"public, max-age={ONE_YEAR}, immutable" if current else "no-cache"
            )
        else:
            response.headers["Cache-Control"] = "no-store"
        if site.is_secure:
            response.headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}"
        return response
