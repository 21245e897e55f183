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

from tests.mutants.planted import DoesNotApply, Mutant, load
from tests.mutants.running import ALL_TESTS, Run, copied_tree, run_pytest, without_parameters


class Fate(StrEnum):
    """What became of a mutant; all but the first are failures."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    UNSTEADY = "UNSTEADY"  # a test failed, and did not when it ran again
    INVALID = "INVALID"  # it does not apply, or breaks more than a promise


@dataclass(frozen=True)
class Judged:
    """A mutant's fate, and the test that decided it."""

    mutant: Mutant
    fate: Fate
    by: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.fate:<9} {self.mutant.name}: {self.by} ({self.seconds:.0f} s)"


def judge(mutant: Mutant) -> Judged:
    """Plant the bug and run the suite until a test fails."""
    started = time.monotonic()
    try:
        fate, by = _judge(mutant)
    except DoesNotApply as error:
        fate, by = Fate.INVALID, str(error)
    return Judged(mutant, fate, by, time.monotonic() - started)


def _judge(mutant: Mutant) -> tuple[Fate, str]:
    with copied_tree() as tree:
        mutant.plant(tree)
        run = run_pytest(tree, "-x", *mutant.tests)
        is_expected = not run.is_green
        if not is_expected:
            run = run_pytest(tree, "-x", *ALL_TESTS)
        if run.broken:
            return Fate.INVALID, run.broken
        if run.is_green:
            return Fate.SURVIVED, mutant.promise
        witness = run.failed[0]
        again = run_pytest(tree, "-x", *without_parameters([witness]))
    if not again.failed or not (is_expected or _is_green_without(witness)):
        return Fate.UNSTEADY, witness
    return Fate.KILLED, witness


def _is_green_without(witness: str) -> bool:
    """Whether a test that is not among those verified at the start passes where nothing is planted."""
    with copied_tree() as tree:
        return run_pytest(tree, *without_parameters([witness])).is_green


def verify(mutants: Sequence[Mutant]) -> Run:
    """The tests that ought to notice, where there is nothing to notice."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    with copied_tree() as tree:
        return run_pytest(tree, "-n", "auto", *tests)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="those whose name holds this text")
    parser.add_argument("--list", action="store_true", help="name the bugs and the promises they break")
    parser.add_argument("--jobs", type=int, default=2, help="how many at the same time (2)")
    chosen = parser.parse_args()
    mutants = [mutant for mutant in load() if (chosen.only or "") in mutant.name]
    if not mutants:
        print(f"no mutant is called {chosen.only}")
        return 1
    if chosen.list:
        for mutant in mutants:
            print(f"{mutant.name}\n    {mutant.promise} ({mutant.file})")
        return 0
    return run_all(mutants, chosen.jobs)


def run_all(mutants: Sequence[Mutant], jobs: int) -> int:
    """Judge these, tell of each as it is decided; the exit code."""
    clean = verify(mutants)
    if not clean.is_green:
        print(f"red although nothing is planted: {clean.broken or ', '.join(clean.failed)}")
        return 1
    print(f"green where nothing is planted ({clean.seconds:.0f} s), {len(mutants)} bugs to plant", flush=True)
    judged = []
    with ThreadPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(judge, mutant) for mutant in mutants]):
            judged.append(future.result())
            print(judged[-1], flush=True)
    killed = sum(one.fate is Fate.KILLED for one in judged)
    print(f"{killed} of {len(mutants)} killed")
    return 0 if killed == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
