"""The request of a Deepgram client: the query of `/v1/listen` or `/v2/listen`, what it costs, and what goes upstream.

The query is relayed as it came, in its order and encoding, without the repeats of a parameter that decides the price:
we would count by the first, and the upstream perhaps by the last. Whether a value makes sense, the upstream decides."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus
from uuid import UUID

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.metering.audio import SAMPLE_BYTES, AudioFormat
from transcription_proxy.metering.credits import MICRO
from transcription_proxy.metering.rates import ADDONS, Rate, Rates, Unpriced, is_flux
from transcription_proxy.stream.options import HOLD_SECONDS
from transcription_wire.codes import ErrorCode

V1: Final = "/v1/listen"
V2: Final = "/v2/listen"
DEFAULT_MODEL: Final = {V1: "base", V2: ""}
DEFAULT_LANGUAGE: Final = "en"
SINGLE: Final = frozenset(
    {"model", "language", "encoding", "sample_rate", "channels", "multichannel", "diarize", "detect_entities"}
)
"""Parameters of which only the first value goes upstream."""
REFUSED: Final = frozenset({"callback", "callback_method"})
"""Their results would go elsewhere, where nobody meters them."""
FLAGS: Final = {
    "diarize": "diarize",
    "diarize_model": "diarize",
    "redact": "redact",
    "keyterm": "keyterm",
    "detect_entities": "detect_entities",
}
"""Parameters that switch a paid add-on on, unless their value is one of OFF, and the add-on."""
OFF: Final = ("", "false")
MAX_CHANNELS: Final = 20
MAX_KEYTERM_TOKENS: Final = 500
"""Tokens of all keyterms of one request. Deepgram falls silent after a Configure with more (deepgram 2.10)."""
BYTES_PER_TOKEN: Final = 4
"""Bytes of a word that are counted as a token: which tokens Deepgram counts is not published."""
MILLISECONDS: Final = AudioFormat("mulaw", sample_rate=1000)
"""The unit in which audio is counted that is not raw: one byte stands for a millisecond."""


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """A checked request. `query`: what goes upstream, without the session's tag."""

    path: str
    query: str
    model: str
    language: str
    audio: AudioFormat
    is_raw: bool
    """The audio's bytes tell its length. Otherwise `audio` is MILLISECONDS, and the upstream tells its length."""
    channels_billed: int
    rate: Rate
    """The rate of one channel, add-ons included."""
    addons: tuple[str, ...]
    """Options with a price of their own."""
    keyterm: Rate | None
    """Return the rate that keyterms add; None where they are not offered."""

    @property
    def micro(self) -> int:
        """Micro-credits a second for all channels billed."""
        return self.rate.micro * self.channels_billed

    @property
    def hold_cap(self) -> int:
        """The largest hold: credits of 45 s of audio, at least 1 (money 10)."""
        return max(1, HOLD_SECONDS * self.micro // MICRO)

    def micro_with_keyterms(self, has_keyterms: bool) -> int:
        """Return micro-credits a second for all channels billed, with or without keyterms."""
        extra = self.keyterm.micro if self.keyterm else 0
        base = self.rate.micro - (extra if "keyterm" in self.addons else 0)
        return (base + (extra if has_keyterms else 0)) * self.channels_billed

    def target(self, session_id: UUID) -> str:
        """Return the path and query to dial. The tag names the session in the upstream's usage reports."""
        return f"{self.path}?{self.query}{'&' if self.query else ''}tag={session_id}"


def read(
    path: str, query: str, rates: Rates, models: Sequence[str] | None = None, *, is_recording: bool = False
) -> ListenRequest:
    """Return the request. Raise Refusal invalid_config or forbidden. `models`: those allowed, None for all.

    `is_recording`: the upstream says at the end how many channels there were."""
    kept, values = _select(query)
    model = values.get("model", DEFAULT_MODEL[path])
    if is_flux(model) is not (path == V2):
        raise _invalid(sentences.invalid_field("model", sentences.FLUX_IS_V2))
    if models is not None and model not in models:
        raise Refusal("forbidden", sentences.model_not_allowed(model[:40], models))
    language = values.get("language", DEFAULT_LANGUAGE) if path == V1 else DEFAULT_LANGUAGE
    audio = _raw_audio(values)
    is_multichannel = values.get("multichannel", "false").lower() == "true"
    if is_multichannel and audio is None and not is_recording:
        raise _invalid(sentences.MULTICHANNEL_NEEDS_RAW)
    addons = _addons(kept)
    return ListenRequest(
        path=path,
        query="&".join(piece for piece, _, _ in kept),
        model=model,
        language=language,
        audio=audio or MILLISECONDS,
        is_raw=audio is not None,
        channels_billed=audio.channels if audio and is_multichannel else 1,
        rate=_rate(rates, model, language, addons),
        addons=addons,
        keyterm=_keyterm_rate(rates),
    )


def keyterm_tokens(terms: Iterable[str]) -> int:
    """Return about how many tokens terms have: at least one for each word."""
    return sum(-(-len(word.encode()) // BYTES_PER_TOKEN) for term in terms for word in term.split())


def _select(query: str) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """Return the pieces of the query that may pass, each with its name and value, and the first value of each name."""
    kept: list[tuple[str, str, str]] = []
    values: dict[str, str] = {}
    for piece in query.split("&"):
        name, value = (unquote_plus(part) for part in (piece.partition("=")[0], piece.partition("=")[2]))
        if name in REFUSED:
            raise _invalid(sentences.NO_CALLBACK)
        if piece and not (name in SINGLE and name in values):
            kept.append((piece, name, value))
            values.setdefault(name, value)
    return kept, values


def _raw_audio(values: Mapping[str, str]) -> AudioFormat | None:
    """Return the format of raw audio, None for containers, compressed audio and what the upstream will refuse."""
    encoding, rate, channels = (values.get(name, "") for name in ("encoding", "sample_rate", "channels"))
    if encoding not in SAMPLE_BYTES or not re.fullmatch("[1-9][0-9]{0,5}", rate):
        return None
    if not re.fullmatch("[1-9][0-9]?", channels or "1") or int(channels or "1") > MAX_CHANNELS:
        return None
    return AudioFormat(encoding, int(rate), int(channels or "1"))


def _addons(kept: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    on = {FLAGS[name] for _, name, value in kept if name in FLAGS and value.lower() not in OFF}
    return tuple(addon for addon in ADDONS if addon in on)


def _rate(rates: Rates, model: str, language: str, addons: Iterable[str]) -> Rate:
    try:
        return rates.rate(model, language, addons)
    except Unpriced as error:
        raise _invalid(sentences.invalid_field(error.key, str(error))) from error


def _keyterm_rate(rates: Rates) -> Rate | None:
    return Rate(0, rates.flat.cost) if rates.flat is not None else rates.addons.get("keyterm")


def _invalid(message: str) -> Refusal:
    return Refusal(ErrorCode.INVALID_CONFIG, message)
