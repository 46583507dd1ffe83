"""A customer's bank takes a payment back, or asks about it first; the dispute is won or lost, and money may return."""

from typing import Final

from transcription_sandbox import money, names, payment_objects
from transcription_sandbox.refusals import Refused
from transcription_sandbox.state import Object, Records

FINISHED: Final = ("won", "lost", "warning_closed")


def create(records: Records, charge_id: str, *, inquiry: bool, amount: int | None = None) -> Object:
    """`amount`: of what was not refunded, all of it by default. Raises Refused."""
    charge = records.get("charge", charge_id)
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise Refused("Only a payment that succeeded can be disputed, and only once.")
    if not 0 < (left if amount is None else amount) <= left:
        shown = money.shown(left, charge["currency"])
        raise Refused(f"You can dispute at most what wasn't refunded: {shown}.", param="amount")
    made = payment_objects.dispute(records.now, charge, amount or left, reason="fraudulent", inquiry=inquiry)
    dispute = records.add(made if inquiry else _with_movement(records, made, -1))
    records.put(charge | {"disputed": True})
    records.tell("charge.dispute.created", dispute)
    if not inquiry:
        records.tell("charge.dispute.funds_withdrawn", dispute)
    return dispute


def escalate(records: Records, name: str) -> Object:
    """An inquiry becomes a dispute: now the money is taken. Raises Refused."""
    before = records.get("dispute", name)
    if before["status"] != "warning_needs_response":
        raise Refused(f"This dispute is {before['status']}. Only an open inquiry can be escalated.")
    after = before | {"status": "needs_response", "is_charge_refundable": False}
    after = records.put(_with_movement(records, after, -1))
    records.tell("charge.dispute.updated", after, before)
    records.tell("charge.dispute.funds_withdrawn", after)
    return after


def win(records: Records, name: str) -> Object:
    """The money comes back. An inquiry is closed, and none had gone. Raises Refused."""
    before = _unfinished(records, name)
    if before["status"].startswith("warning_"):
        return _close(records, before, "warning_closed")
    after = _close(records, before, "won")
    return reinstate(records, after["id"])


def lose(records: Records, name: str) -> Object:
    """Raises Refused."""
    before = _unfinished(records, name)
    if before["status"].startswith("warning_"):
        raise Refused("An inquiry can't be lost. Escalate it to a dispute first.")
    return _close(records, before, "lost")


def reinstate(records: Records, name: str) -> Object:
    """What was taken comes back, however it ended: a bank may change its mind. Raises Refused."""
    before = records.get("dispute", name)
    if sum(movement["amount"] for movement in before["balance_transactions"]) >= 0:
        raise Refused("No money was withdrawn, so there is nothing to reinstate.")
    after = records.put(_with_movement(records, before, 1))
    records.tell("charge.dispute.funds_reinstated", after)
    return after


def forbids_refund(records: Records, charge_id: str) -> bool:
    """The bank has taken the money itself."""
    return any(not one["is_charge_refundable"] for one in records.listed("dispute", {"charge": charge_id}))


def _unfinished(records: Records, name: str) -> Object:
    dispute = records.get("dispute", name)
    if dispute["status"] in FINISHED:
        raise Refused(f"This dispute is {dispute['status']} and can't change.")
    return dispute


def _close(records: Records, before: Object, status: str) -> Object:
    after = records.put(before | {"status": status, "is_charge_refundable": status != "lost"})
    records.tell("charge.dispute.closed", after, before)
    return after


def _with_movement(records: Records, dispute: Object, sign: int) -> Object:
    """Money that goes (-1) or comes back (1)."""
    amount = sign * dispute["amount"]
    movement = {
        "id": names.new("balance_transaction"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": records.now,
        "balance_type": "payments",
        "created": records.now,
        "currency": dispute["currency"],
        "description": f"Chargeback {'withdrawal' if sign < 0 else 'reversal'} for {dispute['charge']}",
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": "dispute" if sign < 0 else "dispute_reversal",
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }
    return dispute | {"balance_transactions": [*dispute["balance_transactions"], movement]}
