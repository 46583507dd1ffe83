"""Refunds: a card's succeeds at once, a bank debit's takes its time, and both may fail later.

A charge's `amount_refunded` is the sum of its refunds, pending ones included."""

from typing import Final

from transcription_sandbox import disputes, money, objects
from transcription_sandbox.errors import ApiError
from transcription_sandbox.state import Object, Records

COUNTED: Final = ("pending", "succeeded")


def create(records: Records, charge_id: str, cents: int | None = None) -> Object:
    """Refund a charge, all that is left of it for None. Raise ApiError."""
    charge = records.get("charge", charge_id)
    if charge["status"] != "succeeded":
        raise ApiError("Only a payment that succeeded can be refunded.")
    if disputes.forbids_refund(records, charge_id):
        raise ApiError("This payment was charged back, so it can't be refunded.")
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise ApiError("This payment has already been refunded.")
    if (left if cents is None else cents) > left:
        raise ApiError(f"You can refund at most what wasn't refunded yet: {money.shown(left)}.")
    refund = records.add(objects.refund(records.now, charge, left if cents is None else cents))
    if charge["payment_method_details"]["type"] == objects.CARD:
        refund = records.put(refund | {"status": "succeeded"})
    records.add_event("refund.created", refund)
    records.add_event("charge.refunded", _recount(records, charge))
    return refund


def succeed(records: Records, name: str) -> Object:
    """Let a pending refund succeed. Raise ApiError."""
    return _change(records, _pending(records, name, "succeed"), {"status": "succeeded"})


def cancel(records: Records, name: str) -> Object:
    """Cancel a pending refund. Raise ApiError."""
    return _change(records, _pending(records, name, "be canceled"), {"status": "canceled"})


def fail(records: Records, name: str) -> Object:
    """Let a refund fail that is pending, or that seemed to have succeeded. Raise ApiError."""
    refund = records.get("refund", name)
    if refund["status"] not in COUNTED:
        raise ApiError(f"This refund is {refund['status']} and can no longer fail.")
    after = _change(records, refund, {"status": "failed", "failure_reason": "expired_or_canceled_card"})
    records.add_event("refund.failed", after)
    return after


def _pending(records: Records, name: str, what: str) -> Object:
    refund = records.get("refund", name)
    if refund["status"] != "pending":
        raise ApiError(f"This refund is {refund['status']}. Only a pending one can {what}.")
    return refund


def _change(records: Records, before: Object, changes: Object) -> Object:
    after = records.put(before | changes)
    _recount(records, records.get("charge", before["charge"]))
    records.add_event("refund.updated", after)
    records.add_event("charge.refund.updated", after)
    return after


def _recount(records: Records, charge: Object) -> Object:
    """Update a charge with the sum of its refunds, and return it."""
    refunds = records.find("refund", {"charge": charge["id"]}, 10_000)
    given = sum(refund["amount"] for refund in refunds if refund["status"] in COUNTED)
    return records.put(charge | {"amount_refunded": given, "refunded": given == charge["amount"]})
