"""Run pytest on a copy of the tree, and tell which test failed: a failure, not an import that broke."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "artifacts", ".*_cache", ".hypothesis", "config.toml"
)
LONGEST = 3600.0  # seconds
GREEN, RED = 0, 1  # pytest's exit codes; all others mean that it could not do its work


@dataclass(frozen=True)
class Run:
    """What a run of pytest came to. ``failed`` are tests by name; ``broken`` says why it is no evidence."""

    failed: tuple[str, ...]
    broken: str | None

    @property
    def is_green(self) -> bool:
        return not self.failed and self.broken is None


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A copy of a working tree, as it is now, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="lianke-mutant-", ignore_cleanup_errors=True) as home:
        tree = Path(home) / "tree"
        shutil.copytree(root, tree, ignore=LEFT_OUT, symlinks=True)
        yield tree


def run_pytest(tree: Path, *arguments: str) -> Run:
    """Run tests of a tree by this interpreter. A missing server is an error there, never a skipped test."""
    with tempfile.TemporaryDirectory() as home:
        return _run(tree, Path(home) / "report.xml", arguments)


def _run(tree: Path, report: Path, arguments: tuple[str, ...]) -> Run:
    options = ("-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junitxml={report}")
    # The tree comes before the one that is installed in the environment. CI: see tests/conftest.py.
    env = {**os.environ, "PYTHONPATH": str(tree), "CI": "1"}
    try:
        done = subprocess.run(
            (sys.executable, "-m", "pytest", *options, *arguments),
            cwd=tree,
            env=env,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return Run((), f"no end after {LONGEST:.0f} s")
    if done.returncode == GREEN:
        return Run((), None)
    failed = _cases(report, "failure") if done.returncode == RED else ()
    return Run(failed, None if failed else _why(done, report))


def _cases(report: Path, kind: str) -> tuple[str, ...]:
    """The tests whose call failed, or whose fixtures or imports did (``error``), in the order they ran."""
    if not report.exists():
        return ()
    cases = ET.parse(report).iter("testcase")
    return tuple(f"{case.get('file')}::{case.get('name')}" for case in cases if case.find(kind) is not None)


def _why(done: subprocess.CompletedProcess[str], report: Path) -> str:
    errors = ", ".join(_cases(report, "error")[:3]) or (done.stdout + done.stderr).strip()[-400:]
    return f"pytest ended with {done.returncode} and no failed test: {errors}"


def function_of(test: str) -> str:
    """A test's name without its parameters, which pytest need not take as the report writes them."""
    return test.partition("[")[0]
