"""What the two kinds of sessions share as state machines: events in, actions out, and timers."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase

Timer = tuple[float, Callable[[float], None]]
"""When to call what, with the time as its argument."""


class Machine(ABC):
    """A state machine without I/O and clock. The parts of a session append to `_actions`."""

    def __init__(self) -> None:
        self.phase = Phase.DIALLING
        self._actions: list[ev.Action] = []

    @property
    def is_live(self) -> bool:
        """Whether the session has an upstream and takes audio."""
        return self.phase is Phase.LIVE

    @property
    @abstractmethod
    def forwarded_bytes(self) -> int:
        """Bytes of the client's audio that went upstream, each counted once."""

    def start(self) -> list[ev.Action]:
        """Return the first actions."""
        return [ev.Dial()]

    def handle(self, event: ev.Event, now: float) -> list[ev.Action]:
        """Return the actions that an event causes, in order."""
        self._actions.clear()
        if self.phase is not Phase.OVER:
            self._dispatch(event, now)
        return self._actions.copy()

    @abstractmethod
    def _dispatch(self, event: ev.Event, now: float) -> None:
        """Handle an event of a session that is not over."""

    @abstractmethod
    def _timers(self) -> list[Timer]:
        """Return the timers of a running session: when to do what, if nothing else happens."""

    def _run_due_timers(self, now: float) -> None:
        phase = self.phase
        for at, act in self._timers():
            if now >= at and self.phase is phase:
                act(now)
