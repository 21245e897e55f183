"""Preparing the environment: skipped when right, repeated when not, and plain words when it cannot be done."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with the scripts and a lock, but no environment."""
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def bootstrap(project: Path) -> ModuleType:
    return load(project / "deploy" / "bootstrap.py")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.stem}_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pretend_installed(project: Path, bootstrap: ModuleType, kind: str) -> None:
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    Path(bootstrap.stamp(kind)).write_text(bootstrap.fingerprint(), encoding="utf-8")


def test_nothing_is_ready_in_a_fresh_clone(bootstrap: ModuleType) -> None:
    assert not bootstrap.is_ready("run")
    assert not bootstrap.is_ready("dev")


def test_run_environment_does_not_serve_tests_but_dev_environment_serves_both(
    project: Path, bootstrap: ModuleType
) -> None:
    pretend_installed(project, bootstrap, "run")
    assert bootstrap.is_ready("run")
    assert not bootstrap.is_ready("dev")

    Path(bootstrap.stamp("run")).rename(bootstrap.stamp("dev"))
    assert bootstrap.is_ready("run")
    assert bootstrap.is_ready("dev")


def test_changed_lock_is_not_ready(project: Path, bootstrap: ModuleType) -> None:
    pretend_installed(project, bootstrap, "dev")
    (project / "uv.lock").write_text("version = 2\n", encoding="utf-8")

    assert not bootstrap.is_ready("dev")


def test_environment_whose_python_is_gone_is_not_ready(project: Path, bootstrap: ModuleType) -> None:
    pretend_installed(project, bootstrap, "dev")
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")

    assert not bootstrap.is_ready("dev")


def test_moved_project_is_not_ready(
    project: Path, bootstrap: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pretend_installed(project, bootstrap, "dev")
    elsewhere = tmp_path_factory.mktemp("moved") / "project"
    shutil.copytree(project, elsewhere, symlinks=True)

    assert not load(elsewhere / "deploy" / "bootstrap.py").is_ready("dev")


def test_ready_environment_is_left_alone(project: Path, bootstrap: ModuleType) -> None:
    pretend_installed(project, bootstrap, "run")
    (project / "deploy" / "bootstrap_steps.py").write_text(
        "raise SystemExit('work was done')", encoding="utf-8"
    )

    answer = subprocess.run(
        [sys.executable, "-S", project / "deploy" / "bootstrap.py", "run"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_unreachable_index_is_explained_in_both_languages(project: Path) -> None:
    closed = "http://127.0.0.1:9"
    env = {
        "PATH": "/usr/bin:/bin",
        "PIP_INDEX_URL": closed,
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": "/dev/null",
    }

    answer = subprocess.run(
        [sys.executable, "-S", project / "deploy" / "bootstrap.py", "run"],
        capture_output=True,
        text=True,
        check=False,
        env=env | {"HOME": str(project), "PYTHONUTF8": "1"},
    )

    assert answer.returncode == 1
    assert "检查网络" in answer.stderr
    assert "Check the network" in answer.stderr
    assert "PIP_INDEX_URL=" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (project / ".venv" / ".lianke-run").exists()


def test_old_python_is_explained_in_both_languages(project: Path) -> None:
    # As an old Python would see it: the version check must come before anything an old Python lacks.
    script = project / "deploy" / "bootstrap.py"
    code = (
        "import sys; sys.version_info = (3, 8, 1, 'final', 0); sys.argv = ['bootstrap.py', 'run']; "
        f"exec(compile(open({str(script)!r}).read(), {str(script)!r}, 'exec'), {{'__file__': {str(script)!r}}})"
    )

    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "PYTHONUTF8": "1"},
    )

    assert answer.returncode == 1
    assert "需要 Python 3.11" in answer.stderr
    assert "Python 3.11 or newer is needed, this is 3.8" in answer.stderr


def test_unknown_kind_is_refused(project: Path) -> None:
    answer = subprocess.run(
        [sys.executable, project / "deploy" / "bootstrap.py", "prod"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 1
    assert "usage" in answer.stderr


@pytest.mark.parametrize("ci", ["", "true"])
def test_missing_browser_fails_in_ci_and_skips_elsewhere(project: Path, ci: str) -> None:
    tests = project / "tests"
    tests.mkdir()
    marker = "browser"  # not written out: this file itself is searched, too
    (tests / "test_page.py").write_text(
        f"import pytest\npytestmark = pytest.mark.{marker}\n", encoding="utf-8"
    )
    env = {"PATH": str(project / "no-programs"), "PYTHONUTF8": "1"} | ({"CI": ci} if ci else {})

    answer = subprocess.run(
        [sys.executable, project / "deploy" / "test_services.py"],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )

    assert answer.returncode == (1 if ci else 0)
    assert "Chromium" in answer.stderr
    assert "apt-get install chromium" in answer.stderr


def test_nothing_is_asked_for_when_no_test_needs_it(project: Path) -> None:
    (project / "tests").mkdir()

    answer = subprocess.run(
        [sys.executable, project / "deploy" / "test_services.py"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "CI": "true"},
    )

    assert (answer.returncode, answer.stderr) == (0, "")
