"""A configuration mistake as a person reads it: where, what is wrong, and a line that would be right."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``text`` never contains a configured value."""

    location: Location
    text: str
    example: str = ""
    origin: str = ""

    @property
    def path(self) -> str:
        """``[wecom] token`` or ``[[official_accounts]] 第 1 个 token``."""
        return show_path(self.location)

    def __str__(self) -> str:
        """The mistake in one or two lines."""
        where = f"{self.path}(来自 {self.origin})" if self.origin else self.path
        head = f"{where}:{self.text}" if where else self.text
        return f"{head}\n      例:{self.example}" if self.example else head


class ConfigError(Exception):
    """The configuration cannot be used. Lists every mistake, and no secret."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        """Keep the mistakes, in the order in which a person would mend them."""
        self.source = source
        self.problems = tuple(problems)
        lines = [f"配置有 {len(self.problems)} 处错误,未启动({source})"]
        lines += [f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1)]
        super().__init__("\n".join(lines))


def show_path(location: Location) -> str:
    """Write a location as people find it in config.toml."""
    match location:
        case ():
            return ""
        case (section,):
            return f"[{section}]"
        case ("official_accounts", int(index), *rest):
            return " ".join(["[[official_accounts]]", f"第 {index + 1} 个", *map(str, rest)])
        case (section, key, *rest):
            return f"[{section}] {key}" + "".join(f" 第 {int(index) + 1} 项" for index in rest)
        case _:
            return str(location)


def find_field(root: type[BaseModel], location: Location) -> FieldInfo | None:
    """The model field that a location names, if there is one."""
    model: type[BaseModel] | None = root
    field: FieldInfo | None = None
    for step in location:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step) if model else None
        if field is None:
            return None
        model = submodel(field)
    return field


def submodel(field: FieldInfo) -> type[BaseModel] | None:
    """The section class behind a field, looking into tuples."""
    candidates: list[Any] = [field.annotation, *get_args(field.annotation)]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def example_line(root: type[BaseModel], location: Location) -> str:
    """A line of TOML that would be right at this location."""
    field = find_field(root, location)
    names = [step for step in location if isinstance(step, str)]
    if field is None or not names or not field.examples:
        return ""
    return f"{names[-1]} = {json.dumps(field.examples[0], ensure_ascii=False)}"


def from_pydantic(
    root: type[BaseModel], error: ValidationError, overridden: Mapping[Location, str]
) -> list[Problem]:
    """Translate pydantic's findings; ``overridden`` tells which environment variable set a location."""
    problems: dict[Location, Problem] = {}
    for detail in error.errors(include_url=False, include_input=False, include_context=True):
        location = tuple(detail["loc"])
        text = _text(root, location, detail["type"], detail["msg"], detail.get("ctx", {}))
        problems.setdefault(
            location, Problem(location, text, example_line(root, location), _origin(location, overridden))
        )
    return list(problems.values())


def _origin(location: Location, overridden: Mapping[Location, str]) -> str:
    """The variable that set this location, or the first that made its section."""
    if location in overridden or len(location) > 1:
        return overridden.get(location, "")
    return next((name for at, name in overridden.items() if at[:1] == location), "")


def _text(
    root: type[BaseModel], location: Location, kind: str, message: str, context: Mapping[str, Any]
) -> str:
    is_section = len(location) == 1 or (location[0] == "official_accounts" and isinstance(location[-1], int))
    match kind:
        case "lianke":
            return message
        case "missing":
            return "缺少这一节" if is_section else "缺少这一项"
        case "extra_forbidden":
            return unknown_key(root, location)
        case "literal_error":
            return f"只能是 {context.get('expected', '').replace(' or ', ' 或 ')}"
        case "greater_than_equal":
            return f"不能小于 {context['ge']}"
        case "less_than_equal":
            return f"不能大于 {context['le']}"
        case "too_short":
            return "至少要有一项"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "应当是一节(表),不是单个值"
        case _:
            return f"值的类型不对({kind})"


def unknown_key(root: type[BaseModel], location: Location) -> str:
    """Say that a key is unknown, and which one may have been meant."""
    parent = find_field(root, location[:-1])
    model = submodel(parent) if parent else root
    known = list((model or root).model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    noun = "这一节" if len(location) == 1 else "这一项"
    hint = f",是不是 {close[0]}?" if close else f",可用的有:{'、'.join(known)}"
    return f"没有{noun}{hint}"


def file_problem(path: Path, text: str, example: str = "") -> Problem:
    """A mistake of the file as a whole."""
    return Problem((), f"{path}:{text}", example)
