"""The planted bugs of ``make mutants`` still apply, and only a test that failed counts as having noticed one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import running
from tests.mutants.planted import ROOT, Mutant, load

MUTANTS = load()


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) >= 20
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_applies_and_names_tests_that_exist(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text("utf-8")
    assert mutant.planted(source) != source
    assert mutant.tests
    assert [test for test in mutant.tests if not (ROOT / test).exists()] == []


FIXTURE = """
import pytest

@pytest.fixture
def broken():
    raise RuntimeError

def test_it(broken):
    pass
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("source", "failed", "is_broken"),
    [
        ("def test_it(): pass", (), False),
        ("def test_it(): assert 1 > 2", ("test_it.py::test_it",), False),
        ("import no_such_module", (), True),
        (FIXTURE, (), True),
        ("", (), True),
    ],
    ids=["green", "red", "no import", "no fixture", "no test"],
)
def test_only_a_test_that_failed_is_evidence(
    source: str, failed: tuple[str, ...], is_broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # which takes longer than the rest
    (tmp_path / "test_it.py").write_text(source)
    run = running.run_pytest(tmp_path, "test_it.py")
    assert run.failed == failed
    assert (run.broken is not None) is is_broken
