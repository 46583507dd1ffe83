"""What packages leave, by the figures of the contract and by figures made up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.metering import rates
from transcription_proxy.metering.rates import Rate, Rates
from transcription_proxy.payments import packages, pricing
from transcription_proxy.payments.packages import Package

BUILT_IN = rates.load()


def test_at_0_006_a_minute_the_three_packages_cost_what_the_contract_says_and_lose_money() -> None:
    sales = [pricing.sale(package, BUILT_IN) for package in packages.load()]
    assert [each.engine for each in sales] == [300, 720, 1800]
    assert [each.fee for each in sales] == [Decimal("38.7"), Decimal("47.4"), Decimal("64.8")]
    assert [each.margin for each in sales] == [Decimal("-38.7"), Decimal("-167.4"), Decimal("-664.8")]
    assert [each.break_even for each in sales] == [340, 773, 1885]
    assert len(pricing.losses(packages.load(), BUILT_IN)) == 3
    assert pricing.losses(packages.load(), BUILT_IN)[0] == (
        "the package pack_500 sells for $3.00 and costs $3.39: break-even is $3.40"
    )


def test_the_builtin_engine_costs_nothing() -> None:
    free = rates.load(builtin_engine=True)
    assert [pricing.sale(package, free).engine for package in packages.load()] == [0, 0, 0]
    assert pricing.losses(packages.load(), free) == []


def test_the_dearest_model_a_credit_counts() -> None:
    table = Rates({"cheap": Rate(1_000_000, Decimal("0.006")), "dear": Rate(2_000_000, Decimal("0.018"))})
    assert pricing.sale(Package("a", "A", 6000, 1000), table).engine == 90


def test_a_suggested_price_leaves_the_margin_and_no_cent_less_does() -> None:
    for package in pricing.suggest(packages.load(), BUILT_IN, Decimal(30)):
        assert pricing.sale(package, BUILT_IN).margin >= package.price_cents * Decimal("0.3")
        cheaper = Package(package.id, package.label, package.seconds, package.price_cents - 1)
        assert pricing.sale(cheaper, BUILT_IN).margin < cheaper.price_cents * Decimal("0.3")


@pytest.mark.parametrize("percent", ["-1", "97.1", "200"])
def test_no_price_leaves_more_than_stripe_does(percent: str) -> None:
    with pytest.raises(ValueError, match=r"under 97\.1%"):
        pricing.suggest(packages.load(), BUILT_IN, Decimal(percent))


@given(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20),
    st.integers(1, 10**8),
    st.integers(50, 10**7),
)
def test_what_is_printed_can_be_read_back(label: str, seconds: int, price: int) -> None:
    package = Package("a", label, seconds, price)
    assert packages.load(pricing.as_toml([package])) == (package,)


def test_dollars_are_written_to_the_cent() -> None:
    assert [pricing.dollars(Decimal(cents)) for cents in ("300", "-38.7", "0.4", "1885")] == [
        "$3.00",
        "-$0.39",
        "$0.00",
        "$18.85",
    ]
