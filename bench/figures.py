"""PURE. The arithmetic of the benchmark: percentiles, medians over rounds, and when a figure cannot be trusted."""

from collections.abc import Sequence
from statistics import median

import msgspec

LATE_MS = 5.0
"""Lateness of the load generator, or latency of the direct connection, above which the load was the bottleneck."""
FULL_CORE = 0.97
"""Share of a core's time above which the core was the bottleneck."""


class Latency(msgspec.Struct):
    """Milliseconds. `count`: how many values it was made of."""

    p50: float
    p99: float
    max: float
    count: int


class Spread(msgspec.Struct):
    """The median over the rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


def latency(seconds: Sequence[float]) -> Latency | None:
    """Return the percentiles of durations in seconds, None for none."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Latency(
        p50=_milliseconds(_percentile(ordered, 50)),
        p99=_milliseconds(_percentile(ordered, 99)),
        max=_milliseconds(ordered[-1]),
        count=len(ordered),
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)


def spread(values: Sequence[float]) -> Spread | None:
    """Return the median and the range of the rounds' values, None for no rounds."""
    return Spread(median(values), min(values), max(values)) if values else None
