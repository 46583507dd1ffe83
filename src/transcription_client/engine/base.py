"""What the engines of all modes share: the threads, start and stop, mute and the level."""

from collections.abc import Callable

from transcription_client.engine.values import AudioSource, EngineStatus, TranscriptionResult

OnTranscript = Callable[[TranscriptionResult], None]
OnStatus = Callable[[EngineStatus], None]


class CaptionEngine:
    """Captions live audio until it is stopped. All callbacks come from one thread of the engine's own."""

    def __init__(
        self,
        on_transcript_callback: OnTranscript,
        on_status: OnStatus | None = None,
        audio: AudioSource | None = None,
    ) -> None:
        self._on_transcript = on_transcript_callback
        self._on_status = on_status
        self._audio = audio
        self._level = 0.0

    @property
    def level(self) -> float:
        """The loudness of the last tenth of a second, from 0.0 to 1.0 (RMS), also while muted."""
        return self._level

    def start(self) -> None:
        """Begin to caption. Return at once; what follows is told to `on_status`. A running engine goes on."""

    def stop(self) -> None:
        """Finish the last words and end, within 5 s. No callback begins after this has returned."""

    def set_muted(self, muted: bool) -> None:
        """While muted, audio is dropped: it is neither sent nor billed."""

    def _on_audio_chunk(self, audio_data: bytes) -> None:
        """Take audio of an app that captures by itself, in the format of AudioSource. May come from any thread."""

    def _on_server_message(self, message: str | bytes) -> None:
        """Take a message of the service, and call the app with what is in it."""
