"""What is sealed opens in its own column, with the keys it was sealed with, and only whole."""

from __future__ import annotations

import pytest

from scrm.models import Base
from scrm.seal import Keyring, SealBroken, Sealed, SealedBytes

OLD, NEW = "former-key-0123456789", "present-key-0123456789"
TEXT = "13800138000 李雷"


def test_a_sealed_text_opens_and_shows_nothing():
    ring = Keyring([NEW])
    sealed = ring.seal(TEXT, "contact.phone")
    assert "138" not in sealed
    assert sealed != ring.seal(TEXT, "contact.phone")
    assert ring.open(sealed, "contact.phone") == TEXT


def test_a_sealed_text_opens_in_no_other_column():
    sealed = Sealed("contact.phone").process_bind_param(TEXT, None)
    assert Sealed("contact.phone").process_result_value(sealed, None) == TEXT
    with pytest.raises(SealBroken):
        Sealed("inbox.payload").process_result_value(sealed, None)


def test_a_sealed_file_opens_in_its_own_column_and_shows_nothing():
    content = bytes(range(256)) + TEXT.encode()
    sealed = SealedBytes("job_file.content").process_bind_param(content, None)
    assert sealed is not None
    assert TEXT.encode() not in sealed
    assert SealedBytes("job_file.content").process_result_value(sealed, None) == content
    with pytest.raises(SealBroken):
        SealedBytes("contact.phone").process_result_value(sealed, None)


def test_each_sealed_column_has_a_context_of_its_own():
    columns = [column.type for table in Base.metadata.tables.values() for column in table.columns]
    contexts = [kind.context for kind in columns if isinstance(kind, (Sealed, SealedBytes))]
    assert contexts
    assert len(set(contexts)) == len(contexts)


@pytest.mark.parametrize("position", [0, 20], ids=["the key's id", "the text"])
def test_a_sealed_text_that_was_changed_does_not_open(position: int):
    ring = Keyring([NEW])
    sealed = list(ring.seal(TEXT, "contact.phone"))
    sealed[position] = "0" if sealed[position] != "0" else "1"
    with pytest.raises(SealBroken):
        ring.open("".join(sealed), "contact.phone")


def test_after_a_new_key_the_former_one_still_opens_and_seals_no_more():
    former, ring = Keyring([OLD]), Keyring([NEW, OLD])
    assert ring.open(former.seal(TEXT, "contact.phone"), "contact.phone") == TEXT
    sealed = ring.seal(TEXT, "contact.phone")
    assert Keyring([NEW]).open(sealed, "contact.phone") == TEXT
    with pytest.raises(SealBroken):
        former.open(sealed, "contact.phone")


def test_after_a_new_key_phone_numbers_are_still_found():
    assert Keyring([NEW, OLD]).blind_index(TEXT) == Keyring([OLD]).blind_index(TEXT)
    assert Keyring([NEW]).blind_index(TEXT) != Keyring([OLD]).blind_index(TEXT)
