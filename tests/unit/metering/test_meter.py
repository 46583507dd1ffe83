"""The meter: never a byte that the grant does not cover, and each byte billed once. The figures come from fractions."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from transcription_proxy.metering.audio import SAMPLE_BYTES, AudioFormat
from transcription_proxy.metering.meter import MICRO, Meter, covered_bytes, credits, credits_of_ms

SECOND = 32_000
"""Bytes of a second of the default audio."""
FOREVER = 10.0**9

RATES = st.one_of(
    st.sampled_from(["1", "1.1", "1.2", "0.34", "1.560000", "0.000001", "1000"]),
    st.integers(1, 1000 * MICRO).map(lambda micro: f"{micro // MICRO}.{micro % MICRO:06}"),
)
"""Credits a second, as a rates file says them."""
FORMATS = st.builds(AudioFormat, st.sampled_from(sorted(SAMPLE_BYTES)), st.integers(8000, 48000), st.integers(1, 8))
SECONDS = st.fractions(0, 60, max_denominator=1000)


def micro_of(rate: str) -> int:
    return int(Fraction(rate) * MICRO)


def live(grant: int, expires: float = FOREVER, micro: int = MICRO) -> Meter:
    """A meter of the default audio, that is open."""
    meter = Meter(SECOND, 2, micro, grant, 0.0, expires)
    meter.open()
    return meter


def test_fifty_seconds_at_one_point_one_are_55_credits_and_not_56() -> None:
    assert ceil(1.1 * 50) == 56  # what floats make of it
    assert credits(50 * SECOND, SECOND, 1_100_000) == 55
    assert credits_of_ms(50_000, 1_100_000) == 55


def test_no_audio_costs_nothing_and_the_first_sample_costs_a_credit() -> None:
    assert [credits(nbytes, SECOND, MICRO) for nbytes in (0, 2, SECOND, SECOND + 2)] == [0, 1, 1, 2]
    assert [credits_of_ms(ms, MICRO) for ms in (0, 1, 1000, 1001)] == [0, 1, 1, 2]


@given(FORMATS, RATES, st.integers(1, 8), st.integers(0, 10**10))
def test_credits_are_channels_times_rate_times_seconds_rounded_up(
    audio: AudioFormat, rate: str, billed: int, nbytes: int
) -> None:
    exact = billed * Fraction(rate) * Fraction(nbytes, audio.bytes_per_second)
    assert credits(nbytes, audio.bytes_per_second, billed * micro_of(rate)) == ceil(exact)
    assert credits_of_ms(nbytes, billed * micro_of(rate)) == ceil(billed * Fraction(rate) * Fraction(nbytes, 1000))


@given(FORMATS, RATES, st.integers(0, 10**9))
def test_what_a_grant_covers_is_whole_blocks_and_the_most_of_them(audio: AudioFormat, rate: str, grant: int) -> None:
    covered = covered_bytes(grant, audio.bytes_per_second, micro_of(rate), audio.block)
    assert covered % audio.block == 0
    assert Fraction(rate) * Fraction(covered, audio.bytes_per_second) <= grant
    assert Fraction(rate) * Fraction(covered + audio.block, audio.bytes_per_second) > grant


def test_the_meter_starts_shut() -> None:
    meter = Meter(SECOND, 2, MICRO, 45, 0.0, FOREVER)
    assert not meter.admit(2, 0.0)
    meter.open()
    assert meter.admit(2, 0.0)


def test_while_it_is_shut_frames_pass_by_take_only() -> None:
    meter = live(45)
    meter.shut()
    assert not meter.admit(2, 0.0)
    assert meter.take(2, 0.0) == 2
    assert not meter.admit(2, 0.0)
    meter.open()
    assert meter.admit(2, 0.0)


def test_the_frame_at_the_end_of_the_grant_is_cut_there() -> None:
    meter = live(1)
    assert meter.take(SECOND - 3, 0.0) == SECOND - 3
    assert not meter.admit(SECOND, 0.0)
    assert meter.take(SECOND, 0.0) == 3
    assert meter.take(SECOND, 0.0) == 0
    assert (meter.total, meter.is_exhausted) == (1, True)


def test_a_grant_that_ends_within_a_sample_covers_none_of_that_sample() -> None:
    meter = Meter(8 * 8000, 8, 3 * MICRO, 1, 0.0, FOREVER)  # a third of a second of eight channels
    assert meter.take(10**6, 0.0) == 8000 // 3 * 8
    assert meter.is_exhausted


def test_the_meter_is_exhausted_when_the_rest_is_less_than_a_sample() -> None:
    meter = live(1)
    meter.take(SECOND - 2, 0.0)
    assert not meter.is_exhausted
    meter.take(1, 0.0)
    assert meter.is_exhausted


def test_nothing_passes_from_the_moment_the_grant_ends() -> None:
    meter = live(45, expires=10.0)
    assert meter.admit(2, 9.999)
    assert not meter.admit(2, 10.0)
    assert meter.take(2, 10.0) == 0
    assert meter.last_audio == 9.999
    meter.regrant(45, 20.0)
    assert meter.admit(2, 10.0)


def test_a_grant_lowered_below_what_was_used_lets_nothing_pass_until_it_is_raised() -> None:
    meter = live(45)
    assert meter.take(5 * SECOND, 0.0) == 5 * SECOND
    meter.regrant(3, FOREVER)
    assert (meter.allowance, meter.take(2, 0.0), meter.is_exhausted, meter.total) == (0, 0, True, 5)
    meter.regrant(6, FOREVER)
    assert meter.take(2 * SECOND, 0.0) == SECOND


def test_a_settle_is_due_at_eight_seconds() -> None:
    meter = live(45)
    assert meter.admit(8 * SECOND - 2, 0.0)
    assert not meter.is_settle_due
    assert not meter.admit(2, 0.0)  # it has to be decided
    assert meter.take(2, 0.0) == 2
    assert meter.is_settle_due


def test_a_settle_is_due_at_half_the_hold_when_that_is_less() -> None:
    meter = live(6)
    meter.take(3 * SECOND - 2, 0.0)
    assert not meter.is_settle_due
    meter.take(2, 0.0)
    assert meter.is_settle_due
    meter.begin_settle()
    meter.complete_settle(8, FOREVER)  # 5 of them are held
    meter.take(5 * SECOND // 2 - 2, 0.0)
    assert not meter.is_settle_due
    meter.take(2, 0.0)
    assert meter.is_settle_due


def test_nothing_unsettled_is_never_due() -> None:
    meter = live(0)
    assert not meter.is_settle_due
    meter.regrant(45, FOREVER)
    meter.take(SECOND, 0.0)
    meter.begin_settle()
    meter.complete_settle(1, FOREVER)
    assert (meter.is_exhausted, meter.is_settle_due) == (True, False)


def test_no_second_settle_is_due_while_one_is_under_way() -> None:
    meter = live(45)
    meter.take(9 * SECOND, 0.0)
    assert (meter.begin_settle(), meter.is_settling, meter.is_settle_due) == (9, True, False)
    assert meter.admit(SECOND // 10, 0.0)
    assert not meter.is_settle_due
    meter.complete_settle(54, FOREVER)
    assert (meter.is_settling, meter.is_settle_due) == (False, False)


def test_audio_after_the_settle_was_sent_stays_unsettled() -> None:
    meter = live(45)
    meter.take(8 * SECOND, 0.0)
    meter.begin_settle()
    meter.take(SECOND, 0.0)
    meter.complete_settle(53, FOREVER)
    assert (meter.settled, meter.forwarded) == (8 * SECOND, 9 * SECOND)


def test_at_ten_seconds_unsettled_nothing_more_passes_until_the_answer() -> None:
    meter = live(45)
    meter.take(8 * SECOND, 0.0)
    meter.begin_settle()
    assert meter.admit(2 * SECOND, 0.0)
    assert not meter.admit(2, 0.0)
    assert meter.take(2, 0.0) == 0
    assert not meter.is_exhausted
    meter.complete_settle(53, FOREVER)
    assert meter.admit(SECOND, 0.0)


def test_the_pause_cuts_at_a_sample_too_when_frames_did_not() -> None:
    meter = live(45)
    meter.take(3, 0.0)
    meter.begin_settle()
    meter.complete_settle(45, FOREVER)
    meter.take(20 * SECOND, 0.0)
    assert meter.forwarded == 10 * SECOND + 2


def test_while_settles_fail_it_goes_on_to_the_end_of_the_grant() -> None:
    meter = live(45)
    meter.take(10 * SECOND, 0.0)
    meter.begin_settle()
    meter.fail_settle()
    assert not meter.is_settle_due  # it is asked again by the clock
    assert meter.take(30 * SECOND, 0.0) == 30 * SECOND
    meter.begin_settle()
    meter.fail_settle()
    assert meter.take(10 * SECOND, 0.0) == 5 * SECOND
    assert (meter.settled, meter.total, meter.is_exhausted) == (0, 45, True)


def test_while_settles_fail_no_more_than_eight_seconds_pass_unseen() -> None:
    meter = live(45)
    meter.fail_settle()
    for _ in range(2):
        assert meter.admit(8 * SECOND, 0.0)
        assert not meter.admit(2, 0.0)  # somebody has to look
        assert meter.take(2, 0.0) == 2
    meter.begin_settle()
    assert meter.admit(8 * SECOND, 0.0)
    assert not meter.admit(2, 0.0)


def test_the_pause_is_back_with_the_first_settle_that_is_booked() -> None:
    meter = live(100)
    meter.take(10 * SECOND, 0.0)
    meter.begin_settle()
    meter.fail_settle()
    meter.take(10 * SECOND, 0.0)
    assert meter.begin_settle() == 20  # all of it is stated again
    meter.complete_settle(100, FOREVER)
    assert meter.take(20 * SECOND, 0.0) == 10 * SECOND


def test_last_audio_is_when_audio_passed_last() -> None:
    meter = live(1)
    assert meter.last_audio == 0.0
    meter.admit(2, 1.0)
    assert meter.last_audio == 1.0
    meter.take(2 * SECOND, 2.0)
    assert meter.last_audio == 2.0
    meter.take(SECOND, 3.0)
    meter.admit(SECOND, 4.0)
    assert meter.last_audio == 2.0


@pytest.mark.parametrize("settles", [0, 1, 7, 50])
def test_the_total_is_rounded_once_however_often_it_is_settled(settles: int) -> None:
    meter = live(1000, micro=340_000)
    for frame in range(500):  # of a tenth of a second
        meter.take(SECOND // 10, 0.0)
        if settles and frame % (500 // settles) == 0:
            meter.begin_settle()
            meter.complete_settle(1000, FOREVER)
        elif frame % 50 == 49:
            meter.fail_settle()  # so that it does not pause
    assert meter.total == 17  # 0.34 times 50 seconds


class Metering(RuleBasedStateMachine):
    """Any order of events, beside a model that knows only sums and the rules of money 2, 12, 14 and 20."""

    @initialize(audio=FORMATS, rate=RATES, multichannel=st.booleans(), granted=SECONDS)
    def begin(self, audio: AudioFormat, rate: str, multichannel: bool, granted: Fraction) -> None:
        self.block, self.per_second = audio.block, audio.bytes_per_second
        self.price = Fraction(rate) * (audio.channels if multichannel else 1)
        self.now, self.expires = 100.0, 145.0
        self.grant = ceil(granted * self.price)
        self.forwarded = self.settled = self.unseen = 0
        self.asked: int | None = None
        self.lenient = self.open_ = False
        micro = micro_of(rate) * (audio.channels if multichannel else 1)
        self.meter = Meter(self.per_second, self.block, micro, self.grant, self.now, self.expires)

    # What the rules say

    def cost(self, nbytes: int) -> Fraction:
        """In credits, not rounded."""
        return self.price * Fraction(nbytes, self.per_second)

    def allowed(self, forwarded: int) -> bool:
        """Whether so many bytes in all may have gone up now."""
        paused = not self.lenient and forwarded - self.settled > 10 * self.per_second
        return self.now < self.expires and self.cost(forwarded) <= self.grant and not paused

    def due_after(self) -> Fraction:
        """Bytes: 8 s, or half the hold."""
        held = self.grant / self.price * self.per_second - self.settled
        return min(Fraction(8 * self.per_second), held / 2)

    def may_be_due(self, forwarded: int) -> bool:
        """To a sample."""
        unsettled = forwarded - self.settled + self.block + 1
        return self.asked is None and not self.lenient and unsettled >= self.due_after()

    def must_be_due(self, forwarded: int) -> bool:
        unsettled = forwarded - self.settled
        return self.asked is None and not self.lenient and unsettled >= max(Fraction(self.block), self.due_after())

    def nbytes(self, seconds: Fraction, odd: int) -> int:
        """Of a frame: not always whole samples."""
        return max(1, floor(seconds * self.per_second) // self.block * self.block + odd)

    # What happens

    @rule(seconds=st.one_of(SECONDS, SECONDS.map(lambda some: some / 100)), odd=st.integers(0, 7))
    def admit(self, seconds: Fraction, odd: int) -> None:
        size = self.nbytes(seconds, odd)
        if self.meter.admit(size, self.now):
            self.forwarded += size
            self.unseen += size
            assert self.open_
            assert not self.lenient or self.unseen <= 8 * self.per_second
            assert self.allowed(self.forwarded)
            assert not self.must_be_due(self.forwarded)  # that frame would have been for `take`
        elif self.open_:
            rounded_up = -(-(self.forwarded + size) // self.block) * self.block
            too_much = self.lenient and self.unseen + size > 8 * self.per_second
            assert too_much or not self.allowed(rounded_up) or self.may_be_due(self.forwarded + size)

    @rule(seconds=st.one_of(SECONDS, SECONDS.map(lambda some: some / 100)), odd=st.integers(0, 7))
    def take(self, seconds: Fraction, odd: int) -> None:
        size = self.nbytes(seconds, odd)
        taken = self.meter.take(size, self.now)
        self.unseen = 0
        assert 0 <= taken <= size
        self.forwarded += taken
        if taken:
            assert self.allowed(self.forwarded)
        if taken < size:
            assert not taken or self.forwarded % self.block == 0
            assert not self.allowed((self.forwarded // self.block + 1) * self.block)

    @rule(seconds=st.floats(0, 50))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.asked is None)
    @rule()
    def ask(self) -> None:
        assert self.meter.begin_settle() == ceil(self.cost(self.forwarded))
        self.asked, self.unseen = self.forwarded, 0

    @rule(more=SECONDS, lasts=st.floats(-1, 45))
    def answered(self, more: Fraction, lasts: float) -> None:
        self.settled = self.settled if self.asked is None else self.asked
        self.asked, self.lenient, self.unseen = None, False, 0
        self.grant = ceil(self.cost(self.settled) + more * self.price)
        self.expires = self.now + lasts
        self.meter.complete_settle(self.grant, self.expires)

    @rule()
    def failed(self) -> None:
        self.asked, self.lenient, self.unseen = None, True, 0
        self.meter.fail_settle()

    @rule(seconds=st.fractions(0, 200, max_denominator=1000), lasts=st.floats(-1, 45))
    def regrant(self, seconds: Fraction, lasts: float) -> None:
        self.grant, self.expires, self.unseen = ceil(seconds * self.price), self.now + lasts, 0
        self.meter.regrant(self.grant, self.expires)

    @rule()
    def open(self) -> None:
        self.open_, self.unseen = True, 0
        self.meter.open()

    @rule()
    def shut(self) -> None:
        self.open_, self.unseen = False, 0
        self.meter.shut()

    # What holds after each

    @invariant()
    def every_byte_is_billed_once_and_rounded_once(self) -> None:
        assert (self.meter.forwarded, self.meter.settled) == (self.forwarded, self.settled)
        assert self.meter.total == ceil(self.cost(self.forwarded))

    @invariant()
    def a_settle_is_due_at_eight_seconds_or_half_the_hold(self) -> None:
        assert self.meter.is_settling == (self.asked is not None)
        assert self.meter.is_settle_due or not self.must_be_due(self.forwarded)
        assert self.may_be_due(self.forwarded) or not self.meter.is_settle_due

    @invariant()
    def it_is_exhausted_when_not_a_sample_more_is_covered(self) -> None:
        if self.meter.is_exhausted:
            rounded_up = -(-self.forwarded // self.block) * self.block
            assert self.cost(rounded_up + self.block) > self.grant
        else:
            assert self.cost(self.forwarded + self.block) <= self.grant


TestMetering = Metering.TestCase
TestMetering.settings = settings(max_examples=60, deadline=None, stateful_step_count=40)
