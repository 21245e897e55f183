"""Who may do what, and of whom: roles, their permissions, and how far each sees. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

LIBRARY_READ, LIBRARY_WRITE = "library.read", "library.write"  # to write: the team's folders
READS = (
    *("contacts.read", "channels.read", "staff.read", "events.read", "calls.read", "jobs.read"),
    LIBRARY_READ,
)
WRITES = (
    "contacts.write",
    "followups.write",
    "tags.write",
    "channels.write",
    "events.replay",
    "calls.retry",
    "settings.write",
    "jobs.write",
    LIBRARY_WRITE,
)
ALL_SCOPES = (*READS, *WRITES, "pii.read")

AUDIT_READ = "audit.read"
ACCOUNTS_WRITE = "accounts.write"
EXPORT = "contacts.export"
LIBRARY_OWN = "library.own"  # folders of one's own
ASSIGN = "contacts.assign"  # give a customer another owner, and reps tasks
ALL_PERMISSIONS = (*ALL_SCOPES, EXPORT, ASSIGN, AUDIT_READ, ACCOUNTS_WRITE, LIBRARY_OWN)

# What speaks of all customers at once: nobody has it who sees only some, whatever their role.
WHOLE_REACH = frozenset(
    ("events.read", "calls.read", "jobs.read", "events.replay", "calls.retry", AUDIT_READ)
)


class Role(StrEnum):
    """What a person is in the product."""

    ADMIN = "admin"
    MARKETING = "marketing"
    MANAGER = "manager"
    SDR = "sdr"
    SALES = "sales"
    SUCCESS = "success"
    READONLY = "readonly"


class Reach(StrEnum):
    """Whose customers a person sees."""

    OWN = "own"
    DEPARTMENT = "department"  # of the departments they lead, with those below; their own without
    ALL = "all"


_REP = (
    *("contacts.read", "contacts.write", "followups.write", "tags.write", "channels.read", "staff.read"),
    *(LIBRARY_READ, LIBRARY_OWN),
)

PERMISSIONS: Mapping[Role, frozenset[str]] = {
    Role.ADMIN: frozenset(ALL_PERMISSIONS),
    Role.MARKETING: frozenset(
        (
            "contacts.read",
            "tags.write",
            "channels.read",
            "channels.write",
            "staff.read",
            "settings.write",
            "jobs.read",
            LIBRARY_READ,
            LIBRARY_WRITE,
            LIBRARY_OWN,
        )
    ),
    Role.MANAGER: frozenset((*_REP, "jobs.read", "jobs.write", EXPORT, ASSIGN, LIBRARY_WRITE)),
    Role.SDR: frozenset(_REP),
    Role.SALES: frozenset(_REP),
    Role.SUCCESS: frozenset(_REP),
    Role.READONLY: frozenset(READS),
}

USUAL_REACH: Mapping[Role, Reach] = {
    Role.ADMIN: Reach.ALL,
    Role.MARKETING: Reach.ALL,
    Role.MANAGER: Reach.DEPARTMENT,
    Role.SDR: Reach.OWN,
    Role.SALES: Reach.OWN,
    Role.SUCCESS: Reach.OWN,
    Role.READONLY: Reach.ALL,
}

ROLE_NAMES: Mapping[str, tuple[str, str]] = {
    Role.ADMIN: ("管理员", "Administrator"),
    Role.MARKETING: ("市场", "Marketing"),
    Role.MANAGER: ("销售主管", "Sales manager"),
    Role.SDR: ("SDR", "SDR"),
    Role.SALES: ("销售", "Sales rep"),
    Role.SUCCESS: ("客户成功", "Customer success"),
    Role.READONLY: ("只读", "Read-only"),
}

REACH_NAMES: Mapping[str, tuple[str, str]] = {
    Reach.OWN: ("本人的客户", "Own customers"),
    Reach.DEPARTMENT: ("本部门的客户", "The department's customers"),
    Reach.ALL: ("全部客户", "All customers"),
}
