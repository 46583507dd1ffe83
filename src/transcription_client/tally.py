"""What the sessions of one transcription came to: usually one, and one more for each connection that was lost."""

from dataclasses import dataclass, field

from transcription_wire import messages as wire


@dataclass(slots=True)
class Part:
    """One session of a transcription, as far as it is known. `reason`: None until its receipt came."""

    session_id: str = ""
    seconds_used: int = 0
    audio_seconds: float = 0.0
    reason: str | None = None
    pending: bool = False


@dataclass(slots=True)
class Tally:
    """What all sessions of a transcription came to."""

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
        """Whether all receipts are there."""
        return all(part.reason is not None for part in self.parts)

    def ended(self, end: wire.SessionEnd) -> None:
        """The receipt of the last session."""
        part = self.last
        part.seconds_used, part.audio_seconds = end.seconds_used, end.audio_seconds
        part.reason, part.pending = end.reason, end.pending

    def found(self, session_id: str, seconds_used: int, audio_seconds: float, reason: str) -> None:
        """What the service holds of a session whose receipt never came."""
        for part in self.parts:
            if part.session_id == session_id:
                part.seconds_used, part.audio_seconds, part.reason = seconds_used, audio_seconds, reason
