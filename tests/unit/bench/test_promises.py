"""Each promise is judged by what was measured, and not by what could not be."""

import pytest

from bench.figures import Spread
from bench.promises import Promise, judge, workers_gain
from bench.results import Limits, Memory, Rest, Results, Row
from tests.unit.bench.sample import AT, MACHINE, compared, measured, row, settles


def judged(words: str, **parts: object) -> Promise:
    """Return the one promise with these words, for these results."""
    (found,) = [promise for promise in judge(Results(MACHINE, **parts)) if words in promise.text]  # type: ignore[arg-type]
    return found


def test_without_measurements_no_promise_is_called_kept_or_broken() -> None:
    assert {promise.kept for promise in judge(Results(MACHINE))} == {None}


@pytest.mark.parametrize(("ours", "kept"), [(22.0, True), (22.1, False)])
def test_the_median_ratio_decides(ours: float, kept: bool) -> None:
    rounds = [*compared(ours), *compared(60.0), *compared(1.0)]
    assert judged("at 1,000 streams", rows={"1000": row("1000", rounds)}).kept is kept


def test_a_ratio_compares_runs_of_the_same_round() -> None:
    rounds = [measured("nginx", cpu_us=10), measured("ours", cpu_us=20), measured("ours", cpu_us=60)]
    assert row("1000", [*rounds, measured("nginx", cpu_us=20)]).ratio("ours") == Spread(2.5, 2.0, 3.0)


def test_a_relay_that_cannot_keep_up_keeps_no_promise_of_cpu() -> None:
    assert judged("at 1,000 streams", rows={"1000": row("1000", compared(20.0, share=0.99))}).kept is False


def test_a_row_with_fewer_streams_proves_nothing() -> None:
    assert judged("at 1,000 streams", rows={"1000": row("1000", compared(20.0), streams=999)}).kept is None


@pytest.mark.parametrize(("p99", "kept"), [(10.9, True), (11.1, False)])
def test_the_direct_connections_own_latency_is_taken_off(p99: float, kept: bool) -> None:
    assert judged("p99 of what", rows={"2000": row("2000", compared(20.0, p99=p99), streams=2000)}).kept is kept


def test_no_latency_is_judged_where_the_load_was_late() -> None:
    rounds = compared(20.0, p99=99.0, late=6.0)
    found = judged("p99 of what", rows={"2000": row("2000", rounds, streams=2000)})
    assert (found.kept, found.measured) == (None, "the load generator was the bottleneck")


@pytest.mark.parametrize(("dropped", "kept"), [(0, True), (1, False)])
def test_one_dropped_stream_breaks_the_promise_to_hold_them(dropped: int, kept: bool) -> None:
    rounds = compared(20.0, dropped=dropped)
    assert judged("5,000 streams", rows={"held": row("held", rounds, streams=5000)}).kept is kept


@pytest.mark.parametrize(("memory", "kept"), [(96.0, True), (97.0, False)])
def test_audio_kept_for_a_replay_is_not_counted_as_memory(memory: float, kept: bool) -> None:
    rounds = compared(20.0, memory_kib=memory, kept_kib=48_000.0)
    assert judged("a plain upstream", rows={"1000": row("1000", rounds)}).kept is kept


@pytest.mark.parametrize(("kib", "kept"), [(60 * 1024 - 1, True), (60 * 1024, False)])
def test_the_services_own_processes_count_at_rest(kib: int, kept: bool) -> None:
    rest = Rest(
        memory=[Memory("worker", kib), Memory("supervisor", kib), Memory("PostgreSQL", kib)],
        first_start_seconds=1,
        start_seconds=1,
        **AT,
    )
    assert judged("at rest", rest=rest).kept is kept


@pytest.mark.parametrize(("milliseconds", "kept"), [(29.9, True), (30.0, False)])
def test_settling_is_judged_by_the_databases_time(milliseconds: float, kept: bool) -> None:
    assert judged("costs the database", settles=settles(database_ms=milliseconds)).kept is kept


@pytest.mark.parametrize(("longest", "kept"), [(5.0, True), (5.1, False)])
def test_settling_is_judged_by_the_longest_turn_of_the_event_loop(longest: float, kept: bool) -> None:
    assert judged("blocks the event loop", settles=settles(longest_turn_ms=longest)).kept is kept


def test_settling_fewer_sessions_proves_nothing() -> None:
    assert judged("costs the database", settles=settles(sessions=9_999)).kept is None


def workers(cpu_us: float, shares: list[float]) -> Row:
    many = measured("ours", cpu_us=cpu_us)
    many.shares = shares
    return row("workers", [many], workers=2)


@pytest.mark.parametrize(
    ("cpu_us", "shares", "gain"), [(20, [0.3, 0.3], 2.0), (20, [0.2, 0.1], 1.5), (25, [1, 1], 1.6), (16, [1, 1], 2.0)]
)
def test_workers_carry_as_much_as_the_busiest_of_them_lets_them(
    cpu_us: float, shares: list[float], gain: float
) -> None:
    assert workers_gain(row("1000", compared(20.0)), workers(cpu_us, shares)) == pytest.approx(gain)


@pytest.mark.parametrize(("opened", "held", "kept"), [(100, 0, True), (101, 0, False), (100, 45, False)])
def test_limits_are_exact_when_nothing_more_opens_and_nothing_is_left(opened: int, held: int, kept: bool) -> None:
    limits = Limits(2, 50, 300, 100, opened, 300 - opened, 0, held, audit_passed=True, **AT)
    assert judged("Limits and holds", limits=limits).kept is kept
