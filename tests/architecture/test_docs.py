"""The documents say what is so: commands, links, metrics, events and tests they name exist."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from bot.cli import main

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")
PAGES = sorted([*(ROOT / name for name in (*READMES, "CHANGELOG.md")), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
KINDS = ("Counter", "Gauge", "Histogram", "Summary", "Info")
METRIC = re.compile(r"\blianke_[a-z_]+")
TEST = re.compile(r"\b(tests/[\w/]+\.py)(?:::(\w+))?")
FILE = re.compile(r"`((?:bot|handlers|scrm|migrations|tests|deploy|benchmarks|docs)/[\w./-]*)`")
# ``lianke``, its global options, then words and options up to whatever is no part of a command line
COMMAND = re.compile(
    r"(?<![\w./-])(?:[\w./]*/)?lianke((?:[ ]--[a-z-]+(?:[ =][^\s`|]+)?)*(?:[ ][^\s`|&;#)]+)*)"
)
WORD = re.compile(r"[a-z][a-z-]*")


def page_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code_of(text: str) -> Iterator[str]:
    """Everything written as code: fenced blocks line by line, and spans."""
    for fence in FENCE.findall(text):
        yield from fence.splitlines()[1:-1]
    yield from (span.strip("`") for span in CODE.findall(FENCE.sub("", text)))


def slug(heading: str) -> str:
    """The anchor GitHub gives a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@pytest.mark.parametrize("name", READMES)
@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_each_readme_names_both_commands(name: str, command: str) -> None:
    assert command in set(code_of(page_of(name)))


def test_both_readmes_have_the_same_parts() -> None:
    counts = [[len(re.match("#+", line)[0]) for line in _headings(name)] for name in READMES]
    assert counts[0] == counts[1]


def _headings(name: str) -> list[str]:
    return [line for line in FENCE.sub("", page_of(name)).splitlines() if line.startswith("#")]


@pytest.mark.parametrize("name", NAMES)
def test_relative_links_lead_somewhere(name: str) -> None:
    text = FENCE.sub("", page_of(name))
    lost = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / name).parent / path if path else ROOT / name
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            lost.append(target)
    assert not lost


def _anchors(page: Path) -> set[str]:
    return {slug(heading) for heading in HEADING.findall(FENCE.sub("", page.read_text("utf-8")))}


@pytest.mark.parametrize("name", NAMES)
def test_files_named_as_code_exist(name: str) -> None:
    if name == "CHANGELOG.md" or name.startswith("docs/adr"):
        return  # they tell of the past
    named = {path for path in FILE.findall(page_of(name)) if "NNNN" not in path}  # NNNN stands for a number
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("name", NAMES)
def test_tests_named_as_proof_exist(name: str) -> None:
    for path, function in TEST.findall(page_of(name)):
        source = (ROOT / path).read_text("utf-8")
        assert not function or re.search(rf"^(?:async )?def {function}\(", source, re.MULTILINE), function


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist_with_their_options(name: str) -> None:
    wrong = [told for line in code_of(page_of(name)) for told in _wrong_commands(line)]
    assert not wrong


def _wrong_commands(line: str) -> Iterator[str]:
    for found in COMMAND.finditer(line):
        words = found[1].split()
        command: click.Command = main
        while words:
            word = words.pop(0)
            if word.startswith("--"):
                option, _, value = word.partition("=")
                spelled = {name: param for param in command.params for name in param.opts}
                if option == "--help":
                    continue
                if option not in spelled:
                    yield f"{line}: no option {option}"
                    return
                if not (spelled[option].is_flag or value) and words:
                    words.pop(0)
            elif isinstance(command, click.Group):
                if not WORD.fullmatch(word):
                    break  # COMMAND, a placeholder, or prose
                context = click.Context(command)
                inner = command.get_command(context, word)
                if inner is None:
                    yield f"{line}: no command {word}"
                    return
                command = inner


def test_a_wrong_command_would_be_found() -> None:
    assert list(_wrong_commands("lianke --config a.toml replay --dead --yes")) == []
    assert list(_wrong_commands(".venv/bin/lianke token create --name N --role admin")) == []
    for line in ("lianke repaly", "lianke token make", "lianke replay --all", "lianke --conf x serve"):
        assert len(list(_wrong_commands(line))) == 1


def test_the_page_of_events_is_current() -> None:
    made = _generator().render()
    assert page_of("docs/events.md") == made, "run: python docs/generate.py"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_metrics_in_operations_are_those_of_the_code() -> None:
    told = {
        re.sub(r"_(bucket|count|sum|created)$", "", name)
        for name in METRIC.findall(page_of("docs/operations.md"))
    }
    made = set(_metrics())
    assert "lianke_callbacks_total" in made
    assert told == made


def _metrics() -> Iterator[str]:
    for path in (ROOT / "bot").rglob("*.py"):
        source = path.read_text("utf-8")
        if "prometheus_client" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if made and node.func.id.removesuffix("MetricFamily") in KINDS and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value
