"""PURE. Whether a long run has left anything behind, from samples of the service."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import median

MAX_GROWTH_KIB = 2048
"""Growth of the memory that counts as flat. A leak of half a KiB a session is found in ten minutes."""
EARLY = (0.3, 0.5)
LATE = (0.8, 1.0)
"""Parts of the run whose memory is compared."""


@dataclass(frozen=True)
class Left:
    """What must be the same at rest before and after. Counts of the workers, and of the database."""

    sockets: int
    tasks: int
    timers: int
    relays: int
    leases: int
    held: int


@dataclass(frozen=True)
class Sample:
    """The service at one moment. `seconds` since the run began; `opened`: sessions so far."""

    seconds: float
    live: int
    opened: int
    memory_kib: int
    left: Left


def judge(samples: Sequence[Sample], before: Left, after: Left, failures: dict[str, int]) -> list[str]:
    """Return a sentence for each thing that is wrong."""
    found = [
        f"{field.name}: {getattr(after, field.name)} at the end, {getattr(before, field.name)} before"
        for field in fields(Left)
        if getattr(after, field.name) > getattr(before, field.name)
    ]
    found += [f"{count} sessions went wrong: {reason}" for reason, count in failures.items()]
    growth = growth_kib(samples)
    if growth is not None and growth > MAX_GROWTH_KIB:
        found.append(f"memory: grew by {growth / 1024:.1f} MiB from the first half of the run to its end")
    return found


def growth_kib(samples: Sequence[Sample]) -> float | None:
    """Return how much more memory the late samples have than the early ones, None for too few samples."""
    early, late = (_memory(samples, part) for part in (EARLY, LATE))
    return median(late) - median(early) if early and late else None


def _memory(samples: Sequence[Sample], part: tuple[float, float]) -> list[int]:
    length = max((sample.seconds for sample in samples), default=0.0)
    begin, end = (share * length for share in part)
    return [sample.memory_kib for sample in samples if begin <= sample.seconds <= end and length]
