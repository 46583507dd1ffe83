"""Disputes: a bank takes a payment back, or asks about it first. The seller wins or loses, and money may return."""

from typing import Final

from transcription_sandbox import money, objects
from transcription_sandbox.errors import ApiError
from transcription_sandbox.state import Object, Records

FINISHED: Final = ("won", "lost", "warning_closed")


def create(records: Records, charge_id: str, *, inquiry: bool, cents: int | None = None) -> Object:
    """Dispute a charge, all that was not refunded of it for None. Raise ApiError."""
    charge = records.get("charge", charge_id)
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise ApiError("Only a payment that succeeded can be disputed, and only once.")
    if not 0 < (left if cents is None else cents) <= left:
        raise ApiError(f"You can dispute at most what wasn't refunded: {money.shown(left)}.")
    made = objects.dispute(records.now, charge, cents or left, inquiry=inquiry)
    dispute = records.add(made if inquiry else _with_movement(records, made, -1))
    records.put(charge | {"disputed": True})
    records.add_event("charge.dispute.created", dispute)
    if not inquiry:
        records.add_event("charge.dispute.funds_withdrawn", dispute)
    return dispute


def escalate(records: Records, name: str) -> Object:
    """Turn an inquiry into a dispute, which takes the money. Raise ApiError."""
    before = records.get("dispute", name)
    if before["status"] != "warning_needs_response":
        raise ApiError(f"This dispute is {before['status']}. Only an open inquiry can be escalated.")
    after = before | {"status": "needs_response", "is_charge_refundable": False}
    after = records.put(_with_movement(records, after, -1))
    records.add_event("charge.dispute.updated", after)
    records.add_event("charge.dispute.funds_withdrawn", after)
    return after


def win(records: Records, name: str) -> Object:
    """Return the money of a dispute, or close an inquiry, which took none. Raise ApiError."""
    before = _unfinished(records, name)
    if before["status"].startswith("warning_"):
        return _close(records, before, "warning_closed")
    after = _close(records, before, "won")
    return reinstate(records, after["id"])


def lose(records: Records, name: str) -> Object:
    """Close a dispute as lost. Raise ApiError."""
    before = _unfinished(records, name)
    if before["status"].startswith("warning_"):
        raise ApiError("An inquiry can't be lost. Escalate it to a dispute first.")
    return _close(records, before, "lost")


def reinstate(records: Records, name: str) -> Object:
    """Return the money that a dispute took, also of a lost one: banks change their minds. Raise ApiError."""
    before = records.get("dispute", name)
    if cents_taken(before) == 0:
        raise ApiError("No money was withdrawn, so there is nothing to reinstate.")
    after = records.put(_with_movement(records, before, 1))
    records.add_event("charge.dispute.funds_reinstated", after)
    return after


def forbids_refund(records: Records, charge_id: str) -> bool:
    """Return whether a charge can't be refunded because a dispute took its money."""
    return any(not dispute["is_charge_refundable"] for dispute in records.find("dispute", {"charge": charge_id}))


def cents_taken(dispute: Object) -> int:
    """Return what a dispute took from the seller and has not returned."""
    moved: int = sum(movement["amount"] for movement in dispute["balance_transactions"])
    return -moved


def _unfinished(records: Records, name: str) -> Object:
    dispute = records.get("dispute", name)
    if dispute["status"] in FINISHED:
        raise ApiError(f"This dispute is {dispute['status']} and can't change.")
    return dispute


def _close(records: Records, before: Object, status: str) -> Object:
    after = records.put(before | {"status": status, "is_charge_refundable": status != "lost"})
    records.add_event("charge.dispute.closed", after)
    return after


def _with_movement(records: Records, dispute: Object, sign: int) -> Object:
    """Return a dispute with another movement of its money: taken (-1) or returned (1)."""
    movement = objects.movement(records.now, dispute, sign * dispute["amount"])
    return dispute | {"balance_transactions": [*dispute["balance_transactions"], movement]}
