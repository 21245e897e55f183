"""Where configuration comes from: the TOML file, the environment over it, and what ``env:`` and ``file:`` point at."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bot.config_checks import as_list
from bot.config_errors import Location, Problem, example_line, file_problem, submodel

PREFIX = "LIANKE_"
LIST_VALUE: Location = ("app", "encryption_keys")
MAX_SECRET_FILE = 64 * 1024


@dataclass
class RawConfig:
    """The unchecked tree of sections, with what went wrong on the way and who set what."""

    source: str
    tree: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    overridden: dict[Location, str] = field(default_factory=dict)
    unreadable: bool = False


def read_raw(root: type[BaseModel], path: Path | None, environ: Mapping[str, str]) -> RawConfig:
    """Read file and environment into one tree; mistakes are collected, not raised."""
    named = path or (Path(environ["LIANKE_CONFIG"]) if environ.get("LIANKE_CONFIG") else None)
    file = named or Path("config.toml")
    raw = RawConfig(str(file), {})
    _read_file(raw, file, required=named is not None or not _has_overrides(environ))
    _overlay(raw, root, environ)
    raw.tree = _resolve(raw, root, (), raw.tree, file.parent, environ)
    return raw


def _has_overrides(environ: Mapping[str, str]) -> bool:
    return any(name.startswith(PREFIX) and "__" in name for name in environ)


def _read_file(raw: RawConfig, path: Path, *, required: bool) -> None:
    before = len(raw.problems)
    _parse_file(raw, path, required=required)
    raw.unreadable = len(raw.problems) > before


def _parse_file(raw: RawConfig, path: Path, *, required: bool) -> None:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        raw.tree = tomllib.loads(text.replace("\r\n", "\n"))
    except FileNotFoundError:
        if required:
            text = "找不到这个配置文件;可从示例开始"
            raw.problems.append(file_problem(path, text, "cp config.example.toml config.toml"))
    except UnicodeDecodeError:
        raw.problems.append(file_problem(path, "不是 UTF-8 编码,请另存为 UTF-8"))
    except tomllib.TOMLDecodeError as error:
        # Only the position is shown: the parser's own words may quote a secret.
        position = re.search(r"line (\d+), column (\d+)", str(error))
        where = f"第 {position[1]} 行第 {position[2]} 列" if position else "文件末尾"
        raw.problems.append(
            file_problem(path, f"{where}不符合 TOML 写法;文本要加引号,同一项不能写两次", 'token = "文本"')
        )
    except OSError as error:
        raw.problems.append(file_problem(path, f"读不了这个文件({error.strerror})"))


def _overlay(raw: RawConfig, root: type[BaseModel], environ: Mapping[str, str]) -> None:
    for name in sorted(environ, key=_natural):
        if not name.startswith(PREFIX):
            continue
        steps = name.removeprefix(PREFIX).lower().split("__")
        if len(steps) > 1:
            _put(raw, name, steps, environ[name])
        else:
            _notice_single_underscore(raw, root, name, environ[name])


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort ...__2__X before ...__10__X, so that accounts can be appended in order."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split("__")]


def _notice_single_underscore(raw: RawConfig, root: type[BaseModel], name: str, value: str) -> None:
    # Kubernetes sets LIANKE_SERVER_PORT=tcp://... for a service of that name: not ours, not a mistake.
    if value.startswith("tcp://"):
        return
    for section, info in root.model_fields.items():
        model = submodel(info)
        key = name.removeprefix(PREFIX).lower().removeprefix(f"{section}_")
        if model and name.lower() == f"{PREFIX}{section}_{key}".lower() and key in model.model_fields:
            right = f"{PREFIX}{section}__{key}".upper()
            raw.problems.append(Problem((), f"环境变量 {name} 在节与项之间要写两个下划线", f"{right}=..."))


def _put(raw: RawConfig, name: str, steps: list[str], value: str) -> None:
    location: Location = tuple(int(step) if step.isdigit() else step for step in steps)
    is_account = steps[0] == "official_accounts"
    if len(location) != (3 if is_account else 2) or (is_account and not isinstance(location[1], int)):
        shape = "LIANKE_OFFICIAL_ACCOUNTS__0__SECRET=..." if is_account else "LIANKE_WECOM__TOKEN=..."
        raw.problems.append(Problem((), f"环境变量 {name} 的名字不对", shape))
        return
    parent: Any = raw.tree.setdefault(steps[0], [] if is_account else {})
    if is_account:
        parent = _account(raw, name, parent, int(steps[1]))
    if isinstance(parent, dict):
        parent[steps[-1]] = _split(value) if location == LIST_VALUE else value
        raw.overridden[location] = f"环境变量 {name}"


def _split(value: str) -> object:
    """Take a list from the environment apart, so that each item may be env: or file:."""
    if "," not in value and not value.startswith("["):
        return value
    try:
        return as_list(value)
    except ValueError:
        return value  # left for the check of the section, which names the mistake


def _account(raw: RawConfig, name: str, accounts: Any, index: int) -> Any:
    if not isinstance(accounts, list):
        return None
    if index > len(accounts):
        text = f"环境变量 {name} 跳过了序号,公众号从 0 开始连续编号"
        raw.problems.append(Problem((), text, f"LIANKE_OFFICIAL_ACCOUNTS__{len(accounts)}__NAME=..."))
        return None
    if index == len(accounts):
        accounts.append({})
    return accounts[index]


def _resolve(
    raw: RawConfig, root: type[BaseModel], at: Location, value: Any, folder: Path, environ: Mapping[str, str]
) -> Any:
    """Replace env:NAME and file:PATH; what cannot be read is reported and becomes empty."""
    match value:
        case dict():
            return {
                key: _resolve(raw, root, (*at, key), item, folder, environ) for key, item in value.items()
            }
        case list():
            return [_resolve(raw, root, (*at, n), item, folder, environ) for n, item in enumerate(value)]
        case str() if value.startswith("env:"):
            name = value.removeprefix("env:").strip()
            if name in environ:
                return environ[name]
            text = f"环境变量 {name} 没有设置"
        case str() if value.startswith("file:"):
            path = folder / value.removeprefix("file:").strip()
            found, text = _secret_file(path)
            if found is not None:
                return found
        case _:
            return value
    raw.problems.append(Problem(at, text, example_line(root, at), raw.overridden.get(at, "")))
    return ""


def _secret_file(path: Path) -> tuple[str | None, str]:
    try:
        if path.stat().st_size > MAX_SECRET_FILE:
            return None, f"文件 {path} 太大,不像是一个密钥"
        return path.read_text("utf-8-sig").strip(), ""
    except UnicodeDecodeError:
        return None, f"文件 {path} 不是 UTF-8 文本"
    except OSError as error:
        return None, f"读不了文件 {path}({error.strerror})"
