"""What is taken back of a purchase, and what is frozen, from all that is known of its payment (money 28, 29).

Nothing here knows an order: facts are joined to the furthest state seen, so every order ends alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final
from uuid import UUID


class Kind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"


class Refund(IntEnum):
    """Later states are higher: one that failed never succeeds again."""

    UNDER_WAY = 0
    SUCCEEDED = 1
    FAILED = 2


class Dispute(IntEnum):
    """Later states are higher: what is closed never opens again, and what was given back stays so."""

    INQUIRY = 0
    OPEN = 1
    LOST = 2
    OVER = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A charge, refund or dispute as far as it was seen. Of a charge, `cents` is the highest amount refunded, and
    `refunds` are others of the same charge that are told with it."""

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
    """Seconds of a purchase: `taken` back in all, of these `lost` to disputes, and `frozen`. `refunded`: its cents."""

    taken: int
    lost: int
    frozen: int
    refunded: int


def standing(seconds: int, paid: int, currency: str, claims: Sequence[Claim]) -> Standing:
    """Of a purchase of `seconds` for `paid` cents. All of them together never exceed it."""
    cents = _Cents(paid, currency, claims)
    refunded = min(cents.refunded(), paid)
    lost = min(refunded + cents.disputed(Dispute.LOST), paid)
    disputed = min(lost + cents.disputed(Dispute.OPEN), paid)
    by_refunds, taken, claimed = (seconds * part // paid if paid else 0 for part in (refunded, lost, disputed))
    return Standing(taken, taken - by_refunds, claimed - taken, refunded)


class _Cents:
    """The claims' amounts, in the currency of the purchase."""

    def __init__(self, paid: int, currency: str, claims: Sequence[Claim]) -> None:
        self._paid = paid
        self._currency = currency
        self._claims = claims

    def refunded(self) -> int:
        """The refunds known to have succeeded; where no refund is known by its id, what the charge says (money 28)."""
        if any(claim.kind is Kind.REFUND for claim in self._claims):
            return sum(self._amounts(Kind.REFUND, Refund.SUCCEEDED))
        return max(self._amounts(Kind.CHARGE), default=0)

    def disputed(self, state: Dispute) -> int:
        return sum(self._amounts(Kind.DISPUTE, state))

    def _amounts(self, kind: Kind, state: int = 0) -> list[int]:
        return [self._amount(claim) for claim in self._claims if (claim.kind, claim.standing) == (kind, state)]

    def _amount(self, claim: Claim) -> int:
        """In proportion to a charge of the same currency; without one the whole payment."""
        if claim.currency == self._currency:
            return claim.cents
        whole = max((one.of_cents for one in self._claims if one.currency == claim.currency), default=0)
        if not claim.cents:
            return 0
        return claim.cents * self._paid // whole if whole else self._paid


MOST_CENTS: Final = 10**12
"""More than any payment: what names more is not understood."""
