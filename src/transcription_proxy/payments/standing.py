"""How much of a purchase is taken back and frozen, computed from all claims on its payment (money 28, 29).

Each claim is kept in the furthest state seen of it, so the result does not depend on the order of Stripe's events."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final
from uuid import UUID


class Kind(StrEnum):
    """Kind of a claim."""

    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"


class Refund(IntEnum):
    """State of a refund. A later state is higher: a failed refund never succeeds again."""

    UNDER_WAY = 0
    SUCCEEDED = 1
    FAILED = 2


class Dispute(IntEnum):
    """State of a dispute. A later state is higher: a closed dispute never opens again, and returned money stays."""

    INQUIRY = 0
    OPEN = 1
    LOST = 2
    OVER = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A charge, refund or dispute, in the furthest state seen. `standing`: a Refund or Dispute state; 0 for a charge.

    For a charge, `cents` is the highest amount_refunded seen and `of_cents` the whole amount. `refunds`: other refunds
    of the same charge that came with this claim."""

    id: str
    kind: Kind
    standing: int
    payment_intent: str | None
    charge: str | None
    cents: int
    of_cents: int
    currency: str
    purchase_id: UUID | None = None
    refunds: tuple["Claim", ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Seconds of a purchase: `taken` back in all, of these `lost` to disputes, and `frozen`. `refunded`: in cents."""

    taken: int
    lost: int
    frozen: int
    refunded: int


def standing(seconds: int, paid: int, currency: str, claims: Sequence[Claim]) -> Standing:
    """Return the standing of a purchase of `seconds` for `paid` cents. Taken and frozen together never exceed it."""
    cents = _Cents(paid, currency, claims)
    refunded = min(cents.refunded(), paid)
    lost = min(refunded + cents.disputed(Dispute.LOST), paid)
    disputed = min(lost + cents.disputed(Dispute.OPEN), paid)
    by_refunds, taken, claimed = (seconds * part // paid if paid else 0 for part in (refunded, lost, disputed))
    return Standing(taken, taken - by_refunds, claimed - taken, refunded)


class _Cents:
    """The amounts of claims, in cents of the purchase's currency."""

    def __init__(self, paid: int, currency: str, claims: Sequence[Claim]) -> None:
        self._paid = paid
        self._currency = currency
        self._claims = claims

    def refunded(self) -> int:
        """Return the sum of the succeeded refunds; where no refund is known by its id, the charge's sum (money 28)."""
        if any(claim.kind is Kind.REFUND for claim in self._claims):
            return sum(self._amounts(Kind.REFUND, Refund.SUCCEEDED))
        return max(self._amounts(Kind.CHARGE), default=0)

    def disputed(self, state: Dispute) -> int:
        return sum(self._amounts(Kind.DISPUTE, state))

    def _amounts(self, kind: Kind, state: int = 0) -> list[int]:
        return [self._amount(claim) for claim in self._claims if (claim.kind, claim.standing) == (kind, state)]

    def _amount(self, claim: Claim) -> int:
        """Return a claim's amount. In another currency: in proportion to a charge in it, else the whole payment."""
        if claim.currency == self._currency:
            return claim.cents
        whole = max((one.of_cents for one in self._claims if one.currency == claim.currency), default=0)
        if not claim.cents:
            return 0
        return claim.cents * self._paid // whole if whole else self._paid


MAX_CENTS: Final = 10**12
"""Cents, more than any payment. An object with a larger amount raises NotUnderstood."""
