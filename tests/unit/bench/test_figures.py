"""Percentiles and medians over rounds."""

from bench.figures import Spread, latency, spread


def test_percentiles_are_values_that_were_measured() -> None:
    found = latency([number / 1000 for number in range(1, 101)])
    assert found is not None
    assert (found.p50, found.p99, found.max, found.count) == (50.0, 99.0, 100.0, 100)


def test_a_single_value_is_every_percentile() -> None:
    found = latency([0.002])
    assert found is not None
    assert (found.p50, found.p99, found.max, found.count) == (2.0, 2.0, 2.0, 1)


def test_one_slow_value_in_a_hundred_is_the_maximum_and_not_the_p99() -> None:
    found = latency([0.001] * 99 + [1.0])
    assert found is not None
    assert (found.p99, found.max) == (1.0, 1000.0)  # milliseconds


def test_no_values_have_no_percentiles() -> None:
    assert latency([]) is None
    assert spread([]) is None


def test_the_spread_is_the_median_with_the_range() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(median=2.0, low=1.0, high=3.0)
