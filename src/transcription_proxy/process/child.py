"""A child process of the supervisor: what it inherits, and how it is started, ended and restarted."""

import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from transcription_proxy.backoff import Backoff

log = logging.getLogger(__name__)

BACKOFF: Final = Backoff(first=0.5, longest=10.0)
"""Delays of restarts after the first one, which has none."""
STEADY_SECONDS: Final = 60.0
"""Seconds of life after which a child's next restart has no delay again."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a child inherits: environment variables, and file descriptors that keep their numbers."""

    env: Mapping[str, str]
    descriptors: tuple[int, ...]

    def extended(self, env: Mapping[str, str], *descriptors: int) -> Self:
        """Return a copy with more variables and descriptors."""
        return replace(self, env={**self.env, **env}, descriptors=(*self.descriptors, *descriptors))


class Child:
    """A supervised process. When it dies it is restarted: at once the first time, then after growing delays."""

    def __init__(self, name: str, command: Sequence[str], inherited: Inherited) -> None:
        self.name = name
        self._command = command
        self._inherited = inherited
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._restarts = 0
        self._start_at = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether the process was started and its exit has not been seen yet."""
        return self._process is not None

    def start_if_due(self, now: float) -> None:
        """Start the process if it is due, in a session of its own, so that Ctrl-C reaches only the supervisor."""
        if self.is_alive or now < self._start_at:
            return
        self._started = now
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                self._command,
                env={**os.environ, **self._inherited.env},
                pass_fds=self._inherited.descriptors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            log.error("can't start %s: %s", self.name, error)
            self._plan_restart(now)

    def poll_exit(self, now: float) -> int | None:
        """Return the exit status, once, if the process has ended; otherwise None."""
        status = self._process.poll() if self._process else None
        if status is not None:
            self._process = None
            self._plan_restart(now)
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is alive."""
        if self._process is not None:
            self._process.send_signal(number)

    def end(self, timeout_seconds: float) -> None:
        """End the process: SIGTERM, and SIGKILL after `timeout_seconds`."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _plan_restart(self, now: float) -> None:
        if now - self._started > STEADY_SECONDS:
            self._restarts = 0
        self._start_at = now + BACKOFF.pause(self._restarts)
        self._restarts += 1
