"""The global options of one command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click


@dataclass
class Chosen:
    """What was given before the command's name; ``loaded`` is the configuration once it has been read."""

    config_path: Path | None = None
    log_level: str | None = None
    loaded: Any = field(default=None, repr=False)


def chosen(ctx: click.Context) -> Chosen:
    """The options of this command line."""
    return ctx.ensure_object(Chosen)
