"""The caption protocol: parses the client's messages, and makes those for it of the upstream's (protocol 2, 3)."""

from dataclasses import dataclass
from math import inf
from typing import Any, Final, cast

import msgspec
from msgspec import UNSET

from transcription_proxy import sentences
from transcription_proxy.stream import deepgram
from transcription_wire import messages as wire

LOW_MARKS: Final = (60, 300, 600)
"""Credits: `credits_low` is sent when the balance falls through one of these."""
MAX_WORD_SECONDS: Final = 1e9
"""A word's time beyond this makes no sense, and is passed on as it came."""
MAX_BAD_MESSAGES: Final = 100
"""The client's hundredth bad message ends the session."""


class BadMessage(Exception):
    """A text frame that is no message of the protocol. The exception's text never quotes the frame."""


def parse(text: bytes) -> wire.ClientMessage:
    """Return the client's message. Raises BadMessage."""
    try:
        return wire.decode_client(text)
    except msgspec.DecodeError as error:
        raise BadMessage(sentences.UNKNOWN_MESSAGE) from error


@dataclass(frozen=True, slots=True)
class Clock:
    """Converts the times of an upstream connection, which each start at 0, to session time."""

    shift_ms: int = 0
    """Milliseconds to add to the connection's times."""
    begin_ms: int = 0
    """Session time of the connection's first byte. Earlier times are raised to it: what the connection got before is
    the service's own silence."""

    @property
    def is_session_clock(self) -> bool:
        """Whether the connection's times are session times already."""
        return self.shift_ms == self.begin_ms == 0

    def session_time(self, seconds: float) -> float:
        """Return a time of the connection as session time, in seconds."""
        if self.is_session_clock:
            return seconds
        return round(max(self.begin_ms / 1000, seconds + self.shift_ms / 1000), 3)


Caption = wire.Transcript | wire.SpeechStarted | wire.UtteranceEnd
"""A message for the client that was made from one of the upstream."""


def caption(message: deepgram.Message | deepgram.Unknown, clock: Clock) -> Caption | None:
    """Return the client's form of an upstream's message, None if the client gets nothing."""
    match message:
        case deepgram.Results():
            return _transcript(message, clock)
        case deepgram.SpeechStarted():
            return wire.SpeechStarted(clock.session_time(message.timestamp))
        case deepgram.UtteranceEnd():
            return wire.UtteranceEnd(clock.session_time(message.last_word_end))
        case _:
            return None


class Interims:
    """Interim words that the client was sent and that no final has replaced, by channel.

    An upstream withdraws words with a final without text; so does a new upstream that finds nothing new in a replay.
    The client is sent a final without text only where it has words to withdraw."""

    def __init__(self) -> None:
        self._starts: dict[int, float] = {}
        """Where each channel's words begin, in seconds of session time."""

    def caption(
        self,
        message: deepgram.Message | deepgram.Unknown,
        new: deepgram.Message | deepgram.Unknown | None,
        clock: Clock,
    ) -> Caption | None:
        """Return the message for the client, None for nothing.

        `new`: the part of `message` that the client was not sent before, None if there is none."""
        shown = None if new is None else caption(new, clock)
        if not isinstance(message, deepgram.Results):
            return shown
        channel = message.channel_index[0] if message.channel_index else 0
        if not message.is_final:
            if isinstance(shown, wire.Transcript):
                self._starts[channel] = shown.start
            return shown
        start = self._starts.get(channel, inf)
        end = clock.session_time(message.start + message.duration)
        if shown is not None or end > start:
            self._starts.pop(channel, None)
        return shown or (_withdrawal(message, start, end) if end > start else None)


def _withdrawal(results: deepgram.Results, start: float, end: float) -> wire.Transcript:
    return wire.Transcript(
        text="",
        is_final=True,
        confidence=None,
        start=start,
        duration=round(end - start, 3),
        speech_final=results.speech_final,
        channel=results.channel_index or UNSET,
    )


def _transcript(results: deepgram.Results, clock: Clock) -> wire.Transcript | None:
    if not results.text:
        return None
    best = results.channel.alternatives[0]
    unknown = best.confidence is None or (
        best.confidence == 0 and not best.has_words
    )  # an engine without confidences reports 0
    start = clock.session_time(results.start)
    return wire.Transcript(
        text=best.transcript,
        is_final=results.is_final,
        confidence=None if unknown else best.confidence,
        start=start,
        duration=round(max(0.0, results.start + results.duration + clock.shift_ms / 1000 - start), 3),
        speech_final=results.speech_final,
        words=_words(best, clock) if best.has_words else UNSET,
        channel=results.channel_index or UNSET,
    )


def _words(alternative: deepgram.Alternative, clock: Clock) -> list[dict[str, Any]]:
    """Return the words in session time. On the session clock already, their JSON is passed on as it came."""
    if clock.is_session_clock:
        return cast("list[dict[str, Any]]", alternative.words)  # encodes to the same list
    shift_ms, begin_ms = clock.shift_ms, clock.begin_ms
    words = alternative.word_list()
    for word in words:
        for key in ("start", "end"):
            seconds = word.get(key)
            if isinstance(seconds, int | float) and abs(seconds) < MAX_WORD_SECONDS:
                ms = round(seconds * 1000) + shift_ms
                word[key] = (ms if ms > begin_ms else begin_ms) / 1000
    return words


class LowCreditMarks:
    """Finds when the balance falls through one of LOW_MARKS: each once, of several at once the lowest only."""

    def __init__(self) -> None:
        self._lowest_sent = LOW_MARKS[-1] + 1

    def record(self, seconds_remaining: int) -> bool:
        """Record the balance, in credits. Return whether it fell through a mark."""
        mark = next((mark for mark in LOW_MARKS if seconds_remaining < mark), None)
        if mark is None or mark >= self._lowest_sent:
            return False
        self._lowest_sent = mark
        return True
