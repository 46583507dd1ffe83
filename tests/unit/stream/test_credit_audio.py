"""Credit and audio: never a byte that the grant does not cover, and when a settle is due."""

from uuid import UUID

import pytest

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.credits import MICRO
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.values import Opened, Settled

ID = UUID(int=7)
USER = UUID(int=3)
AUDIO = AudioFormat()
SECOND = AUDIO.bytes_per_second


def live(grant: int, micro: int = MICRO, audio: AudioFormat = AUDIO) -> SessionCredit:
    """Return a credit opened at 0 s, which admits frames."""
    credit = SessionCredit(Opened(ID, USER, grant, 1000), audio, micro, 0.0)
    credit.set_open(True)
    return credit


def answer(credit: SessionCredit, grant: int) -> None:
    """Answer the settle under way with a grant."""
    credit.record_answer(Settled(ID, credit.number, grant, credit.total, 1000, 0))


def settle(credit: SessionCredit, grant: int) -> None:
    credit.begin_settle(0.0)
    answer(credit, grant)


def fail(credit: SessionCredit) -> None:
    credit.begin_settle(0.0)
    credit.record_failure()


def test_a_new_credit_admits_nothing() -> None:
    credit = SessionCredit(Opened(ID, USER, 45, 1000), AUDIO, MICRO, 0.0)
    assert not credit.admit(2, 0.0)
    credit.set_open(True)
    assert credit.admit(2, 0.0)


def test_while_it_is_shut_frames_pass_by_take_only() -> None:
    credit = live(45)
    credit.set_open(False)
    assert not credit.admit(2, 0.0)
    assert credit.take(2, 0.0) == 2
    assert not credit.admit(2, 0.0)
    credit.set_open(True)
    assert credit.admit(2, 0.0)


def test_the_frame_at_the_end_of_the_grant_is_cut_there() -> None:
    credit = live(1)
    assert credit.take(SECOND - 3, 0.0) == SECOND - 3
    assert not credit.admit(SECOND, 0.0)
    assert credit.take(SECOND, 0.0) == 3
    assert credit.take(SECOND, 0.0) == 0
    assert (credit.total, credit.is_exhausted) == (1, True)


def test_a_grant_that_ends_within_a_sample_covers_none_of_that_sample() -> None:
    credit = live(1, 3 * MICRO, AudioFormat("mulaw", 8000, 8))  # a third of a second of eight channels
    assert credit.take(10**6, 0.0) == 8000 // 3 * 8
    assert credit.is_exhausted


def test_a_grant_is_exhausted_when_the_rest_is_less_than_a_sample() -> None:
    credit = live(1)
    credit.take(SECOND - 2, 0.0)
    assert not credit.is_exhausted
    credit.take(1, 0.0)
    assert credit.is_exhausted


def test_nothing_passes_from_the_moment_the_grant_ends() -> None:
    credit = live(45)
    assert credit.admit(2, 44.999)
    assert not credit.admit(2, 45.0)
    assert credit.take(2, 45.0) == 0
    assert credit.last_audio == 44.999
    credit.begin_settle(45.0)
    answer(credit, 45)
    assert credit.admit(2, 45.0)


def test_a_grant_lowered_below_what_was_used_lets_nothing_pass_until_it_is_raised() -> None:
    credit = live(45)
    assert credit.take(5 * SECOND, 0.0) == 5 * SECOND
    settle(credit, 3)
    assert (credit.allowance, credit.take(2, 0.0), credit.is_exhausted, credit.total) == (0, 0, True, 5)
    settle(credit, 6)
    assert credit.take(2 * SECOND, 0.0) == SECOND


def test_a_settle_is_due_at_eight_seconds() -> None:
    credit = live(45)
    assert credit.admit(8 * SECOND - 2, 0.0)
    assert not credit.needs_settle(0.0)
    assert not credit.admit(2, 0.0)  # it has to be decided
    assert credit.take(2, 0.0) == 2
    assert credit.needs_settle(0.0)


