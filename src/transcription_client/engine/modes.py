"""Chooses what captions, by the mode in the settings."""

from collections.abc import Mapping
from typing import Any

from transcription_client.engine import settings
from transcription_client.engine.byok import Byok
from transcription_client.engine.callbacks import Callbacks
from transcription_client.engine.local import Local
from transcription_client.engine.managed import Managed, OnTokens
from transcription_client.engine.providers import Provider


def provide(
    config: Mapping[str, Any], on_tokens: OnTokens | None, callbacks: Callbacks
) -> tuple[Provider, Provider | None]:
    """Return what captions, and what does so meanwhile if that is away. Raise ClientError where a setting is wrong."""
    chosen = settings.read(config)
    fallback = Local() if chosen.falls_back else None
    if chosen.mode == "local":
        return Local(), None
    if chosen.mode == "byok":
        return Byok(chosen), fallback
    return Managed(chosen, lambda *tokens: callbacks.post(lambda: on_tokens and on_tokens(*tokens))), fallback
