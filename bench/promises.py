"""PURE. What the project promises about speed and size, and whether what was measured keeps it."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from bench.figures import Latency, Spread, spread
from bench.results import Results, Round, Row

MAX_RATIO = 2.2
GOAL_RATIO = 1.7
MAX_ADDED_MS = 10.0
MAX_KIB = 48.0
MAX_TLS_KIB = 80.0
MAX_REST_MIB = 120.0
SERVICE = ("supervisor", "worker")
"""The processes that MAX_REST_MIB is for: in production there is no sandbox, and PostgreSQL is a service of its own."""
MAX_SETTLE_MS = 30.0
"""Milliseconds of database time per second: 0.3 s in every 10 s."""
MAX_BLOCK_MS = 5.0
MAX_START_SECONDS = 5.0
MIN_WORKERS_GAIN = 1.7


@dataclass(frozen=True)
class Promise:
    """`kept`: None where it was not measured, or cannot be told from what was measured."""

    text: str
    measured: str
    kept: bool | None


def judge(results: Results) -> list[Promise]:
    """Return each promise with what was measured."""
    plain, twice, tls, held, many = (
        _whole(results, name, streams)
        for name, streams in (("1000", 1000), ("2000", 2000), ("tls", 1000), ("held", 5000), ("workers", 2000))
    )
    return [
        _ratio(plain, "1,000"),
        _ratio(twice, "2,000"),
        _added(twice),
        _held(held),
        _memory(plain, "a plain upstream", MAX_KIB),
        _memory(tls, "a TLS upstream", MAX_TLS_KIB),
        _rest(results),
        _settling(results),
        _blocking(results),
        _start(results),
        _workers(plain, many),
        _limits(results),
    ]


def _whole(results: Results, name: str, streams: int) -> Row | None:
    """Return a row, unless it was tried with fewer streams, which proves nothing."""
    row = results.rows.get(name)
    return row if row is not None and row.streams >= streams else None


def added(row: Row, subject: str, figure: Callable[[Latency], float]) -> Spread | None:
    """Return how much more a figure of the latency was than the direct connection's of the same round, milliseconds."""
    pairs = [(theirs.load.latency, base.load.latency) for theirs, base in _beside_direct(row, subject)]
    return spread([figure(theirs) - figure(base) for theirs, base in pairs if theirs and base])


def load_was_late(row: Row, subject: str) -> bool:
    """Return whether the load decided the latency of a subject, or of the direct connection beside it."""
    return any(theirs.load_was_late or base.load_was_late for theirs, base in _beside_direct(row, subject))


def _beside_direct(row: Row, subject: str) -> list[tuple[Round, Round]]:
    return list(zip(row.of(subject), row.of("direct"), strict=False))


def memory_kib(row: Row, round_: Round) -> float | None:
    """Return the memory a stream without the audio that a service must keep for a replay. nginx keeps none."""
    if round_.memory_kib is None:
        return None
    return round_.memory_kib - (round_.load.kept_kib / row.streams if round_.subject == "ours" else 0)


def workers_gain(one: Row, many: Row) -> float | None:
    """Return how many times the streams of one worker several carry, by the CPU of the busiest of them.

    Workers that share a core make each other wait, so that more frames share a turn and cost less: that does not count.
    """
    alone = [round_.cpu_us for round_ in one.of("ours") if round_.cpu_us]
    rounds = [round_ for round_ in many.of("ours") if round_.cpu_us and sum(round_.shares)]
    if not alone or not rounds:
        return None
    spread = median(sum(round_.shares) / max(round_.shares) for round_ in rounds)
    return spread * min(1, median(alone) / median(round_.cpu_us or 0 for round_ in rounds))


def _ratio(row: Row | None, streams: str) -> Promise:
    text = f"CPU a frame at most {MAX_RATIO} times nginx's, at {streams} streams (the goal is {GOAL_RATIO})"
    ratio = row.ratio("ours") if row else None
    if row is None or ratio is None:
        return _unmeasured(text)
    if any(round_.is_full for round_ in row.of("ours")):
        return Promise(text, "the relay's core was full, so frames were late", kept=False)
    return Promise(text, f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})", ratio.median <= MAX_RATIO)


