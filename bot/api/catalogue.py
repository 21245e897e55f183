"""The one list of resources; a resource that is not here does not exist."""

from __future__ import annotations

from collections.abc import Sequence

from bot.api import (
    assignments,
    calls,
    channel_stats,
    channels,
    contacts,
    events,
    followups,
    groups,
    jobs,
    library,
    materials,
    media,
    segments,
    settings,
    staff,
    tags,
    tasks,
    timeline,
    trace,
)
from bot.api.routes import Routes

RESOURCES: Sequence[Routes] = (
    contacts.routes,
    segments.routes,
    timeline.routes,
    assignments.routes,
    followups.routes,
    tasks.routes,
    groups.routes,
    tags.routes,
    channels.routes,
    channel_stats.routes,
    media.routes,
    library.routes,
    materials.routes,
    staff.routes,
    events.routes,
    calls.routes,
    settings.routes,
    jobs.routes,
    trace.routes,
)
