"""One process of the cluster's demo: ``lianke`` with the arguments that follow, which dies with its parent."""

from __future__ import annotations

import sys

from bot.demo.box import die_with


def main() -> None:
    """Arguments: the parent's pid, then a command line of ``lianke``."""
    parent, *arguments = sys.argv[1:]
    die_with(int(parent))
    from bot.cli import main as lianke  # noqa: PLC0415 - first die_with, then what takes long

    lianke(arguments)


if __name__ == "__main__":
    main()
