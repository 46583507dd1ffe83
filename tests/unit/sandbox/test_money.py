"""Amounts: shown to people, typed by people, and lowered by codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_sandbox import money


@pytest.mark.parametrize(("cents", "text"), [(300, "$3.00"), (5, "$0.05"), (-150, "-$1.50"), (123456, "$1234.56")])
def test_an_amount_is_shown_in_dollars(cents: int, text: str) -> None:
    assert money.shown(cents) == text


@pytest.mark.parametrize(("text", "cents"), [("3", 300), ("3.5", 350), (" 3.05 ", 305), ("0", 0)])
def test_a_typed_amount_is_read(text: str, cents: int) -> None:
    assert money.typed(text) == cents


@pytest.mark.parametrize("text", ["", ".", ".5", "3.", "3,5", "3.005", "-3", "+3", "1e2", "$3", "٣", "1" * 10, "3.٣"])
def test_what_is_no_amount_is_none(text: str) -> None:
    assert money.typed(text) is None


@given(st.integers(0, 99_999_999))
def test_what_is_shown_can_be_typed(cents: int) -> None:
    assert money.typed(money.shown(cents).removeprefix("$")) == cents


@pytest.mark.parametrize(
    ("subtotal", "code", "off"),
    [(300, None, 0), (300, "FREE100", 300), (300, "HALF50", 150), (301, "HALF50", 151), (1, "HALF50", 1)],
)
def test_a_code_takes_its_part_off(subtotal: int, code: str | None, off: int) -> None:
    assert money.discount(subtotal, code) == off
