"""The request for a stream, with Deepgram's query parameters and error bodies.

`tag`, `extra`, `punctuate`, `smart_format`, `numerals`, `profanity_filter`, `filler_words`, `diarize`, `keyterm`,
`keywords`, `replace` and unknown parameters are accepted and have no effect; `model` may be any name."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from transcription_engine.pcm import RATE, SAMPLE_BYTES

PATH: Final = "/v1/listen"
PACKETS: Final = ("opus", "speex")
"""Encodings of which each message of a stream is one packet. A file has no messages."""
SAMPLE_RATES: Final = {"flac": 16_000, "ogg-opus": 48_000, "amr-nb": 8000, "amr-wb": 16_000, "g729": 8000}
"""Sample rates that the encoding itself tells, so that `sample_rate` may be left out."""
ENCODINGS: Final = (*SAMPLE_BYTES, *SAMPLE_RATES, *PACKETS)
CONTAINER_CHANNELS: Final = 2
"""Channels that are expected of a container until its header is there."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Audio without a container. `encoding`: Deepgram's name. Where the bytes tell `sample_rate` and `channels`, these
    do not count."""

    encoding: str
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Request:
    """The format of the audio, and the messages wanted. `endpointing`: milliseconds, None for off.

    `encoding`: None for a container, whose header tells `sample_rate` and `channels`."""

    sample_rate: int
    channels: int = 1
    multichannel: bool = False
    interim_results: bool = False
    endpointing: int | None = 10
    vad_events: bool = False
    utterance_end_ms: int | None = None
    encoding: str | None = "linear16"

    @property
    def is_raw(self) -> bool:
        """Whether the bytes are samples, so that they tell the length of the audio."""
        return self.encoding in SAMPLE_BYTES

    @property
    def encoded(self) -> Encoded | None:
        """The encoding of audio without a container."""
        return Encoded(self.encoding, self.sample_rate, self.channels) if self.encoding else None

    def as_decoded(self, channels: int) -> "Request":
        """Return the request for the audio that the decoder makes of this request's."""
        return replace(self, encoding="linear16", sample_rate=RATE, channels=channels)

    @property
    def separate_channels(self) -> int:
        """How many channels are recognized separately. Otherwise all channels are mixed into one."""
        return self.channels if self.multichannel else 1

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels of raw audio."""
        return SAMPLE_BYTES[self.encoding or ""] * self.channels


@dataclass(frozen=True, slots=True)
class RecordingRequest:
    """A request to transcribe a file. `encoded`: None for a container, whose header says what is in it."""

    multichannel: bool = False
    utterances: bool = False
    encoded: Encoded | None = None


class HandshakeRefused(Exception):
    """The request is refused with an HTTP error. `message`: for the person who sent it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self, request_id: UUID) -> str:
        """Return the body of the answer."""
        return json.dumps({"err_code": self.code, "err_msg": self.message, "request_id": str(request_id)})


def read(target: str) -> Request:
    """Return the request in a handshake's target. The first of repeated parameters counts. Raises HandshakeRefused."""
    query = _query(target)
    encoded = _encoded(query, ENCODINGS)
    request = Request(
        sample_rate=encoded.sample_rate if encoded else RATE,
        channels=encoded.channels if encoded else CONTAINER_CHANNELS,
        multichannel=_flag(query, "multichannel"),
        encoding=encoded.encoding if encoded else None,
        interim_results=_flag(query, "interim_results"),
        endpointing=_milliseconds_or_false(query, "endpointing", 10),
        vad_events=_flag(query, "vad_events"),
        utterance_end_ms=_whole(query, "utterance_end_ms", 0, 0, 60_000) or None,
    )
    if request.utterance_end_ms and not request.interim_results:
        raise _invalid("utterance_end_ms needs interim_results=true.")
    return request


def read_recording(target: str) -> RecordingRequest:
    """Return the request to transcribe a file in a POST's target, as `read` does."""
    query = _query(target)
    encoded = _encoded(query, [name for name in ENCODINGS if name not in PACKETS])
    return RecordingRequest(_flag(query, "multichannel"), _flag(query, "utterances"), encoded)


def _encoded(query: Mapping[str, str], known: Sequence[str]) -> Encoded | None:
    encoding = query.get("encoding")
    if encoding is None:
        return None
    if encoding not in known:
        raise _invalid(f"encoding must be one of {', '.join(known)}, or left out for audio with a header.")
    rate = _whole(query, "sample_rate", SAMPLE_RATES.get(encoding), 8000, 48_000)
    return Encoded(encoding, rate, _whole(query, "channels", 1, 1, 8))


def _query(target: str) -> dict[str, str]:
    """Return the parameters of a target, whose path and language are checked."""
    path, _, parameters = target.partition("?")
    if path != PATH:
        raise HandshakeRefused(404, "NOT_FOUND", f"The built-in engine serves {PATH} only.")
    query: dict[str, str] = {}
    for key, value in parse_qsl(parameters, keep_blank_values=True):
        query.setdefault(key, value)
    if query.get("language", "en").lower().partition("-")[0] != "en":
        raise _invalid("The built-in engine understands English only. Use language=en.")
    return query


def authorized(header: str | None, key: str | None) -> bool:
    """Return whether `Authorization` carries the key, or no key is required."""
    scheme, _, token = (header or "").partition(" ")
    return key is None or (scheme.lower() in ("token", "bearer") and token.strip() == key)


def _invalid(message: str) -> HandshakeRefused:
    return HandshakeRefused(400, "INVALID_QUERY_PARAMETER", message)


def _flag(query: Mapping[str, str], key: str) -> bool:
    value = query.get(key, "false").lower()
    if value not in ("true", "false"):
        raise _invalid(f"{key} must be true or false.")
    return value == "true"


def _milliseconds_or_false(query: Mapping[str, str], key: str, default: int) -> int | None:
    """Return milliseconds; the default for `true`, None for `false`."""
    match query.get(key, "true").lower():
        case "true":
            return default
        case "false":
            return None
        case _:
            return _whole(query, key, default, 0, 60_000)


def _whole(query: Mapping[str, str], key: str, default: int | None, low: int, high: int) -> int:
    value = query.get(key, "" if default is None else str(default))
    if not re.fullmatch("[0-9]{1,9}", value) or not low <= int(value) <= high:
        raise _invalid(f"{key} must be a whole number from {low} to {high}.")
    return int(value)
