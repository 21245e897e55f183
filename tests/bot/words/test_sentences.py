"""Sentences of the domain on English pages: none is left in Chinese, by the source itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bot
from bot.web.console.refusals import said
from bot.words.sentences import CHINESE, PLACE, TEMPLATES, in_english
from bot.words.texts import Words
from scrm import errors
from scrm.errors import Refused

ROOT = Path(bot.__file__).parents[1]
IDEOGRAPH = re.compile(r"[\u3400-\u9fff]")
READ = ("scrm", "handlers", "bot/workers", "bot/check", "bot/web", "bot/scheduler")
DOCSTRINGS = ast.Module | ast.ClassDef | ast.FunctionDef
# what no English page shows, by file: names of files and columns, and what reps read on their phones
TO_REPS = "a message to a rep, in WeCom"
OTHERS: dict[str, str] = {
    "scrm/channels/wording.py": "how salutations are found in a welcome",
    "scrm/leads/sheets.py:失败原因": "a column of the file of failed rows",
    "scrm/library/rules.py:我": "in a text that is sent to a customer",
    "scrm/library/rules.py:贵司": "in a text that is sent to a customer",
    "scrm/followups/service.py:下次跟进": "the title of a task, as a rep would write it",
    "bot/web/console/logs.py:第 (\\d+) 次": "how a step is found",
    "bot/web/figures.py:{} 万": "in Chinese only",
    "scrm/channels/rules.py:您好": "the first welcome of a new channel",
    "scrm/routing/notices.py": TO_REPS,
    "handlers/answers.py": TO_REPS,
    "bot/scheduler/reminders.py": TO_REPS,
    "bot/workers/bulk.py": TO_REPS,
    "scrm/outbox/commands/staff.py:查看客户": TO_REPS,
    "scrm/tasks/notices.py": TO_REPS,
    "scrm/followups/comments.py:{}评论了您的跟进": TO_REPS,
    "scrm/followups/comments.py:{}\n客户：{}\n跟进：{}": TO_REPS,
    "scrm/followups/comments.py:一位微信客户": TO_REPS,
}


def _template(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else PLACE for part in node.values)
    return None


def _is_pair(node: ast.AST) -> bool:
    """(Chinese, English), or more of them: words that are kept in both languages."""
    if not isinstance(node, ast.Tuple):
        return False
    last = node.elts[-1] if node.elts else node
    while isinstance(last, ast.Starred) and isinstance(last.value, ast.Tuple):
        last = last.value.elts[-1]
    told = _template(last)
    return bool(told) and not CHINESE.search(str(told))


def _is_named(node: ast.AST) -> bool:
    """A subject of the doctor: pages name it by its id."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Check"


def _strings(node: ast.AST) -> Iterator[str]:
    """Every string below the node that has Chinese, f-strings as templates; neither docstrings nor pairs."""
    if _is_pair(node) or _is_named(node):
        return
    told = _template(node)
    if told is not None:
        if IDEOGRAPH.search(told):
            yield told
        children = [
            part.value for part in getattr(node, "values", []) if isinstance(part, ast.FormattedValue)
        ]
    else:
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, DOCSTRINGS) and ast.get_docstring(node):
            children.remove(node.body[0])
    for child in children:
        yield from _strings(child)


def _sources() -> Iterator[Path]:
    for name in READ:
        place = ROOT / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if not path.name.startswith("words"):
                yield path


def _sentences() -> list[str]:
    found = []
    for path in _sources():
        name = path.relative_to(ROOT).as_posix()
        if name not in OTHERS:
            texts = dict.fromkeys(_strings(ast.parse(path.read_text(encoding="utf-8"))))
            found += [f"{name}:{text}" for text in texts if f"{name}:{text}" not in OTHERS]
    return found


def _raised() -> set[tuple[str, str]]:
    """Code and message of every error of the domain, where the source says both outright."""
    names = {name for name, value in vars(errors).items() if isinstance(value, type)}
    found = set()
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                code, message = [*(_template(one) for one in node.args[:2]), None, None][:2]
                if code and message:
                    found.add((code, message))
    return found


def test_no_sentence_that_can_reach_a_page_is_left_in_chinese():
    sentences = _sentences()
    filled = [one.partition(":")[2].replace(PLACE, "7") for one in sentences]

    assert len(sentences) > 300  # the scan finds what there is
    assert [
        one for one, text in zip(sentences, filled, strict=True) if CHINESE.search(in_english(text))
    ] == []


def test_every_error_is_told_in_english_by_its_code_or_its_sentence():
    raised = _raised()
    told = {code: said(Refused(code, message.replace(PLACE, "7")), Words("en")) for code, message in raised}

    assert len(told) > 80
    assert {code: text for code, text in told.items() if CHINESE.search(text)} == {}
    assert said(Refused("x", "没有见过的句子"), Words("en")) == "没有见过的句子"
    assert said(Refused("username_taken", "用户名 a 已被使用"), Words("zh")) == "用户名 a 已被使用"


@pytest.mark.parametrize(
    ("chinese", "english"),
    [
        ("最早的事件已等了 12 分钟", "The oldest event has waited for 12 minutes"),
        ("2 个渠道还没有二维码：「上海展会」、「没有」", "2 channels have no code yet: “上海展会”, “没有”"),
        (
            "创建渠道码失败：没有成员（错误码 84074）。可在「调用」中重试",
            "The code could not be made: 没有成员 (errcode 84074). The call can be retried",
        ),
        ("客户与该成员不是好友关系（84061）", "The contact and the member are not connected (84061)"),
        ("[wecom] secret 不正确（40001）", "[wecom] secret is wrong (40001)"),
        ("没有保存：最多 200 个字；请上传文件", "Not saved: At most 200 characters; Upload a file"),
        (
            "scrm.errors.NotFound: tag_gone: 没有这个标签",
            "scrm.errors.NotFound: tag_gone: There is no such tag",
        ),
        ("没有见过的句子", "没有见过的句子"),
        ("王敏", "王敏"),
    ],
)
def test_sentences_keep_what_they_were_filled_with(chinese: str, english: str):
    assert in_english(chinese) == english


def test_no_exception_is_named_that_is_not_there():
    held = {path.relative_to(ROOT).as_posix(): path for path in _sources()}
    for name in OTHERS:
        file, _, text = name.partition(":")
        texts = set(_strings(ast.parse(held[file].read_text(encoding="utf-8"))))
        assert text in texts if text else texts, name


def test_templates_fill_in_as_much_as_they_take_and_speak_english():
    for chinese, english in TEMPLATES.items():
        assert chinese.count(PLACE) == english.count(PLACE), chinese
        assert not CHINESE.search(english), chinese
