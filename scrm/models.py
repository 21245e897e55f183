"""Imports every model so that ``Base.metadata`` is complete; for migrations and tests."""

from scrm import leadership
from scrm.accounts import models as accounts
from scrm.audit import models as audit
from scrm.channels import models as channels
from scrm.contacts import models as contacts
from scrm.db import Base
from scrm.followups import models as followups
from scrm.groups import models as groups
from scrm.inbox import models as inbox
from scrm.jobs import models as jobs
from scrm.library import models as library
from scrm.outbox import models as outbox
from scrm.routing import models as routing
from scrm.segments import models as segments
from scrm.tags import models as tags
from scrm.tasks import models as tasks
from scrm.timeline import models as timeline

__all__ = [
    "Base",
    "accounts",
    "audit",
    "channels",
    "contacts",
    "followups",
    "groups",
    "inbox",
    "jobs",
    "leadership",
    "library",
    "outbox",
    "routing",
    "segments",
    "tags",
    "tasks",
    "timeline",
]
