"""What is kept of the sound, what is sent again to another session, and what is said to be lost."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_client.core import Format
from transcription_client.tape import KEEP_SECONDS, Tape
from transcription_wire import messages as wire

AUDIO = Format(sample_rate=10)
"""20 bytes a second."""
SECOND = AUDIO.bytes_per_second
STEREO = Format(sample_rate=10, channels=2)


def sound(seconds: float, first: float = 0) -> bytes:
    """Of which no two samples of the first half hour are alike."""
    return b"".join(sample.to_bytes(2, "big") for sample in range(round(first * 10), round((first + seconds) * 10)))


def words(start: float, end: float, *, final: bool = True, channel: list[int] | None = None) -> wire.Transcript:
    message = wire.Transcript("words", final, 0.9, start, end - start, final)
    if channel is not None:
        message.channel = channel
    return message


def sent(seconds: float, audio: Format = AUDIO, keep_seconds: float = KEEP_SECONDS) -> Tape:
    """A tape of which everything went to a session."""
    tape = Tape(audio, keep_seconds)
    assert tape.append(sound(seconds) * audio.channels) == 0
    tape.take(len(tape))
    return tape


def test_sound_is_sent_in_order_and_once() -> None:
    tape = Tape(AUDIO)
    tape.append(sound(2))
    assert tape.take(SECOND) == sound(1)
    tape.append(sound(1, first=2))
    assert tape.take(10 * SECOND) == sound(2, first=1)
    assert tape.take(SECOND) == b""
    assert (tape.unsent, tape.sent_seconds, tape.seconds) == (0, 3.0, 3.0)


def test_another_session_gets_audio_since_the_last_final_words_and_then_new_audio() -> None:
    tape = sent(5)
    assert tape.record_words(words(0, 2))
    tape.rewind()
    tape.append(sound(1, first=5))
    assert (tape.unsent, tape.sent_seconds) == (4 * SECOND, 0.0)
    assert tape.take(10 * SECOND) == sound(4, first=2)


def test_words_that_may_still_change_are_not_final() -> None:
    tape = sent(5)
    assert tape.record_words(words(0, 4, final=False))
    tape.rewind()
    assert tape.take(10 * SECOND) == sound(5)


def test_the_times_of_another_session_count_from_what_it_was_sent() -> None:
    tape = sent(5)
    tape.record_words(words(0, 2))
    tape.rewind()
    tape.take(2 * SECOND)
    assert tape.span_of(words(0, 1.5))[1] == 3.5
    assert tape.record_words(words(0, 1.5))
    tape.rewind()
    assert tape.take(10 * SECOND) == sound(1.5, first=3.5)


@pytest.mark.parametrize("end", [5.0, 5.04, 6.0, 1e300])
def test_no_words_are_believed_of_sound_that_was_not_sent(end: float) -> None:
    tape = sent(5)
    tape.append(sound(1, first=5))
    assert tape.record_words(words(0, end))
    tape.rewind()
    assert tape.take(10 * SECOND) == sound(1, first=5)


def test_nor_of_a_time_before_the_beginning() -> None:
    tape = sent(2)
    assert tape.record_words(words(-7, -5))
    assert len(tape) == 2 * SECOND


def test_sound_is_cut_between_samples_only() -> None:
    tape = sent(1)
    tape.append(b"\xff")
    tape.take(1)
    tape.record_words(words(0, 0.55))
    assert len(tape) == 5 * AUDIO.block + 1
    tape.record_words(words(0.55, 9))
    assert len(tape) == 1
    tape.rewind()
    tape.append(b"\xee")
    assert tape.take(2) == b"\xff\xee"


def test_sixty_seconds_are_kept() -> None:
    tape = Tape(AUDIO)
    assert tape.append(sound(KEEP_SECONDS - 0.1)) == 0
    assert tape.fits(2)
    assert not tape.fits(3)
    assert tape.append(sound(0.1, first=59.9)) == 0
    assert not tape.fits(1)
    assert tape.append(sound(0.1, first=60)) == 2
    assert tape.take(SECOND) == sound(1, first=0.1)


@pytest.mark.parametrize(("nbytes", "dropped"), [(1, 2), (2, 2), (3, 4)])
def test_the_oldest_is_lost_by_the_sample(nbytes: int, dropped: int) -> None:
    tape = Tape(AUDIO, 1)
    tape.append(sound(1))
    assert tape.append(bytes(nbytes)) == dropped
    assert tape.take(SECOND)[:2] == sound(1)[dropped : dropped + 2]


def test_what_a_session_was_sent_is_not_lost_while_that_session_lives() -> None:
    tape = sent(5, keep_seconds=5)
    tape.record_words(words(0, 1, final=False))
    assert tape.fits(5 * SECOND)
    assert tape.append(sound(2, first=5)) == 0
    assert tape.take(10 * SECOND) == sound(2, first=5)
    tape.rewind()
    assert tape.take(10 * SECOND) == sound(5, first=2)


def test_silence_that_was_sent_before_is_not_lost_when_it_goes() -> None:
    tape = sent(5, keep_seconds=5)
    tape.rewind()
    assert tape.append(sound(5, first=5)) == 0
    assert tape.append(sound(1, first=10)) == SECOND
    assert tape.take(10 * SECOND) == sound(5, first=6)


def test_words_that_were_not_final_are_lost_when_they_go() -> None:
    tape = sent(5, keep_seconds=5)
    tape.record_words(words(0, 2, final=False))
    tape.rewind()
    assert tape.append(sound(3, first=5)) == 2 * SECOND


def test_times_are_right_after_sound_was_lost_in_mid_session() -> None:
    tape = sent(2, keep_seconds=4)
    assert tape.append(sound(7, first=2)) == 3 * SECOND
    assert tape.take(10 * SECOND) == sound(4, first=5)
    assert tape.span_of(words(0, 1.5))[1] == 1.5
    assert tape.span_of(words(0, 3.0))[1] == 6.0
    tape.record_words(words(0, 3.0))
    tape.rewind()
    assert tape.take(10 * SECOND) == sound(3, first=6)


def test_times_are_right_after_sound_was_lost_again_and_again() -> None:
    tape = sent(2, keep_seconds=4)
    for second in range(2, 9):
        tape.append(sound(1, first=second))
    assert tape.take(10 * SECOND) == sound(4, first=5)
    assert tape.span_of(words(0, 3.0))[1] == 6.0


def test_with_channels_of_their_own_it_is_final_when_it_is_on_all_of_them() -> None:
    tape = sent(5, STEREO)
    tape.record_words(words(0, 4, channel=[0, 2]))
    assert tape.seconds == 5
    tape.record_words(words(0, 3, channel=[1, 2]))
    assert tape.seconds == 2


def test_words_of_a_channel_that_were_final_before_are_repeated_words() -> None:
    tape = sent(5, STEREO)
    tape.record_words(words(0, 4, channel=[0, 2]))
    tape.record_words(words(0, 2, channel=[1, 2]))
    tape.rewind()
    tape.take(len(tape))
    assert not tape.record_words(words(0, 1, final=False, channel=[0, 2]))
    assert not tape.record_words(words(0, 2, channel=[0, 2]))
    assert tape.record_words(words(0, 2, channel=[1, 2]))
    assert tape.record_words(words(2, 3, channel=[0, 2]))
    assert tape.seconds == 1


@pytest.mark.parametrize("channel", [[0, 0], [0, -1], [0, 10**12], [0], [], [0, 1, 2]])
def test_channels_of_a_strange_service_are_one(channel: list[int]) -> None:
    tape = sent(5)
    assert tape.record_words(words(0, 2, channel=channel))
    assert tape.seconds == 3


SIZES = st.integers(0, 200).map(lambda samples: samples * AUDIO.block)
OPS = st.lists(st.tuples(st.sampled_from(["append", "take", "final", "interim", "rewind"]), SIZES), max_size=60)


@dataclass
class Model:
    """What is known of each byte of all the sound, by its position."""

    tape: Tape
    made: bytes = b""
    session: list[int] = field(default_factory=list)
    """Positions that the present session was sent, in order."""
    ever_sent: set[int] = field(default_factory=set)
    words_until: int = 0

    @property
    def begin(self) -> int:
        """Of what is kept."""
        return len(self.made) - len(self.tape)

    @property
    def next(self) -> int:
        """To be sent."""
        return len(self.made) - self.tape.unsent

    def append(self, size: int) -> None:
        """What goes and was not sent to this session is lost, unless an earlier one had it and heard no word there."""
        self.made += b"".join(at.to_bytes(2, "big") for at in range(len(self.made) // 2, (len(self.made) + size) // 2))
        begin, unsent_from = len(self.made) - size - len(self.tape), len(self.made) - size - self.tape.unsent
        lost = self.tape.append(self.made[len(self.made) - size :])
        gone = range(max(begin, unsent_from), self.begin)
        assert lost == sum(1 for at in gone if at not in self.ever_sent or at < self.words_until)

    def take(self, size: int) -> None:
        begin = self.next
        piece = self.tape.take(size)
        assert piece == self.made[begin : begin + size]
        self.session += range(begin, begin + len(piece))
        self.ever_sent.update(range(begin, begin + len(piece)))

    def hear(self, size: int, *, final: bool) -> None:
        """Words up to so many bytes of this session: what lies before them goes if they are final, and nothing else."""
        heard = min(size, len(self.session))
        end = self.session[heard] if heard < len(self.session) else self.next
        begin = self.begin
        self.tape.record_words(words(max(0.0, heard / SECOND - 0.1), heard / SECOND, final=final))
        self.words_until = max(self.words_until, end)
        assert self.begin == (max(begin, end) if final else begin)

    def rewind(self) -> None:
        self.tape.rewind()
        self.session.clear()
        assert self.next == self.begin


@given(OPS, st.integers(1, 8))
def test_only_final_or_too_old_audio_is_dropped_and_losses_are_counted(
    ops: list[tuple[str, int]], keep_seconds: int
) -> None:
    model = Model(Tape(AUDIO, keep_seconds))
    for kind, size in ops:
        match kind:
            case "append":
                model.append(size)
            case "take":
                model.take(size)
            case "rewind":
                model.rewind()
            case _:
                model.hear(size, final=kind == "final")
        assert len(model.tape) <= keep_seconds * SECOND
    model.rewind()
    assert model.tape.take(len(model.made)) == model.made[len(model.made) - len(model.tape) :]
