"""Money given back: a refund succeeds at once, or takes its time, and may fail later.

What a charge's refunds come to, those under way included, is its `amount_refunded`."""

from collections.abc import Mapping
from typing import Any, Final

from transcription_sandbox import disputes, money, payment_objects
from transcription_sandbox.refusals import Refused, missing
from transcription_sandbox.state import Object, Records

COUNTED: Final = ("pending", "succeeded")


def create(records: Records, asked: Mapping[str, Any]) -> Object:
    """Raises Refused."""
    charge = _charge(records, asked)
    if charge["status"] != "succeeded":
        raise Refused(
            f"This charge ({charge['id']}) did not succeed, so it cannot be refunded.", code="charge_not_refundable"
        )
    if disputes.forbids_refund(records, charge["id"]):
        raise Refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise Refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = asked.get("amount", left)
    if amount > left:
        most, given = money.shown(left, charge["currency"]), money.shown(amount, charge["currency"])
        raise Refused(f"Refund amount ({given}) is greater than unrefunded amount on charge ({most})", param="amount")
    refund = records.add(payment_objects.refund(records.now, charge, amount, asked))
    if charge["payment_method_details"]["type"] == payment_objects.CARD:
        refund = records.put(refund | {"status": "succeeded"})
    records.tell("refund.created", refund)
    records.tell("charge.refunded", _recount(records, charge), charge)
    return refund


def succeed(records: Records, name: str) -> Object:
    """One that was pending. Raises Refused."""
    return _change(records, _pending(records, name, "succeed"), {"status": "succeeded"})


def cancel(records: Records, name: str) -> Object:
    """One that was pending. Raises Refused."""
    return _change(records, _pending(records, name, "be canceled"), {"status": "canceled"})


def fail(records: Records, name: str) -> Object:
    """One that was pending or seemed to have succeeded: its bank sent it back. Raises Refused."""
    refund = records.get("refund", name)
    if refund["status"] not in COUNTED:
        raise Refused(f"This refund is {refund['status']} and can no longer fail.")
    after = _change(records, refund, {"status": "failed", "failure_reason": "expired_or_canceled_card"})
    records.tell("refund.failed", after)
    return after


def _charge(records: Records, asked: Mapping[str, Any]) -> Object:
    """The charge that is meant, by itself or by its payment."""
    if ("charge" in asked) == ("payment_intent" in asked):
        raise Refused("One of the following params should be provided for this request: payment_intent or charge.")
    kind = "charge" if "charge" in asked else "payment_intent"
    try:
        found = records.get(kind, asked[kind])
    except Refused:
        raise missing(kind, asked[kind], param=kind, status=400) from None
    if kind == "charge":
        return found
    if found["status"] != "succeeded":
        raise Refused(
            f"This PaymentIntent ({found['id']}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
            param="payment_intent",
        )
    return records.get("charge", found["latest_charge"])


def _pending(records: Records, name: str, what: str) -> Object:
    refund = records.get("refund", name)
    if refund["status"] != "pending":
        raise Refused(f"This refund is {refund['status']}. Only a pending one can {what}.")
    return refund


def _change(records: Records, before: Object, changes: Object) -> Object:
    after = records.put(before | changes)
    _recount(records, records.get("charge", before["charge"]))
    records.tell("refund.updated", after, before)
    records.tell("charge.refund.updated", after, before)
    return after


def _recount(records: Records, charge: Object) -> Object:
    """The charge, with what its refunds come to now."""
    refunds = records.listed("refund", {"charge": charge["id"]}, 10_000)
    given = sum(refund["amount"] for refund in refunds if refund["status"] in COUNTED)
    return records.put(charge | {"amount_refunded": given, "refunded": given == charge["amount"]})
