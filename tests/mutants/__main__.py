"""Plant known bugs, one at a time, and see the suite turn red: a test that cannot fail is no evidence.

``python -m tests.mutants [--only NAME] [--list] [--jobs N]``. Each bug gets a copy of the tree. The tests that ought to
notice run first, then all others but those that need a browser or kill processes. A bug nobody notices is a hole in
the suite: write the test.
"""

# ruff: noqa: T201 - prints for whoever runs it
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutants.planted import ROOT, DoesNotApply, Mutant, load
from tests.mutants.running import copied, function_of, run_pytest

ALL_TESTS = (
    "tests",
    "--ignore=tests/architecture/test_mutants.py",  # it would miss the text that was replaced
    "-m",
    "not browser and not chaos",
    "-n",
    "auto",
)


class Fate(StrEnum):
    """What became of a mutant; all but the first are failures."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    UNSTEADY = (
        "UNSTEADY"  # a test failed that did not when it ran again, or also fails where nothing is planted
    )
    INVALID = "INVALID"  # it does not apply, or breaks more than a promise


@dataclass(frozen=True)
class Judged:
    """A mutant's fate, and the test that decided it."""

    mutant: Mutant
    fate: Fate
    by: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.fate:<8} {self.mutant.name}: {self.by} ({self.seconds:.0f} s)"


def judge(mutant: Mutant, clean: Path) -> Judged:
    """Plant the bug in a copy of ``clean`` and run the suite there until a test fails."""
    started = time.monotonic()
    try:
        with copied(clean) as tree:
            mutant.plant(tree)
            fate, by = _judge(mutant, tree, clean)
    except DoesNotApply as error:
        fate, by = Fate.INVALID, str(error)
    return Judged(mutant, fate, by, time.monotonic() - started)


def _judge(mutant: Mutant, tree: Path, clean: Path) -> tuple[Fate, str]:
    run = run_pytest(tree, "-x", *mutant.tests, "--database", mutant.engine)
    verified = not run.is_green  # that these are green without the bug was seen at the start
    if not verified:
        run = run_pytest(tree, "-x", *ALL_TESTS)
    if run.broken:
        return Fate.INVALID, run.broken
    if run.is_green:
        return Fate.SURVIVED, mutant.promise
    witness = run.failed[0]
    again = run_pytest(tree, "-x", function_of(witness))
    if not again.failed or not (verified or run_pytest(clean, function_of(witness)).is_green):
        return Fate.UNSTEADY, witness
    return Fate.KILLED, witness


def verify(mutants: Sequence[Mutant], clean: Path) -> str | None:
    """What is wrong with the tests that ought to notice, where there is nothing to notice."""
    for engine in dict.fromkeys(mutant.engine for mutant in mutants):
        tests = sorted({test for mutant in mutants if mutant.engine == engine for test in mutant.tests})
        run = run_pytest(clean, "-n", "auto", *tests, "--database", engine)
        if not run.is_green:
            return run.broken or ", ".join(run.failed)
    return None


def run_all(mutants: Sequence[Mutant], jobs: int) -> int:
    """Judge these, tell of each as it is decided; the exit code."""
    with copied(ROOT) as clean:
        wrong = verify(mutants, clean)
        if wrong:
            print(f"red although nothing is planted: {wrong}")
            return 1
        print(f"green where nothing is planted, {len(mutants)} bugs to plant", flush=True)
        killed = 0
        with ThreadPoolExecutor(jobs) as pool:
            for future in as_completed([pool.submit(judge, mutant, clean) for mutant in mutants]):
                judged = future.result()
                killed += judged.fate is Fate.KILLED
                print(judged, flush=True)
    print(f"{killed} of {len(mutants)} killed")
    return 0 if killed == len(mutants) else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAME", default="", help="those whose name holds this text")
    parser.add_argument("--list", action="store_true", help="name the bugs and the promises they break")
    parser.add_argument("--jobs", type=int, default=2, help="how many at the same time (2)")
    chosen = parser.parse_args()
    mutants = [mutant for mutant in load() if chosen.only in mutant.name]
    if not mutants:
        print(f"no mutant is called {chosen.only}")
        return 1
    if chosen.list:
        for mutant in mutants:
            print(f"{mutant.name}\n    {mutant.promise} ({mutant.file})")
        return 0
    return run_all(mutants, chosen.jobs)


if __name__ == "__main__":
    sys.exit(main())
