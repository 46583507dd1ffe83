"""Reads the `config` of an engine: the keys of the plan's `remote:` section."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from transcription_client.core import Format
from transcription_client.engine import sentences
from transcription_client.errors import ClientError

DEEPGRAM: Final = "wss://api.deepgram.com"
MODEL: Final = "nova-3"
"""Deepgram's model unless the user names one. It refuses `keywords`."""
AUDIO: Final = Format()
"""The format of every audio source: 16 kHz, mono, linear16."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where captions come from. `session`: the options of a session, the audio's format included."""

    mode: str
    session: dict[str, Any]
    server_url: str = ""
    auth_token: str = ""
    refresh_token: str = ""
    byok_api_key: str = ""
    deepgram_url: str = DEEPGRAM
    falls_back: bool = False


def read(config: Mapping[str, Any]) -> Settings:
    """Return the settings in `config`. Raise ClientError where something needed is missing or wrong."""
    mode = _text(config, "mode") or ("byok" if _text(config, "byok_api_key") else "managed")
    settings = Settings(
        mode,
        _session(config, mode),
        _text(config, "server_url"),
        _text(config, "auth_token"),
        _text(config, "refresh_token"),
        _text(config, "byok_api_key"),
        (_text(config, "deepgram_url") or DEEPGRAM).rstrip("/"),
        falls_back=mode != "local" and _text(config, "fallback") == "local" and _is_english(config),
    )
    if fault := _fault(settings):
        raise ClientError(fault)
    return settings


def _session(config: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Return the options of a session. `options` in `config` adds to them, with the words of the `auth` message.

    A session of the service names no model unless `config` does: the service suggests one."""
    options = config.get("options") or {}
    model = _text(config, "deepgram_model")
    if mode == "byok" and not model:
        model = "nova-2" if "keywords" in options else MODEL
    return {
        **({"model": model} if model else {}),
        "language": _text(config, "language") or "en-US",
        "interim_results": True,
        "punctuate": True,
        **options,
        "encoding": AUDIO.encoding,
        "sample_rate": AUDIO.sample_rate,
        "channels": AUDIO.channels,
    }


def _fault(settings: Settings) -> str | None:
    match settings.mode:
        case "local":
            return None if _is_english(settings.session) else sentences.ENGLISH_ONLY
        case "managed":
            if not settings.server_url:
                return sentences.NO_SERVER
            return None if settings.auth_token or settings.refresh_token else sentences.NOT_LOGGED_IN
        case "byok":
            if not settings.byok_api_key:
                return sentences.NO_KEY
            return None if _is_websocket(settings.deepgram_url) else sentences.bad_deepgram_url(settings.deepgram_url)
        case _:
            return sentences.UNKNOWN_MODE


def _is_english(config: Mapping[str, Any]) -> bool:
    """Return whether the model on this computer understands the language."""
    return (_text(config, "language") or "en").lower().partition("-")[0] == "en"


def _is_websocket(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _text(config: Mapping[str, Any], key: str) -> str:
    value = config.get(key)
    return "" if value is None else str(value).strip()
