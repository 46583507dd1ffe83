"""Any order of what happens to a session's credit, beside a model that knows only sums and the rules of money 2, 12, 14
and 20. The figures come from fractions."""

from fractions import Fraction
from math import ceil, floor
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.metering.audio import FORMATS, RATES, micro_of
from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.values import Opened, Settled

ID = UUID(int=7)
USER = UUID(int=3)
SECONDS = st.fractions(0, 60, max_denominator=1000)


class Credit(RuleBasedStateMachine):
    @initialize(audio=FORMATS, rate=RATES, multichannel=st.booleans(), granted=SECONDS)
    def begin(self, audio: AudioFormat, rate: str, multichannel: bool, granted: Fraction) -> None:
        self.block, self.per_second = audio.block, audio.bytes_per_second
        self.price = Fraction(rate) * (audio.channels if multichannel else 1)
        self.now, self.asked_at, self.expires = 100.0, 100.0, 145.0
        self.grant = ceil(granted * self.price)
        self.forwarded = self.settled = self.unseen = self.number = 0
        self.asked: int | None = None
        self.released: int | None = None
        self.in_need_since: float | None = None
        self.asked_in_need = self.refused = False
        self.lenient = self.open_ = False
        micro = micro_of(rate) * (audio.channels if multichannel else 1)
        self.credit = SessionCredit(Opened(ID, USER, self.grant, 1000), audio, micro, self.now)

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

    def interval(self) -> float:
        """Return the seconds between two settles."""
        if self.lenient:
            return 1
        if self.in_need_since is not None:
            return 0.5 if self.refused else 0
        return 10

    # What happens

    @rule(seconds=st.one_of(SECONDS, SECONDS.map(lambda some: some / 100)), odd=st.integers(0, 7))
    def admit(self, seconds: Fraction, odd: int) -> None:
        size = self.nbytes(seconds, odd)
        if self.credit.admit(size, self.now):
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
        taken = self.credit.take(size, self.now)
        self.unseen = 0
        assert 0 <= taken <= size
        self.forwarded += taken
        if taken:
            assert self.allowed(self.forwarded)
        if taken < size:
            assert not taken or self.forwarded % self.block == 0
            assert not self.allowed((self.forwarded // self.block + 1) * self.block)

    @rule(seconds=st.one_of(st.floats(0, 50), st.sampled_from([0.5, 1.0, 10.0])))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.asked is None)
    @rule(release=st.booleans())
    def ask(self, release: bool) -> None:
        settlement = self.credit.begin_settle(self.now, release_hold=release)
        assert (settlement.total, settlement.number) == (ceil(self.cost(self.forwarded)), self.number + 1)
        self.asked_in_need = self.in_need_since is not None
        if release:
            self.released, self.grant = self.forwarded, settlement.total
        elif self.asked_in_need:
            self.released = None
        needs_hold = self.released != self.forwarded
        assert (settlement.extend, settlement.keep) == (needs_hold, None if needs_hold else self.grant)
        self.asked, self.unseen = self.forwarded, 0
        self.number, self.asked_at = settlement.number, self.now

    @precondition(lambda self: self.asked is not None)
    @rule(more=SECONDS)
    def answered(self, more: Fraction) -> None:
        assert self.asked is not None
        self.answer(ceil(self.cost(self.asked) + more * self.price))

    @precondition(lambda self: self.asked is not None)
    @rule(seconds=st.fractions(0, 200, max_denominator=1000))
    def answered_with_any_grant(self, seconds: Fraction) -> None:
        self.answer(ceil(seconds * self.price))

    def answer(self, grant: int) -> None:
        assert self.asked is not None
        self.settled, self.asked = self.asked, None
        self.lenient, self.unseen = False, 0
        self.refused = self.asked_in_need and grant <= self.grant
        self.in_need_since = None if grant > self.grant else self.in_need_since
        self.grant, self.expires = grant, self.asked_at + 45
        self.credit.record_answer(Settled(ID, self.number, grant, ceil(self.cost(self.settled)), 1000, 0))

    @precondition(lambda self: self.asked is not None)
    @rule()
    def failed(self) -> None:
        self.asked, self.lenient, self.unseen = None, True, 0
        self.credit.record_failure()

    @rule(waits=st.booleans())
    def audio_waits(self, waits: bool) -> None:
        self.credit.record_need(waits, self.now)
        if not (waits and (self.credit.is_exhausted or self.now >= self.expires)):
            self.in_need_since, self.refused = None, False
        elif self.in_need_since is None:
            self.in_need_since = self.now

    @rule()
    def open(self) -> None:
        self.open_, self.unseen = True, 0
        self.credit.set_open(True)

    @rule()
    def shut(self) -> None:
        self.open_, self.unseen = False, 0
        self.credit.set_open(False)

    # What holds after each

    @invariant()
    def every_byte_is_billed_once_and_rounded_once(self) -> None:
        assert (self.credit.forwarded, self.credit.settled) == (self.forwarded, self.settled)
        assert self.credit.total == ceil(self.cost(self.forwarded))

    @invariant()
    def a_settle_is_due_at_eight_seconds_or_half_the_hold_and_by_the_clock(self) -> None:
        assert self.credit.is_settling == (self.asked is not None)
        by_clock = self.asked is None and self.now >= self.asked_at + self.interval()
        needs_settle = self.credit.needs_settle(self.now)
        assert needs_settle or not (by_clock or self.must_be_due(self.forwarded))
        assert not needs_settle or by_clock or self.may_be_due(self.forwarded)

    @invariant()
    def audio_waits_ten_seconds_for_credit(self) -> None:
        assert self.credit.give_up_at == (None if self.in_need_since is None else self.in_need_since + 10)

    @invariant()
    def it_is_exhausted_when_not_a_sample_more_is_covered(self) -> None:
        if self.credit.is_exhausted:
            rounded_up = -(-self.forwarded // self.block) * self.block
            assert self.cost(rounded_up + self.block) > self.grant
        else:
            assert self.cost(self.forwarded + self.block) <= self.grant


TestCredit = Credit.TestCase
TestCredit.settings = settings(max_examples=60, deadline=None, stateful_step_count=40)
