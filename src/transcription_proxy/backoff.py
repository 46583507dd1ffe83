"""Pauses between tries that grow while tries fail. What a session does about a lost upstream is in stream/redial.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first`: the pause after the first failure. Each later one is twice as long, up to `longest`. Seconds."""

    first: float
    longest: float

    def pause(self, failures: int) -> float:
        """Return the pause in seconds after so many failures in a row, none for 0."""
        return min(self.first * 2 ** min(failures - 1, 60), self.longest) if failures else 0.0
