"""Our caption protocol: the client's messages in, our JSON out (protocol 2, 3)."""

from dataclasses import dataclass
from math import inf
from typing import Any, Final

import msgspec
from msgspec import UNSET

from transcription_proxy import sentences
from transcription_proxy.stream import deepgram
from transcription_wire import messages as wire

LOW_MARKS: Final = (60, 300, 600)
"""`credits_low` is sent when what is left falls through these, seconds."""
MAX_BAD_MESSAGES: Final = 100


class BadMessage(Exception):
    """A text frame that is no message of the protocol. The text says what it is, never what was in it."""


def parse(text: bytes) -> wire.ClientMessage:
    """The client's message. Raises BadMessage."""
    try:
        return wire.decode_client(text)
    except msgspec.DecodeError as error:
        raise BadMessage(sentences.UNKNOWN_MESSAGE) from error


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns an upstream's times, which begin anew with each connection, into those of the session."""

    shift_ms: int = 0
    """What is added to them."""
    begin_ms: int = 0
    """Where the connection begins: nothing that it says is of before. What it heard earlier is our own silence."""

    @property
    def same(self) -> bool:
        """Whether the session's times are the connection's."""
        return self.shift_ms == self.begin_ms == 0

    def time(self, seconds: float) -> float:
        if self.same:
            return seconds
        return round(max(self.begin_ms / 1000, seconds + self.shift_ms / 1000), 3)


def caption(message: deepgram.Message | deepgram.Unknown, clock: Clock) -> bytes | None:
    """Our form of an upstream's message, None when there is nothing to say."""
    match message:
        case deepgram.Results():
            return _transcript(message, clock)
        case deepgram.SpeechStarted():
            return wire.encode(wire.SpeechStarted(clock.time(message.timestamp)))
        case deepgram.UtteranceEnd():
            return wire.encode(wire.UtteranceEnd(clock.time(message.last_word_end)))
        case _:
            return None


class Interims:
    """Interim words that the client was sent and that no final has replaced, by channel.

    An upstream takes words back with a final without text; so does another upstream that hears their audio again and
    finds nothing new in it. The client is sent a final without text only where it has words to withdraw."""

    def __init__(self) -> None:
        self._starts: dict[int, float] = {}
        """Where the words begin, in seconds of the session."""

    def caption(
        self,
        message: deepgram.Message | deepgram.Unknown,
        news: deepgram.Message | deepgram.Unknown | None,
        clock: Clock,
    ) -> bytes | None:
        """Return our form of `news`, what the client does not know yet of `message`; None for nothing to send."""
        text = None if news is None else caption(news, clock)
        if not isinstance(message, deepgram.Results):
            return text
        channel = message.channel_index[0] if message.channel_index else 0
        if not message.is_final:
            if text is not None and isinstance(news, deepgram.Results):
                self._starts[channel] = clock.time(news.start)
            return text
        start = self._starts.get(channel, inf)
        end = clock.time(message.start + message.duration)
        if text is not None or end > start:
            self._starts.pop(channel, None)
        return text or (_withdrawal(message, start, end) if end > start else None)


def _withdrawal(results: deepgram.Results, start: float, end: float) -> bytes:
    return wire.encode(
        wire.Transcript(
            text="",
            is_final=True,
            confidence=None,
            start=start,
            duration=round(end - start, 3),
            speech_final=results.speech_final,
            channel=results.channel_index or UNSET,
        )
    )


def _transcript(results: deepgram.Results, clock: Clock) -> bytes | None:
    if not results.text:
        return None
    best = results.channel.alternatives[0]
    unknown = best.confidence is None or (best.confidence == 0 and not best.words)  # an engine that has none says 0
    start = clock.time(results.start)
    return wire.encode(
        wire.Transcript(
            text=best.transcript,
            is_final=results.is_final,
            confidence=None if unknown else best.confidence,
            start=start,
            duration=round(max(0.0, results.start + results.duration + clock.shift_ms / 1000 - start), 3),
            speech_final=results.speech_final,
            words=[_word(word, clock) for word in best.words] if best.words else UNSET,
            channel=results.channel_index or UNSET,
        )
    )


def _word(word: dict[str, Any], clock: Clock) -> dict[str, Any]:
    if clock.same:
        return word
    times = {key: clock.time(word[key]) for key in ("start", "end") if isinstance(word.get(key), int | float)}
    return {**word, **times}


class LowMark:
    """Says when what is left has fallen through a mark: each once, of several at once the lowest only."""

    def __init__(self) -> None:
        self._lowest_said = LOW_MARKS[-1] + 1

    def passed(self, seconds_remaining: int) -> bool:
        mark = next((mark for mark in LOW_MARKS if seconds_remaining < mark), None)
        if mark is None or mark >= self._lowest_said:
            return False
        self._lowest_said = mark
        return True
