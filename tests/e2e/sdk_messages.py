"""What the Rust crate and the Go SDK of Deepgram deserialize, as types that are as strict as theirs.

The Rust types are those of github deepgram/deepgram-rust-sdk, `src/common/stream_response.rs` and `flux_response.rs`: a
field without a default must be there. The Go types are those of github deepgram/deepgram-go-sdk,
`pkg/api/listen/v1/websocket/interfaces/types.go`: a field may be missing, and must not have another type."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

Unsigned = Annotated[int, Meta(ge=0)]
Byte = Annotated[int, Meta(ge=0, le=255)]


class Word(Struct):
    word: str
    start: float
    end: float
    confidence: float
    speaker: int | None = None
    punctuated_word: str | None = None
    language: str | None = None


class Alternatives(Struct):
    transcript: str
    words: list[Word]
    confidence: float
    languages: list[str] = []


class Channel(Struct):
    alternatives: list[Alternatives]


class ModelInfo(Struct):
    name: str
    version: str
    arch: str


class Metadata(Struct):
    request_id: str
    model_info: ModelInfo
    model_uuid: str


class TranscriptResponse(Struct):
    type: str
    start: float
    duration: float
    is_final: bool
    speech_final: bool
    from_finalize: bool
    channel: Channel
    metadata: Metadata
    channel_index: list[int]


class TerminalResponse(Struct):
    request_id: str
    created: str
    duration: float
    channels: Unsigned


class SpeechStartedResponse(Struct):
    type: str
    channel: list[Byte]
    timestamp: float


class UtteranceEndResponse(Struct):
    type: str
    channel: list[Byte]
    last_word_end: float


RustMessage = TranscriptResponse | TerminalResponse | SpeechStartedResponse | UtteranceEndResponse
RUST_KINDS: tuple[type[RustMessage], ...] = (
    TranscriptResponse,
    TerminalResponse,
    SpeechStartedResponse,
    UtteranceEndResponse,
)


def as_rust(text: bytes) -> RustMessage:
    """Return a message as the crate does: the first kind whose fields are all there, with the right types."""
    for kind in RUST_KINDS:
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.ValidationError:
            continue
    raise AssertionError(f"the crate cannot read {text!r}")


# Flux, in Rust


class Connected(Struct, tag="Connected"):
    request_id: UUID
    sequence_id: Unsigned


class FluxWord(Struct):
    word: str
    confidence: float


class TurnInfo(Struct, tag="TurnInfo"):
    request_id: UUID
    sequence_id: Unsigned
    event: Literal["StartOfTurn", "EndOfTurn", "EagerEndOfTurn", "TurnResumed", "Update"]
    turn_index: Unsigned
    audio_window_start: float
    audio_window_end: float
    transcript: str
    words: list[FluxWord]
    end_of_turn_confidence: float


# Go


class GoModelInfo(Struct):
    arch: str = ""
    name: str = ""
    version: str = ""


class GoMetadata(Struct):
    extra: dict[str, str] = {}
    model_info: GoModelInfo = msgspec.field(default_factory=GoModelInfo)
    model_uuid: str = ""
    request_id: str = ""


class GoMessage(Struct):
    """All fields of MessageResponse, MetadataResponse, UtteranceEndResponse and SpeechStartedResponse.

    Go's decoder lets a field be missing, and fails at one of another type."""

    type: str
    channel: Channel | list[int] | None = None
    channel_index: list[int] = []
    duration: float = 0.0
    is_final: bool = False
    from_finalize: bool = False
    metadata: GoMetadata = msgspec.field(default_factory=GoMetadata)
    speech_final: bool = False
    start: float = 0.0
    channels: int = 0
    created: str = ""
    model_info: dict[str, GoModelInfo] = {}
    models: list[str] = []
    request_id: str = ""
    sha256: str = ""
    transaction_key: str = ""
    last_word_end: float = 0.0
    timestamp: float = 0.0
