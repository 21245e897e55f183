"""Where the cluster's demo keeps what it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.demo import places as places_
from bot.demo.places import Places


@dataclass(frozen=True)
class ClusterPlaces(Places):
    """The files under ``var/cluster`` and the servers. ``world`` names the made-up world once it is known."""

    database_url: str
    redis_url: str
    world: str = ""

    @property
    def home(self) -> Path:
        return self.folder / "cluster"

    @property
    def embedded(self) -> Places:
        """The other form of the demo in this folder."""
        return Places(self.folder, self.port, self.sandbox_port)

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    @property
    def origin(self) -> Path:
        mine = self.embedded.config
        return mine if mine.exists() else self.embedded.origin

    @property
    def keys(self) -> tuple[Path, ...]:
        return (self.config, self.embedded.config)

    @property
    def settings(self) -> Mapping[tuple[str, str], str]:
        return {
            ("database", "url"): self.database_url,
            ("redis", "url"): self.redis_url,
            ("runtime", "mode"): "cluster",
        }

    @property
    def advice(self) -> str:
        return f"请检查 --database 和 --redis；若是别处不对，修改或删除 {self.config}（删除会换掉密钥）。"

    @property
    def sandbox_database(self) -> Path:
        """One for each world: the sandbox plays the platform, and the platform stays where it is when data moves.

        It is beside demo.json, which tells the sandbox's page where the product is.
        """
        return self.folder / f"sandbox-{self.world}.db"

    @property
    def log(self) -> Path:
        return self.log_of("demo")

    @property
    def sandbox_log(self) -> Path:
        return self.log_of("sandbox")

    def log_of(self, name: str) -> Path:
        """Where one process logs."""
        return self.home / f"{name}.log"


def find_places(
    database_url: str,
    redis_url: str,
    environ: Mapping[str, str] = os.environ,
    folder: Path = Path("var"),
) -> ClusterPlaces:
    """The places under the current directory. Raises CannotStart for a PORT that is none."""
    found = places_.find_places(environ, folder)
    return ClusterPlaces(folder, found.port, found.sandbox_port, database_url, redis_url)
