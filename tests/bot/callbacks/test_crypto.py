"""The envelope: both vectors of callbacks.md §1.4, padding to 32, and nothing but Rejected for what is malformed."""

from __future__ import annotations

import base64
import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from bot.wechat.crypto import BLOCK, CallbackCrypto, Rejected
from tests.envelopes import CORP, KEY, TOKEN, crypto

TIMESTAMP, NONCE, PREFIX = "1700000000", "7788990011", b"0123456789abcdef"
MESSAGE_A = b"1616140317555161061"
ENCRYPT_A = "4j/AuRx71kQlxVlzbpsMWFHe92iq4VdHki6B+j5nrtjn4CnUN3NzUmZZ5Ga0VCLaruMwW+3zufRis2Ad3eZdsQ=="
SIGNATURE_A = "dbac255c88fa61552c3d5846ac4bcffaad2e35b6"
MESSAGE_B = (
    b"<xml><ToUserName><![CDATA[ww1a2b3c4d5e6f7a8b]]></ToUserName><MsgType><![CDATA[event]]></MsgType></xml>"
)
ENCRYPT_B = (
    "4j/AuRx71kQlxVlzbpsMWKyfCPndM6erSmZuDSplkihqWgkNGyP5kdD2ej7unrHuZ4Dq61vAepMDeuFAv/WRm+YfqiNX+RhBmmg/"
    "TzNbEXnNo+lyq6bMRBFSw6gTvhNdzjClfsdmneG1AhCJKVPturTN2pDhRrLLpJGRlu7Ht4giFcdJ6QAtYYtj0hErpaZn3i/mETSz"
    "/stU8J0F6PEaGw=="
)
SIGNATURE_B = "4048d9e74594c8ce3ffb53ad9ab5c7c8ec4a173b"
VECTORS = pytest.mark.parametrize(
    ("message", "encrypted", "signature"),
    [
        pytest.param(MESSAGE_A, ENCRYPT_A, SIGNATURE_A, id="echo-pad-7"),
        pytest.param(MESSAGE_B, ENCRYPT_B, SIGNATURE_B, id="xml-pad-20"),
    ],
)


