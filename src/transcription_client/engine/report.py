"""Turns what happens to the captions into results and statuses for the app."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from transcription_client.core import printable
from transcription_client.engine import sentences
from transcription_client.engine.callbacks import Callbacks
from transcription_client.engine.values import EngineStatus, State, TranscriptionResult
from transcription_wire import messages as wire
from transcription_wire.sentences import behind

log = logging.getLogger(__name__)
OnTranscript = Callable[[TranscriptionResult], None]
OnStatus = Callable[[EngineStatus], None]


class Report:
    """Tells the app about one run of the engine. All methods may be called from any thread."""

    def __init__(
        self,
        callbacks: Callbacks,
        on_transcript: OnTranscript,
        on_status: OnStatus | None,
    ) -> None:
        self._callbacks = callbacks
        self._on_transcript = on_transcript
        self._on_status = on_status
        self.began_at = datetime.now().astimezone()
        """When the run began."""
        self.has_fallback = False
        """Captions continue on this computer at zero credit."""
        self._lock = threading.RLock()
        self._status: EngineStatus | None = None
        self._problem = ""
        self._usual = ""
        """The message of the present state, without what was noted since."""
        self._has_interim = False
        self._used = 0

    @property
    def state(self) -> State | None:
        """The present state, None before the first one."""
        return self._status.state if self._status else None

    @property
    def seconds_remaining(self) -> int | None:
        """The balance, as far as it is known."""
        return self._status.seconds_remaining if self._status else None

    def enter(self, state: State, message: str, *, reason: str | None = None) -> None:
        """Tell the app of a state. Telling the same twice is told once."""
        with self._lock:
            self._usual = message
            self._tell(EngineStatus(state, message, self.seconds_remaining, reason))
            if self._problem and state == "live":
                self.note(self._problem)

    def note(self, message: str) -> None:
        """Tell the app something that leaves the state as it is."""
        with self._lock:
            if self._status is not None and self._status.state != "ended":
                self._tell(replace(self._status, message=message))

    def problem(self, message: str) -> None:
        """Tell the app that the audio source failed, or with "" that it works again."""
        with self._lock:
            solved, self._problem = self._problem, message
            if message:
                self.note(message)
            elif solved and self._status is not None and self._status.message == solved:
                self.note(self._usual)

    def take(self, message: wire.ServerMessage, start: float | None = None, *, repeated: bool = False) -> None:
        """Tell the app of a message. `start`: of its words, in seconds since the run began. `repeated`: its words were
        told before."""
        match message:
            case wire.Transcript() if not repeated:
                self._tell_words(message, message.start if start is None else start)
            case wire.Ready(seconds_remaining=left):
                self._used = 0
                self._tell_balance(left)
            case wire.Usage(seconds_used=used, seconds_remaining=left):
                self._used = used
                self._tell_balance(left)
            case wire.SessionEnd(seconds_used=used) if self.seconds_remaining is not None:
                self._tell_balance(self.seconds_remaining - (used - self._used))
            case wire.CreditsLow(seconds_remaining=left):
                self._tell_balance(left, sentences.low(left, fallback=self.has_fallback))
            case wire.UpstreamStatus(upstream="reconnecting"):
                self.enter("reconnecting", sentences.RECONNECTING)
            case wire.UpstreamStatus():
                self.enter("live", sentences.LIVE)
            case wire.Warning(code="behind"):
                self.note(behind(int(message.seconds or 0)))
            case wire.Warning() | wire.Error():
                self.note(message.message)

    def _tell_words(self, words: wire.Transcript, start: float) -> None:
        text = printable(words.text).strip()
        with self._lock:
            if not text and not (words.is_final and self._has_interim):
                return
            self._has_interim = not words.is_final
        at = self.began_at + timedelta(seconds=start)
        result = TranscriptionResult(text, words.is_final, words.confidence, start, words.duration, at)
        self._callbacks.post(lambda: self._on_transcript(result))

    def _tell_balance(self, seconds: int, message: str | None = None) -> None:
        with self._lock:
            status = self._status or EngineStatus("connecting", sentences.CONNECTING)
            self._tell(replace(status, seconds_remaining=seconds, message=message or status.message))

    def _tell(self, status: EngineStatus) -> None:
        with self._lock:
            if status == self._status:
                return
            if self._status is None or (self._status.state, self._status.message) != (status.state, status.message):
                log.info("captions: %s", status.state)
            self._status = status
            on_status = self._on_status
            if on_status is not None:
                self._callbacks.post(lambda: on_status(status))
