"""The planted bugs: read from the TOML files beside this one, put into a copy of the tree."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class DoesNotApply(Exception):
    """The text that a mutant replaces is not there exactly once, or what comes out is no Python."""


@dataclass(frozen=True)
class Mutant:
    """One bug: ``old`` becomes ``new`` in ``file``.

    ``tests`` are those that ought to notice, and run first, on ``engine``.
    """

    name: str
    promise: str
    file: str
    old: str
    new: str
    tests: list[str]
    engine: str = "sqlite"

    def planted(self, source: str) -> str:
        """The source with the bug in it. Raises DoesNotApply."""
        found = source.count(self.old)
        if found != 1:
            raise DoesNotApply(f"its old text is {found} times in {self.file}")
        made = source.replace(self.old, self.new)
        try:
            compile(made, self.file, "exec")
        except SyntaxError as error:
            raise DoesNotApply(f"{self.file} would be no Python: {error}") from error
        return made

    def plant(self, tree: Path) -> None:
        """Put the bug into a tree. Raises DoesNotApply."""
        path = tree / self.file
        path.write_text(self.planted(path.read_text("utf-8")), "utf-8")


def load() -> list[Mutant]:
    """All mutants, by file."""
    files = sorted(HERE.glob("*.toml"))
    return [Mutant(**item) for path in files for item in tomllib.loads(path.read_text("utf-8"))["mutant"]]