def raw_encrypt(plain: bytes, key: str = KEY) -> str:
    """Encrypt these very bytes, padding and all: for envelopes the platform never makes."""
    aes = base64.b64decode(key + "=")
    encryptor = Cipher(algorithms.AES(aes), modes.CBC(aes[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def envelope(
    message: bytes = b"hello",
    *,
    receive_id: bytes = CORP.encode(),
    size: int | None = None,
    last_bytes: bytes | None = None,
) -> str:
    """A sealed message whose parts may lie; ``last_bytes`` overwrites the end of the padding."""
    length = len(message) if size is None else size
    plain = PREFIX + struct.pack(">I", length & 0xFFFFFFFF) + message + receive_id
    count = BLOCK - len(plain) % BLOCK
    padded = plain + bytes([count]) * count
    return raw_encrypt(padded if last_bytes is None else padded[: -len(last_bytes)] + last_bytes)


@VECTORS
def test_vector_decrypts(message: bytes, encrypted: str, signature: str):
    assert crypto().decrypt(encrypted) == message


@VECTORS
def test_vector_encrypts_to_the_same_ciphertext(message: bytes, encrypted: str, signature: str):
    assert crypto().encrypt(message, prefix=PREFIX) == encrypted


@VECTORS
def test_vector_signature(message: bytes, encrypted: str, signature: str):
    pair = crypto()

    assert pair.sign(TIMESTAMP, NONCE, encrypted) == signature
    assert pair.verify(signature, TIMESTAMP, NONCE, encrypted) is True


def test_prefix_is_random_so_that_equal_messages_look_different():
    pair = crypto()

    sealed = {pair.encrypt(b"same") for _ in range(5)}

    assert len(sealed) == 5
    assert {pair.decrypt(text) for text in sealed} == {b"same"}


@pytest.mark.parametrize("length", range(64))
def test_every_padding_length_from_1_to_32_opens(length: int):
    message = b"x" * length

    assert crypto().decrypt(crypto().encrypt(message)) == message


@pytest.mark.parametrize("last", ["8", "9", "+", "/"])
def test_stray_bits_in_the_last_character_of_the_key_do_not_matter(last: str):
    # given keys that differ only in the two bits base64 has no use for
    pair = CallbackCrypto(TOKEN, KEY[:-1] + last, CORP)

    # when / then
    assert pair.decrypt(ENCRYPT_A) == MESSAGE_A
    assert pair.encrypt(MESSAGE_A, prefix=PREFIX) == ENCRYPT_A


@pytest.mark.parametrize(
    ("token", "key", "why"),
    [
        pytest.param("", KEY, "token is empty", id="empty-token"),
        pytest.param(TOKEN, "", "43 characters", id="empty-key"),
        pytest.param(TOKEN, KEY[:-1], "43 characters|padding", id="42-characters"),
        pytest.param(TOKEN, KEY + "A", "43 characters|padding", id="44-characters"),
        pytest.param(TOKEN, "!" * 43, "43 characters|padding", id="no-base64"),
    ],
)
def test_a_pair_that_protects_nothing_is_refused(token: str, key: str, why: str):
    with pytest.raises(ValueError, match=why):
        CallbackCrypto(token, key, CORP)


@pytest.mark.parametrize("position", range(40))
def test_signature_off_by_one_character_is_refused(position: int):
    # given
    wrong = "0" if SIGNATURE_A[position] != "0" else "1"
    signature = SIGNATURE_A[:position] + wrong + SIGNATURE_A[position + 1 :]

    # when / then
    assert crypto().verify(signature, TIMESTAMP, NONCE, ENCRYPT_A) is False


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param("", id="empty"),
        pytest.param(SIGNATURE_A.upper(), id="upper-case"),
        pytest.param(SIGNATURE_A[:39], id="one-short"),
        pytest.param(SIGNATURE_A + "0", id="one-long"),
        pytest.param(SIGNATURE_A + "\0", id="trailing-nul"),
        pytest.param("é" * 40, id="non-ascii"),
        pytest.param("\ud800" * 40, id="surrogate"),
        pytest.param("a" * 1_000_000, id="1-MB"),
    ],
)
def test_odd_signatures_are_refused_without_an_error(signature: str):
    assert crypto().verify(signature, TIMESTAMP, NONCE, ENCRYPT_A) is False


@pytest.mark.parametrize(
    ("timestamp", "nonce", "encrypted"),
    [
        pytest.param("1700000001", NONCE, ENCRYPT_A, id="timestamp"),
        pytest.param(TIMESTAMP, "7788990012", ENCRYPT_A, id="nonce"),
        pytest.param(TIMESTAMP, NONCE, ENCRYPT_B, id="ciphertext"),
    ],
)
def test_signature_covers_every_part(timestamp: str, nonce: str, encrypted: str):
    assert crypto().verify(SIGNATURE_A, timestamp, nonce, encrypted) is False


def test_signature_of_another_token_is_refused():
    assert crypto(token="another").verify(SIGNATURE_A, TIMESTAMP, NONCE, ENCRYPT_A) is False


MALFORMED = {
    "empty": "",
    "1 byte": base64.b64encode(b"x").decode(),
    "15 bytes": base64.b64encode(b"x" * 15).decode(),
    "17 bytes": base64.b64encode(b"x" * 17).decode(),
    "no base64": "!!!!",
    "base64 with line break": ENCRYPT_A[:20] + "\n" + ENCRYPT_A[20:],
    "url-safe base64": ENCRYPT_A.replace("/", "_").replace("+", "-"),
    "base64 without its padding": ENCRYPT_A.rstrip("="),
    "trailing text": ENCRYPT_A + "AAAA",
    "non-ASCII": "é" * 64,
    "pad 0": envelope(last_bytes=b"\0"),
    "pad 33": raw_encrypt(PREFIX + struct.pack(">I", 25) + b"x" * 25 + CORP.encode() + bytes([33]) * 33),
    "pad 255": envelope(last_bytes=b"\xff"),
    "pad 31 of 32": envelope(b"x" * 26, last_bytes=bytes([31])),
    "first pad byte unequal": envelope(b"x" * 26, last_bytes=b"\x01" + bytes([32]) * 31),
    "one block of padding only": raw_encrypt(bytes([16]) * 16),
    "shorter than prefix and length": raw_encrypt(b"x" * 16 + bytes([16]) * 16),
    "length -1": envelope(size=-1),
    "length 2^32-1": envelope(size=2**32 - 1),
    "length one too long": envelope(size=6 + len(CORP)),
    "length 0": envelope(size=0),
    "another corp": envelope(receive_id=b"ww0000000000000000"),
    "no receiver": envelope(receive_id=b""),
    "receiver's prefix": envelope(receive_id=CORP[:-1].encode()),
    "receiver and more": envelope(receive_id=CORP.encode() + b"x"),
    "trailing NUL": envelope(receive_id=CORP.encode() + b"\0"),
    "another key": crypto(key="B" * 43).encrypt(b"hello"),
}


@pytest.mark.parametrize("encrypted", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_ciphertext_is_rejected(encrypted: str):
    with pytest.raises(Rejected):
        crypto().decrypt(encrypted)


def test_the_builder_of_malformed_envelopes_also_makes_good_ones():
    assert crypto().decrypt(envelope()) == b"hello"


def test_empty_receiver_opens_only_with_an_empty_receiver():
    robot = crypto(receive_id="")

    assert robot.decrypt(robot.encrypt(b"hello")) == b"hello"
    with pytest.raises(Rejected):
        crypto().decrypt(robot.encrypt(b"hello"))


@given(st.binary(max_size=300))
def test_whatever_was_sealed_opens(message: bytes):
    assert crypto().decrypt(crypto().encrypt(message)) == message


@given(st.text(max_size=400))
def test_any_text_is_opened_or_rejected(text: str):
    with pytest.raises(Rejected):
        crypto().decrypt(text)


@given(st.binary(min_size=32, max_size=320).map(lambda data: data[: len(data) // 16 * 16]))
def test_any_plaintext_under_the_right_key_is_opened_or_rejected(plain: bytes):
    # random bytes do not end in our corp id, so they never open
    with pytest.raises(Rejected):
        crypto().decrypt(raw_encrypt(plain))


@given(st.integers(0, len(base64.b64decode(ENCRYPT_B)) - 1), st.integers(1, 255))
def test_flipped_bytes_open_to_nothing_but_rejection_or_our_receiver(position: int, mask: int):
    # given CBC without a MAC: only the signature stops bit flipping; the envelope must at least not crash
    data = bytearray(base64.b64decode(ENCRYPT_B))
    data[position] ^= mask

    # when
    try:
        opened = crypto().decrypt(base64.b64encode(bytes(data)).decode())
    except Rejected:
        return

    # then
    assert len(opened) == len(MESSAGE_B)
