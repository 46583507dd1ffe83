"""The request for a stream, with Deepgram's query parameters and error bodies.

`tag`, `extra`, `punctuate`, `smart_format`, `numerals`, `profanity_filter`, `filler_words`, `diarize`, `keyterm`,
`keywords`, `replace` and unknown parameters are accepted and have no effect; `model` may be any name."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

PATH: Final = "/v1/listen"


@dataclass(frozen=True, slots=True)
class Request:
    """The format of raw linear16 audio, and the messages wanted. `endpointing`: milliseconds, None for off."""

    sample_rate: int
    channels: int = 1
    multichannel: bool = False
    interim_results: bool = False
    endpointing: int | None = 10
    vad_events: bool = False
    utterance_end_ms: int | None = None

    @property
    def separate_channels(self) -> int:
        """How many channels are recognized separately. Otherwise all channels are mixed into one."""
        return self.channels if self.multichannel else 1

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels."""
        return 2 * self.channels


class HandshakeRefused(Exception):
    """The handshake is refused with an HTTP error. `message`: for the person who sent it."""

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
    path, _, parameters = target.partition("?")
    if path != PATH:
        raise HandshakeRefused(404, "NOT_FOUND", f"The built-in engine serves {PATH} only.")
    query: dict[str, str] = {}
    for key, value in parse_qsl(parameters, keep_blank_values=True):
        query.setdefault(key, value)
    language = query.get("language", "en").lower()
    if language.partition("-")[0] != "en":
        raise _invalid("The built-in engine understands English only. Use language=en.")
    if query.get("encoding") != "linear16":
        raise _invalid("The built-in engine decodes raw audio only. Use encoding=linear16 and set sample_rate.")
    request = Request(
        sample_rate=_whole(query, "sample_rate", None, 8000, 48_000),
        channels=_whole(query, "channels", 1, 1, 8),
        multichannel=_flag(query, "multichannel"),
        interim_results=_flag(query, "interim_results"),
        endpointing=_milliseconds_or_false(query, "endpointing", 10),
        vad_events=_flag(query, "vad_events"),
        utterance_end_ms=_whole(query, "utterance_end_ms", 0, 0, 60_000) or None,
    )
    if request.utterance_end_ms and not request.interim_results:
        raise _invalid("utterance_end_ms needs interim_results=true.")
    return request


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
