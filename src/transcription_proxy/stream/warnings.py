"""Warnings for the client of a session that goes on: late words, and audio that no engine can understand.

The buffered audio is inspected when the upstream sends a message, never frame by frame."""

from math import ceil
from typing import Final

from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.options import Options
from transcription_proxy.stream.sound import HEAD_BYTES, QUIET_POWER, container, power
from transcription_proxy.stream.uplink import Uplink
from transcription_wire import messages as wire
from transcription_wire import sentences as said
from transcription_wire.codes import WarningCode

LATE_MS: Final = 4000
"""Words later than this are late."""
LATE_FINALS_MS: Final = 10_000
"""The same limit without interim results, where words come a sentence at a time."""
MARK_SECONDS: Final = 0.5
"""Least time between two remembered ends of the audio."""
MARKS_REMEMBERED: Final = 128
QUIET_MS: Final = 30_000
"""Milliseconds of quiet audio after which the client is warned."""
MUTED_POWER: Final = 1e-7
"""Mean square at -70 dBFS: below it the audio is silence, with the noise of a microphone or an encoding."""
AVERAGED_MS: Final = 3000
"""Milliseconds of audio that the loudness is averaged over, at least: a click is not speech."""
INSPECT_SECONDS: Final = 1.0
"""Seconds between two looks at the audio, at least."""


class Warnings:
    """Sends the warnings.

    Call `inspect_audio` before a message of the upstream is recorded, and `check_lateness` after it. `check` does both,
    and is due at `check_at` if the upstream sends nothing."""

    def __init__(self, client: SessionClient, upstream: Uplink, options: Options, now: float) -> None:
        self._client = client
        self._upstream = upstream
        self._audio = options.audio
        has_interims = ("interim_results", "true") in options.query
        self._lateness = Lateness(LATE_MS if has_interims else LATE_FINALS_MS, now)
        self._loudness = Loudness()
        self._knows_format = False
        self._heard_bytes = 0
        self._inspect_at = 0.0

    def inspect_audio(self, now: float) -> None:
        """Check format and loudness of the audio that came since the last call, every INSPECT_SECONDS at most."""
        if now < self._inspect_at:
            return
        self._inspect_at = now + INSPECT_SECONDS
        tape, audio = self._upstream.buffer, self._audio
        if not self._knows_format:
            self._check_format(tape.first(HEAD_BYTES))
        sound = tape.last(tape.end - self._heard_bytes)
        self._heard_bytes = tape.end
        if len(sound) >= audio.block and self._loudness.record(
            power(sound, audio.encoding), audio.milliseconds(len(sound)), audio.milliseconds(tape.end)
        ):
            self._warn(WarningCode.TOO_QUIET, said.QUIET if self._loudness.has_sound else said.MUTED)

    def check_lateness(self, now: float) -> None:
        """Warn if words are late, or have become punctual again."""
        end_ms = self._audio.milliseconds(self._upstream.buffer.end)
        late_ms = self._lateness.update(end_ms, self._upstream.progress.results_ms, now)
        if late_ms is not None:
            self._warn(WarningCode.BEHIND, said.behind(round(late_ms / 1000)), ceil(late_ms / 100) / 10)

    def check(self, now: float) -> None:
        """Check the audio and the lateness."""
        self.inspect_audio(now)
        self.check_lateness(now)

    @property
    def check_at(self) -> float:
        """When to call `check`."""
        return self._lateness.check_at

    def _check_format(self, head: bytes) -> None:
        name = container(head)
        self._knows_format = name is not None or len(head) == HEAD_BYTES or (not head and self._heard_bytes > 0)
        if name is not None:
            wanted = f"{self._audio.encoding} at {self._audio.sample_rate} Hz"
            self._warn(WarningCode.NOT_RAW_AUDIO, said.not_raw_audio(name, wanted))

    def _warn(self, code: WarningCode, text: str, seconds: float | None = None) -> None:
        self._client.send(wire.Warning(code, text) if seconds is None else wire.Warning(code, text, seconds))


class Lateness:
    """Measures how late words are, by audio and by time. The lower figure counts: audio that is sent faster than real
    time has not waited long, and a client that sends nothing waits for nothing.

    Positions are milliseconds of audio, times are monotonic seconds."""

    def __init__(self, late_ms: int, now: float) -> None:
        self._late_ms = late_ms
        self._reported_ms = 0
        self._answered_at = now
        """All audio that came before this time has its words."""
        self._marks: list[tuple[int, float]] = []
        """The end of the audio at some times since then: position, time."""
        self.check_at = now + late_ms / 1000

    def update(self, end_ms: int, words_ms: int, now: float) -> int | None:
        """Record the positions; return how late words are, in milliseconds, if the client must get a warning now.
        0 means that they are punctual again.

        `end_ms`: the end of the audio; `words_ms`: the end of its words."""
        self._record(end_ms, words_ms, now)
        ahead_ms = end_ms - words_ms
        late_ms = min(ahead_ms, round((now - self._answered_at) * 1000))
        report = self._to_report(late_ms)
        beyond_ms = self._limit_ms + 50
        self.check_at = max(self._answered_at + beyond_ms / 1000, now + max(100, beyond_ms - ahead_ms) / 1000)
        return report

    @property
    def _limit_ms(self) -> int:
        """The lateness that causes the next warning."""
        return 2 * self._reported_ms or self._late_ms

    def _to_report(self, late_ms: int) -> int | None:
        if self._reported_ms and late_ms <= self._late_ms * 3 // 4:  # below the limit, or warnings would come and go
            self._reported_ms = 0
            return 0
        if late_ms <= self._limit_ms:
            return None
        self._reported_ms = late_ms
        return late_ms

    def _record(self, end_ms: int, words_ms: int, now: float) -> None:
        marks = self._marks
        while marks and marks[0][0] <= words_ms:
            self._answered_at = marks.pop(0)[1]
        if end_ms <= words_ms:
            self._answered_at = now
        elif not marks or (end_ms > marks[-1][0] and now >= marks[-1][1] + MARK_SECONDS):
            marks.append((end_ms, now))
            del marks[:-MARKS_REMEMBERED]


class Loudness:
    """Finds QUIET_MS of audio under -50 dBFS, once in a session."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._summed_ms = 0
        self._quiet_from_ms = 0
        self._is_reported = False
        self.has_sound = False
        """Whether the quiet audio is louder than MUTED_POWER."""

    def record(self, power: float, length_ms: int, end_ms: int) -> bool:
        """Record the mean square of `length_ms` of audio that ends at `end_ms`. Return whether to warn now."""
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
        if self._is_reported or end_ms - self._quiet_from_ms < QUIET_MS:
            return False
        self._is_reported = True
        return True
