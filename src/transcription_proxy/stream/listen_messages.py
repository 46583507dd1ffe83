"""The messages of a Deepgram client and its upstream that the pass-through must understand. It relays all others
unread."""

from typing import Final

import msgspec
from msgspec import Struct

from transcription_proxy import sentences
from transcription_proxy.stream import deepgram
from transcription_proxy.stream.deepgram import Alternative, Channel, Results
from transcription_proxy.stream.listen_request import MAX_KEYTERM_TOKENS, keyterm_tokens

CLOSE_STREAM: Final = "CloseStream"
END_OF_TURN: Final = "EndOfTurn"


class Control(Struct, frozen=True):
    """A text message of the client, as far as we read it. `keyterms`: None where the message has no list of them."""

    type: str = ""
    keyterms: list[str] | None = None


class TurnInfo(Struct, tag="TurnInfo"):
    """The state of a turn that Flux reports. The window is in seconds of audio."""

    event: str = ""
    audio_window_start: float = 0.0
    audio_window_end: float = 0.0
    transcript: str = ""
    words: msgspec.Raw = msgspec.Raw()

    def as_results(self) -> Results:
        """Return the turn as the message of `/v1/listen` for it."""
        return Results(
            start=self.audio_window_start,
            duration=max(0.0, self.audio_window_end - self.audio_window_start),
            is_final=self.event == END_OF_TURN,
            speech_final=self.event == END_OF_TURN,
            channel=Channel([Alternative(self.transcript, words=self.words)]),
        )


class Configured(Struct, tag="ConfigureSuccess"):
    """The upstream uses the new configuration."""

    keyterms: list[str] | None = None


class NotConfigured(Struct, tag="ConfigureFailure"):
    """The upstream keeps the old configuration."""


Message = deepgram.Message | Configured | NotConfigured
_decoder: Final[msgspec.json.Decoder[Message | TurnInfo]] = msgspec.json.Decoder(Message | TurnInfo)
_control: Final = msgspec.json.Decoder(Control)


def parse_control(text: bytes) -> Control:
    """Return what a text message of the client asks for. Never raises: the upstream answers a malformed one."""
    try:
        return _control.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Control()


def parse(text: bytes) -> Message | deepgram.Unknown:
    """Return the upstream's message; a TurnInfo as Results. Never raises."""
    try:
        text.decode()  # the decoder does not look into raw JSON
        message = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return deepgram.Unknown()
    return message.as_results() if isinstance(message, TurnInfo) else message


def configure_failure(keyterms: list[str], offered: bool, request_id: str | None) -> bytes | None:
    """Return the answer to a Configure that must not go upstream, None for one that may. `offered`: keyterms are."""
    if keyterms and not offered:
        code, why = "CONFIGURE_KEYTERMS_NOT_SUPPORTED", sentences.NO_KEYTERMS
    elif keyterm_tokens(keyterms) > MAX_KEYTERM_TOKENS:
        code, why = "CONFIGURE_KEYTERM_LIMIT_EXCEEDED", sentences.too_many_tokens(MAX_KEYTERM_TOKENS)
    else:
        return None
    answer = {"type": "ConfigureFailure", "request_id": request_id or "", "code": code, "description": why}
    return msgspec.json.encode(answer)
