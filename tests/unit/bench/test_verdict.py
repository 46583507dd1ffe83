"""A long run is judged by what is left at rest, and by memory after its first part."""

from dataclasses import fields, replace

import pytest

from bench.verdict import MAX_GROWTH_KIB, Left, Sample, growth_kib, judge

REST = Left(sockets=2, tasks=17, timers=9, relays=0, leases=0, held=0)


def run(late_kib: int = 100_000, first_kib: int = 100_000) -> list[Sample]:
    """Return a run of 100 samples: the first part of it, then a steady part, then a late part."""
    memory = [first_kib] * 30 + [100_000] * 50 + [late_kib] * 20
    return [Sample(float(at + 1), 40, 10 * at, kib, REST) for at, kib in enumerate(memory)]


def test_a_run_that_ends_as_it_began_has_no_findings() -> None:
    assert judge(run(), REST, REST, {}) == []


@pytest.mark.parametrize("name", [field.name for field in fields(Left)])
def test_one_more_of_anything_is_a_finding(name: str) -> None:
    more = replace(REST, **{name: getattr(REST, name) + 1})
    (finding,) = judge(run(), REST, more, {})
    assert finding.startswith(f"{name}: ")


def test_less_than_before_is_no_finding() -> None:
    assert judge(run(), REST, replace(REST, sockets=1, tasks=16), {}) == []


@pytest.mark.parametrize(("growth", "findings"), [(MAX_GROWTH_KIB, 0), (MAX_GROWTH_KIB + 1, 1)])
def test_memory_that_grows_late_is_a_finding(growth: int, findings: int) -> None:
    assert len(judge(run(late_kib=100_000 + growth), REST, REST, {})) == findings


def test_memory_that_grows_in_the_first_part_is_none() -> None:
    assert judge(run(first_kib=50_000), REST, REST, {}) == []


def test_sessions_that_went_wrong_are_findings() -> None:
    assert judge(run(), REST, REST, {"busy": 3}) == ["3 sessions went wrong: busy"]


def test_a_run_without_samples_has_no_growth() -> None:
    assert growth_kib([]) is None
