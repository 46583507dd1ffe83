"""The final total of a session: which figure for its audio is billed, and what it costs (money 2-7)."""

from collections.abc import Iterator
from dataclasses import dataclass

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.credits import Tariff

SILENT_TAIL_MS = 5000
"""Milliseconds billed at most after the end of the last Results, whoever ended the session (money 7).

A healthy upstream sends Results up to the end of the audio, even for silence. Audio after the last Results means that
the upstream hung, was lost, or had no time to catch up."""


@dataclass(frozen=True, slots=True)
class AudioUsage:
    """What is known of a session's audio when the session ends.

    `forwarded`: bytes of the client sent upstream, each counted once. `reported_ms`: the duration in the closing
    Metadata; None without one, or with several upstream connections. `silence_ms`: the service's own silence in that
    duration. `has_words`: some Results carried words. `results_ms`: the end of the last Results, in session time.
    """

    forwarded: int
    reported_ms: int | None
    silence_ms: int
    has_words: bool
    results_ms: int


@dataclass(frozen=True, slots=True)
class Bill:
    """`total`: credits. `audio_ms`: the length of audio that they pay for."""

    total: int
    audio_ms: int


def compute_bill(usage: AudioUsage, audio: AudioFormat, tariff: Tariff) -> Bill:
    """Return the bill: for what the upstream reported, but never for more than was sent to it (money 4)."""
    limit_ms = min(_limits_ms(usage), default=None)
    if limit_ms is None or limit_ms * audio.bytes_per_second >= usage.forwarded * 1000:
        sent = usage.forwarded
        return Bill(tariff.credits(sent), audio.milliseconds(sent))
    return Bill(tariff.credits_of_ms(limit_ms), limit_ms)


def _limits_ms(usage: AudioUsage) -> Iterator[int]:
    """Yield the lengths beyond which nothing is billed. A length of 0 is ignored where Results carried words."""
    if usage.results_ms or not usage.has_words:
        yield usage.results_ms + SILENT_TAIL_MS
    if usage.reported_ms is not None and (usage.reported_ms or not usage.has_words):
        yield max(0, usage.reported_ms - usage.silence_ms)
