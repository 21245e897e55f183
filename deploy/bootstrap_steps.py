"""The steps behind bootstrap.py: virtual environment, uv, packages. Each can be repeated and heals what it finds."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bootstrap
from progress import Failed, Progress

UV_VERSION = "0.13.9"
ROOT = Path(bootstrap.ROOT)
VENV = Path(bootstrap.VENV)
PYTHON = Path(bootstrap.PYTHON)
UNFINISHED = VENV / ".lianke-unfinished"
TOOLS = VENV / "tools"  # beside site-packages: an exact sync must not remove uv
BASE_PYTHON = getattr(sys, "_base_executable", None) or sys.executable

NO_VENV = f"""
  这个 Python 没有 venv 或 pip,无法建立独立环境。
  This Python has neither a usable venv nor pip ({sys.executable}).

    Debian / Ubuntu:  apt install python3-venv     (或 / or: python3.{sys.version_info.minor}-venv)
    Fedora / RHEL:    dnf install python3-pip
"""
NO_NETWORK = """
  下载失败:连不上软件包索引。请检查网络或代理(HTTPS_PROXY);在国内可换镜像再试:
  The package index cannot be reached. Check the network or the proxy (HTTPS_PROXY), or use a mirror:

    make demo PIP_INDEX_URL=https://pypi.tuna.tsinghua.edu.cn/simple

  已下载的部分会保留,再次运行会接着做。What was downloaded is kept; run the same command again.
"""
NO_SPACE = """
  磁盘空间不足,大约需要 600 MB。The disk is full; about 600 MB are needed.
"""
NETWORK_SIGNS = (
    "error sending request",
    "dns error",
    "connection",
    "timed out",
    "timeout",
    "temporary failure in name resolution",
    "network is unreachable",
    "could not find a version",
    "failed to fetch",
    "no route to host",
)


def prepare(kind: str) -> None:
    """Bring .venv to what uv.lock says, one process at a time; exit with a plain message if that cannot be done."""
    progress = Progress(total=3, log=ROOT / "var" / "bootstrap.log")
    try:
        with _alone(progress):
            if bootstrap.is_ready(kind):
                return
            _install(kind, progress)
    except Failed as failure:
        progress.fail(failure.title)
        sys.exit(_explain(failure.output))
    except KeyboardInterrupt:
        progress.fail("已中断,下次会接着做 · interrupted, the next run continues")
        sys.exit(130)


def _install(kind: str, progress: Progress) -> None:
    began = time.monotonic()
    with progress.step("建立 Python 环境", "virtual environment"):
        _make_venv(progress)
    healing = UNFINISHED.exists()
    UNFINISHED.touch()
    for known in bootstrap.KINDS:  # what is half changed is ready for nothing
        Path(bootstrap.stamp(known)).unlink(missing_ok=True)
    with progress.step("取得包管理器 uv", "package manager"):
        uv = _get_uv(progress)
    what = (
        ("安装运行依赖", "packages")
        if kind == "run"
        else ("安装运行与开发依赖", "packages and development tools")
    )
    with progress.step(*what):
        _sync(uv, kind, progress, reinstall=healing)
    Path(bootstrap.stamp(kind)).write_text(bootstrap.fingerprint(), encoding="utf-8")
    UNFINISHED.unlink()
    progress.done(f"环境就绪 · environment ready ({time.monotonic() - began:.0f} s)")


def _make_venv(progress: Progress) -> None:
    """Keep an environment that works; replace any other."""
    check = "import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)"
    if (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode == 0
    ):
        return
    if importlib.util.find_spec("venv") is None:
        raise Failed("建立 Python 环境", NO_VENV)
    if VENV.exists():
        shutil.rmtree(VENV)
    progress.run([BASE_PYTHON, "-m", "venv", "--without-pip", str(VENV)])


def _get_uv(progress: Progress) -> str:
    uv = TOOLS / "bin" / "uv"
    with contextlib.suppress(OSError):
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.split()[1:2] == [UV_VERSION]:
            return str(uv)
    shutil.rmtree(TOOLS, ignore_errors=True)
    pip = [_python_with_pip(progress), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    progress.run([*pip, "--only-binary", ":all:", "--target", str(TOOLS), f"uv=={UV_VERSION}"])
    return str(uv)


def _python_with_pip(progress: Progress) -> str:
    for python in (str(PYTHON), BASE_PYTHON):
        if (
            subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode
            == 0
        ):
            return python
    try:
        progress.run([str(PYTHON), "-m", "ensurepip", "--default-pip"])
    except Failed as failure:
        raise Failed(failure.title, NO_VENV) from None
    return str(PYTHON)


def _sync(uv: str, kind: str, progress: Progress, *, reinstall: bool) -> None:
    # A run environment leaves development tools in place: make demo after make test takes nothing away.
    group = ["--no-dev"] if kind == "run" else []
    exact = ["--inexact"] if kind == "run" else []
    again = ["--reinstall"] if reinstall else []
    env = _uv_environment()
    mirror = _mirror()
    if not mirror:
        progress.run([uv, "sync", "--frozen", "--no-progress", *group, *exact, *again], env=env)
        return
    # uv.lock names files on PyPI. A mirror has the same files under other addresses: the hashes are still checked.
    wanted = VENV / "requirements.txt"
    env["UV_DEFAULT_INDEX"] = mirror
    progress.run(
        [uv, "export", "--frozen", "--no-emit-project", *group, "-o", str(wanted), "--quiet"], env=env
    )
    pip = [uv, "pip", "install", "--no-progress", "--python", str(PYTHON), *again]
    progress.run([*pip, "--require-hashes", "-r", str(wanted)], env=env)
    progress.run([*pip, "--no-deps", "-e", str(ROOT)], env=env)


def _uv_environment() -> dict[str, str]:
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}
    }
    env |= {"UV_PROJECT_ENVIRONMENT": str(VENV), "UV_PYTHON": str(PYTHON), "UV_PYTHON_DOWNLOADS": "never"}
    env.setdefault("UV_HTTP_TIMEOUT", "60")
    env.setdefault(
        "UV_COMPILE_BYTECODE", "1"
    )  # once now instead of at the first start: half of that start's time
    if "PIP_CERT" in env:
        env.setdefault("SSL_CERT_FILE", env["PIP_CERT"])
    return env


def _mirror() -> str:
    """The index a person chose instead of PyPI: by uv's or pip's environment, or by pip's configuration."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return _unless_pypi(os.environ[name])
    command = [BASE_PYTHON, "-m", "pip", "config", "get", "global.index-url"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return _unless_pypi(answer.stdout.strip()) if answer.returncode == 0 else ""


def _unless_pypi(url: str) -> str:
    return "" if url.rstrip("/") == "https://pypi.org/simple" else url


@contextlib.contextmanager
def _alone(progress: Progress) -> Iterator[None]:
    """Hold a lock while preparing; say so when another process holds it."""
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows, where nobody else is waited for
    except ImportError:
        yield
        return
    with Path(bootstrap.__file__).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            progress.note("另一个命令正在准备环境,等它完成 · waiting for another command")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _explain(output: str) -> str:
    lowered = output.lower()
    if output == NO_VENV:
        return output
    if "no space left" in lowered:
        return NO_SPACE
    tail = "\n".join("    " + line for line in output.strip().splitlines()[-8:])
    if any(sign in lowered for sign in NETWORK_SIGNS):
        return f"{tail}\n{NO_NETWORK}"
    return f"{tail}\n\n  详细记录 · full log: var/bootstrap.log\n"
