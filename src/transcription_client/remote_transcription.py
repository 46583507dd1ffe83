"""`RemoteTranscriptionEngine`: captions by the service (`managed`), or by Deepgram with the user's own key (`byok`).

docs/desktop.md shows how an app takes it in."""

from collections.abc import Mapping
from typing import Any

from transcription_client.engine.base import CaptionEngine
from transcription_client.engine.managed import OnTokens
from transcription_client.engine.modes import provide
from transcription_client.engine.report import OnStatus, OnTranscript
from transcription_client.engine.values import AudioSource, EngineStatus, TranscriptionResult

__all__ = ["AudioSource", "EngineStatus", "RemoteTranscriptionEngine", "TranscriptionResult"]


class RemoteTranscriptionEngine(CaptionEngine):
    """Captions by a service. `config` has the keys of the plan's `remote:` section.

    `audio`: None opens the default microphone. `on_tokens` is called with the new access and refresh token when the
    engine has renewed them; while it runs, no one else may use the refresh token, which works once."""

    def __init__(
        self,
        config: Mapping[str, Any],
        on_transcript_callback: OnTranscript,
        on_status: OnStatus | None = None,
        audio: AudioSource | None = None,
        *,
        on_tokens: OnTokens | None = None,
    ) -> None:
        chosen = dict(config)
        super().__init__(
            lambda callbacks: provide(chosen, on_tokens, callbacks), on_transcript_callback, on_status, audio
        )
