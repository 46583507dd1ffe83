"""`LocalTranscriptionEngine`: captions by the built-in model, in a process of its own and without a network."""

from collections.abc import Mapping
from typing import Any

from transcription_client.engine.base import CaptionEngine
from transcription_client.engine.local import Local
from transcription_client.engine.report import OnStatus, OnTranscript
from transcription_client.engine.values import AudioSource


class LocalTranscriptionEngine(CaptionEngine):
    """Has the methods of RemoteTranscriptionEngine. Of `config` it needs nothing. Needs the extra `[local]`."""

    def __init__(
        self,
        config: Mapping[str, Any],
        on_transcript_callback: OnTranscript,
        on_status: OnStatus | None = None,
        audio: AudioSource | None = None,
    ) -> None:
        super().__init__(lambda callbacks: (Local(), None), on_transcript_callback, on_status, audio)
