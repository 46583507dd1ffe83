"""What is wrong with the captions of a session that goes on: late words, and audio that no engine can understand.

The audio is looked at on the tape when the upstream sends a message, never frame by frame."""

from collections import deque
from math import ceil
from typing import Final

from transcription_proxy.stream.audience import Audience
from transcription_proxy.stream.options import Options
from transcription_proxy.stream.sound import HEAD_BYTES, QUIET_POWER, container, power
from transcription_proxy.stream.uplink import Uplink
from transcription_wire import messages as wire
from transcription_wire import sentences as said
from transcription_wire.codes import WarningCode

LATE_MS: Final = 4000
LATE_FINALS_MS: Final = 10_000
"""Without interim results words come a sentence at a time."""
MARK_SECONDS: Final = 0.5
QUIET_MS: Final = 30_000
MUTED_POWER: Final = 1e-7
"""Mean square at -70 dBFS: silence, as a microphone or an encoding may have it."""
AVERAGED_MS: Final = 3000
"""Loudness is the mean of at least so much audio: a click is not speech."""
LISTEN_SECONDS: Final = 1.0


class Warnings:
    """Tells the client what is wrong.

    `listen` comes before a message of the upstream is taken in, `compare` after it. `check` does both: it is due at
    `check_at` if the upstream sends nothing."""

    def __init__(self, client: Audience, upstream: Uplink, options: Options, now: float) -> None:
        self._client = client
        self._upstream = upstream
        self._audio = options.audio
        has_interims = ("interim_results", "true") in options.query
        self._lateness = Lateness(LATE_MS if has_interims else LATE_FINALS_MS, now)
        self._loudness = Loudness()
        self._knows_format = False
        self._heard_bytes = 0
        self._listen_at = 0.0

    def listen(self, now: float) -> None:
        """Look at the audio that came since the last time, once a second at most."""
        if now < self._listen_at:
            return
        self._listen_at = now + LISTEN_SECONDS
        tape, audio = self._upstream.tape, self._audio
        if not self._knows_format:
            self._check_format(tape.first(HEAD_BYTES))
        sound = tape.last(tape.end - self._heard_bytes)
        self._heard_bytes = tape.end
        if len(sound) >= audio.block and self._loudness.is_too_quiet(
            power(sound, audio.encoding), audio.milliseconds(len(sound)), audio.milliseconds(tape.end)
        ):
            self._warn(WarningCode.TOO_QUIET, said.QUIET if self._loudness.has_sound else said.MUTED)

    def compare(self, now: float) -> None:
        """See how late the words are."""
        end_ms = self._audio.milliseconds(self._upstream.tape.end)
        late_ms = self._lateness.news(end_ms, self._upstream.hearing.results_ms, now)
        if late_ms is not None:
            self._warn(WarningCode.BEHIND, said.behind(round(late_ms / 1000)), ceil(late_ms / 100) / 10)

    def check(self, now: float) -> None:
        self.listen(now)
        self.compare(now)

    @property
    def check_at(self) -> float:
        return self._lateness.look_at

    def _check_format(self, head: bytes) -> None:
        name = container(head)
        self._knows_format = name is not None or len(head) == HEAD_BYTES or (not head and self._heard_bytes > 0)
        if name is not None:
            wanted = f"{self._audio.encoding} at {self._audio.sample_rate} Hz"
            self._warn(WarningCode.NOT_RAW_AUDIO, said.not_raw_audio(name, wanted))

    def _warn(self, code: WarningCode, text: str, seconds: float | None = None) -> None:
        self._client.say(wire.Warning(code, text) if seconds is None else wire.Warning(code, text, seconds))


class Lateness:
    """How long words take, by audio and by time: sound that comes faster than it was spoken has not waited long, and
    a client that sends nothing waits for nothing. Positions are milliseconds of audio, times are seconds."""

    def __init__(self, late_ms: int, now: float) -> None:
        self._late_ms = late_ms
        self._told_ms = 0
        self._answered_at = now
        """All audio that had come by then has its words."""
        self._marks: deque[tuple[int, float]] = deque(maxlen=128)
        """Where the audio ended at times since."""
        self.look_at = now + late_ms / 1000

    def news(self, end_ms: int, words_ms: int, now: float) -> int | None:
        """Return how late words are, if the client is to be told now; 0 when it is over.

        `end_ms`: where the audio ends; `words_ms`: where its words end."""
        self._mark(end_ms, words_ms, now)
        ahead_ms = end_ms - words_ms
        late_ms = min(ahead_ms, round((now - self._answered_at) * 1000))
        told = self._tell(late_ms)
        beyond_ms = self._limit_ms + 50
        self.look_at = max(self._answered_at + beyond_ms / 1000, now + max(100, beyond_ms - ahead_ms) / 1000)
        return told

    @property
    def _limit_ms(self) -> int:
        """How late words have to be for the client to be told."""
        return 2 * self._told_ms or self._late_ms

    def _tell(self, late_ms: int) -> int | None:
        if self._told_ms and late_ms <= self._late_ms * 3 // 4:  # not at the limit, where it would come and go
            self._told_ms = 0
            return 0
        if late_ms <= self._limit_ms:
            return None
        self._told_ms = late_ms
        return late_ms

    def _mark(self, end_ms: int, words_ms: int, now: float) -> None:
        marks = self._marks
        while marks and marks[0][0] <= words_ms:
            self._answered_at = marks.popleft()[1]
        if end_ms <= words_ms:
            self._answered_at = now
        elif not marks or (end_ms > marks[-1][0] and now >= marks[-1][1] + MARK_SECONDS):
            marks.append((end_ms, now))


class Loudness:
    """Finds 30 s of audio under -50 dBFS, once."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._summed_ms = 0
        self._quiet_from_ms = 0
        self._is_told = False
        self.has_sound = False
        """Whether the quiet audio is more than digital silence."""

    def is_too_quiet(self, power: float, length_ms: int, end_ms: int) -> bool:
        """Take in the mean square of so much audio, which ends at `end_ms`; return whether to tell the client."""
        self._sum += power * length_ms
        self._summed_ms += length_ms
        if self._summed_ms < AVERAGED_MS:
            return False
        mean = self._sum / self._summed_ms
        self._sum, self._summed_ms = 0.0, 0
        if mean >= QUIET_POWER:
            self._quiet_from_ms, self.has_sound = end_ms, False
            return False
        self.has_sound = self.has_sound or mean > MUTED_POWER
        if self._is_told or end_ms - self._quiet_from_ms < QUIET_MS:
            return False
        self._is_told = True
        return True
