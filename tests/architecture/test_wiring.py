"""What must fit together: commands, their APIs in the sandbox, and who handles their answers."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import bot.sandbox.server  # noqa: F401 - registers every endpoint
import scrm
from bot.sandbox.registry import WECOM
from bot.workers.limits import Gate
from bot.workers.sender import Gated
from bot.workers.special_calls import SpecialCalls
from handlers.dispatch import HANDLERS
from scrm.outbox.commands import COMMANDS, Command
from scrm.outbox.models import CallState, Recovery
from scrm.timeline.rules import SENTENCES

# pages a sync reads by itself and records as answers (bot/workers/sync.py)
SYNC_PAGES = {
    "user/list",
    "externalcontact/get_follow_user_list",
    "externalcontact/get_contact_way",
    "externalcontact/batch/get_by_user",
    "sync/batch_read",
}


def all_commands() -> set[type[Command]]:
    for module in pkgutil.walk_packages(scrm.__path__, "scrm."):
        importlib.import_module(module.name)
    found: set[type[Command]] = set()
    waiting = [Command]
    while waiting:
        for child in waiting.pop().__subclasses__():
            if child.__module__.startswith("scrm."):
                found.add(child)
                waiting.append(child)
    return found


def test_every_command_can_be_read_back_from_its_row():
    assert {command.__name__: command for command in all_commands()} == dict(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_sandbox_knows_the_api_of_every_command(name: str):
    command = COMMANDS[name]
    endpoint = WECOM.find(command.api)

    assert endpoint is not None
    assert endpoint.method == command.method
    assert command.secret in endpoint.secrets


def test_the_sandbox_knows_every_api_that_is_called_by_name():
    # special senders and the sync call more than their command's API
    called = {
        "externalcontact/list_contact_way",
        "externalcontact/get_contact_way",
        "externalcontact/get",
        "gettoken",
    }

    assert called <= set(WECOM.paths())
    assert SYNC_PAGES - {"sync/batch_read"} <= set(WECOM.paths())


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.keeps_answer])
def test_an_answer_that_is_kept_is_handled(name: str):
    assert f"answer.{COMMANDS[name].api}" in HANDLERS


def test_every_answer_that_is_handled_is_kept_by_somebody():
    kept = {command.api for command in COMMANDS.values() if command.keeps_answer} | SYNC_PAGES

    assert {kind.removeprefix("answer.") for kind in HANDLERS if kind.startswith("answer.")} == kept


@pytest.mark.parametrize("name", COMMANDS)
def test_what_changes_nothing_may_be_repeated(name: str):
    command = COMMANDS[name]

    assert not command.is_read or command.recovery is Recovery.REPEAT
    assert not command.is_read or command.keeps_answer


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.timeline])
@pytest.mark.parametrize("state", [CallState.SENT, CallState.FAILED, CallState.UNKNOWN, CallState.SKIPPED])
def test_every_outcome_on_a_timeline_has_its_sentence(name: str, state: CallState):
    assert f"{COMMANDS[name].timeline}.{state.value}" in SENTENCES


def test_a_command_that_must_be_looked_up_has_a_sender_that_does(database):
    special = SpecialCalls(database, Gated(None, Gate(), lambda: None)).table()  # type: ignore[arg-type, return-value]

    looked_up = {command for command in COMMANDS.values() if command.recovery is Recovery.LOOKUP}
    assert looked_up <= special.keys()
