"""The search for the highest rate looks at how the last rate went."""

from bench.opening import FIRST_RATE, rates
from bench.results import Opening
from tests.unit.bench.sample import percentiles


def searched(highest: float, flukes: set[int] | None = None) -> list[float]:
    """Return the rates tried where `highest` is kept up, but for the steps with these numbers."""
    steps: list[Opening] = []
    for rate in rates(steps):
        is_kept_up = rate <= highest and len(steps) not in (flukes or set())
        steps.append(Opening(rate, percentiles(50 if is_kept_up else 400), 0, None, 0.5))
    return [step.rate for step in steps]


def test_the_rate_grows_until_it_is_missed_twice_and_is_then_refined() -> None:
    assert searched(40) == [20, 30, 45, 45, 37.5, 41.25, 41.25]


def test_a_rate_that_was_missed_once_is_tried_again() -> None:
    assert searched(40, flukes={1}) == [20, 30, 30, 45, 45, 37.5, 41.25, 41.25]


def test_a_service_that_opens_nothing_is_asked_for_lower_rates() -> None:
    assert searched(0) == [FIRST_RATE, FIRST_RATE, 10, 10, 5, 5]
