"""The judge of the load can find fault: each promise that is broken here is named."""

from __future__ import annotations

from pathlib import Path

from bot.sandbox import ledger, people, world
from bot.sandbox.state import State
from scrm.db import Database
from tests.load.compare import compare
from tests.load.rig import Books

XML = (
    "<xml><UserID><![CDATA[zhangsan]]></UserID><ExternalUserID><![CDATA[wm1]]></ExternalUserID>"
    "<WelcomeCode><![CDATA[C1]]></WelcomeCode></xml>"
)


def test_the_judge_names_what_was_lost_and_what_was_doubled(database: Database, tmp_path: Path):
    # given a platform that told of a customer, was asked to greet twice, mark once and tell once, and an empty database
    path = tmp_path / "sandbox.db"
    state = State(str(path))
    world.ensure(state)
    told = {"event": "change_external_contact", "change_type": "add_external_contact", "xml": XML}
    state.insert("delivery", at=state.now(), state="delivered", **told)
    people.put_relation(state, "zhangsan", "wm1", half=False, source="", add_way=1)
    mark = {"userid": "zhangsan", "external_userid": "wm2", "add_tag": ["t"]}
    notice = {"textcard": {"url": "https://crm.example/sidebar/contacts/X?s=1"}}
    for api, body in (
        ("externalcontact/send_welcome_msg", {"welcome_code": "C1"}),
        ("externalcontact/send_welcome_msg", {"welcome_code": "C1"}),
        ("externalcontact/mark_tag", mark),
        ("message/send", notice),
    ):
        ledger.record_effect(state, state.now(), api, body, {})
    books = Books(path)

    found = compare(database, books)

    books.close()
    state.close()
    assert {line.split(":")[0] for line in found.wrong} == {
        "answered 200 and not in the inbox",
        "welcomes that differ from the ledger",
        "greeted twice",
        "added and not marked once",
        "marked more often than owed",
        "notices that differ from the ledger",
        "added and the rep not told as often",
        "relations that differ",
        "members that differ",
        "corp tags that differ",
        "departments that differ",
    }
