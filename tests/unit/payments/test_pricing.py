"""What packages leave, by the figures of the contract and by figures made up."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.metering import rates
from transcription_proxy.metering.rates import Rate, Rates
from transcription_proxy.payments import packages, pricing
from transcription_proxy.payments.packages import Package
from transcription_wire.lengths import length

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


@pytest.mark.parametrize("percent", [0, 10, 30, 55])
def test_a_suggested_price_ends_in_99_and_leaves_the_margin_as_no_lower_one_does(percent: int) -> None:
    share = Decimal(percent) / 100
    for package in pricing.suggest(packages.load(), BUILT_IN, Decimal(percent)):
        assert package.price_cents % 100 == 99
        assert pricing.sale(package, BUILT_IN).margin >= package.price_cents * share
        cheaper = replace(package, price_cents=package.price_cents - 100)
        assert pricing.sale(cheaper, BUILT_IN).margin < cheaper.price_cents * share


def test_the_prices_suggested_for_the_three_packages() -> None:
    """For 4.92, 11.18 and 27.28, which leave exactly 30%."""
    suggested = pricing.suggest(packages.load(), BUILT_IN, Decimal(30))
    assert [package.price_cents for package in suggested] == [499, 1199, 2799]


def test_a_price_that_ends_in_99_already_is_kept() -> None:
    table = Rates({"one": Rate(1_000_000, Decimal("0.006"))}, stripe_fee_percent=Decimal(0), stripe_fee_cents=0)
    [suggested] = pricing.suggest([Package("a", "A", 9_900, 1)], table, Decimal(0))
    assert suggested.price_cents == 99


def test_no_suggestion_is_cheaper_than_stripe_takes() -> None:
    """50 cents; so that what is suggested can be loaded."""
    free = Rates({"free": Rate(1_000_000, Decimal(0))})
    [suggested] = pricing.suggest([Package("a", "A", 60, 1000)], free, Decimal(0))
    assert suggested.price_cents == 99
    assert packages.load(pricing.as_toml([suggested])) == (suggested,)


def test_a_package_that_stripe_could_not_charge_for_is_named() -> None:
    dear = Rates({"dear": Rate(1_000_000, Decimal(1000))})
    wanted = [Package("small", "S", 60, 100), Package("huge", "H", packages.MOST_SECONDS, 100)]
    with pytest.raises(ValueError, match="package huge would have to cost"):
        pricing.suggest(wanted, dear, Decimal(0))


@pytest.mark.parametrize(("per_dollar", "loses"), [(1000, False), (6700, False), (6720, True), (200_000, True)])
def test_a_top_up_is_judged_at_a_dollar_where_the_fee_weighs_most(per_dollar: int, loses: bool) -> None:
    said = pricing.losses([pricing.topup(per_dollar)], BUILT_IN)
    assert bool(said) == loses
    for sentence in said:
        assert sentence.startswith(f"a top-up of {length(per_dollar)} sells for $1.00 and costs $")
        assert sentence.endswith("lower CREDITS_PER_DOLLAR")


@pytest.mark.parametrize(("per_dollar", "times"), [(1000, 10), (10_000, 1), (20_000, Decimal("0.5"))])
def test_top_ups_are_compared_with_the_package_that_is_dearest_by_the_second(per_dollar: int, times: Decimal) -> None:
    ratio, package = pricing.dearness(per_dollar, packages.load())
    assert (ratio, package.id) == (times, "pack_500")


def test_a_margin_in_percent_is_of_the_price() -> None:
    assert pricing.sale(Package("a", "A", 30_000, 1000), BUILT_IN).margin_percent == Decimal("64.1")


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
