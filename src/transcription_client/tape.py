"""The sound of a transcription that may still be needed: what was not sent yet, and what another session must hear.

Sound that was sent and has no final words yet is kept, because words may be lost with the connection. It is sent again
to the next session and is billed again where the lost one had billed it: no word is lost, for at most KEEP_SECONDS."""

from bisect import bisect_right
from typing import Final

from transcription_client.core import Format
from transcription_wire import messages as wire

KEEP_SECONDS: Final = 60.0


class Tape:
    """Positions are bytes of the sound since the transcription began. `unsent` bytes at the end of what is kept have
    not gone to the present session; it has been sent `sent`, from which its own times count."""

    def __init__(self, audio: Format, keep_seconds: float = KEEP_SECONDS) -> None:
        self._audio = audio
        self._most = int(keep_seconds * audio.sample_rate) * audio.block
        self._sound = bytearray()
        self._begin = 0
        self.unsent = 0
        self._sent = 0
        self._shifts = [(0, 0)]
        """Bytes of the present session, and what to add from there on for a position; sound may be lost between."""
        self._ever_sent = 0
        self._words_until = 0
        """Where the last words ended, final or not."""
        self._finals: dict[int, int] = {}
        """Where the last final ended, by channel."""
        self._repeats: dict[int, int] = {}
        """Up to where words were final before the present session."""

    def __len__(self) -> int:
        return len(self._sound)

    def fits(self, nbytes: int) -> bool:
        """Whether so much more can come without a loss."""
        return self.unsent + nbytes <= self._most

    @property
    def seconds(self) -> float:
        """Of the sound that is kept."""
        return len(self._sound) / self._audio.bytes_per_second

    @property
    def sent_seconds(self) -> float:
        """Of the sound that the present session was sent."""
        return self._sent / self._audio.bytes_per_second

    def append(self, sound: bytes) -> int:
        """New sound. The oldest goes where it is too much; how many bytes of it are lost."""
        self._sound += sound
        self.unsent += len(sound)
        over = len(self._sound) - self._most
        return self._drop(-(-over // self._audio.block) * self._audio.block) if over > 0 else 0

    def take(self, most: int) -> bytes:
        """The next bytes, which are sent now."""
        start = len(self._sound) - self.unsent
        piece = bytes(self._sound[start : start + most])
        self.unsent -= len(piece)
        self._sent += len(piece)
        self._ever_sent = max(self._ever_sent, self._position)
        return piece

    def hear(self, words: wire.Transcript) -> bool:
        """Words came; what is final need not be kept. False: they were final in an earlier session."""
        channel, channels = words.channel if isinstance(words.channel, list) and len(words.channel) == 2 else (0, 1)
        channels = min(max(channels, 1), self._audio.channels)
        begin, end = self._place(words.start), self._place(words.start + words.duration)
        self._words_until = max(self._words_until, end)
        if begin + end < 2 * self._repeats.get(channel, 0):
            return False
        if words.is_final:
            self._finals[channel] = max(self._finals.get(channel, 0), end)
            self._forget(min(self._finals.get(each, 0) for each in range(channels)))
        return True

    def span(self, words: wire.Transcript) -> tuple[float, float]:
        """Where the words begin and end, in the sound of the whole transcription, seconds."""
        rate = self._audio.bytes_per_second
        return self._place(words.start) / rate, self._place(words.start + words.duration) / rate

    def rewind(self) -> None:
        """The session is over: all that is kept has to be sent to the next one."""
        self.unsent = len(self._sound)
        self._sent = 0
        self._shifts = [(0, self._begin)]
        self._repeats = dict(self._finals)

    @property
    def _position(self) -> int:
        """Of the next byte that is to be sent."""
        return self._begin + len(self._sound) - self.unsent

    def _place(self, seconds: float) -> int:
        """The position of a time of the present session."""
        at = min(int(max(0.0, seconds) * self._audio.sample_rate) * self._audio.block, self._sent)
        return at + self._shifts[bisect_right(self._shifts, at, key=lambda shift: shift[0]) - 1][1]

    def _forget(self, position: int) -> None:
        """What lies before it, and was sent, is not needed any more."""
        until = position // self._audio.block * self._audio.block
        if until > self._begin:
            del self._sound[: until - self._begin]
            self._begin = until

    def _drop(self, nbytes: int) -> int:
        """Drops the oldest; how much of it is lost. What was sent before and brought no words was silence."""
        unsent_from, until = self._position, self._begin + nbytes
        words = min(until, self._words_until) - unsent_from
        unheard = until - max(unsent_from, self._ever_sent)
        del self._sound[:nbytes]
        self._begin = until
        if until > unsent_from:
            self.unsent = len(self._sound)
            if self._shifts[-1][0] == self._sent:
                self._shifts.pop()
            self._shifts.append((self._sent, until - self._sent))
        return max(0, words) + max(0, unheard)
