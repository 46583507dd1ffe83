"""Refunds: what may be given back, what becomes of it, and what the charge says of it."""

import pytest

from tests.unit.sandbox.till import Till
from transcription_sandbox import disputes, refunds
from transcription_sandbox.checkout import Way, settle
from transcription_sandbox.refusals import Refused
from transcription_sandbox.state import Object


def refunded(till: Till, session: Object, **asked: object) -> Object:
    with till.records() as records:
        return refunds.create(records, {"payment_intent": session["payment_intent"], **asked})


def by_bank(till: Till) -> Object:
    """A payment whose refunds take their time."""
    session = till.paid(Way.DELAYED)
    with till.records() as records:
        return settle(records, session["payment_intent"])


def test_a_card_is_refunded_at_once(till: Till) -> None:
    session = till.paid()
    refund = refunded(till, session, metadata={"why": "asked"})
    assert (refund["status"], refund["amount"], refund["metadata"]) == ("succeeded", 300, {"why": "asked"})
    charge = till.charge(session)
    assert (charge["amount_refunded"], charge["refunded"]) == (300, True)
    assert till.told()[-2:] == ["refund.created", "charge.refunded"]
    assert till.last("charge.refunded")["amount_refunded"] == 300


def test_parts_add_up_to_no_more_than_was_paid(till: Till) -> None:
    session = till.paid()
    refunded(till, session, amount=100)
    charge = till.charge(session)
    assert (charge["amount_refunded"], charge["refunded"]) == (100, False)
    with pytest.raises(Refused, match=r"\(\$2\.01\) is greater than unrefunded amount on charge \(\$2\.00\)"):
        refunded(till, session, amount=201)
    refunded(till, session, amount=200)
    with pytest.raises(Refused) as refused:
        refunded(till, session, amount=1)
    assert refused.value.code == "charge_already_refunded"


def test_a_bank_takes_its_time(till: Till) -> None:
    session = by_bank(till)
    refund = refunded(till, session)
    assert refund["status"] == "pending"
    assert till.charge(session)["amount_refunded"] == 300
    with till.records() as records:
        assert refunds.succeed(records, refund["id"])["status"] == "succeeded"
    assert till.told()[-2:] == ["refund.updated", "charge.refund.updated"]
    with till.records() as records, pytest.raises(Refused, match="Only a pending one can be canceled"):
        refunds.cancel(records, refund["id"])


@pytest.mark.parametrize("bank", [True, False])
def test_a_refund_that_fails_brings_its_amount_back_to_the_charge(till: Till, bank: bool) -> None:
    session = by_bank(till) if bank else till.paid()
    refunded(till, session, amount=100)
    refund = refunded(till, session, amount=200)
    with till.records() as records:
        assert refunds.fail(records, refund["id"])["status"] == "failed"
    charge = till.charge(session)
    assert (charge["amount_refunded"], charge["refunded"]) == (100, False)
    assert till.told()[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    with till.records() as records, pytest.raises(Refused, match="can no longer fail"):
        refunds.fail(records, refund["id"])
    assert refunded(till, session)["amount"] == 200


def test_a_pending_refund_can_be_canceled(till: Till) -> None:
    session = by_bank(till)
    refund = refunded(till, session)
    with till.records() as records:
        refunds.cancel(records, refund["id"])
    assert till.charge(session)["amount_refunded"] == 0
    with till.records() as records, pytest.raises(Refused, match="canceled"):
        refunds.fail(records, refund["id"])


def test_what_was_not_paid_cannot_be_refunded(till: Till) -> None:
    session = till.paid(Way.DELAYED)
    with pytest.raises(Refused, match="does not have a successful charge"):
        refunded(till, session)
    charge = till.charge(session)
    with till.records() as records, pytest.raises(Refused, match="did not succeed"):
        refunds.create(records, {"charge": charge["id"]})


def test_a_refund_names_one_charge_or_one_payment(till: Till) -> None:
    with till.records() as records:
        for asked in ({}, {"charge": "ch_1", "payment_intent": "pi_1"}):
            with pytest.raises(Refused, match="payment_intent or charge"):
                refunds.create(records, asked)
        for kind in ("charge", "payment_intent"):
            with pytest.raises(Refused, match=f"No such {kind}: 'x'") as refused:
                refunds.create(records, {kind: "x"})
            assert (refused.value.status, refused.value.param) == (400, kind)


def test_what_the_bank_took_back_is_not_refunded_too(till: Till) -> None:
    session = till.paid()
    charge = till.charge(session)
    with till.records() as records:
        disputes.create(records, charge["id"], inquiry=False)
    with pytest.raises(Refused) as refused:
        refunded(till, session)
    assert refused.value.code == "charge_disputed"


def test_a_refund_is_still_possible_during_an_inquiry(till: Till) -> None:
    session = till.paid()
    with till.records() as records:
        disputes.create(records, till_charge := records.listed("charge")[0]["id"], inquiry=True)
    assert refunded(till, session)["charge"] == till_charge
