"""Runs one engine at a time for the window: its callbacks become signals on the window's thread."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from PySide6.QtCore import QObject, Qt, Signal

from transcription_client.engine.report import OnStatus, OnTranscript
from transcription_client.engine.values import AudioSource, EngineStatus, TranscriptionResult
from transcription_client.gui.background import Background

Phase = Literal["off", "starting", "running", "stopping"]


class Engine(Protocol):
    """An engine, as the window uses it."""

    @property
    def level(self) -> float: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def set_muted(self, muted: bool) -> None: ...


class MakeEngine(Protocol):
    """Makes the engine of a mode."""

    def __call__(
        self, config: Mapping[str, Any], on_transcript: OnTranscript, on_status: OnStatus, audio: AudioSource | None
    ) -> Engine: ...


class CaptionSession(QObject):
    """Starts and stops engines. A callback of an engine that was stopped is dropped."""

    transcript = Signal(object)
    status = Signal(object)
    phase_changed = Signal(str)
    failed = Signal(str)
    _called = Signal(object)

    def __init__(self, make: MakeEngine, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make = make
        self._background = Background(self)
        self._engine: Engine | None = None
        self._run = 0
        self._muted = False
        self.phase: Phase = "off"
        self._called.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def level(self) -> float:
        """The loudness now, 0.0 to 1.0."""
        return self._engine.level if self._engine is not None and self.phase == "running" else 0.0

    @property
    def muted(self) -> bool:
        return self._muted

    def start(self, config: Callable[[], Mapping[str, Any]], audio: Callable[[], AudioSource | None]) -> None:
        """Start an engine. `config` is called on another thread, since a keyring may keep it waiting."""
        if self.phase != "off":
            return
        self._enter("starting")
        self._background.run(config, lambda found: self._start(found, audio()), self._fail)

    def stop(self, then: Callable[[], object] = lambda: None) -> None:
        """Stop the engine on another thread, and call `then` once it has stopped."""
        if self.phase == "stopping":
            return
        engine = self._engine
        self._enter("stopping")
        self._background.run(lambda: engine.stop() if engine else None, lambda _: self._stopped(then), self._fail)

    def set_muted(self, muted: bool) -> None:
        self._muted = muted
        if self._engine is not None:
            self._engine.set_muted(muted)

    def _start(self, config: Mapping[str, Any], audio: AudioSource | None) -> None:
        self._run += 1
        run = self._run

        def on_transcript(result: TranscriptionResult) -> None:
            self._called.emit((run, result))

        def on_status(status: EngineStatus) -> None:
            self._called.emit((run, status))

        self._engine = self._make(config, on_transcript, on_status, audio)
        self._engine.set_muted(self._muted)
        self._enter("running")
        self._engine.start()

    def _deliver(self, called: tuple[int, TranscriptionResult | EngineStatus]) -> None:
        run, what = called
        if run != self._run or self._engine is None:
            return
        if isinstance(what, TranscriptionResult):
            self.transcript.emit(what)
            return
        self.status.emit(what)
        if what.state == "ended" and self.phase == "running":
            self.stop()

    def _stopped(self, then: Callable[[], object]) -> None:
        self._engine = None
        self._enter("off")
        then()

    def _fail(self, sentence: str) -> None:
        self._engine = None
        self.failed.emit(sentence)
        self._enter("off")

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.phase_changed.emit(phase)
