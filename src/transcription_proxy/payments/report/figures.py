"""The figures of the operator's report: sales, usage, costs, balances. Money is decimal US cents, never a float."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from transcription_proxy.metering.engines import engine_name
from transcription_proxy.metering.rates import Rates

MICRO_A_CENT: Final = 10_000
"""Millionths of a dollar in a cent."""
OURS: Final = "usd"
"""The currency that costs are known in."""


@dataclass(frozen=True, slots=True)
class Sold:
    """Paid purchases of one package. `charged`: how many were not free. `lost_cents`: cents lost to disputes."""

    package_id: str
    label: str
    currency: str
    count: int
    charged: int
    cents: int
    seconds: int
    seconds_taken: int
    refunded_cents: int
    lost_cents: int
    disputed_cents: int


@dataclass(frozen=True, slots=True)
class Used:
    """Sessions of one engine and model. `seconds`: billed seconds. `cost_micro`: millionths of a dollar.

    `unpriced_seconds`: seconds of audio whose cost was not recorded."""

    engine: str | None
    model: str | None
    sessions: int
    seconds: int
    audio_seconds: Decimal
    cost_micro: Decimal
    unpriced_seconds: Decimal

    @property
    def name(self) -> str:
        return engine_name(self.engine, self.model)

    @property
    def cost(self) -> Decimal:
        return self.cost_micro / MICRO_A_CENT


@dataclass(frozen=True, slots=True)
class Standing:
    """Seconds on all accounts now. `owed`: seconds owed by `debtors`, accounts with a balance below 0."""

    outstanding: int
    held: int
    frozen: int
    owed: int
    debtors: int


@dataclass(frozen=True, slots=True)
class Report:
    """The report from `since` to `until`. `given`: seconds given as trials or by an operator.

    Sums of money leave out purchases in currencies other than US dollars."""

    since: datetime
    until: datetime
    sold: Sequence[Sold]
    used: Sequence[Used]
    given: int
    standing: Standing
    rates: Rates

    @property
    def counted(self) -> list[Sold]:
        return [one for one in self.sold if one.currency == OURS]

    @property
    def cents(self) -> int:
        return sum(one.cents for one in self.counted)

    @property
    def refunded(self) -> int:
        return sum(one.refunded_cents for one in self.counted)

    @property
    def lost(self) -> int:
        return sum(one.lost_cents for one in self.counted)

    @property
    def disputed(self) -> int:
        return sum(one.disputed_cents for one in self.counted)

    @property
    def engine(self) -> Decimal:
        return sum((one.cost for one in self.used), Decimal(0))

    @property
    def fees(self) -> Decimal:
        """Return Stripe's fees, by the figures in the rates file. Stripe keeps them when a payment is refunded."""
        charged = sum(one.charged for one in self.counted)
        return self.cents * self.rates.stripe_fee_percent / 100 + charged * self.rates.stripe_fee_cents

    @property
    def margin(self) -> Decimal:
        """Return what was paid and not taken back, minus Stripe's fees and the engine's cost."""
        return self.cents - self.refunded - self.lost - self.fees - self.engine

    @property
    def unpriced(self) -> Decimal:
        return sum((one.unpriced_seconds for one in self.used), Decimal(0))
