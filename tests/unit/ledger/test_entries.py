from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.errors import Refusal
from transcription_proxy.ledger.entries import (
    MAX_CREDITS,
    Balance,
    audio_seconds,
    balance_after,
    billable,
    low_mark,
    new_hold,
    upstream_seconds,
)


@pytest.mark.parametrize(
    ("available", "remaining", "cap", "sessions", "taken", "hold"),
    [
        (1000, 0, 45, 2, 0, 45),  # the cap
        (20, 0, 45, 2, 0, 5),  # a quarter for two sessions
        (15, 0, 45, 2, 0, 4),  # rounded up
        (1, 0, 45, 2, 0, 1),
        (0, 0, 45, 2, 0, 0),  # nothing to hold
        (0, 7, 45, 2, 0, 7),  # never lowered
        (-50, 7, 45, 2, 0, 7),  # overdrawn by a claw-back: none is granted
        (10, 30, 45, 2, 0, 30),  # its own share is more than it may have now
        (2, 0, 45, 1, 1, 1),
        (5, 0, 45, 1, 4, 1),  # a neighbour in the batch came first
        (5, 0, 45, 1, 5, 0),
        (5, 1, 45, 1, 9, 1),
        (3, 0, 2, 1, 0, 2),
    ],
)
def test_new_hold(available: int, remaining: int, cap: int, sessions: int, taken: int, hold: int) -> None:
    assert new_hold(available, remaining, cap, sessions, taken) == hold


@given(
    st.integers(-100, MAX_CREDITS), st.integers(0, 500), st.integers(1, 500), st.integers(1, 10), st.integers(0, 500)
)
def test_a_new_hold_is_never_lower_and_never_more_than_there_is(
    available: int, remaining: int, cap: int, sessions: int, taken: int
) -> None:
    hold = new_hold(available, remaining, cap, sessions, taken)
    assert remaining <= hold <= remaining + max(available - taken, 0)
    assert hold <= max(cap, remaining)


@pytest.mark.parametrize(
    ("total", "settled", "hold", "billed"), [(7, 5, 10, 7), (99, 5, 10, 15), (3, 5, 10, 3), (-1, 5, 10, 0)]
)
def test_billable(total: int, settled: int, hold: int, billed: int) -> None:
    assert billable(total, settled, hold) == billed


@pytest.mark.parametrize(
    ("granted", "mark"),
    [
        (0, 0),
        (4, 0),
        (5, 1),
        (600, 120),  # a trial of ten minutes warns below two
        (2999, 599),
        (3000, 600),
        (30_000, 600),
        (MAX_CREDITS, 600),
    ],
)
def test_low_mark(granted: int, mark: int) -> None:
    assert low_mark(granted) == mark


def test_available_leaves_out_what_is_held_or_frozen() -> None:
    assert Balance(100, 30, 20).available == 50
    assert Balance(10, 30, 20).available == -40


def test_balance_after() -> None:
    assert balance_after(Balance(100, 30, 20), 5) == 105
    assert balance_after(Balance(100, 30, 20), -50) == 50
    assert balance_after(Balance(-20), 5) == -15


@pytest.mark.parametrize(
    ("balance", "seconds", "code", "figure"),
    [
        (Balance(100, 30, 20), -51, "insufficient_credits", "50"),
        (Balance(10, 30, 20), -1, "insufficient_credits", "0"),
        (Balance(1), MAX_CREDITS, "amount_too_large", "1,000,000,000"),
        (Balance(-5), MAX_CREDITS + 1, "amount_too_large", "1,000,000,000"),
        (Balance(), -MAX_CREDITS - 1, "amount_too_large", "1,000,000,000"),
    ],
)
def test_balance_after_refuses(balance: Balance, seconds: int, code: str, figure: str) -> None:
    with pytest.raises(Refusal) as refusal:
        balance_after(balance, seconds)
    assert refusal.value.code == code
    assert figure in refusal.value.message


@pytest.mark.parametrize(("milliseconds", "seconds"), [(0, "0.0"), (49, "0.0"), (50, "0.1"), (1250, "1.3")])
def test_audio_seconds(milliseconds: int, seconds: str) -> None:
    assert str(audio_seconds(milliseconds)) == seconds


def test_upstream_seconds() -> None:
    assert upstream_seconds(None) is None
    assert upstream_seconds(1234) == Decimal("1.234")
    assert upstream_seconds(10**30) == Decimal("999999999.999")
