"""The form of an API key: recognisable, and mistyped ones are found without the database."""

import re

import pytest

from transcription_proxy.accounts.api_keys import ALPHABET, PREFIX, generate, is_key, is_well_formed


def test_a_key_has_a_prefix_random_characters_and_a_checksum() -> None:
    keys = {generate() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"tpk_[0-9A-Za-z]{38}", key) for key in keys)
    assert all(is_key(key) and is_well_formed(key) for key in keys)


def test_a_key_with_one_wrong_character_is_not_well_formed() -> None:
    key = generate()
    for at in range(len(PREFIX), len(key)):
        other = next(each for each in ALPHABET if each != key[at])
        assert not is_well_formed(key[:at] + other + key[at + 1 :])


KEY = generate()


@pytest.mark.parametrize(
    "text",
    ["", "tpk_", "tpk_x", "eyJhbGciOi.a.b", KEY + "0", KEY[:-1], "tpk_" + "\ud800" * 38],
    ids=["empty", "prefix", "short", "jwt", "longer", "shorter", "surrogates"],
)
def test_other_text_is_not_well_formed(text: str) -> None:
    assert not is_well_formed(text)
