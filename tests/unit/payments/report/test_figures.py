"""What is left of what was sold: sums of values made up."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from transcription_proxy.metering import rates
from transcription_proxy.payments.report.figures import Report, Sold, Standing, Used

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def sold(**changes: Any) -> Sold:
    values: dict[str, Any] = {
        "package_id": "pack_500",
        "label": "500 minutes",
        "currency": "usd",
        "count": 1,
        "charged": 1,
        "cents": 300,
        "seconds": 30_000,
        "seconds_taken": 0,
        "refunded_cents": 0,
        "lost_cents": 0,
        "disputed_cents": 0,
    }
    return Sold(**(values | changes))


def used(audio: str = "60", micro: str = "6000", unpriced: str = "0") -> Used:
    return Used("deepgram", "nova-2", 1, 60, Decimal(audio), Decimal(micro), Decimal(unpriced))


def report(*sold: Sold, used: tuple[Used, ...] = ()) -> Report:
    return Report(NOW, NOW, sold, used, 0, Standing(0, 0, 0, 0, 0), rates.load())


def test_the_fee_is_a_share_of_the_sum_and_something_for_each_charge() -> None:
    assert report(sold()).fees == Decimal("38.7")
    assert report(sold(count=3, charged=3, cents=900)).fees == 3 * Decimal("38.7")
    assert report(sold(), sold(package_id="free", cents=0, charged=0)).fees == Decimal("38.7")


def test_the_margin_is_what_was_kept_less_fees_and_engine() -> None:
    found = report(
        sold(count=2, charged=2, cents=600, refunded_cents=100, lost_cents=50, disputed_cents=70),
        used=(used(), used(micro="1500")),
    )
    assert (found.cents, found.refunded, found.lost, found.disputed) == (600, 100, 50, 70)
    assert found.engine == Decimal("0.75")
    assert found.margin == 600 - 100 - 50 - Decimal("77.4") - Decimal("0.75")


def test_a_minute_at_the_built_in_rate_costs_six_tenths_of_a_cent() -> None:
    assert used().cost == Decimal("0.6")


@pytest.mark.parametrize("currency", ["eur", "jpy"])
def test_money_of_another_currency_is_in_no_sum(currency: str) -> None:
    foreign = sold(currency=currency, cents=9999, refunded_cents=10, lost_cents=10, disputed_cents=10)
    found = report(sold(), foreign)
    assert found.counted == [sold()]
    assert (found.cents, found.refunded, found.lost, found.disputed) == (300, 0, 0, 0)
    assert found.fees == Decimal("38.7")


def test_audio_of_unknown_cost_is_summed() -> None:
    assert report(used=(used(unpriced="1.5"), used(unpriced="2"))).unpriced == Decimal("3.5")
