"""The final total of a session: which figure for its audio counts, and what it costs (money 2-7)."""

from collections.abc import Iterator
from dataclasses import dataclass

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.meter import credits, credits_of_ms

SILENT_TAIL_MS = 5000
"""Billed at most after the end of the last Results, whoever ended the session (money 7). An upstream that answers sends
Results to the end, for silence too: more is only left over where it hung, was lost, or had no time to catch up."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a session's audio when it ends.

    `forwarded`: bytes sent, each once. `reported_ms`: the closing Metadata's duration, None without one or
    with several upstream connections. `silence_ms`: our own silence in it. `spoke`: Results carried words.
    `results_ms`: where the last Results ended, our silence taken off.
    """

    forwarded: int
    reported_ms: int | None
    silence_ms: int
    spoke: bool
    results_ms: int


@dataclass(frozen=True, slots=True)
class Bill:
    """`total` in credits, `audio_ms` the length of audio it is for."""

    total: int
    audio_ms: int


def reckon(heard: Heard, audio: AudioFormat, micro: int) -> Bill:
    """The bill: what the upstream reported, never more than was sent; failing that, what was sent (money 4)."""
    limit_ms = min(_limits_ms(heard), default=None)
    if limit_ms is None or limit_ms * audio.bytes_per_second >= heard.forwarded * 1000:
        sent = heard.forwarded
        return Bill(credits(sent, audio.bytes_per_second, micro), audio.milliseconds(sent))
    return Bill(credits_of_ms(limit_ms, micro), limit_ms)


def _limits_ms(heard: Heard) -> Iterator[int]:
    """Milliseconds beyond which nothing is billed. A figure of 0 is not believed where Results carried words."""
    if heard.results_ms or not heard.spoke:
        yield heard.results_ms + SILENT_TAIL_MS
    if heard.reported_ms is not None and (heard.reported_ms or not heard.spoke):
        yield max(0, heard.reported_ms - heard.silence_ms)
