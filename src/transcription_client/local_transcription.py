"""`LocalTranscriptionEngine`: captions by the built-in model, in a process of its own and without a network.

An app that is built into one executable calls `freeze_support()` first of all, so that it can start that process."""

from collections.abc import Mapping
from typing import Any

from transcription_client.engine.base import CaptionEngine
from transcription_client.engine.local import freeze_support
from transcription_client.engine.modes import provide
from transcription_client.engine.report import OnStatus, OnTranscript
from transcription_client.engine.values import AudioSource

__all__ = ["LocalTranscriptionEngine", "freeze_support"]


class LocalTranscriptionEngine(CaptionEngine):
    """Has the methods of RemoteTranscriptionEngine. Of `config` it reads the language. Needs the extra `[local]`."""

    def __init__(
        self,
        config: Mapping[str, Any],
        on_transcript_callback: OnTranscript,
        on_status: OnStatus | None = None,
        audio: AudioSource | None = None,
    ) -> None:
        chosen = {**config, "mode": "local"}
        super().__init__(lambda callbacks: provide(chosen, None, callbacks), on_transcript_callback, on_status, audio)
