"""Pauses between tries."""

import pytest

from transcription_proxy.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (1, 0.5), (2, 1), (3, 2), (5, 8), (6, 10), (7, 10), (10_000, 10)]
)
def test_a_pause_doubles_with_each_failure_up_to_the_longest(failures: int, seconds: float) -> None:
    assert Backoff(0.5, 10).pause(failures) == seconds


def test_the_first_pause_may_be_the_longest() -> None:
    assert [Backoff(3, 3).pause(failures) for failures in range(4)] == [0, 3, 3, 3]
