"""Where the demo keeps what it needs: ports, configuration, what it tells other programs. Knows no database."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import secrets
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOST = "127.0.0.1"
PORT, SANDBOX_PORT = 8000, 9100
EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
HIGHEST_PORT = 65535
LOCK = "demo.lock"


class CannotStart(Exception):
    """The demo cannot run; the text says why and what to do."""


@dataclass(frozen=True)
class Places:
    """The files of one demo and the ports of this start."""

    folder: Path
    port: int
    sandbox_port: int

    @property
    def config(self) -> Path:
        return self.folder / "demo.toml"

    @property
    def origin(self) -> Path:
        """Where the configuration comes from when there is none yet."""
        return EXAMPLE

    @property
    def keys(self) -> tuple[Path, ...]:
        """Configurations whose keys are ours too: data may move between the two forms of the demo."""
        return (self.config, self.folder / "cluster" / "config.toml")

    @property
    def settings(self) -> Mapping[tuple[str, str], str]:
        """What the configuration says about where data lives and how processes run."""
        url = f"sqlite:///{self.database}"
        return {("database", "url"): url, ("redis", "url"): "", ("runtime", "mode"): "embedded"}

    @property
    def advice(self) -> str:
        """What to do about a configuration that cannot be read."""
        return f"删除 {self.folder} 目录可从头开始。"

    @property
    def info(self) -> Path:
        return self.folder / "demo.json"

    @property
    def database(self) -> Path:
        return self.folder / "demo.db"

    @property
    def sandbox_database(self) -> Path:
        return self.folder / "sandbox.db"

    @property
    def log(self) -> Path:
        return self.folder / "demo.log"

    @property
    def sandbox_log(self) -> Path:
        return self.folder / "sandbox.log"

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}"


def find_places(environ: Mapping[str, str] = os.environ, folder: Path = Path("var")) -> Places:
    """The places under the current directory. Raises CannotStart for a PORT that is none."""
    places = Places(folder, _port(environ, "PORT", PORT), _port(environ, "SANDBOX_PORT", SANDBOX_PORT))
    if places.port == places.sandbox_port:
        raise CannotStart(
            f"PORT 和 SANDBOX_PORT 不能相同（都是 {places.port}）。例如：SANDBOX_PORT=9100 make demo"
        )
    return places


def known_places(folder: Path = Path("var")) -> Places:
    """The places of the last start, by the configuration it wrote. Raises CannotStart when there was none."""
    known = _read_toml(folder / "demo.toml")
    if not known:
        raise CannotStart(f"{folder.resolve()} 里还没有演示，先运行 make demo")
    sandbox = urlsplit(known["wecom"]["api_base"]).port
    return Places(folder, int(known["server"]["port"]), sandbox or SANDBOX_PORT)


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= HIGHEST_PORT:
        raise CannotStart(
            f"环境变量 {name} 应为 1 到 {HIGHEST_PORT} 的端口号，现在是“{text[:40]}”。例如：{name}={default} make demo"
        )
    return int(text)


def check_ports(places: Places) -> None:
    """Raise CannotStart for a port that another program holds, naming a free one."""
    for name, port in (("PORT", places.port), ("SANDBOX_PORT", places.sandbox_port)):
        if not _is_free(port):
            other = next(
                (free for free in range(port + 1, min(port + 50, HIGHEST_PORT)) if _is_free(free)), port + 1
            )
            raise CannotStart(
                f"端口 {port} 正被别的程序使用（也许演示已经在运行：{places.base_url}）。\n"
                f"请先停止它，或换一个端口：{name}={other} make demo"
            )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def take_lock(places: Places) -> int:
    """Be the only demo in this folder until the process ends; its handle. Raises CannotStart.

    The file names the configuration in use, see ``runs_elsewhere``.
    """
    places.folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(places.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise CannotStart(
            f"这个目录里已有一个演示在运行（{places.folder.resolve()}），请先用 Ctrl-C 停止它。"
        ) from error
    os.ftruncate(handle, 0)
    os.write(handle, str(places.config).encode())
    return handle


def runs_elsewhere(places: Places) -> bool:
    """Whether the demo that runs, or ran last, in this folder is the other form of it."""
    try:
        return (places.folder / LOCK).read_text("utf-8") not in ("", str(places.config))
    except FileNotFoundError:
        return False


def write_config(places: Places) -> None:
    """Make the demo's configuration; keys already made are kept, addresses follow the ports of this start."""
    known = _read_toml(places.config)
    template = places.config if known else places.origin
    app = next((made for made in map(_read_toml, places.keys) if made), {}).get("app", {})
    values = {
        **places.settings,
        ("app", "base_url"): places.base_url,
        ("app", "secret_key"): app.get("secret_key") or secrets.token_urlsafe(32),
        ("app", "encryption_keys"): app.get("encryption_keys")
        or [base64.b64encode(secrets.token_bytes(32)).decode()],
        ("server", "host"): HOST,
        ("server", "port"): places.port,
        ("wecom", "api_base"): f"{places.sandbox_url}/qyapi",
    }
    text = template.read_text("utf-8")
    if not known:
        lines = text.splitlines()
        body = next(n for n, line in enumerate(lines) if line.startswith("["))
        head = (
            "# 演示环境的配置，由 make demo 生成；网址、端口、数据库和运行方式每次启动时改写，其余可以修改。"
        )
        text = "\n".join([head, "", *lines[body:], ""])
    write_private(places.config, _with_values(text, values))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CannotStart(f"{path} 已损坏（{error}）。删除 {path.parent} 目录可从头开始。") from error


def _with_values(text: str, values: Mapping[tuple[str, str], Any]) -> str:
    """The TOML text with these keys set, comments and everything else as they were."""
    section, lines = "", []
    for line in text.splitlines():
        header = re.match(r"\[+([\w.]+)\]+", line)
        section = header[1] if header else section
        key = re.match(r"(\w+)\s*=", line)
        place = (section, key[1]) if key else None
        lines.append(f"{place[1]} = {json.dumps(values[place])}" if place in values and place else line)
    return "\n".join(lines) + "\n"


def read_info(places: Places) -> dict[str, Any]:
    """What the last start told other programs; nothing when there was none or the file is broken."""
    try:
        info = json.loads(places.info.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return info if isinstance(info, dict) else {}


def write_info(places: Places, info: Mapping[str, Any]) -> None:
    """Replace var/demo.json in one step: a reader sees the old or the new one, never half of it."""
    write_private(places.info, json.dumps(info, ensure_ascii=False, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file with secrets: readable by its owner only, replaced in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
