"""The packages file: what is built in, and every mistake at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.errors import ConfigError
from transcription_proxy.payments import packages
from transcription_proxy.payments.packages import Package

GOOD = '[[package]]\nid = "a"\nlabel = "A"\nseconds = 60\nprice_cents = 50\n'


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        packages.load(text)
    return caught.value.problems


def test_three_packages_are_built_in() -> None:
    assert packages.load() == (
        Package("pack_500", "500 minutes", 30_000, 300),
        Package("pack_1200", "1200 minutes", 72_000, 600),
        Package("pack_3000", "3000 minutes", 180_000, 1200),
    )


def test_a_file_replaces_them() -> None:
    assert packages.load(GOOD + 'currency = "usd"\n') == (Package("a", "A", 60, 50, "usd"),)


def test_all_mistakes_are_raised_at_once() -> None:
    text = (
        GOOD + GOOD + '[[package]]\nid = "B!"\nlabel = ""\nseconds = 0\nprice_cents = 2.5\ncurrency = "eur"\nfree = 1\n'
    )
    said = problems(text + "[shop]\n")
    assert len(said) == 8
    for word in ("'shop'", "'free'", "id", "label", "seconds", "price_cents", "currency", "two packages"):
        assert any(word in problem for problem in said), word


@pytest.mark.parametrize("text", ["", "package = 3", "package = []", "[package]\nid = 1"])
def test_a_file_without_packages_sells_nothing(text: str) -> None:
    assert "nothing for sale" in problems(text)[0]


@pytest.mark.parametrize("text", ["[[", "a = ", "package = " + "[" * 5000])
def test_what_is_no_toml_is_said_so(text: str) -> None:
    assert "valid TOML" in problems(text)[0]


def test_an_entry_that_is_no_table_is_one_of_the_mistakes() -> None:
    assert "package 1 must be a table with id and label and seconds and price_cents" in problems("package = [1]")


@given(
    st.sampled_from(["id", "label", "seconds", "price_cents"]),
    st.sampled_from(["true", "-1", "[]", "{}", "1e400", '"\\u0000"']),
)
def test_a_wrong_value_is_a_mistake_and_nothing_else(key: str, value: str) -> None:
    lines = [f"{key} = {value}" if line.startswith(f"{key} ") else line for line in GOOD.splitlines()]
    assert any(key in problem for problem in problems("\n".join(lines)))


@pytest.mark.parametrize(
    ("prices", "best"),
    [
        ([(60, 100)], None),
        ([(60, 100), (120, 200)], None),
        ([(60, 100), (120, 199)], 1),
        ([(120, 199), (60, 100)], 0),
        ([(60, 100), (120, 150), (240, 300)], None),
        ([(30_000, 300), (72_000, 600), (180_000, 1200)], 2),
    ],
)
def test_the_best_value_is_strictly_cheaper_a_second_than_every_other(
    prices: list[tuple[int, int]], best: int | None
) -> None:
    sold = [Package(str(number), "x", *price) for number, price in enumerate(prices)]
    assert packages.best_value(sold) == (None if best is None else sold[best])
