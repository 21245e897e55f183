"""The one way into a console page: a live session, a changed password, the permission, and no forged request.

A page is declared with the permission it asks for; there is no way to declare one without. What it reads and writes
goes through its ``Visit``, whose database sessions know only what the visitor may see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Blueprint, Response, current_app, g, redirect, request
from flask_wtf.csrf import generate_csrf, validate_csrf
from sqlalchemy.orm import Session
from wtforms.validators import ValidationError

from bot.web.failures import Closed
from bot.web.site import Screen, Site
from scrm.access.scope import Actor, actor_of, limit_to
from scrm.accounts import logins
from scrm.accounts.logins import Entered
from scrm.accounts.look import get_look
from scrm.accounts.roles import AUDIT_READ, LIBRARY_READ, ROLE_NAMES
from scrm.audit import service as audit
from scrm.ids import new_token
from scrm.jobs import service as jobs

ANYBODY = ""  # a page for everybody who is in
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
NONCE_FIELD, LONGEST_NONCE = "nonce", 64
BY_ITSELF = "X-Lianke-Live"  # said by live.js
COOKIES = {"console": ("__Host-lianke", "lianke_login"), "sidebar": ("__Host-lianke-rep", "lianke_rep")}


# Of each section of the rail: endpoint, the key behind ``g``, the permission, endpoints of the same family.
SECTIONS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "": (("overview", "o", ANYBODY),),
    "people": (
        ("contact_list", "c", "contacts.read", "contact_page"),
        ("group_list", "h", "contacts.read", "group_page"),
        ("tag_catalogue", "t", "contacts.read", "tag_page", "tag_group_page"),
    ),
    "work": (
        (
            *("channel_list", "q", "channels.read", "channel_page", "channel_new", "channel_make"),
            *("channel_batch", "preview_batch", "make_batch", "batch_made"),
        ),
        ("followup_log", "f", "contacts.read"),
        (
            *(
                "reply_list",
                "n",
                LIBRARY_READ,
                "reply_new",
                "reply_make",
                "reply_edit",
                "reply_change",
                "reply_copy",
            ),
            *("material_list", "material_new", "material_make", "material_edit", "material_change"),
        ),
    ),
    "team": (
        ("staff_list", "p", "staff.read", "staff_page"),
        ("job_list", "j", ANYBODY, "job_page", "import_new", "import_page"),
        ("settings", "s", ANYBODY, "account_page"),
    ),
    "records": (
        ("event_log", "e", "events.read", "event_page"),
        ("call_log", "w", "calls.read", "call_page"),
        ("audit_trail", "a", AUDIT_READ),
    ),
}
RAIL = tuple(entry for entries in SECTIONS.values() for entry in entries)


@dataclass(frozen=True)
class RailEntry:
    """A line of the rail; ``heading`` is that of its section, where it is the first of it."""

    url: str
    text: str
    key: str
    is_here: bool
    heading: str


@dataclass(frozen=True)
class Page:
    """A declared page: what the tests of roles and routes walk through."""

    rule: str
    method: str
    permission: str
    endpoint: str


class Visit(Screen):
    """One request of somebody who is in."""

    def __init__(self, site: Site, entered: Entered, actor: Actor) -> None:
        super().__init__(site)
        self.entered = entered
        self.actor = actor

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads what the visitor may see."""
        with self.site.database.read() as session:
            limit_to(session, self.actor)
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that changes what the visitor may see."""
        with self.site.database.write() as session:
            limit_to(session, self.actor)
            yield session

    def record(self, session: Session, action: str, kind: str = "", key: str = "", **detail: Any) -> None:
        """Write a deed of the visitor into the audit trail, in the transaction that does it."""
        deed = audit.Deed(self.actor.audit_name, self.actor.name, action, kind, key, detail, address())
        audit.append(session, deed, now=self.now)

    def csrf(self) -> str:
        """What a form of this browser carries."""
        return str(generate_csrf())

    @cached_property
    def nonce(self) -> str:
        """What tells this page's forms from those of others: kept while one is shown again."""
        return request.form.get(NONCE_FIELD, "")[:LONGEST_NONCE] or new_token(12)

    def renew_form(self) -> None:
        """What was sent is done: the form of the page that tells so is another one."""
        self.nonce = new_token(12)

    def may(self, permission: str) -> bool:
        return self.actor.may(permission)

    def sees_staff(self, staff_id: str) -> bool:
        """Whether the visitor sees this member's customers."""
        return self.actor.sees is None or staff_id in self.actor.sees

    def role_name(self) -> str:
        return self.t.of(ROLE_NAMES, self.actor.role)

    def rail(self) -> list[RailEntry]:
        """The pages the visitor may open, the one he is on marked."""
        here = (request.endpoint or "").removeprefix("web.")
        lines = []
        for section, entries in SECTIONS.items():
            heading = self.t(f"section_{section}") if section else ""
            for name, key, permission, *parts in entries:
                if self.opens(name, permission):
                    is_here = here in (name, *parts) or here.startswith(f"{name}_")
                    lines.append(RailEntry(self.url(name), self.t(f"rail_{name}"), key, is_here, heading))
                    heading = ""
        return lines

    def jobs_under_way(self) -> int:
        """How many jobs of the visitor wait or run."""
        with self.site.database.read() as session:
            return jobs.count_open(session, self.actor.audit_name)

    def opens(self, endpoint: str, permission: str) -> bool:
        """Whether there is such a page and the visitor may see it."""
        there = f"web.{endpoint}" in current_app.view_functions
        return there and (not permission or self.may(permission))


