"""``make demo``: a made-up company, the sandbox that plays WeCom, and the product, in the foreground.

Owns ``var/demo.toml``, ``var/demo.json``, ``var/demo.db`` and ``var/sandbox.db`` under the current directory, for a
cluster ``var/cluster/`` and ``var/sandbox-….db``, and nothing else: no ``LIANKE_...`` variable of the environment can
point the demo at a real database.
"""

from __future__ import annotations


def run() -> None:
    """Start everything and serve until SIGTERM or Ctrl-C. Exits with a plain message when it cannot."""
    from bot.demo.launch import run as launch  # noqa: PLC0415 - importing the package must cost nothing

    launch()


def run_cluster(database_url: str, redis_url: str) -> None:
    """The same as the processes of a cluster, on servers that exist."""
    from bot.demo.cluster.launch import run as launch  # noqa: PLC0415

    launch(database_url, redis_url)
