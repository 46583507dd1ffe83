"""What the stand-in Deepgram does with one connection. Seconds are seconds of audio unless they say otherwise."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Refusal:
    """A handshake refused, with Deepgram's error body and `dg-error`."""

    status: int
    code: str
    message: str


REFUSALS: Final = {
    400: Refusal(400, "INVALID_QUERY_PARAMETER", "No such model/language/tier combination found."),
    401: Refusal(401, "INVALID_AUTH", "Invalid credentials."),
    402: Refusal(402, "ASR_PAYMENT_REQUIRED", "Project does not have enough credits."),
    403: Refusal(403, "INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model."),
    429: Refusal(429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later"),
    500: Refusal(500, "INTERNAL", "Internal server error."),
    503: Refusal(503, "UNAVAILABLE", "Service unavailable."),
}


@dataclass(frozen=True, slots=True)
class Hangup:
    """A close by the server after this much audio (0: at once)."""

    after: float = 0.0
    code: int = 1011
    reason: str = "NET-0001"


@dataclass(frozen=True, slots=True)
class Handshake:
    """Bytes in place of an answer to the handshake, and what happens to the connection afterwards."""

    answer: bytes = b""
    end: Literal["close", "reset", "stay"] = "close"
    pause: float = 0.0
    """Seconds of time between two bytes."""


SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
BROKEN_HANDSHAKES: Final = {
    "closes-in-the-handshake": Handshake(),
    "closes-after-half-a-status-line": Handshake(b"HTTP/1.1 10"),
    "closes-after-half-a-head": Handshake(SWITCHING),
    "resets-in-the-handshake": Handshake(end="reset"),
    "wrong-accept": Handshake(SWITCHING + b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", end="stay"),
    "no-accept": Handshake(SWITCHING + b"\r\n", end="stay"),
    "no-status": Handshake(b"HTTP/1.1 now\r\n\r\n", end="stay"),
    "odd-status": Handshake(b"HTTP/1.1 99999 What\r\n\r\n", end="stay"),
    "no-http": Handshake(b"\x00\xff\xfe\r\n\r\n", end="stay"),
    "drips": Handshake(SWITCHING, end="stay", pause=0.05),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A connection's behaviour. The default is a correct Deepgram with a word in every half second of audio."""

    refuse: Refusal | None = None
    answers_handshake: bool = True
    handshake: Handshake | None = None
    handshake_delay: float = 0.0
    """Seconds of time."""
    word: str = "w"
    """Words are this and a number, from 0: `w0 w1 w2`; with multichannel `c1w0` for the second channel."""
    word_ms: int = 500
    interim_ms: int = 500
    final_ms: int = 2000
    wordless: bool = False
    """Send Results without text."""
    silent_after: float | None = None
    """Send no text after this much audio; 0: never."""
    delay: float = 0.0
    """Seconds of time by which every message is late."""
    nonsense: tuple[str | bytes, ...] = ()
    nonsense_after: float = 0.0
    metadata: bool = True
    metadata_seconds: float | None = None
    """A fixed duration in Metadata, whatever was received."""
    metadata_factor: float = 1.0
    metadata_delay: float = 0.0
    """Seconds of time."""
    heeds_close_stream: bool = True
    hangup: Hangup | None = None
    reset_after: float | None = None
    """Reset TCP after this much audio."""
    stops_reading_after: float | None = None
    patience: float | None = 10.0
    """Seconds of time without a frame, or without first audio, after which it ends with NET-0001."""
    keeps_audio: bool = True
    locate: Callable[[bytes], int | None] | None = None
    """Tells from a connection's first bytes where in the speaker's own audio it begins, in bytes; None: not yet.
    Words are then numbered from the beginning of that audio, and there are none before it is known."""


def _results(**fields: object) -> str:
    alternative = {"transcript": "nonsense", "confidence": 0.5, "words": []}
    return json.dumps({"type": "Results", "channel": {"alternatives": [alternative]}, **fields})


NONSENSE: Final[tuple[str | bytes, ...]] = (
    "not json",
    "{",
    "",
    "null",
    "[]",
    '"text"',
    "[" * 100_000,
    "\\ud800",
    '"\\ud800"',
    b"\x00\xff\xfe binary",
    '{"type":"Surprise","start":1}',
    '{"type":17}',
    '{"no":"type"}',
    '{"type":"Results"}',
    '{"type":"Results","channel":null}',
    '{"type":"Results","channel":{"alternatives":null}}',
    '{"type":"Results","channel":{"alternatives":[]}}',
    '{"type":"Results","channel":{"alternatives":[{"transcript":5}]}}',
    _results(start=float("nan"), duration=float("inf"), is_final=True),
    _results(start=-5.0, duration=-1.0, is_final=True),
    _results(start="0", duration=[], is_final="yes"),
    _results(start=1e300, duration=1e300, is_final=False),
    '{"type":"SpeechStarted","timestamp":null}',
    '{"type":"UtteranceEnd","last_word_end":-1}',
    '{"type":"Metadata","duration":-3}',
    '{"type":"Metadata","duration":"7"}',
    '{"type":"Error","variant":"SchemaError","description":"odd","code":null,"message":"x"}',
)
HUGE: Final = _results(start=0.0, duration=0.5, is_final=True, filler="x" * 5_000_000)
"""A message of 5 MB."""

SCRIPTS: Final[Mapping[str, Script]] = {
    "normal": Script(),
    "late-metadata": Script(metadata_delay=2.0),
    "no-metadata": Script(metadata=False),
    "zero-metadata": Script(metadata_seconds=0.0),
    "short-metadata": Script(metadata_factor=0.5),
    "long-metadata": Script(metadata_factor=2.0),
    "never-answers": Script(answers_handshake=False),
    "closes-at-once": Script(hangup=Hangup()),
    "closes-after-10s": Script(hangup=Hangup(10.0)),
    "resets-after-10s": Script(reset_after=10.0),
    "silent-after-5s": Script(silent_after=5.0),
    "stops-reading": Script(stops_reading_after=1.0),
    "nonsense": Script(nonsense=NONSENSE),
    "huge": Script(nonsense=(HUGE,)),
    "ignores-close": Script(heeds_close_stream=False),
    "slow": Script(delay=1.0),
    **{name: Script(handshake=handshake) for name, handshake in BROKEN_HANDSHAKES.items()},
    **{f"refuses-{status}": Script(refuse=refusal) for status, refusal in REFUSALS.items()},
}
"""Scripts by name, for the stand-in as a process."""


def values(query: Iterable[tuple[str, str]], name: str) -> list[str]:
    """All values of one parameter, in order."""
    return [value for key, value in query if key == name]