View = Callable[..., Response]


class Console:
    """Declares pages on the blueprint; ``pages`` are all of them."""

    def __init__(self, blueprint: Blueprint, site: Site) -> None:
        self._blueprint = blueprint
        self.site = site
        self.pages: list[Page] = []

    def get(self, rule: str, permission: str) -> Callable[[View], View]:
        return self._declare(rule, "GET", permission)

    def post(self, rule: str, permission: str) -> Callable[[View], View]:
        return self._declare(rule, "POST", permission)

    def _declare(self, rule: str, method: str, permission: str) -> Callable[[View], View]:
        def declare(view: View) -> View:
            @wraps(view)
            def guarded(**arguments: Any) -> Response:
                found = find_visit(self.site)
                if found is None:
                    return to_login()
                if found.entered.account.must_change and view.__name__ not in (
                    "password",
                    "change_password",
                    "leave",
                ):
                    return see_other(found.url("password"))
                if request.method in UNSAFE:
                    check_forgery(self.site)
                if permission:
                    found.actor.require(permission)
                return view(found, **arguments)

            path = f"/console{rule}"
            self._blueprint.add_url_rule(path, view.__name__, guarded, methods=[method])
            self.pages.append(Page(path, method, permission, view.__name__))
            return view

        return declare


def cookie_name(site: Site, door: str = "console") -> str:
    """``__Host-`` where there is TLS: no other host, and no plain page, can set it.

    Each door has a cookie of its own: who opens a rep's sidebar beside the console does not become the rep there.
    """
    secure, plain = COOKIES[door]
    return secure if site.is_secure else plain


def find_visit(site: Site, door: str = "console") -> Visit | None:
    """Who is here; None without a live session. A session that somebody uses is marked so."""
    token = request.cookies.get(cookie_name(site, door), "")
    if not token:
        return None
    now = site.clock()
    with site.database.read() as session:
        entered = logins.find_entered(session, token, now=now)
        if entered is None:
            return None
        actor = actor_of(session, entered.account)
        g.look = get_look(session, entered.account.id)
    if now - entered.login.seen_at >= logins.SEEN_EVERY and not is_by_itself():
        with site.database.write() as session:
            logins.mark_seen(session, entered.login.id, now=now)
    return Visit(site, entered, actor)


def is_by_itself() -> bool:
    """Whether the page asks without anybody at it: that does not keep a session alive."""
    return BY_ITSELF in request.headers


def set_cookie(site: Site, response: Response, token: str, door: str = "console") -> None:
    """Give the browser its session; it forgets it when it is closed."""
    response.set_cookie(
        cookie_name(site, door), token, secure=site.is_secure, httponly=True, samesite="Lax", path="/"
    )


def drop_cookie(site: Site, response: Response) -> None:
    """Take the session from the browser."""
    response.delete_cookie(cookie_name(site), secure=site.is_secure, httponly=True, samesite="Lax", path="/")


def check_forgery(site: Site) -> None:
    """Raises Closed for a request that another site may have made this browser send (ASVS 3.5.1)."""
    origin = request.headers.get("Origin")
    ours = {_origin(site.base_url), _origin(request.host_url)}
    if origin is not None and _origin(origin) not in ours:
        raise Closed("form")
    try:
        validate_csrf(request.form.get(CSRF_FIELD) or request.headers.get(CSRF_HEADER))
    except ValidationError:
        raise Closed("form") from None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def address() -> str:
    """Where the request came from, for the record."""
    return request.remote_addr or ""


def safe_next(target: str, home: str = "/console") -> str:
    """Where to go after the login: a page of ours, whatever was asked for; ``home`` for anything else."""
    parts = urlsplit(target)
    ours = (
        target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and not parts.scheme
        and not parts.netloc
    )
    clean = ours and target.isprintable() and "\\" not in target
    return target if clean else home


def to_login() -> Response:
    """Ask who it is; afterwards the page that was wanted. Where htmx asked for a part, the whole page goes there."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else "/console"
    target = f"/console/login?next={quote(wanted, safe='')}"
    if is_by_itself():
        return Response(status=401)
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": target})
    return see_other(target)


def see_other(target: str) -> Response:
    """Go there with a GET."""
    answer = redirect(target, 303)
    assert isinstance(answer, Response)  # noqa: S101 - Flask's answer class is ours
    return answer
