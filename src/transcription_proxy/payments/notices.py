"""Which mails a booking owes its buyer: the kinds of their jobs, and what the key of a job says."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

PAID: Final = "mail_paid"
"""The key of the job is the purchase's id."""
FAILED: Final = "mail_failed"
"""The key of the job is the purchase's id."""
TAKEN: Final = "mail_taken"
"""The key of the job is a Taken."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one booking took back of a purchase. `total`: seconds taken of it so far, which tells bookings apart."""

    purchase_id: UUID
    seconds: int
    by_dispute: bool
    total: int

    @property
    def key(self) -> str:
        return f"{self.purchase_id} {'dispute' if self.by_dispute else 'refund'} {self.seconds} {self.total}"

    @classmethod
    def read(cls, key: str) -> "Taken":
        purchase_id, by, seconds, total = key.split(" ")
        return cls(UUID(purchase_id), int(seconds), by == "dispute", int(total))