def test_a_settle_is_due_at_half_the_hold_when_that_is_less() -> None:
    credit = live(6)
    credit.take(3 * SECOND - 2, 0.0)
    assert not credit.needs_settle(0.0)
    credit.take(2, 0.0)
    assert credit.needs_settle(0.0)
    settle(credit, 8)  # 5 of them are held
    credit.take(5 * SECOND // 2 - 2, 0.0)
    assert not credit.needs_settle(0.0)
    credit.take(2, 0.0)
    assert credit.needs_settle(0.0)


def test_nothing_unsettled_is_never_due() -> None:
    credit = live(0)
    assert not credit.needs_settle(0.0)
    settle(credit, 45)
    credit.take(SECOND, 0.0)
    settle(credit, 1)
    assert (credit.is_exhausted, credit.needs_settle(0.0)) == (True, False)


def test_no_second_settle_is_due_while_one_is_under_way() -> None:
    credit = live(45)
    credit.take(9 * SECOND, 0.0)
    assert (credit.begin_settle(0.0).total, credit.is_settling, credit.needs_settle(0.0)) == (9, True, False)
    assert credit.admit(SECOND // 10, 0.0)
    assert not credit.needs_settle(0.0)
    answer(credit, 54)
    assert (credit.is_settling, credit.needs_settle(0.0)) == (False, False)


def test_audio_after_the_settle_was_sent_stays_unsettled() -> None:
    credit = live(45)
    credit.take(8 * SECOND, 0.0)
    credit.begin_settle(0.0)
    credit.take(SECOND, 0.0)
    answer(credit, 53)
    credit.begin_settle(0.0)
    assert credit.take(20 * SECOND, 0.0) == 9 * SECOND  # up to 10 s after the 8 that are settled


def test_at_ten_seconds_unsettled_nothing_more_passes_until_the_answer() -> None:
    credit = live(45)
    credit.take(8 * SECOND, 0.0)
    credit.begin_settle(0.0)
    assert credit.admit(2 * SECOND, 0.0)
    assert not credit.admit(2, 0.0)
    assert credit.take(2, 0.0) == 0
    assert not credit.is_exhausted
    answer(credit, 53)
    assert credit.admit(SECOND, 0.0)


def test_the_pause_cuts_at_a_sample_too_when_frames_did_not() -> None:
    credit = live(45)
    credit.take(3, 0.0)
    settle(credit, 45)
    credit.take(20 * SECOND, 0.0)
    assert credit.forwarded == 10 * SECOND + 2


def test_while_settles_fail_it_goes_on_to_the_end_of_the_grant() -> None:
    credit = live(45)
    credit.take(10 * SECOND, 0.0)
    fail(credit)
    assert not credit.needs_settle(0.0)  # it is asked again by the clock
    assert credit.take(30 * SECOND, 0.0) == 30 * SECOND
    fail(credit)
    assert credit.take(10 * SECOND, 0.0) == 5 * SECOND
    assert (credit.settled, credit.total, credit.is_exhausted) == (0, 45, True)


def test_while_settles_fail_no_more_than_eight_seconds_pass_unseen() -> None:
    credit = live(45)
    fail(credit)
    for _ in range(2):
        assert credit.admit(8 * SECOND, 0.0)
        assert not credit.admit(2, 0.0)  # somebody has to look
        assert credit.take(2, 0.0) == 2
    credit.begin_settle(0.0)
    assert credit.admit(8 * SECOND, 0.0)
    assert not credit.admit(2, 0.0)


def test_the_pause_is_back_with_the_first_settle_that_is_booked() -> None:
    credit = live(100)
    credit.take(10 * SECOND, 0.0)
    fail(credit)
    credit.take(10 * SECOND, 0.0)
    assert credit.begin_settle(0.0).total == 20  # all of it is stated again
    answer(credit, 100)
    assert credit.take(20 * SECOND, 0.0) == 10 * SECOND


def test_last_audio_is_when_audio_passed_last() -> None:
    credit = live(1)
    assert credit.last_audio == 0.0
    credit.admit(2, 1.0)
    assert credit.last_audio == 1.0
    credit.take(2 * SECOND, 2.0)
    assert credit.last_audio == 2.0
    credit.take(SECOND, 3.0)
    credit.admit(SECOND, 4.0)
    assert credit.last_audio == 2.0


@pytest.mark.parametrize("settles", [0, 1, 7, 50])
def test_the_total_is_rounded_once_however_often_it_is_settled(settles: int) -> None:
    credit = live(1000, micro=340_000)
    for frame in range(500):  # of a tenth of a second
        credit.take(SECOND // 10, 0.0)
        if settles and frame % (500 // settles) == 0:
            settle(credit, 1000)
        elif frame % 50 == 49:
            fail(credit)  # so that it does not pause
    assert credit.total == 17  # 0.34 times 50 seconds
