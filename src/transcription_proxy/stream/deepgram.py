"""Deepgram's API: the request to dial, the control messages we send, and the messages we parse.

Sources: deepgram-api-specs, and the real clients for message shapes and close codes. Times become whole milliseconds
at once; a time that makes no sense becomes None, never an exception."""

import math
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from transcription_wire.spacing import join

KEEP_ALIVE: Final = b'{"type":"KeepAlive"}'
FINALIZE: Final = b'{"type":"Finalize"}'
CLOSE_STREAM: Final = b'{"type":"CloseStream"}'
MAX_AUDIO_MS: Final = 10 * 365 * 86_400_000
"""Ten years: a longer duration makes no sense."""


class Alternative(Struct):
    """One version of the words. `words`: their JSON as it came, since most go to the client unchanged."""

    transcript: str = ""
    confidence: float | None = None
    words: msgspec.Raw = msgspec.Raw()

    @property
    def has_words(self) -> bool:
        """Whether there is a list of objects in `words`. A list of anything else counts as none."""
        return bytes(memoryview(self.words)[:2]) == b"[{" or bool(self.word_list())

    def word_list(self) -> list[dict[str, Any]]:
        """Return the words, decoded."""
        try:
            return _word_decoder.decode(self.words) if memoryview(self.words).nbytes else []
        except msgspec.DecodeError:
            return []


class Channel(Struct):
    alternatives: list[Alternative] = []


class Results(Struct, tag="Results"):
    """Words, interim or final. `start` and `duration`: seconds on the clock of the connection."""

    start: float = 0.0
    duration: float = 0.0
    is_final: bool = False
    speech_final: bool = False
    channel: Channel = msgspec.field(default_factory=Channel)
    channel_index: list[int] = []

    @property
    def text(self) -> str:
        """The words of the best alternative; empty in silence."""
        return self.channel.alternatives[0].transcript if self.channel.alternatives else ""

    @property
    def end_ms(self) -> int:
        """Where the words end, in milliseconds on the clock of the connection."""
        return (milliseconds(self.start) or 0) + (milliseconds(self.duration) or 0)

    def since(self, begin_ms: int) -> "Results | None":
        """Return the Results with only the words that lie mostly after `begin_ms`; None where words or their times are
        missing."""
        words = self.channel.alternatives[0].word_list() if self.channel.alternatives else []
        if not words or not all(_timed(word) for word in words):
            return None
        later = [word for word in words if (word["start"] + word["end"]) * 500 >= begin_ms]
        if len(later) == len(words):
            return self
        start = begin_ms / 1000
        best = msgspec.structs.replace(
            self.channel.alternatives[0],
            words=msgspec.Raw(msgspec.json.encode(later)),
            transcript=join(str(word.get("punctuated_word") or word.get("word", "")) for word in later),
        )
        duration = round(max(0.0, self.start + self.duration - start), 3)
        return msgspec.structs.replace(self, start=start, duration=duration, channel=Channel([best]))


class Metadata(Struct, tag="Metadata"):
    """The closing message. `duration`: seconds of audio that the upstream got."""

    duration: float | None = None
    request_id: str | None = None


class SpeechStarted(Struct, tag="SpeechStarted"):
    """Speech began at `timestamp`, in seconds on the clock of the connection."""

    timestamp: float = 0.0
    channel: Any = None


class UtteranceEnd(Struct, tag="UtteranceEnd"):
    """Speech ended at `last_word_end`, in seconds on the clock of the connection."""

    last_word_end: float = 0.0
    channel: Any = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of another type, or one that cannot be parsed."""


Message = Results | Metadata | SpeechStarted | UtteranceEnd
_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)
_word_decoder: Final = msgspec.json.Decoder(list[dict[str, Any]])


def parse(text: bytes) -> Message | Unknown:
    """Return the upstream's message. Never raises: text that cannot be parsed becomes Unknown."""
    try:
        if not text.isascii():
            text.decode()  # the decoder does not look into raw JSON
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unknown()


def milliseconds(seconds: float | None) -> int | None:
    """Return whole milliseconds, rounded to the nearest; None for a number that is no length of audio (money 1)."""
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds * 1000 <= MAX_AUDIO_MS:
        return None
    return round(seconds * 1000)


def _timed(word: dict[str, Any]) -> bool:
    return all(isinstance(word.get(key), int | float) for key in ("start", "end"))


def request_target(base: str, query: tuple[tuple[str, str], ...], tag: str) -> str:
    """Return the URL to dial. `tag` names the session in the upstream's usage reports."""
    return f"{base}/v1/listen?{urlencode([*query, ('tag', tag)], quote_via=quote)}"
