"""A recording that a Deepgram client uploads: its request, its length where that can be known, and what it costs."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.metering.credits import Tariff
from transcription_proxy.metering.rates import Rates
from transcription_proxy.stream import listen_request
from transcription_proxy.stream.deepgram import MAX_AUDIO_MS
from transcription_proxy.stream.listen_request import MAX_CHANNELS, V1, ListenRequest
from transcription_proxy.stream.options import HOLD_SECONDS
from transcription_wire.codes import ErrorCode

HEAD_BYTES: Final = 4096
"""Bytes of a file that its length is looked for in."""
EXPECTED_BYTES_PER_SECOND: Final = 4000
"""The assumed rate of compressed audio whose length is not known: few encoders of speech use less than 32 kbit/s."""
EXPECTED_CHANNELS: Final = 2
UNPRICED: Final = (
    "summarize", "topics", "detect_topics", "custom_topic", "sentiment", "intents", "custom_intent",
)  # fmt: skip
"""Options that Deepgram charges by the token, for which there is no rate."""
_UNKNOWN_SIZE: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a file, as its header states it."""

    milliseconds: int
    channels: int


@dataclass(frozen=True, slots=True)
class RecordingRequest:
    """A checked request."""

    listen: ListenRequest
    is_multichannel: bool

    def length(self, head: bytes, size: int | None) -> Length | None:
        """Return the length of a file, None if only decoding it tells. `size`: bytes of the whole file, if known."""
        if self.listen.is_raw:
            audio = self.listen.audio
            return None if size is None else Length(audio.milliseconds(size), audio.channels)
        return _wav(head, size) or _flac(head)

    def expected(self, size: int | None) -> Length:
        """Return about how long a file is whose length is not known."""
        seconds = HOLD_SECONDS if size is None else -(-size // EXPECTED_BYTES_PER_SECOND)
        return Length(min(seconds * 1000, MAX_AUDIO_MS), EXPECTED_CHANNELS)

    def channels_billed(self, channels: int) -> int:
        """Return the channels billed of a file with so many (money 2)."""
        return min(max(channels, 1), MAX_CHANNELS) if self.is_multichannel else 1

    def cost(self, length: Length) -> int:
        """Return the credits that a file takes."""
        return Tariff(1, self.listen.rate.micro * self.channels_billed(length.channels)).credits_of_ms(
            length.milliseconds
        )

    def sent_ms(self, sent: int) -> int | None:
        """Return the length of `sent` bytes of raw audio, None for any other file."""
        return self.listen.audio.milliseconds(sent) if self.listen.is_raw else None

    def billed(self, metadata: "Metadata", sent: int) -> Length:
        """Return the length to bill: the upstream's, but of raw audio never more than the `sent` bytes (money 4)."""
        upstream = Length(metadata.milliseconds, metadata.channels)
        if not self.listen.is_raw:
            return upstream
        audio = self.listen.audio
        return Length(min(upstream.milliseconds, audio.milliseconds(sent)), audio.channels)


class Metadata(Struct):
    """Figures from the upstream's answer to a recording."""

    request_id: str = ""
    duration: float = 0.0
    channels: int = 1

    @property
    def milliseconds(self) -> int:
        """The length, bounded to what can be a recording."""
        return round(1000 * min(max(self.duration, 0.0), MAX_AUDIO_MS / 1000))


class _Answer(Struct):
    metadata: Metadata


class _Location(Struct):
    url: str


def read(query: str, rates: Rates, models: Sequence[str] | None = None) -> RecordingRequest:
    """Return the request. Raise Refusal invalid_config or forbidden. `models`: those allowed, None for all."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, value)
        if name in UNPRICED and value.lower() != "false":
            raise Refusal(ErrorCode.INVALID_CONFIG, sentences.option_not_offered(name))
    listen = listen_request.read(V1, query, rates, models, is_recording=True)
    return RecordingRequest(listen, values.get("multichannel", "").lower() == "true")


def read_url(body: bytes) -> str:
    """Return the URL in a JSON body. Raise Refusal bad_recording."""
    try:
        return msgspec.json.decode(body, type=_Location).url
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refusal("bad_recording", sentences.NO_RECORDING_URL) from None


def read_answer(body: bytes) -> Metadata | None:
    """Return the metadata in the upstream's answer, None if it has none."""
    try:
        return msgspec.json.decode(body, type=_Answer).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _wav(head: bytes, size: int | None) -> Length | None:
    """Return the length in the header of a WAV file, but not more than the bytes of the file hold."""
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        return None
    position, channels, bytes_per_second = 12, 0, 0
    while position + 8 <= len(head):
        name, nbytes = struct.unpack_from("<4sI", head, position)
        position += 8
        if name == b"fmt " and position + 12 <= len(head):
            channels, _, bytes_per_second = struct.unpack_from("<HII", head, position + 2)
        if name == b"data" and bytes_per_second:
            known = [] if nbytes in (0, _UNKNOWN_SIZE) else [nbytes]
            known += [] if size is None else [max(size - position, 0)]
            return Length(min(known) * 1000 // bytes_per_second, channels) if known else None
        position += nbytes + nbytes % 2
    return None


def _flac(head: bytes) -> Length | None:
    """Return the length in the header of a FLAC file (RFC 9639, 8.2), None if its encoder did not know it."""
    if head[:4] != b"fLaC" or len(head) < 26 or head[4] & 0x7F != 0:
        return None
    fields = int.from_bytes(head[18:26], "big")
    rate, channels, samples = fields >> 44, (fields >> 41 & 7) + 1, fields & (1 << 36) - 1
    return Length(samples * 1000 // rate, channels) if rate and samples else None
