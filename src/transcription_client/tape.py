"""The audio of a transcription that may still be needed: what was not sent yet, and what has no final words yet.

Words may be lost with a connection, so their audio is sent again to the next session. It is billed again if the lost
session had billed it. At most KEEP_SECONDS are kept."""

from bisect import bisect_right
from typing import Final

from transcription_client.core import Format
from transcription_wire import messages as wire

KEEP_SECONDS: Final = 60.0
"""Audio that is kept at most."""


class Tape:
    """A buffer of audio. Positions count bytes since the transcription began.

    The last `unsent` bytes were not sent to the current session yet. The session's times count from its first byte."""

    def __init__(self, audio: Format, keep_seconds: float = KEEP_SECONDS) -> None:
        self._audio = audio
        self._most = int(keep_seconds * audio.sample_rate) * audio.block
        self._sound = bytearray()
        self._begin = 0
        self.unsent = 0
        self._sent = 0
        self._shifts = [(0, 0)]
        """Pairs of a byte of the session and what to add from it on for a position. Dropped audio adds a pair."""
        self._ever_sent = 0
        self._words_until = 0
        """The position where the last words ended, final or not."""
        self._finals: dict[int, int] = {}
        """The position where the last final ended, by channel."""
        self._repeats: dict[int, int] = {}
        """The position up to which words were final before the current session, by channel."""

    def __len__(self) -> int:
        return len(self._sound)

    def fits(self, nbytes: int) -> bool:
        """Return whether `nbytes` more can be appended without dropping unsent audio."""
        return self.unsent + nbytes <= self._most

    @property
    def seconds(self) -> float:
        """Seconds of audio that are kept."""
        return len(self._sound) / self._audio.bytes_per_second

    @property
    def sent_seconds(self) -> float:
        """Seconds of audio that were sent to the current session."""
        return self._sent / self._audio.bytes_per_second

    def append(self, sound: bytes) -> int:
        """Append audio, and drop the oldest where it is too much. Return how many bytes are lost."""
        self._sound += sound
        self.unsent += len(sound)
        over = len(self._sound) - self._most
        return self._drop(-(-over // self._audio.block) * self._audio.block) if over > 0 else 0

    def take(self, most: int) -> bytes:
        """Return the next unsent bytes, at most `most`, and count them as sent."""
        start = len(self._sound) - self.unsent
        piece = bytes(self._sound[start : start + most])
        self.unsent -= len(piece)
        self._sent += len(piece)
        self._ever_sent = max(self._ever_sent, self._position)
        return piece

    def record_words(self, words: wire.Transcript) -> bool:
        """Note that words came, and drop audio that has final words.

        Return False where the words were final in an earlier session.
        """
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

    def span_of(self, words: wire.Transcript) -> tuple[float, float]:
        """Return the start and end of words, in seconds since the transcription began."""
        rate = self._audio.bytes_per_second
        return self._place(words.start) / rate, self._place(words.start + words.duration) / rate

    def rewind(self) -> None:
        """Mark all kept audio as unsent, for the next session."""
        self.unsent = len(self._sound)
        self._sent = 0
        self._shifts = [(0, self._begin)]
        self._repeats = dict(self._finals)

    @property
    def _position(self) -> int:
        """The position of the next byte to send."""
        return self._begin + len(self._sound) - self.unsent

    def _place(self, seconds: float) -> int:
        """Return the position of a time of the current session."""
        at = min(int(max(0.0, seconds) * self._audio.sample_rate) * self._audio.block, self._sent)
        return at + self._shifts[bisect_right(self._shifts, at, key=lambda shift: shift[0]) - 1][1]

    def _forget(self, position: int) -> None:
        """Drop the sent audio before a position."""
        until = position // self._audio.block * self._audio.block
        if until > self._begin:
            del self._sound[: until - self._begin]
            self._begin = until

    def _drop(self, nbytes: int) -> int:
        """Drop the oldest bytes, and return how many are lost. Audio sent earlier that had no words was silence."""
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
