"""The rule by which workers take connections in turns, and their loads in shared memory."""

import math

import pytest

from transcription_proxy.process.acceptor import Loads, is_turn, shared_loads


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        (5, [], True),
        (5, [5], True),
        (5, [6, 7], True),
        (5, [4], False),
        (5, [4, 7], False),
        (0, [math.inf], True),
        (math.inf, [200], False),
        (math.inf, [math.inf], True),
    ],
)
def test_a_worker_takes_connections_unless_another_one_has_fewer(
    own: float, others: list[float], expected: bool
) -> None:
    """The load of a worker that refuses sessions is infinite."""
    assert is_turn(own, others) is expected


def test_a_worker_sees_the_loads_that_others_published_lately() -> None:
    with shared_loads(3) as memory:
        first, second, third = (Loads(memory, number) for number in range(3))
        assert first.others(since=0.0) == []
        first.publish(7, now=100.0)
        second.publish(5, now=100.1)
        third.publish(math.inf, now=100.2)
        assert first.others(since=100.0) == [5, math.inf]
        assert first.others(since=100.1) == [math.inf]
        assert third.others(since=99.9) == [7, 5]
        second.publish(6, now=100.3)
        assert third.others(since=99.9) == [7, 6]
