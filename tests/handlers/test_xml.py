"""The reader of the platform's XML: what it gives, what it refuses, and that nothing but BadXml comes out of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.callbacks.wecom import WecomReceiver
from bot.wechat.crypto import Rejected
from handlers.events import envelope, load
from handlers.xml import MAX_DEPTH, MAX_ELEMENTS, BadXml, _parse_any, _parse_flat, parse, text_of
from tests.envelopes import NOW, crypto, event_xml, post


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        pytest.param("<xml/>", {}, id="empty root"),
        pytest.param("<xml>text</xml>", {}, id="text in the root"),
        pytest.param("<xml><A>1</A></xml>", {"A": "1"}, id="plain"),
        pytest.param("<xml><A><![CDATA[1]]></A></xml>", {"A": "1"}, id="CDATA"),
        pytest.param(
            "<xml><A><![CDATA[<b>&amp;</b>]]></A></xml>", {"A": "<b>&amp;</b>"}, id="markup in CDATA"
        ),
        pytest.param("<xml><A>&lt;&amp;&#20013;</A></xml>", {"A": "<&中"}, id="escapes"),
        pytest.param("<xml><A> 1\n </A></xml>", {"A": "1"}, id="white space"),
        pytest.param("<xml><A>1<![CDATA[2]]>3</A></xml>", {"A": "123"}, id="mixed CDATA"),
        pytest.param("<xml><A></A><B/></xml>", {"A": "", "B": ""}, id="empty tags"),
        pytest.param("<xml><A>1</A><A>2</A></xml>", {"A": ["1", "2"]}, id="repeated"),
        pytest.param("<xml><A>1</A><A>2</A><A>3</A></xml>", {"A": ["1", "2", "3"]}, id="repeated twice"),
        pytest.param("<xml><A><B>1</B><C>2</C></A></xml>", {"A": {"B": "1", "C": "2"}}, id="nested"),
        pytest.param(
            "<xml>\n <A> <B>1</B> </A>\n <C>2</C></xml>", {"A": {"B": "1"}, "C": "2"}, id="indented"
        ),
        pytest.param(
            "<xml><L><I>1</I><I>2</I></L><A>x</A></xml>",
            {"L": {"I": ["1", "2"]}, "A": "x"},
            id="list of items",
        ),
        pytest.param(
            "<xml><L><I><N>1</N></I><I><N>2</N></I></L></xml>",
            {"L": {"I": [{"N": "1"}, {"N": "2"}]}},
            id="rows",
        ),
        pytest.param("<xml>a<A>1</A>b<B>2</B>c</xml>", {"A": "1", "B": "2"}, id="text between tags"),
        pytest.param(
            "<xml><A><B>1</B>tail</A><C/></xml>", {"A": {"B": "1"}, "C": ""}, id="text after a child"
        ),
        pytest.param(
            "<xml><!-- <A>0</A> --><A>1</A><?php x?></xml>", {"A": "1"}, id="comment and instruction"
        ),
        pytest.param('<xml a="1"><A b="2">1</A></xml>', {"A": "1"}, id="attributes"),
        pytest.param(
            '<?xml version="1.0" encoding="GBK"?><xml><A>中</A></xml>', {"A": "中"}, id="wrong encoding"
        ),
        pytest.param("\ufeff<xml><A>1</A></xml>", {"A": "1"}, id="byte order mark"),
        pytest.param("<xml><A>👩‍👩‍👧 \u202e</A></xml>", {"A": "👩‍👩‍👧 \u202e"}, id="emoji"),
    ],
)
def test_a_document_is_read(document: str, fields: dict[str, object]):
    assert parse(document) == fields
    assert parse(document.encode()) == fields


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="blank"),
        pytest.param("text", id="no markup"),
        pytest.param("<xml>", id="not closed"),
        pytest.param("<xml></xml><xml/>", id="two roots"),
        pytest.param("<xml><A></B></xml>", id="crossed"),
        pytest.param("<xml><A>&e;</A></xml>", id="unknown entity"),
        pytest.param("<xml><A>\0</A></xml>", id="NUL"),
        pytest.param("<xml><A>&#0;</A></xml>", id="escaped NUL"),
        pytest.param("<xml><A>\ud800</A></xml>", id="surrogate"),
        pytest.param("<!DOCTYPE xml><xml/>", id="document type"),
        pytest.param('<!DOCTYPE x [<!ENTITY e "1">]><xml>&e;</xml>', id="entity"),
        pytest.param('<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml/>', id="external subset"),
        pytest.param('<!DOCTYPE x [<!ENTITY % p "1"> %p;]><xml/>', id="parameter entity"),
    ],
)
def test_anything_else_is_bad_xml(document: str):
    with pytest.raises(BadXml):
        parse(document)


@pytest.mark.parametrize(
    "document",
    [
        b"<xml><A>\xff</A></xml>",
        b"<xml><A>\xed\xa0\x80</A></xml>",
        "<xml/>".encode("utf-16"),
        "<xml/>".encode("utf-32"),
        '<?xml version="1.0" encoding="UTF-16"?><xml/>'.encode("utf-16"),
        "<xml><A>中</A></xml>".encode("gbk"),
    ],
)
def test_bytes_that_are_no_utf8_are_bad_xml(document: bytes):
    with pytest.raises(BadXml):
        parse(document)


def nested(levels: int) -> str:
    return "<a>" * levels + "</a>" * levels


def test_depth_ends_at_the_limit():
    parse(nested(MAX_DEPTH))
    with pytest.raises(BadXml, match="too deep"):
        parse(nested(MAX_DEPTH + 1))


def test_elements_end_at_the_limit():
    assert len(parse("<xml>" + "<a/>" * (MAX_ELEMENTS - 1) + "</xml>")["a"]) == MAX_ELEMENTS - 1
    with pytest.raises(BadXml, match="too many"):
        parse("<xml>" + "<a/>" * MAX_ELEMENTS + "</xml>")


@pytest.mark.parametrize("value", [["1", "2"], {"B": "1"}])
def test_text_of_a_repeated_or_nested_tag_is_empty(value: object):
    assert text_of({"A": value}, "A") == ""
    assert text_of({}, "A") == ""
    assert text_of({"A": "1"}, "A") == "1"


MARKUP = st.lists(
    st.sampled_from(
        [
            "<xml>",
            "</xml>",
            "<A>",
            "</A>",
            "<A/>",
            "<![CDATA[",
            "]]>",
            "&amp;",
            "&#9;",
            "<!--",
            "-->",
            " ",
            "x",
            "中",
            "<!DOCTYPE x>",
            "<!ENTITY e 'x'>",
            "&e;",
            "<?xml version='1.0'?>",
            "\0",
            "\ud800",
            "<A a='1'>",
            "]]",
            "&",
        ]
    ),
    max_size=30,
).map("".join)


@given(st.one_of(st.binary(max_size=400), MARKUP, st.text(max_size=200)))
@example(b"\xef\xbb\xbf")
def test_parsing_anything_gives_fields_or_bad_xml(document: str | bytes):
    try:
        fields = parse(document)
    except BadXml:
        return
    assert isinstance(fields, dict)


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
)
TAGS = [
    "Event",
    "ChangeType",
    "MsgType",
    "UserID",
    "ExternalUserID",
    "CreateTime",
    "Id",
    "StrategyId",
    "State",
]


@given(st.dictionaries(st.sampled_from(TAGS), TEXT.map(str.strip).filter(lambda text: "]]>" not in text)))
def test_what_was_written_is_read(fields: dict[str, str]):
    inner = "".join(f"<{tag}><![CDATA[{value}]]></{tag}>" for tag, value in fields.items())

    assert parse(f"<xml>{inner}</xml>") == fields


PIECES = [
    "a",
    "中",
    " ",
    "\t",
    "\n",
    "\r",
    "\x01",
    "\x85",
    "]",
    "]]>",
    ">",
    "<",
    "&",
    "&amp;",
    "\ufffe",
    "\U0001f600",
]
SOME_TEXT = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
ELEMENTS = st.builds(
    lambda form, tag, text: form.format(tag=tag, text=text),
    st.sampled_from(
        [
            "<{tag}><![CDATA[{text}]]></{tag}>",
            "<{tag}>{text}</{tag}>",
            "<{tag}/>",
            "<{tag}><B>{text}</B></{tag}>",
        ]
    ),
    st.sampled_from(["A", "B", "Tag1", "_x", "名"]),
    SOME_TEXT,
)


@given(st.lists(ELEMENTS | st.sampled_from(["", " ", "\n", "x", "<!---->"]), max_size=5), st.booleans())
@settings(max_examples=600)
def test_the_short_way_of_flat_documents_reads_what_the_long_way_reads(parts: list[str], as_bytes: bool):
    text = f"<xml>{''.join(parts)}</xml>"
    document = text.encode() if as_bytes else text
    short = _parse_flat(document)
    if short is not None:
        assert short == _parse_any(document)


def test_a_callback_goes_the_short_way():
    assert _parse_flat(event_xml()) == _parse_any(event_xml())


VALUES = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "change_external_contact",
            "change_contact",
            "change_external_tag",
            "event",
            "text",
            "create_user",
            "create_party",
            "sys",
            "1700000000",
            "99999999999",
            "-1",
            "٣",
            "²",
            "1" * 400,
            "add_external_contact",
        ]
    ),
    st.lists(TEXT, min_size=2, max_size=3),
    st.dictionaries(st.sampled_from(TAGS), TEXT, max_size=2),
)


@given(st.dictionaries(st.sampled_from([*TAGS, "FromUserName", "ChatId", "InfoType", "WelcomeCode"]), VALUES))
@example({"CreateTime": "99999999999"})
@example({"Event": "change_contact", "ChangeType": "create_party", "Id": "²"})
@example({"Event": "change_external_tag", "StrategyId": "٣"})
@example({"Event": "change_contact", "ChangeType": "create_party", "Id": "1" * 5000})  # over Python's limit
def test_any_fields_are_an_envelope_and_an_event_or_nothing(fields: dict[str, object]):
    # given fields of any shape: the platform adds new ones without notice
    kind = envelope(fields)

    # when
    def element(tag: str, value: object) -> str:
        if isinstance(value, list):
            return "".join(element(tag, item) for item in value)
        if isinstance(value, dict):
            return f"<{tag}>{''.join(element(*item) for item in value.items())}</{tag}>"
        return f"<{tag}>{str(value).replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</{tag}>"

    document = f"<xml>{''.join(element(tag, value) for tag, value in fields.items())}</xml>"
    event = load(kind.kind, document, NOW)

    # then
    assert kind.kind.startswith("wecom.")
    assert event is None or event.at.tzinfo is not None


@settings(max_examples=50)
@given(st.one_of(st.binary(max_size=300), MARKUP.map(lambda text: text.encode("utf-8", "ignore"))))
def test_a_genuine_seal_around_anything_is_an_event_or_rejected(message: bytes):
    sent = post(message)
    receiver = WecomReceiver([crypto()], lambda: NOW)

    try:
        arrival = receiver.receive(sent.query, sent.body)
    except Rejected:
        return
    assert arrival.payload.encode() == message


@given(st.binary(max_size=300), st.binary(max_size=600))
def test_any_request_is_rejected(query: bytes, body: bytes):
    receiver = WecomReceiver([crypto()], lambda: NOW)

    for call in (lambda: receiver.receive(query, body), lambda: receiver.echo(query)):
        with pytest.raises(Rejected):
            call()


@given(st.data())
def test_any_change_of_a_genuine_request_is_rejected_or_harmless(data: st.DataObject):
    # given one byte of query or body replaced
    sent = post(event_xml(WelcomeCode="CODE"))
    receiver = WecomReceiver([crypto()], lambda: NOW)
    whole = bytearray(sent.query + b"\n" + sent.body)
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] = data.draw(st.integers(0, 255))
    query, _, body = bytes(whole).partition(b"\n")

    # when
    try:
        arrival = receiver.receive(query, body)
    except Rejected:
        return

    # then: only what is not signed and not needed may change; the event is the one that was sent
    assert arrival.payload.encode() == sent.message
