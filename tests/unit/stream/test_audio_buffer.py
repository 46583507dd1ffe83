"""The buffer: no byte is lost before it went up, none changes its place, and a replay is what went up before."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from transcription_proxy.stream.audio_buffer import (
    MAX_NEW_FRAMES,
    MAX_WAITING_REQUESTS,
    SMALL_BYTES,
    AudioBuffer,
    ClientRequest,
)
from transcription_wire.messages import Finalize, Stop


def numbered(audio: bytes = b"abcdefgh", block: int = 2) -> AudioBuffer:
    """A buffer with audio that has not gone up."""
    buffer = AudioBuffer(block)
    buffer.append(audio)
    return buffer


def everything(buffer: AudioBuffer) -> list[bytes | ClientRequest]:
    """What goes up, in order."""
    up = list[bytes | ClientRequest]()
    while buffer.has_pending:
        up.append(buffer.pop_request() or buffer.take(buffer.sendable_bytes(1 << 20)))
    return up


def test_a_new_buffer_is_empty_and_nothing_waits() -> None:
    buffer = AudioBuffer(2)
    assert (
        len(buffer),
        buffer.end,
        buffer.position,
        buffer.unsent,
        buffer.has_pending,
        buffer.has_too_many_requests,
    ) == (0, 0, 0, 0, False, False)
    assert buffer.pop_request() is None
    assert buffer.sendable_bytes(100) == 0


def test_audio_that_waits_is_sent_in_the_order_it_came() -> None:
    buffer = numbered(b"abcd")
    buffer.append(b"efgh")
    assert (buffer.has_pending, buffer.unsent, buffer.position, buffer.end) == (True, 8, 0, 8)
    assert buffer.sendable_bytes(6) == 6
    assert buffer.take(6) == b"abcdef"
    assert buffer.sendable_bytes(6) == 2
    assert buffer.take(2) == b"gh"
    assert (buffer.has_pending, buffer.unsent, buffer.position, buffer.end) == (False, 0, 8, 8)


def test_recorded_audio_counts_as_sent_and_is_kept() -> None:
    buffer = AudioBuffer(2)
    buffer.record(b"abcd")
    assert (buffer.has_pending, buffer.position, len(buffer)) == (False, 4, 4)
    buffer.rewind()
    assert everything(buffer) == [b"abcd"]


def test_recording_goes_on_after_something_was_forgotten() -> None:
    buffer = AudioBuffer(2)
    buffer.record(b"abcd")
    buffer.discard_before(4)
    buffer.record(b"efgh")
    buffer.rewind()
    assert (buffer.position, buffer.end) == (4, 8)
    assert everything(buffer) == [b"efgh"]


def test_requests_take_effect_between_the_bytes_they_came_between() -> None:
    buffer = numbered(b"ab")
    buffer.add_request(Finalize())
    buffer.append(b"cd")
    buffer.add_request(Stop())
    assert buffer.pop_request() is None
    assert buffer.sendable_bytes(100) == 2
    assert everything(buffer) == [b"ab", Finalize(), b"cd", Stop()]


def test_a_request_alone_waits_too_and_is_due_at_once() -> None:
    buffer = AudioBuffer(2)
    buffer.add_request(Finalize())
    assert buffer.has_pending
    assert buffer.pop_request() == Finalize()
    assert not buffer.has_pending
    assert buffer.pop_request() is None


def test_the_same_request_twice_in_a_row_is_one() -> None:
    buffer = numbered(b"ab")
    for _ in range(3):
        buffer.add_request(Finalize())
    buffer.add_request(Stop())
    buffer.append(b"cd")
    buffer.add_request(Stop())
    assert everything(buffer) == [b"ab", Finalize(), Stop(), b"cd", Stop()]


def test_too_many_requests_may_wait() -> None:
    buffer = AudioBuffer(2)
    for _ in range(MAX_WAITING_REQUESTS - 1):
        buffer.append(b"ab")
        buffer.add_request(Finalize())
    assert not buffer.has_too_many_requests
    buffer.append(b"ab")
    buffer.add_request(Finalize())
    assert buffer.has_too_many_requests


def test_discarded_audio_is_not_replayed() -> None:
    buffer = numbered()
    buffer.take(8)
    buffer.discard_before(4)
    assert (len(buffer), buffer.position, buffer.end) == (4, 8, 8)
    buffer.rewind()
    assert (buffer.position, buffer.unsent) == (4, 4)
    assert everything(buffer) == [b"efgh"]


def test_forgetting_cuts_at_a_sample_only() -> None:
    buffer = numbered(b"abcdefgh", block=4)
    buffer.take(8)
    buffer.discard_before(7)
    buffer.rewind()
    assert everything(buffer) == [b"efgh"]


@pytest.mark.parametrize("position", [-3, 0, 4])
def test_discarding_twice_changes_nothing(position: int) -> None:
    buffer = numbered()
    buffer.take(8)
    buffer.discard_before(4)
    buffer.discard_before(position)
    assert (len(buffer), buffer.end) == (4, 8)


def test_unsent_audio_is_never_discarded() -> None:
    buffer = numbered()
    buffer.take(2)
    buffer.discard_before(8)
    assert (len(buffer), buffer.unsent) == (6, 6)
    assert everything(buffer) == [b"cdefgh"]


def test_trimming_keeps_the_latest_sent_audio_and_all_unsent_audio() -> None:
    buffer = numbered()
    buffer.trim(4)
    assert len(buffer) == 8
    buffer.take(6)
    buffer.trim(4)
    assert (len(buffer), buffer.position) == (6, 6)
    buffer.trim(100)
    assert len(buffer) == 6
    buffer.rewind()
    assert everything(buffer) == [b"cdefgh"]


def test_requests_that_wait_keep_their_places_in_a_rewind() -> None:
    buffer = numbered(b"abcd")
    buffer.take(4)
    buffer.append(b"ef")
    buffer.add_request(Stop())
    buffer.rewind()
    assert everything(buffer) == [b"abcdef", Stop()]


def test_the_last_finalize_is_sent_again_after_the_same_audio() -> None:
    buffer = numbered(b"ab")
    buffer.add_request(Finalize())
    buffer.append(b"cd")
    buffer.add_request(Finalize())
    buffer.append(b"ef")
    everything(buffer)
    for _ in range(2):
        buffer.rewind()
        assert everything(buffer) == [b"abcd", Finalize(), b"ef"]


def test_a_finalize_that_was_not_reached_again_is_not_doubled() -> None:
    buffer = numbered(b"ab")
    buffer.add_request(Finalize())
    everything(buffer)
    buffer.rewind()
    buffer.rewind()
    assert everything(buffer) == [b"ab", Finalize()]


def test_a_finalize_whose_audio_is_final_is_not_sent_again() -> None:
    buffer = numbered(b"abcd")
    buffer.add_request(Finalize())
    everything(buffer)
    buffer.discard_before(4)
    buffer.append(b"ef")
    buffer.rewind()
    assert everything(buffer) == [b"ef"]


def test_a_stop_is_not_sent_again() -> None:
    buffer = numbered(b"ab")
    buffer.add_request(Stop())
    everything(buffer)
    buffer.rewind()
    assert everything(buffer) == [b"ab"]


SIZES = st.one_of(st.integers(0, 9), st.integers(0, 200), st.just(SMALL_BYTES))


@pytest.mark.parametrize("size", [2, SMALL_BYTES])
def test_many_recorded_frames_are_all_kept(size: int) -> None:
    buffer = AudioBuffer(2)
    frames = [bytes([number]) * size for number in range(2 * MAX_NEW_FRAMES + 3)]
    for frame in frames:
        buffer.record(frame)
    assert buffer.position == size * len(frames)
    buffer.rewind()
    assert b"".join(item for item in everything(buffer) if isinstance(item, bytes)) == b"".join(frames)


def test_its_first_and_newest_bytes_can_be_looked_at() -> None:
    buffer = numbered(b"abcdefg")
    assert (buffer.first(3), buffer.first(99), buffer.last(3), buffer.last(99), buffer.last(0)) == (
        b"abc", b"abcdefg", b"ef", b"abcdef", b"",
    )  # fmt: skip
    buffer.take(4)
    buffer.discard_before(4)
    assert (buffer.first(3), buffer.last(99)) == (b"", b"ef")


class BufferAgainstModel(RuleBasedStateMachine):
    """Beside a model that never forgets: every byte of the client's, and three positions in them."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = AudioBuffer(self.block)
        self.whole = bytearray()
        self.begin = 0
        self.position = 0
        self.marks: list[tuple[int, ClientRequest]] = []
        self.finalized_at: int | None = None
        self._bytes: Iterator[int] = count(1)

    block = 3

    def audio(self, nbytes: int) -> bytes:
        """Bytes that tell their places."""
        return bytes(next(self._bytes) * 7 % 251 for _ in range(nbytes))

    @rule(nbytes=SIZES)
    def append(self, nbytes: int) -> None:
        audio = self.audio(nbytes)
        self.buffer.append(audio)
        self.whole += audio

    @precondition(lambda self: not self.buffer.has_pending)
    @rule(nbytes=SIZES)
    def record(self, nbytes: int) -> None:
        audio = self.audio(nbytes)
        self.buffer.record(audio)
        self.whole += audio
        self.position = len(self.whole)

    @rule(request=st.sampled_from([Finalize(), Stop()]))
    def mark(self, request: ClientRequest) -> None:
        self.buffer.add_request(request)
        if self.marks[-1:] != [(len(self.whole), request)]:
            self.marks.append((len(self.whole), request))

    @rule()
    def due(self) -> None:
        request = self.buffer.pop_request()
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
        piece = self.buffer.sendable_bytes(most)
        assert piece == min(most, until - self.position)
        nbytes = round(piece * share)
        assert self.buffer.take(nbytes) == self.whole[self.position : self.position + nbytes]
        self.position += nbytes

    @rule(offset=st.integers(-50, 50))
    def forget(self, offset: int) -> None:
        self.buffer.discard_before(self.position + offset)
        self._forgotten(self.position + offset)

    @rule(nbytes=SIZES)
    def bound(self, nbytes: int) -> None:
        self.buffer.trim(nbytes)
        self._forgotten(self.position - nbytes)

    def _forgotten(self, until: int) -> None:
        self.begin = max(self.begin, min(until, self.position) // self.block * self.block)

    @rule()
    def rewind(self) -> None:
        self.buffer.rewind()
        self.position = self.begin
        if self.finalized_at is not None and self.finalized_at > self.begin:
            self.marks.insert(0, (self.finalized_at, Finalize()))
        self.finalized_at = None

    @invariant()
    def it_agrees_with_the_model(self) -> None:
        buffer = self.buffer
        assert (buffer.end, buffer.position) == (len(self.whole), self.position)
        assert (len(buffer), buffer.unsent) == (len(self.whole) - self.begin, len(self.whole) - self.position)
        assert buffer.has_pending == (self.position < len(self.whole) or bool(self.marks))
        assert buffer.has_too_many_requests == (len(self.marks) >= MAX_WAITING_REQUESTS)

    @rule(nbytes=SIZES)
    def inspect(self, nbytes: int) -> None:
        kept = self.whole[self.begin :]
        blocks = len(kept) // self.block * self.block
        assert self.buffer.first(nbytes) == (b"" if self.begin else kept[:nbytes])
        assert self.buffer.last(nbytes) == kept[max(0, len(kept) - nbytes) // self.block * self.block : blocks]

    def teardown(self) -> None:
        """All that is kept can still be heard, in order."""
        self.rewind()
        up = b"".join(item for item in everything(self.buffer) if isinstance(item, bytes))
        assert up == self.whole[self.begin :]


TestBufferAgainstModel = BufferAgainstModel.TestCase
TestBufferAgainstModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
