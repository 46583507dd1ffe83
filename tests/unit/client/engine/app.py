"""An app that uses the engine: it keeps what it is called with, and captures audio by hand."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from transcription_client.engine.values import EngineStatus, TranscriptionResult

WITHIN = 20.0


@dataclass
class App:
    """`results` and `statuses` grow as the engine calls; `threads` are the names of the threads that it called from."""

    results: list[TranscriptionResult] = field(default_factory=list)
    statuses: list[EngineStatus] = field(default_factory=list)
    tokens: list[tuple[str, str]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def on_transcript(self, result: TranscriptionResult) -> None:
        self._keep(lambda: self.results.append(result))

    def on_status(self, status: EngineStatus) -> None:
        self._keep(lambda: self.statuses.append(status))

    def on_tokens(self, access: str, refresh: str) -> None:
        self._keep(lambda: self.tokens.append((access, refresh)))

    def _keep(self, keep: Callable[[], None]) -> None:
        with self._changed:
            keep()
            self.threads.add(threading.get_ident())
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool], within: float = WITHIN) -> None:
        """Wait until a callback makes the condition true."""
        with self._changed:
            assert self._changed.wait_for(condition, within), (self.statuses[-3:], self.results[-3:])

    async def sees(self, condition: Callable[[], bool], within: float = WITHIN) -> None:
        """As `until`, beside the event loop of a test's servers."""
        await asyncio.to_thread(self.until, condition, within)

    async def enters(self, *states: str) -> EngineStatus:
        """As `until_state`, beside the event loop of a test's servers."""
        return await asyncio.to_thread(self.until_state, *states)

    def until_state(self, *states: str) -> EngineStatus:
        """Wait for the present state, and return its status."""
        self.until(lambda: self.state in states)
        return self.statuses[-1]

    @property
    def state(self) -> str:
        return self.statuses[-1].state if self.statuses else ""

    @property
    def states(self) -> list[str]:
        """All states in order, each once until the next."""
        states = [status.state for status in self.statuses]
        return [state for before, state in zip([None, *states], states, strict=False) if state != before]

    @property
    def messages(self) -> list[str]:
        return [status.message for status in self.statuses]

    @property
    def finals(self) -> str:
        return " ".join(result.text for result in self.results if result.is_final and result.text)

    def heard(self, text: str) -> bool:
        """Whether a result had that text in it."""
        return any(text in result.text for result in self.results)

    @property
    def calls(self) -> int:
        return len(self.results) + len(self.statuses) + len(self.tokens)


@dataclass
class Talk:
    """An AudioSource by hand. `fails`: what `start` raises."""

    fails: Exception | None = None
    started: int = 0
    stopped: int = 0
    on_problem: Callable[[str], None] = lambda sentence: None
    _callback: Callable[[bytes], None] = lambda sound: None
    _ready: threading.Event = field(default_factory=threading.Event)

    def start(self, callback: Callable[[bytes], None]) -> None:
        if self.fails is not None:
            raise self.fails
        self._callback = callback
        self.started += 1
        self._ready.set()

    def stop(self) -> None:
        self.stopped += 1

    def say(self, sound: bytes, frame: int = 3200, speed: float | None = None) -> None:
        """Give audio in frames; `speed` times real time, or at once."""
        assert self._ready.wait(WITHIN)
        for begin in range(0, len(sound), frame):
            self._callback(sound[begin : begin + frame])
            if speed is not None:
                time.sleep(frame / 32_000 / speed)
