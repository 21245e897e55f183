import pickle
from datetime import timedelta

import pytest

from bot.wechat.errcodes import RULES, Kind
from bot.wechat.errors import (
    AlreadyDone,
    CredentialsRefused,
    NotSent,
    OutcomeUnknown,
    Permanent,
    QuotaSpent,
    Retryable,
    TokenInvalid,
    TransportError,
    WeChatError,
    error_for,
    explain,
)
from bot.wechat.redaction import scrub

# The catalogue of wecom/semantics.md section 10, class by class.
RETRY = [6000, 41063, 41078, 41079, 41096, 45033, 45035, 95007]
TOKEN = [40001, 40014, 42001, 42009]
DONE = [40050, 40068, 40071, 40100, 40129, 41044, 41048, 41051, 41093, 49008, 60111, 60140, 81013]
DONE += [84061, 84084, 95001, 95002, 95013, 95014, 95016, 95018, 95019, 301048]
ADMIN = [40013, 40056, 40091, 40098, 40099, 40126, 40143, 40205, 41045, 41054, 41055, 41057, 41095]
ADMIN += [43012, 45024, 48001, 48002, 48004, 48006, 48007, 48008, 48009, 50001, 50002, 50003]
ADMIN += [60011, 60020, 60021, 80001, 84074, 301002, 301042, 301052, 301053, 701008, 845002, 845003]
FIX = [40003, 40004, 40005, 40006, 40007, 40008, 40029, 40031, 40032, 40033, 40035, 40058, 40063, 40066]
FIX += [40070, 40072, 40093, 40096, 40097, 40128, 40130, 40131, 40201, 40204, 40206, 41001, 41041, 41046]
FIX += [41047, 41049, 41050, 41053, 41056, 41058, 41059, 41060, 41061, 41062, 41064, 41065, 41067, 41068]
FIX += [41069, 41070, 41072, 41076, 41077, 41080, 41081, 41082, 41083, 41084, 41088, 41089, 41090, 41091]
FIX += [42003, 42012, 42022, 42052, 44001, 44004, 45001, 45002, 45007, 45008, 45029, 46004, 48005, 60003]
FIX += [60123, 60251, 60252, 60253, 81017, 82001, 84014, 84015, 86214, 91040, 301058, 301059, 301060]
FIX += [301061, 610014]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (RETRY, Retryable),
        (TOKEN, TokenInvalid),
        (DONE, AlreadyDone),
        (ADMIN, Permanent),
        (FIX, Permanent),
        ([45009], QuotaSpent),
        ([-1], OutcomeUnknown),
    ],
    ids=["retry", "token", "done", "admin", "fix", "quota", "busy"],
)
def test_each_code_of_the_catalogue_becomes_its_class(codes: list[int], expected: type[WeChatError]) -> None:
    assert {code: type(error_for(code, "x")) for code in codes} == dict.fromkeys(codes, expected)


def test_admin_codes_and_only_those_ask_for_an_admin() -> None:
    asking = {code for code in RULES if explain(code).needs_admin}

    assert asking == {*ADMIN, 40001, 41002, 41004, 90510}


def test_every_line_of_the_table_tells_a_person_what_happened_and_what_to_do() -> None:
    for code, rule in RULES.items():
        for text in (rule.message_zh, rule.next_step_zh):
            assert any("\u4e00" <= char <= "\u9fff" for char in text), code
            assert not set(text) & set(",;!?"), (code, "Chinese punctuation")
        assert (rule.after is not None) == (
            rule.kind in (Kind.RETRYABLE, Kind.QUOTA_SPENT, Kind.OUTCOME_UNKNOWN)
        )


def test_waiting_times_come_from_the_table() -> None:
    quota, concurrency, welcome = error_for(45009, ""), error_for(45033, ""), error_for(41096, "")

    assert (type(quota), quota.after) == (QuotaSpent, timedelta(seconds=60))
    assert (type(concurrency), concurrency.after) == (Retryable, timedelta(seconds=0.5))
    assert (type(welcome), welcome.after, welcome.tries) == (Retryable, timedelta(seconds=1), 2)


def test_unknown_code_is_retried_a_few_times_and_can_be_counted() -> None:
    error = error_for(987654, "something new")

    assert isinstance(error, Retryable)
    assert (error.known, error.tries, error.after) == (False, 3, timedelta(seconds=30))
    assert "987654" in error.explanation.message_zh
    assert not error.needs_admin


def test_hint_and_ip_of_the_platform_are_kept() -> None:
    errmsg = (
        "not allow to access from your ip, hint: [17000123456789], from ip: 1.2.3.4, more info at x?e=60020"
    )

    error = error_for(60020, errmsg, api="externalcontact/get")

    assert error.hint == "17000123456789"
    assert str(error) == f"externalcontact/get Permanent errcode=60020: {errmsg}"


def test_transport_errors_explain_themselves() -> None:
    assert "未发出" in NotSent(errmsg="x").explanation.message_zh
    assert "勿手动重复" in OutcomeUnknown(-1, "system busy").explanation.next_step_zh
    assert CredentialsRefused(60020, "x").needs_admin
    assert CredentialsRefused(45035, "x").needs_admin
    assert Permanent(errmsg="x", http_status=404).needs_admin


def test_tree_separates_no_effect_from_no_knowledge() -> None:
    assert issubclass(CredentialsRefused, TokenInvalid)
    assert not issubclass(AlreadyDone, TransportError)
    assert issubclass(NotSent, TransportError)
    assert not issubclass(NotSent, OutcomeUnknown)


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(error_for(45009, "m, hint: [9]", api="a/b")))

    assert isinstance(error, QuotaSpent)
    assert (error.errcode, error.hint, error.api, error.after) == (45009, "9", "a/b", timedelta(seconds=60))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /cgi-bin/x?access_token=abc-_.1&type=image", "GET /cgi-bin/x?access_token=***&type=image"),
        (
            "url: /gettoken?corpid=ww1&corpsecret=s3 (Caused by",
            "url: /gettoken?corpid=ww1&corpsecret=*** (Caused by",
        ),
        ("r=https%3A%2F%2Fa%3Faccess_token%3Dabc'", "r=https%3A%2F%2Fa%3Faccess_token%3D***'"),
        ("errcode=40014 e=40014", "errcode=40014 e=40014"),
        ("auth/getuserinfo?code=XYZ", "auth/getuserinfo?code=***"),
    ],
)
def test_scrub_masks_secrets_and_nothing_else(text: str, clean: str) -> None:
    assert scrub(text) == clean