def _added(row: Row | None) -> Promise:
    text = f"p99 of what the service adds under {MAX_ADDED_MS:g} ms, at 2,000 streams"
    more = added(row, "ours", lambda latency: latency.p99) if row else None
    if row is None or more is None:
        return _unmeasured(text)
    if load_was_late(row, "ours"):
        return Promise(text, "the load generator was the bottleneck", None)
    return Promise(text, f"{more.median:.1f} ms ({more.low:.1f} to {more.high:.1f})", more.median < MAX_ADDED_MS)


def _held(row: Row | None) -> Promise:
    text = "5,000 streams held without a drop"
    rounds = row.of("ours") if row else []
    if not rounds:
        return _unmeasured(text)
    dropped = sum(round_.load.dropped for round_ in rounds)
    answered = min(round_.load.answers_share for round_ in rounds)
    busy = max(share for round_ in rounds for share in round_.shares)
    measured = f"{dropped} dropped; words came for {answered:.0%} of the audio sent meanwhile; {busy:.0%} of the core"
    return Promise(text, measured, dropped == 0)


def _memory(row: Row | None, upstream: str, limit: float) -> Promise:
    text = f"At most {limit:g} KiB of memory a stream with {upstream}, kept audio aside"
    found = [memory for round_ in row.of("ours") if (memory := memory_kib(row, round_)) is not None] if row else []
    if not found:
        return _unmeasured(text)
    return Promise(text, f"{median(found):.0f} KiB", median(found) <= limit)


def _rest(results: Results) -> Promise:
    text = f"Under {MAX_REST_MIB:g} MiB at rest, without the built-in engine"
    if results.rest is None:
        return _unmeasured(text)
    mib = {memory.process: memory.kib / 1024 for memory in results.rest.memory}
    own = sum(mib.get(process, 0) for process in SERVICE)
    parts = ", ".join(f"{process} {size:.0f}" for process, size in mib.items())
    return Promise(text, f"{own:.0f} MiB for the service, {sum(mib.values()):.0f} in all ({parts})", own < MAX_REST_MIB)


def _settling(results: Results) -> Promise:
    text = "Settling 10,000 live sessions costs the database under 0.3 s in every 10 s"
    settles = results.settles
    if settles is None:
        return _unmeasured(text)
    size = f"{settles.sessions:,} sessions and {settles.history_rows:,} rows of history"
    measured = f"{settles.database_ms / 100:.2f} s ({settles.database_cpu_ms / 100:.2f} s of CPU) with {size}"
    return Promise(text, measured, settles.database_ms < MAX_SETTLE_MS if settles.sessions >= 10_000 else None)


def _blocking(results: Results) -> Promise:
    text = f"Settling never blocks the event loop for more than {MAX_BLOCK_MS:g} ms"
    settles = results.settles
    if settles is None:
        return _unmeasured(text)
    measured = f"{settles.longest_turn_ms:.1f} ms at most ({settles.idle_turn_ms:.1f} before the first settle)"
    return Promise(text, measured, settles.longest_turn_ms <= MAX_BLOCK_MS if settles.sessions >= 10_000 else None)


def _start(results: Results) -> Promise:
    text = f"Start to first /health under {MAX_START_SECONDS:g} s"
    if results.rest is None:
        return _unmeasured(text)
    rest = results.rest
    measured = f"{rest.start_seconds:.1f} s ({rest.first_start_seconds:.1f} s the first time, with a new database)"
    return Promise(text, measured, max(rest.start_seconds, rest.first_start_seconds) < MAX_START_SECONDS)


def _workers(one: Row | None, two: Row | None) -> Promise:
    text = f"WORKERS=2 carries at least {MIN_WORKERS_GAIN} times the streams of one worker"
    gain = workers_gain(one, two) if one and two else None
    if gain is None:
        return _unmeasured(text)
    return Promise(text, f"{gain:.2f} times, by the CPU of the busier worker", gain >= MIN_WORKERS_GAIN)


def _limits(results: Results) -> Promise:
    text = "Limits and holds stay exact with WORKERS=2"
    limits = results.limits
    if limits is None:
        return _unmeasured(text)
    audit = "passed" if limits.audit_passed else "FAILED"
    left = f"{limits.leases} leases and {limits.held} held credits left, audit {audit}"
    measured = f"{limits.opened} of {limits.tried} sessions opened where {limits.allowed} were allowed; {left}"
    return Promise(text, measured, limits.are_exact)


def _unmeasured(text: str) -> Promise:
    return Promise(text, "not measured", None)
