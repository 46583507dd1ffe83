"""A fake engine that says what a test wants, from a thread of its own as a real one does."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from transcription_client.engine.values import AudioSource, EngineStatus, State, TranscriptionResult


def words(text: str, *, final: bool = True, start: float = 1.0) -> TranscriptionResult:
    return TranscriptionResult(text, final, 0.9, start, 2.0, datetime(2026, 11, 29, tzinfo=UTC))


@dataclass
class FakeEngine:
    """`stopping`: wait for this in `stop`, if set."""

    config: Mapping[str, Any]
    on_transcript: Callable[[TranscriptionResult], None]
    on_status: Callable[[EngineStatus], None]
    audio: AudioSource | None
    level: float = 0.1
    calls: list[str] = field(default_factory=list)
    stopping: threading.Event | None = None

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        if self.stopping is not None:
            assert self.stopping.wait(10)
        self.calls.append("stop")

    def set_muted(self, muted: bool) -> None:
        self.calls.append(f"muted {muted}")

    def say(self, text: str, *, final: bool = True, start: float = 1.0) -> None:
        result = words(text, final=final, start=start)
        self._call(lambda: self.on_transcript(result))

    def enter(self, state: State, message: str, seconds: int | None = None, reason: str | None = None) -> None:
        status = EngineStatus(state, message, seconds, reason)
        self._call(lambda: self.on_status(status))

    def _call(self, callback: Callable[[], None]) -> None:
        thread = threading.Thread(target=callback)
        thread.start()
        thread.join()


@dataclass
class Engines:
    """Makes fake engines, and keeps them."""

    made: list[FakeEngine] = field(default_factory=list)
    stopping: threading.Event | None = None

    def __call__(
        self,
        config: Mapping[str, Any],
        on_transcript: Callable[[TranscriptionResult], None],
        on_status: Callable[[EngineStatus], None],
        audio: AudioSource | None,
    ) -> FakeEngine:
        self.made.append(FakeEngine(config, on_transcript, on_status, audio, stopping=self.stopping))
        return self.made[-1]

    @property
    def last(self) -> FakeEngine:
        return self.made[-1]
