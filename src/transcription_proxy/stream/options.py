"""The `config` of a caption session: its options, what they cost, and the upstream's query parameters for them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from transcription_proxy import sentences
from transcription_proxy.metering.audio import SAMPLE_BYTES, AudioFormat
from transcription_proxy.metering.credits import MICRO
from transcription_proxy.metering.rates import ADDONS, Rate, Rates, Unpriced, is_flux

HOLD_SECONDS: Final = 45
"""Seconds of audio in the largest hold (money 10)."""
MAX_TERMS: Final = 100
MAX_TERM_LENGTH: Final = 200
"""Characters."""
MAX_TERMS_LENGTH: Final = 4000
"""Characters of all terms of one option, so that the upstream's request head stays under 16 KiB."""


class InvalidConfig(Exception):
    """An option that is unknown, of the wrong type or not on offer. The exception's text names the option."""


@dataclass(frozen=True, slots=True)
class Options:
    """A checked config."""

    model: str
    language: str
    audio: AudioFormat
    channels_billed: int
    rate: Rate
    """The rate of one channel."""
    query: tuple[tuple[str, str], ...]
    """Parameters of the upstream's URL, in order."""
    addons: tuple[str, ...] = ()
    """Options with a price of their own."""

    @property
    def micro(self) -> int:
        """Micro-credits a second for all channels billed."""
        return self.rate.micro * self.channels_billed

    @property
    def hold_cap(self) -> int:
        """The largest hold: credits of 45 s of audio, at least 1 (money 10)."""
        return max(1, HOLD_SECONDS * self.micro // MICRO)


def read(config: Any, rates: Rates) -> Options:
    """Return the options of a client's `config`, the defaults for None. Raises InvalidConfig."""
    if config is None:
        config = {}
    if not isinstance(config, dict):
        raise InvalidConfig(sentences.CONFIG_NO_OBJECT)
    for key in config:
        if key not in CHECKS:
            raise InvalidConfig(sentences.no_such_option(str(key)[:40]))
    checked = {key: _checked(key, value) for key, value in config.items()}
    values: dict[str, Any] = {**DEFAULTS, **checked}
    audio = AudioFormat(values["encoding"], values["sample_rate"], values["channels"])
    return Options(
        model=values["model"],
        language=values["language"],
        audio=audio,
        channels_billed=audio.channels if values.get("multichannel") else 1,
        rate=_rate(values, rates),
        query=tuple(_query(values)),
        addons=_addons(values),
    )


def _rate(values: Mapping[str, Any], rates: Rates) -> Rate:
    if is_flux(values["model"]):
        raise InvalidConfig(sentences.invalid_field("config.model", sentences.FLUX_IS_V2))
    try:
        return rates.rate(values["model"], values["language"], _addons(values))
    except Unpriced as error:
        raise InvalidConfig(sentences.invalid_field(f"config.{error.key}", str(error))) from error


def _addons(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(addon for addon in ADDONS if values.get(addon))


def _query(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for key, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            pairs.append((key, str(item).lower() if isinstance(item, bool) else str(item)))
    return pairs


def _checked(key: str, value: Any) -> Any:
    meaning, check = CHECKS[key]
    if not check(value):
        raise InvalidConfig(sentences.wrong_option(key, meaning))
    return [value] if key in TERMS and isinstance(value, str) else value


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _false_or(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is False or check(value)


def _word(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _term(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TERM_LENGTH and value.isprintable()


def _terms(value: Any) -> bool:
    if isinstance(value, str):
        return _term(value)
    return (
        isinstance(value, list)
        and len(value) <= MAX_TERMS
        and all(map(_term, value))
        and sum(map(len, value)) <= MAX_TERMS_LENGTH
    )


DEFAULTS: Final[dict[str, Any]] = {
    "model": "nova-2",
    "language": "en-US",
    "interim_results": True,
    "encoding": "linear16",
    "sample_rate": 16000,
    "channels": 1,
}
TERMS: Final = ("keyterm", "keywords", "replace")
_TERMS: Final = (
    f"a string or a list of at most {MAX_TERMS} strings, {MAX_TERM_LENGTH} printable characters each",
    _terms,
)
_FLAG: Final = ("true or false", _boolean)
CHECKS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "model": ("the name of a model", _word(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")),
    "language": ("a language tag such as en-US", _word(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")),
    "interim_results": _FLAG,
    "endpointing": ("milliseconds from 0 to 60000, or false", _false_or(_whole(0, 60_000))),
    "utterance_end_ms": ("milliseconds from 1 to 60000", _whole(1, 60_000)),
    "vad_events": _FLAG,
    "punctuate": _FLAG,
    "smart_format": _FLAG,
    "numerals": _FLAG,
    "profanity_filter": _FLAG,
    "filler_words": _FLAG,
    "diarize": _FLAG,
    "keyterm": _TERMS,
    "keywords": _TERMS,
    "replace": _TERMS,
    "encoding": (" or ".join(SAMPLE_BYTES), lambda value: isinstance(value, str) and value in SAMPLE_BYTES),
    "sample_rate": ("whole Hz from 8000 to 48000", _whole(8000, 48_000)),
    "channels": ("a whole number from 1 to 8", _whole(1, 8)),
    "multichannel": _FLAG,
}
