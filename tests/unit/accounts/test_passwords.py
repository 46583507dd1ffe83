"""Passwords: which are taken, and the bytes that are hashed of them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.accounts.passwords import accept, forms
from transcription_proxy.errors import Refusal

LONG = "a long one " * 9
NOT_PASSWORDS = [LONG[:73], "éa" * 25, "harmless\0", "\ud800" * 8]
"""Over 72 bytes, with a NUL, or no text: no account can have one of these."""


def refused(password: str, email: str = "") -> str:
    with pytest.raises(Refusal) as refusal:
        accept(password, email)
    assert refusal.value.code == "weak_password"
    return refusal.value.message


@pytest.mark.parametrize(
    "password",
    ["r2-d2 c3", "éèàùâêîô", LONG[:72], "éèàùâê" * 6, "パスワードは秘密", "\N{PILE OF POO}\N{SNOWMAN} deja vu"],
)
def test_eight_characters_to_72_bytes_are_accepted(password: str) -> None:
    assert accept(password) == password.encode()


@pytest.mark.parametrize("password", ["", "r2-d2 c", "é" * 7, *NOT_PASSWORDS])
def test_what_is_short_or_more_than_bcrypt_looks_at_is_refused(password: str) -> None:
    assert refused(password) == "Use at least 8 characters and at most 72 bytes."


@pytest.mark.parametrize("password", NOT_PASSWORDS)
def test_text_that_cannot_be_a_password_has_no_form(password: str) -> None:
    assert forms(password) == []


@pytest.mark.parametrize(
    "password",
    [
        "password", "12345678", "PassWord", "Password123", "qwertyuiop", "iloveyou", "sunshine", "administrator",
        "aaaaaaaa", "        ", "abababab", "abcabcabca", "12341234", "23456789", "87654321", "abcdefgh", "ABCDEFGH",
        "Live Captions", "transcription-proxy",
    ],
)  # fmt: skip
def test_the_first_guesses_of_an_attacker_are_refused(password: str) -> None:
    assert refused(password) == "This password is too common. A few random words work well."


@pytest.mark.parametrize("password", ["ann.smith@example.org", "Ann.Smith", "annsmith", "ANN SMITH", "ann-smith!"])
def test_the_address_is_no_password_of_its_own_account(password: str) -> None:
    assert refused(password, "ann.smith@example.org")
    assert accept(password, "bob@example.org")


@pytest.mark.parametrize("password", ["correct horse", "aaaaaaab", "abcde abcde", "?!.,;:-_", "12345678901234567891a"])
def test_what_only_looks_like_one_of_them_is_accepted(password: str) -> None:
    assert accept(password, "a@example.org")


def test_one_password_is_the_same_bytes_whatever_keyboard_it_comes_from() -> None:
    composed, decomposed = "Käse è Señor", unicodedata.normalize("NFD", "Käse è Señor")
    assert composed != decomposed
    assert accept(composed) == accept(decomposed) == forms(decomposed)[0] == composed.encode()
    assert accept("Käse\u00a0è\u2003Señor") == composed.encode()


def test_a_password_of_before_normalisation_has_the_form_it_was_typed_in_too() -> None:
    decomposed = unicodedata.normalize("NFD", "Käse è Señor")
    assert forms(decomposed) == ["Käse è Señor".encode(), decomposed.encode()]
    assert forms("Käse è Señor") == ["Käse è Señor".encode()]


def test_the_limits_count_the_normalised_form() -> None:
    assert len(accept(unicodedata.normalize("NFD", "éèàùâê" * 6))) == 72
    refused(unicodedata.normalize("NFD", "éèàùâêî"))


@given(st.text(max_size=100), st.text(max_size=20))
def test_whatever_is_typed_is_accepted_in_all_its_forms_or_refused(password: str, email: str) -> None:
    try:
        accepted = accept(password, email)
    except Refusal as refusal:
        assert refusal.code == "weak_password"
    else:
        assert accepted == accept(accepted.decode(), email) == forms(password)[0]
        assert len(accepted) <= 72
