"""The dashboard: a payment's state, and the actions that fit it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from transcription_sandbox.disputes import cents_taken
from transcription_sandbox.state import Object

GOOD: Final = ("Paid", "Free", "succeeded", "won", "warning_closed", "delivered")
BAD: Final = ("Failed", "Declined", "Disputed", "failed", "lost", "needs_response", "given up")
REFUND_ACTIONS: Final[Mapping[str, dict[str, str]]] = {
    "pending": {"succeed": "Succeed", "fail": "Fail", "cancel": "Cancel"},
    "succeeded": {"fail": "Fail"},
}
"""Labels of the buttons by action, by the refund's status."""
DISPUTE_ACTIONS: Final[Mapping[str, dict[str, str]]] = {
    "warning_needs_response": {"escalate": "Escalate", "win": "Close"},
    "needs_response": {"win": "Win", "lose": "Lose", "reinstate": "Reinstate funds"},
    "lost": {"reinstate": "Reinstate funds"},
}
"""Labels of the buttons by action, by the dispute's status."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A Checkout Session and its payment. `product`: the name of what it sells."""

    session: Object
    product: str
    charge: Object | None
    refunds: Sequence[Object]
    disputes: Sequence[Object]

    @property
    def status(self) -> str:
        """The word for the state of the payment."""
        session, charge = self.session, self.charge
        if session["status"] != "complete":
            return "Declined" if session["status"] == "open" and charge else session["status"].capitalize()
        if session["payment_status"] == "no_payment_required":
            return "Free"
        if charge is None or charge["status"] != "succeeded":
            return "Failed" if charge and charge["status"] == "failed" else "Pending"
        if charge["disputed"]:
            return "Disputed"
        if charge["refunded"]:
            return "Refunded"
        return "Partly refunded" if charge["amount_refunded"] else "Paid"

    @property
    def refundable(self) -> int:
        """Cents that a refund or a dispute may still take."""
        charge = self.charge
        if charge is None or charge["status"] != "succeeded":
            return 0
        if any(not dispute["is_charge_refundable"] for dispute in self.disputes):
            return 0
        left: int = charge["amount"] - charge["amount_refunded"]
        return left

    @property
    def actions(self) -> dict[str, str]:
        """Labels of the buttons by action."""
        if self.charge and self.charge["status"] == "pending":
            return {"settle": "Settle", "fail": "Fail"}
        if not self.refundable:
            return {}
        return {"refund": "Refund"} | ({} if self.disputes else {"dispute": "Dispute", "inquiry": "Inquiry"})


def kind(status: str) -> str:
    """Return the CSS class of a status."""
    return "good" if status in GOOD else "bad" if status in BAD else ""


def refund_actions(refund: Object) -> dict[str, str]:
    """Return the labels of a refund's buttons by action."""
    return REFUND_ACTIONS.get(refund["status"], {})


def dispute_actions(dispute: Object) -> dict[str, str]:
    """Return the labels of a dispute's buttons by action. Funds that were not taken cannot be reinstated."""
    actions = DISPUTE_ACTIONS.get(dispute["status"], {})
    return {name: label for name, label in actions.items() if cents_taken(dispute) or name != "reinstate"}
