"""The page and its picture are made of the results alone."""

import xml.etree.ElementTree as ET

import msgspec
import pytest

from bench import picture, report
from bench.results import Results
from tests.unit.bench.sample import MACHINE, compared, row, whole


def cells(**ours: float) -> dict[str, str]:
    """Return the line of the service in a table, by the table's head."""
    head, *lines = report.row_table(row("1000", compared(20.0, **ours)))
    return dict(zip(head, lines[-1], strict=True))


def test_the_page_has_all_parts() -> None:
    page = report.markdown(whole())
    for part in ("2.00", "A processor", "Python 3.13.1", "2026-11-28 12:00 UTC, revision abc1234", "rounds of 10 s: 1"):
        assert part in page
    assert "**100 sessions a second**" in page
    assert "10,000,000 rows" in page
    assert "| all | 70.0 |" in page
    assert "| kept |" in page
    assert "| unknown |" in page


def test_a_table_compares_with_nginx_and_with_the_direct_connection() -> None:
    found = cells(p99=3.0)
    assert found["times nginx"] == "2.00"
    assert found["latency ms p50 / p99 / max"] == "0.75 / 3.00 / 6.0"
    assert found["added ms p50 / p99 / max"] == "0.50 / 2.00 / 4.00"


@pytest.mark.parametrize(
    ("ours", "instead"), [({"late": 6.0}, "the load was the bottleneck"), ({"share": 0.99}, "its core was full")]
)
def test_a_latency_that_means_nothing_is_not_given(ours: dict[str, float], instead: str) -> None:
    assert cells(**ours)["latency ms p50 / p99 / max"] == instead


def test_results_survive_their_file() -> None:
    results = whole()
    assert msgspec.json.decode(msgspec.json.encode(results), type=Results) == results


def test_the_picture_has_a_bar_for_each_row_that_was_compared() -> None:
    drawn = ET.fromstring(picture.svg(whole()))
    bars = [shape for shape in drawn.iter("{http://www.w3.org/2000/svg}rect") if shape.get("class") == "bar"]
    assert len(bars) == 1


def test_the_picture_can_be_drawn_without_rows() -> None:
    assert ET.fromstring(picture.svg(Results(MACHINE))).tag.endswith("svg")
