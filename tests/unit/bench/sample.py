"""Made-up results of the benchmark."""

from bench.figures import Latency
from bench.results import Load, Machine, Memory, Opening, Openings, Rest, Results, Round, Row, Settles

AT = {"measured_at": "2026-11-28 12:00", "revision": "abc1234"}
MACHINE = Machine("A processor", 2, 8.0, "Linux 6.1 x86_64", {"Python": "3.13.1"})


def percentiles(p99: float) -> Latency:
    return Latency(p50=p99 / 4, p99=p99, max=2 * p99, count=1000)


def measured(
    subject: str,
    *,
    cpu_us: float | None = None,
    p99: float = 2.0,
    late: float = 0.2,
    share: float = 0.5,
    memory_kib: float | None = None,
    kept_kib: float = 0.0,
    dropped: int = 0,
) -> Round:
    load = Load(100_000, 1.0, dropped, kept_kib, 0.3, percentiles(p99), percentiles(late))
    shares = [share] if cpu_us else []
    return Round(subject, load, 0.6, cpu_us=cpu_us, shares=shares, memory_kib=memory_kib)


def row(name: str, rounds: list[Round], streams: int = 1000, **more: int) -> Row:
    kind = {"frame_ms": 100, "tls": False, "workers": 1, "seconds": 10.0, **more}
    return Row(name=name, streams=streams, rounds=rounds, **AT, **kind)  # type: ignore[arg-type]


def compared(ours: float, **more: float) -> list[Round]:
    """Return a round of each subject, where nginx takes 10 us a frame."""
    return [
        measured("direct", p99=1.0),
        measured("nginx", cpu_us=10.0, memory_kib=30.0),
        measured("ours", cpu_us=ours, **more),  # type: ignore[arg-type]
    ]


def settles(database_ms: float = 20.0, longest_turn_ms: float = 3.0, sessions: int = 10_000) -> Settles:
    return Settles(
        sessions=sessions,
        history_rows=10_000_000,
        seconds=30,
        database_ms=database_ms,
        database_cpu_ms=database_ms,
        answered=30_000,
        failed=0,
        settle=percentiles(90),
        longest_turn_ms=longest_turn_ms,
        idle_turn_ms=0.5,
        **AT,
    )


def whole() -> Results:
    steps = [Opening(100.0, percentiles(50), 0, percentiles(1), 0.5), Opening(150.0, percentiles(400), 0, None, 0.9)]
    return Results(
        MACHINE,
        rows={"1000": row("1000", compared(20.0, memory_kib=80.0, kept_kib=48_000.0))},
        openings=Openings(limit_ms=250.0, seconds=5, steps=steps, **AT),
        settles=settles(),
        rest=Rest(memory=[Memory("worker", 70 * 1024)], first_start_seconds=3.0, start_seconds=2.0, **AT),
    )
