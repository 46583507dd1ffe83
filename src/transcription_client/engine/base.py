"""What the engines of all modes share: start and stop, mute, the level, and audio that an app captures by itself."""

import threading
from collections.abc import Callable

import msgspec

from transcription_client.engine.report import OnStatus, OnTranscript
from transcription_client.engine.run import Provide, Run
from transcription_client.engine.values import AudioSource
from transcription_client.microphone import Microphone
from transcription_wire import messages as wire


class CaptionEngine:
    """Captions live audio until it is stopped, and may be started again. All callbacks come from one thread."""

    def __init__(
        self,
        provide: Provide,
        on_transcript_callback: OnTranscript,
        on_status: OnStatus | None = None,
        audio: AudioSource | None = None,
    ) -> None:
        self._provide = provide
        self._on_transcript = on_transcript_callback
        self._on_status = on_status
        self._audio = audio
        self._lock = threading.Lock()
        self._muted = False
        self._pushed = False
        """The app captures audio by itself, so the engine opens no microphone."""
        self._microphone: Microphone | None = None
        self._run = self._new_run()

    @property
    def level(self) -> float:
        """The loudness of the last tenth of a second, from 0.0 to 1.0 (RMS), also while muted; 0.0 when stopped."""
        feed = self._run.feed
        return feed.level.value if feed is not None and self._run.is_running else 0.0

    def start(self) -> None:
        """Begin to caption. Return at once; what follows is told to `on_status`. A running engine goes on."""
        with self._lock:
            if self._run.is_running:
                return
            if not self._run.is_new:
                self._run.end()
                self._run = self._new_run()
            self._microphone = None if self._audio or self._pushed else Microphone()
            source = self._audio or self._microphone or _Pushed()
            self._run.begin(source, self._take_captured, muted=self._muted)

    def stop(self) -> None:
        """Finish the last words and end, within 5 s. No callback begins after this has returned."""
        with self._lock:
            self._run.end()

    def set_muted(self, muted: bool) -> None:
        """While muted, audio is dropped: it is neither sent nor billed."""
        self._muted = muted
        if self._run.feed is not None:
            self._run.feed.muted = muted

    def _on_audio_chunk(self, audio_data: bytes) -> None:
        """Take audio of an app that captures by itself, in the format of AudioSource. May come from any thread."""
        self._pushed = True
        microphone, self._microphone = self._microphone, None
        if microphone is not None:
            threading.Thread(target=self._release, args=(microphone, self._run), daemon=True).start()
        self._take_audio(audio_data)

    def _on_server_message(self, message: str | bytes) -> None:
        """Take a message of the service, and tell the app what is in it."""
        try:
            decoded = wire.decode_server(message)
        except msgspec.DecodeError:
            return  # a message of a newer server
        self._run.report.take(decoded)

    def _take_captured(self, sound: bytes) -> None:
        if self._audio is not None or not self._pushed:
            self._take_audio(sound)

    def _take_audio(self, sound: bytes) -> None:
        feed = self._run.feed
        if feed is not None:
            feed.put(bytes(sound))

    @staticmethod
    def _release(microphone: Microphone, run: Run) -> None:
        microphone.stop()
        run.report.problem("")

    def _new_run(self) -> Run:
        return Run(self._provide, self._on_transcript, self._on_status)


class _Pushed:
    """The source of an app that calls `_on_audio_chunk` by itself."""

    def start(self, callback: Callable[[bytes], None]) -> None:
        """Nothing has to be opened."""

    def stop(self) -> None:
        """Nothing has to be closed."""
