"""The kinds of jobs that send email to a buyer, and what the key of each job contains."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

PAID: Final = "mail_paid"
"""The key of the job is the purchase's id."""
FAILED: Final = "mail_failed"
"""The key of the job is the purchase's id."""
TAKEN: Final = "mail_taken"
"""The key of the job is `Taken.key`."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of a purchase that one refund or dispute took back.

    `total`: all seconds taken of the purchase so far. It makes the keys of two equal refunds different."""

    purchase_id: UUID
    seconds: int
    by_dispute: bool
    total: int

    @property
    def key(self) -> str:
        return f"{self.purchase_id} {'dispute' if self.by_dispute else 'refund'} {self.seconds} {self.total}"

    @classmethod
    def read(cls, key: str) -> "Taken":
        """Return the Taken that `key` was made from."""
        purchase_id, by, seconds, total = key.split(" ")
        return cls(UUID(purchase_id), int(seconds), by == "dispute", int(total))
