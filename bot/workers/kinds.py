"""The one list of what people may have done in the background: a kind's name → what it does, and who may.

Each name has its words under ``job_<kind>`` in ``bot/words/jobs.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.listings import LISTINGS
from bot.workers import exporting, importing
from bot.workers.bulk import BULK
from bot.workers.run import Kind

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        **BULK,
        importing.KIND: Kind(importing.import_contacts, importing.PERMISSION),
        **{
            exporting.kind_of(listing): Kind(exporting.exports(listing), exporting.PERMISSION)
            for listing in LISTINGS.values()
        },
    }
)
