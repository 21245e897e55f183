"""Brings what the tests need beside Python: a browser and fonts, and the servers that marked tests ask for.

Looks which markers the tests use, installs what is missing by apt when run as root, starts PostgreSQL and MariaDB
where none answers, and says what it could not bring.
With CI set, a missing browser or server is a failure: a check that did not run must not look like one that passed.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from progress import Failed, Progress
from test_servers import SERVERS, Server, find_program

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Need:
    """A program or font that tests with this marker need."""

    marker: str
    title: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    font: str = ""

    def is_met(self) -> bool:
        """Whether this machine has it already."""
        if self.font and not _has_font(self.font):
            return False
        return not self.programs or any(shutil.which(find_program(name)) for name in self.programs)


NEEDS = (
    Need("browser", "Chromium", ("chromium", "chromium-browser", "google-chrome"), ("chromium",)),
    Need("browser", "中文字体 Noto CJK", (), ("fonts-noto-cjk",), font="zh"),
    Need("postgresql", "PostgreSQL", ("postgres",), ("postgresql",)),
    Need("mysql", "MariaDB", ("mariadbd", "mysqld"), ("mariadb-server",)),
    Need("nginx", "nginx", ("nginx",), ("nginx",)),
    Need("redis", "Redis", ("redis-server", "valkey-server"), ("redis-server",)),
)


def main() -> int:
    """Answer 0 when the tests can run, 1 when something is missing where nothing may be."""
    markers = _markers_in_use()
    there = {server.marker for server in SERVERS if server.lets_us_in()}
    needed = [need for need in NEEDS if need.marker in markers - there]
    missing = [need for need in needed if not need.is_met()]
    reason = _install(missing) if missing else ""
    still = [need for need in missing if not need.is_met()]
    for need in still:
        command = f"apt-get install {' '.join(need.packages)}"
        print(
            f"  ✗ {need.title}: {reason or '安装后仍未找到 · not found after installing'} ({command})",
            file=sys.stderr,
        )
    absent = {need.marker for need in still}
    failed = [server for server in SERVERS if server.marker in markers - absent and not _ensure(server)]
    if not still and not failed:
        return 0
    if os.environ.get("CI"):
        print("  CI: 缺少以上组件,测试不能算通过 · a missing part is a failure", file=sys.stderr)
        return 1
    print("  需要它们的测试会跳过 · tests that need them are skipped", file=sys.stderr)
    return 0


def _ensure(server: Server) -> bool:
    reason = server.ensure()
    if reason:
        print(f"  ✗ {server.title}: {reason}", file=sys.stderr)
    return not reason


def _markers_in_use() -> set[str]:
    known = {need.marker for need in NEEDS}
    found: set[str] = set()
    for file in (ROOT / "tests").rglob("*.py"):
        text = file.read_text(encoding="utf-8", errors="replace")
        found |= {marker for marker in known if f"mark.{marker}" in text}
    return found


def _install(missing: list[Need]) -> str:
    """Install by apt; answer why that was not possible, or nothing."""
    if not shutil.which("apt-get"):
        return "没有 apt-get · no apt-get here"
    if os.geteuid() != 0:
        return "不是 root · not root"
    packages = [package for need in missing for package in need.packages]
    progress = Progress(total=1, log=ROOT / "var" / "bootstrap.log")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    names = "、".join(need.title for need in missing)
    try:
        with progress.step(f"安装测试组件 {names}", "test services"):
            progress.run(["apt-get", "update", "-q"], env=env)
            progress.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], env=env)
    except Failed as failure:
        progress.fail(failure.title)
        tail = failure.output.strip().splitlines()
        return tail[-1] if tail else "apt-get failed"
    return ""


def _has_font(language: str) -> bool:
    if not shutil.which("fc-list"):
        return any(Path("/usr/share/fonts").rglob("NotoSansCJK*"))
    answer = subprocess.run(["fc-list", f":lang={language}"], capture_output=True, text=True, check=False)
    return bool(answer.stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
