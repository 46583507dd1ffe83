"""The tape: no byte is lost before it went up, none changes its place, and a replay is what went up before."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from transcription_proxy.stream.tape import MOST_MARKS, Mark, Tape
from transcription_wire.messages import Finalize, Stop


def numbered(audio: bytes = b"abcdefgh", block: int = 2) -> Tape:
    """A tape with audio that has not gone up."""
    tape = Tape(block)
    tape.append(audio)
    return tape


def everything(tape: Tape) -> list[bytes | Mark]:
    """What goes up, in order."""
    up = list[bytes | Mark]()
    while tape.waits:
        up.append(tape.due() or tape.take(tape.piece(1 << 20)))
    return up


def test_a_new_tape_is_empty_and_nothing_waits() -> None:
    tape = Tape(2)
    assert (len(tape), tape.end, tape.position, tape.unsent, tape.waits, tape.crowded) == (0, 0, 0, 0, False, False)
    assert tape.due() is None
    assert tape.piece(100) == 0


def test_audio_that_waits_goes_up_in_the_order_it_came() -> None:
    tape = numbered(b"abcd")
    tape.append(b"efgh")
    assert (tape.waits, tape.unsent, tape.position, tape.end) == (True, 8, 0, 8)
    assert tape.piece(6) == 6
    assert tape.take(6) == b"abcdef"
    assert tape.piece(6) == 2
    assert tape.take(2) == b"gh"
    assert (tape.waits, tape.unsent, tape.position, tape.end) == (False, 0, 8, 8)


def test_what_is_recorded_went_up_already_and_is_kept() -> None:
    tape = Tape(2)
    tape.record(memoryview(b"abcd"))
    assert (tape.waits, tape.position, len(tape)) == (False, 4, 4)
    tape.rewind()
    assert everything(tape) == [b"abcd"]


def test_recording_goes_on_after_something_was_forgotten() -> None:
    tape = Tape(2)
    tape.record(b"abcd")
    tape.forget(4)
    tape.record(b"efgh")
    tape.rewind()
    assert (tape.position, tape.end) == (4, 8)
    assert everything(tape) == [b"efgh"]


def test_requests_take_effect_between_the_bytes_they_came_between() -> None:
    tape = numbered(b"ab")
    tape.mark(Finalize())
    tape.append(b"cd")
    tape.mark(Stop())
    assert tape.due() is None
    assert tape.piece(100) == 2
    assert everything(tape) == [b"ab", Finalize(), b"cd", Stop()]


def test_a_request_alone_waits_too_and_is_due_at_once() -> None:
    tape = Tape(2)
    tape.mark(Finalize())
    assert tape.waits
    assert tape.due() == Finalize()
    assert not tape.waits
    assert tape.due() is None


def test_the_same_request_twice_in_a_row_is_one() -> None:
    tape = numbered(b"ab")
    for _ in range(3):
        tape.mark(Finalize())
    tape.mark(Stop())
    tape.append(b"cd")
    tape.mark(Stop())
    assert everything(tape) == [b"ab", Finalize(), Stop(), b"cd", Stop()]


def test_it_is_crowded_when_very_many_requests_wait() -> None:
    tape = Tape(2)
    for _ in range(MOST_MARKS - 1):
        tape.append(b"ab")
        tape.mark(Finalize())
    assert not tape.crowded
    tape.append(b"ab")
    tape.mark(Finalize())
    assert tape.crowded


def test_what_was_forgotten_is_not_heard_again() -> None:
    tape = numbered()
    tape.take(8)
    tape.forget(4)
    assert (len(tape), tape.position, tape.end) == (4, 8, 8)
    tape.rewind()
    assert (tape.position, tape.unsent) == (4, 4)
    assert everything(tape) == [b"efgh"]


def test_forgetting_cuts_at_a_sample_only() -> None:
    tape = numbered(b"abcdefgh", block=4)
    tape.take(8)
    tape.forget(7)
    tape.rewind()
    assert everything(tape) == [b"efgh"]


@pytest.mark.parametrize("position", [-3, 0, 4])
def test_forgetting_what_is_forgotten_changes_nothing(position: int) -> None:
    tape = numbered()
    tape.take(8)
    tape.forget(4)
    tape.forget(position)
    assert (len(tape), tape.end) == (4, 8)


def test_what_has_not_gone_up_is_never_forgotten() -> None:
    tape = numbered()
    tape.take(2)
    tape.forget(8)
    assert (len(tape), tape.unsent) == (6, 6)
    assert everything(tape) == [b"cdefgh"]


def test_a_bound_keeps_the_latest_of_what_went_up_and_all_that_has_not() -> None:
    tape = numbered()
    tape.bound(4)
    assert len(tape) == 8
    tape.take(6)
    tape.bound(4)
    assert (len(tape), tape.position) == (6, 6)
    tape.bound(100)
    assert len(tape) == 6
    tape.rewind()
    assert everything(tape) == [b"cdefgh"]


def test_requests_that_wait_keep_their_places_in_a_rewind() -> None:
    tape = numbered(b"abcd")
    tape.take(4)
    tape.append(b"ef")
    tape.mark(Stop())
    tape.rewind()
    assert everything(tape) == [b"abcdef", Stop()]


def test_the_last_finalize_is_said_again_after_the_same_audio() -> None:
    tape = numbered(b"ab")
    tape.mark(Finalize())
    tape.append(b"cd")
    tape.mark(Finalize())
    tape.append(b"ef")
    everything(tape)
    for _ in range(2):
        tape.rewind()
        assert everything(tape) == [b"abcd", Finalize(), b"ef"]


def test_a_finalize_that_was_not_reached_again_is_not_doubled() -> None:
    tape = numbered(b"ab")
    tape.mark(Finalize())
    everything(tape)
    tape.rewind()
    tape.rewind()
    assert everything(tape) == [b"ab", Finalize()]


def test_a_finalize_whose_audio_is_final_is_not_said_again() -> None:
    tape = numbered(b"abcd")
    tape.mark(Finalize())
    everything(tape)
    tape.forget(4)
    tape.append(b"ef")
    tape.rewind()
    assert everything(tape) == [b"ef"]


def test_a_stop_is_not_said_again() -> None:
    tape = numbered(b"ab")
    tape.mark(Stop())
    everything(tape)
    tape.rewind()
    assert everything(tape) == [b"ab"]


SIZES = st.one_of(st.integers(0, 9), st.integers(0, 200))


def test_its_first_and_newest_bytes_can_be_looked_at() -> None:
    tape = numbered(b"abcdefg")
    assert (tape.first(3), tape.first(99), tape.last(3), tape.last(99), tape.last(0)) == (
        b"abc", b"abcdefg", b"ef", b"abcdef", b"",
    )  # fmt: skip
    tape.take(4)
    tape.forget(4)
    assert (tape.first(3), tape.last(99)) == (b"", b"ef")


class TapeAgainstModel(RuleBasedStateMachine):
    """Beside a model that never forgets: every byte of the client's, and three positions in them."""

    def __init__(self) -> None:
        super().__init__()
        self.tape = Tape(self.block)
        self.whole = bytearray()
        self.begin = 0
        self.position = 0
        self.marks: list[tuple[int, Mark]] = []
        self.finalized_at: int | None = None
        self._bytes: Iterator[int] = count(1)

    block = 3

    def audio(self, nbytes: int) -> bytes:
        """Bytes that tell their places."""
        return bytes(next(self._bytes) * 7 % 251 for _ in range(nbytes))

    @rule(nbytes=SIZES)
    def append(self, nbytes: int) -> None:
        audio = self.audio(nbytes)
        self.tape.append(audio)
        self.whole += audio

    @precondition(lambda self: not self.tape.waits)
    @rule(nbytes=SIZES)
    def record(self, nbytes: int) -> None:
        audio = self.audio(nbytes)
        self.tape.record(memoryview(audio))
        self.whole += audio
        self.position = len(self.whole)

    @rule(request=st.sampled_from([Finalize(), Stop()]))
    def mark(self, request: Mark) -> None:
        self.tape.mark(request)
        if self.marks[-1:] != [(len(self.whole), request)]:
            self.marks.append((len(self.whole), request))

    @rule()
    def due(self) -> None:
        request = self.tape.due()
        if self.marks and self.marks[0][0] == self.position:
            at, expected = self.marks.pop(0)
            assert request == expected
            if request == Finalize():
                self.finalized_at = at
        else:
            assert request is None

    @rule(most=st.integers(1, 100), share=st.sampled_from([0.0, 0.5, 1.0]))
    def take(self, most: int, share: float) -> None:
        until = self.marks[0][0] if self.marks else len(self.whole)
        piece = self.tape.piece(most)
        assert piece == min(most, until - self.position)
        nbytes = round(piece * share)
        assert self.tape.take(nbytes) == self.whole[self.position : self.position + nbytes]
        self.position += nbytes

    @rule(offset=st.integers(-50, 50))
    def forget(self, offset: int) -> None:
        self.tape.forget(self.position + offset)
        self._forgotten(self.position + offset)

    @rule(nbytes=SIZES)
    def bound(self, nbytes: int) -> None:
        self.tape.bound(nbytes)
        self._forgotten(self.position - nbytes)

    def _forgotten(self, until: int) -> None:
        self.begin = max(self.begin, min(until, self.position) // self.block * self.block)

    @rule()
    def rewind(self) -> None:
        self.tape.rewind()
        self.position = self.begin
        if self.finalized_at is not None and self.finalized_at > self.begin:
            self.marks.insert(0, (self.finalized_at, Finalize()))
        self.finalized_at = None

    @invariant()
    def it_agrees_with_the_model(self) -> None:
        tape = self.tape
        assert (tape.end, tape.position) == (len(self.whole), self.position)
        assert (len(tape), tape.unsent) == (len(self.whole) - self.begin, len(self.whole) - self.position)
        assert tape.waits == (self.position < len(self.whole) or bool(self.marks))
        assert tape.crowded == (len(self.marks) >= MOST_MARKS)

    def teardown(self) -> None:
        """All that is kept can still be heard, in order."""
        self.rewind()
        up = b"".join(item for item in everything(self.tape) if isinstance(item, bytes))
        assert up == self.whole[self.begin :]


TestTapeAgainstModel = TapeAgainstModel.TestCase
TestTapeAgainstModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
