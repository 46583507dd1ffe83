"""Adds up the sessions of one transcription: usually one, and one more for each lost connection."""

from dataclasses import dataclass, field

from transcription_wire import messages as wire


@dataclass(slots=True)
class Part:
    """One session of a transcription. `reason`: why it ended, None until its receipt came."""

    session_id: str = ""
    seconds_used: int = 0
    audio_seconds: float = 0.0
    reason: str | None = None
    pending: bool = False


@dataclass(slots=True)
class Tally:
    """The sums over all sessions of a transcription."""

    parts: list[Part] = field(default_factory=list)

    @property
    def last(self) -> Part:
        if not self.parts:
            self.parts.append(Part())
        return self.parts[-1]

    @property
    def seconds_used(self) -> int:
        return sum(part.seconds_used for part in self.parts)

    @property
    def audio_seconds(self) -> float:
        return sum(part.audio_seconds for part in self.parts)

    @property
    def complete(self) -> bool:
        """Whether every session has its receipt."""
        return all(part.reason is not None for part in self.parts)

    def record_end(self, end: wire.SessionEnd) -> None:
        """Record the receipt of the last session."""
        part = self.last
        part.seconds_used, part.audio_seconds = end.seconds_used, end.audio_seconds
        part.reason, part.pending = end.reason, end.pending

    def record_receipt(self, session_id: str, seconds_used: int, audio_seconds: float, reason: str) -> None:
        """Record the receipt of a session that was lost, as the service lists it."""
        for part in self.parts:
            if part.session_id == session_id:
                part.seconds_used, part.audio_seconds, part.reason = seconds_used, audio_seconds, reason
