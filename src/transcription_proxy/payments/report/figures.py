"""What came in, what it cost and what is left of it, as values. Money is decimal US cents, never a float."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from transcription_proxy.metering.engines import engine_name
from transcription_proxy.metering.rates import Rates

MICRO_A_CENT: Final = 10_000
OURS: Final = "usd"
"""The currency that costs are known in."""


@dataclass(frozen=True, slots=True)
class Sold:
    """Paid purchases of one package. `charged`: those that were not free; `lost_cents`: to disputes."""

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
    """Sessions of one engine and model. `seconds`: billed; `unpriced_seconds`: audio whose cost was not kept."""

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
    """Seconds on all accounts now. `owed`: by `debtors`, whose balance is below 0."""

    outstanding: int
    held: int
    frozen: int
    owed: int
    debtors: int


@dataclass(frozen=True, slots=True)
class Report:
    """`given`: seconds given by hand or to try. What was paid in another currency is left out of the sums of money."""

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
        """By the rates file's figures; Stripe keeps them when it refunds."""
        charged = sum(one.charged for one in self.counted)
        return self.cents * self.rates.stripe_fee_percent / 100 + charged * self.rates.stripe_fee_cents

    @property
    def margin(self) -> Decimal:
        """What was paid and not taken back, less Stripe's fees and the engine's cost."""
        return self.cents - self.refunded - self.lost - self.fees - self.engine

    @property
    def unpriced(self) -> Decimal:
        return sum((one.unpriced_seconds for one in self.used), Decimal(0))
