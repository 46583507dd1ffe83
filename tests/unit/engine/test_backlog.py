"""What waits to be heard: in which turns it is taken, when there is too much, and how late it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_engine.backlog import (
    MAX_BACKLOG_BYTES,
    MAX_BACKLOG_SECONDS,
    MAX_FINALIZES,
    MAX_TURNS_AT_ONCE,
    TURN_SECONDS,
    Backlog,
)

RATE = 1000
SECOND = 4 * RATE
"""Two channels."""
TURN_BYTES = int(TURN_SECONDS * SECOND)


def backlog(*audio: bytes, now: float = 0.0) -> Backlog:
    waiting = Backlog(RATE, 4)
    for each in audio:
        waiting.add(each, now)
    return waiting


def test_audio_comes_out_in_order_half_a_second_at_a_time() -> None:
    first, second, rest = bytes([1]) * TURN_BYTES, bytes([2]) * TURN_BYTES, bytes([3]) * 10
    waiting = backlog(first + second[:7], second[7:] + rest)
    assert [waiting.take(0), waiting.take(0), waiting.take(0)] == [first, second, b""]


def test_what_is_less_than_a_turn_waits_until_it_is_one() -> None:
    waiting = backlog(bytes(TURN_BYTES - 1))
    assert waiting.take(0) == b""
    waiting.add(bytes(1), 0)
    assert waiting.take(0) == bytes(TURN_BYTES)


def test_the_end_has_a_turn_of_its_own_length() -> None:
    waiting = backlog(bytes(TURN_BYTES + 3))
    assert [len(waiting.take(0, rest=True)) for _ in range(3)] == [TURN_BYTES, 3, 0]


def test_a_turn_holds_whole_samples_at_any_rate() -> None:
    waiting = Backlog(11_025, 2)
    waiting.add(bytes(22_050), 0)
    assert len(waiting.take(0)) == 2 * (11_025 // 2)


def test_a_finalize_has_its_turn_after_the_audio_before_it() -> None:
    waiting = backlog(bytes(TURN_BYTES + 3))
    waiting.finalize()
    waiting.add(bytes(TURN_BYTES), 0)
    assert not waiting.pop_finalize()
    assert len(waiting.take(0)) == TURN_BYTES
    assert not waiting.pop_finalize()
    assert len(waiting.take(0)) == 3
    assert waiting.pop_finalize()
    assert not waiting.pop_finalize()
    assert len(waiting.take(0)) == TURN_BYTES


def test_each_of_two_finalizes_has_a_turn() -> None:
    waiting = backlog()
    waiting.finalize()
    waiting.finalize()
    assert waiting.take(0) == b""
    assert [waiting.pop_finalize() for _ in range(3)] == [True, True, False]


def test_the_backlog_is_full_when_so_many_seconds_wait() -> None:
    waiting = backlog(bytes(int(MAX_BACKLOG_SECONDS * SECOND) - 1))
    assert not waiting.is_full
    waiting.add(bytes(1), 0)
    assert waiting.is_full
    waiting.take(0)
    assert not waiting.is_full


def test_the_backlog_is_full_when_so_many_bytes_wait() -> None:
    waiting = Backlog(48_000, 16)
    waiting.add(bytes(MAX_BACKLOG_BYTES - 1), 0)
    assert not waiting.is_full
    waiting.add(bytes(1), 0)
    assert waiting.is_full


def test_thirty_seconds_at_once_do_not_fill_it() -> None:
    assert not backlog(bytes(30 * SECOND)).is_full


def test_the_backlog_is_full_when_many_requests_wait() -> None:
    waiting = backlog()
    for _ in range(MAX_FINALIZES):
        assert not waiting.is_full
        waiting.finalize()
    assert waiting.is_full


def test_audio_in_real_time_is_late_by_what_waits() -> None:
    waiting = Backlog(RATE, 4)
    for tenth in range(1, 51):
        waiting.add(bytes(SECOND // 10), tenth / 10)
    assert waiting.lag(5.1) == pytest.approx(5)


def test_waiting_audio_includes_the_turn_in_progress() -> None:
    waiting = backlog(bytes(2 * SECOND))
    waiting.take(0)
    assert waiting.waiting_seconds == pytest.approx(2)
    waiting.take(0)
    assert waiting.waiting_seconds == pytest.approx(1.5)


def test_audio_that_came_ahead_of_time_is_not_late_until_its_time_has_come() -> None:
    waiting = backlog(bytes(30 * SECOND), now=100.0)
    assert waiting.lag(100.0) == 0
    assert waiting.lag(110.0) == pytest.approx(10)
    assert waiting.lag(200.0) == pytest.approx(30)


def test_a_turn_counts_as_late_while_it_is_processed() -> None:
    waiting = backlog(bytes(SECOND))
    assert waiting.lag(1.0) == pytest.approx(1)
    assert len(waiting.take(1.0)) == SECOND
    assert waiting.lag(9.0) == pytest.approx(1)
    assert waiting.take(9.0) == b""
    assert waiting.lag(9.0) == 0


def test_a_pause_is_not_owed_afterwards() -> None:
    """A client that paused is in real time again, however much it was ahead or behind before."""
    waiting = backlog(bytes(SECOND))
    waiting.take(1.0)
    waiting.take(1.0)
    waiting.add(bytes(2 * SECOND), 60.0)
    assert waiting.lag(60.0) == 0
    assert waiting.lag(61.0) == pytest.approx(1)


@pytest.mark.parametrize(
    ("late", "turns"), [(0.0, 1), (0.9, 1), (1.0, 2), (1.6, 3), (2.0, 4), (9.0, MAX_TURNS_AT_ONCE)]
)
def test_the_later_a_stream_is_the_longer_is_its_turn(late: float, turns: int) -> None:
    assert len(backlog(bytes(10 * SECOND)).take(late)) == turns * TURN_BYTES


def test_a_long_turn_is_no_longer_than_what_waits() -> None:
    waiting = backlog(bytes(3 * TURN_BYTES + 1))
    assert len(waiting.take(100.0)) == 3 * TURN_BYTES
    waiting.add(bytes(TURN_BYTES), 100.0)
    waiting.finalize()
    waiting.add(bytes(SECOND), 100.0)
    assert len(waiting.take(200.0)) == TURN_BYTES
    assert len(waiting.take(200.0)) == 1
    assert waiting.pop_finalize()


def test_nothing_waits_when_it_is_cleared() -> None:
    waiting = backlog(bytes(SECOND))
    waiting.finalize()
    waiting.clear()
    assert (waiting.take(0, rest=True), waiting.pop_finalize(), waiting.lag(60.0)) == (b"", False, 0)


@given(st.lists(st.binary(max_size=9) | st.none(), max_size=40))
def test_all_of_it_comes_out_with_every_finalize_where_it_was(said: list[bytes | None]) -> None:
    waiting = Backlog(8, 1)
    for audio in said:
        if audio is None:
            waiting.finalize()
        else:
            waiting.add(audio, 0)
    heard: list[bytes | None] = []
    while True:
        if waiting.pop_finalize():
            heard.append(None)
        elif turn := waiting.take(0, rest=True):
            heard.append(turn)
        else:
            break
    assert joined(heard) == joined(said)


def joined(parts: list[bytes | None]) -> bytes:
    """A Finalize as a letter that is no byte of theirs."""
    return b"".join(b"F" if part is None else part.hex().encode() for part in parts)
