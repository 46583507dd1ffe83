"""Amounts: shown to people, typed by people, and lowered by codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_sandbox import money


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (300, "usd", "$3.00"),
        (5, "eur", "€0.05"),
        (-150, "usd", "-$1.50"),
        (123456, "chf", "1234.56 CHF"),
        (-1, "chf", "-0.01 CHF"),
        (300, "jpy", "300 JPY"),
    ],
)
def test_an_amount_is_shown_in_its_currency(amount: int, currency: str, text: str) -> None:
    assert money.shown(amount, currency) == text


@pytest.mark.parametrize(
    ("typed", "currency", "cents"),
    [("3", "usd", 300), ("3.5", "usd", 350), (" 3.05 ", "usd", 305), ("0", "usd", 0), ("300", "jpy", 300)],
)
def test_what_was_typed_is_understood(typed: str, currency: str, cents: int) -> None:
    assert money.cents(typed, currency) == cents


@pytest.mark.parametrize("typed", ["", ".", ".5", "3.", "3,5", "3.005", "-3", "+3", "1e2", "$3", "٣", "1" * 10, "3.٣"])
def test_what_is_no_amount_is_none(typed: str) -> None:
    assert money.cents(typed, "usd") is None


def test_there_are_no_parts_of_a_yen() -> None:
    assert money.cents("3.0", "jpy") is None


@given(st.integers(0, 99_999_999))
def test_what_is_shown_can_be_typed(amount: int) -> None:
    assert money.cents(money.shown(amount, "usd").removeprefix("$"), "usd") == amount


@pytest.mark.parametrize(
    ("subtotal", "code", "off"),
    [(300, None, 0), (300, "FREE100", 300), (300, "HALF50", 150), (301, "HALF50", 151), (1, "HALF50", 1)],
)
def test_a_code_takes_its_part_off(subtotal: int, code: str | None, off: int) -> None:
    assert money.discount(subtotal, code) == off
