"""Refunds: what may be given back, what becomes of it, and what the charge says of it."""

import pytest

from tests.unit.sandbox.account import Account
from transcription_sandbox import disputes, refunds
from transcription_sandbox.checkout import Attempt, settle
from transcription_sandbox.errors import ApiError
from transcription_sandbox.state import Object


def refunded(account: Account, session: Object, cents: int | None = None) -> Object:
    charge = account.charge(session)
    with account.records() as records:
        return refunds.create(records, charge["id"], cents)


def by_bank(account: Account) -> Object:
    """A payment whose refunds take their time."""
    session = account.paid(Attempt.BANK_DEBIT)
    with account.records() as records:
        return settle(records, session["payment_intent"])


def test_a_card_is_refunded_at_once(account: Account) -> None:
    session = account.paid()
    refund = refunded(account, session)
    assert (refund["status"], refund["amount"]) == ("succeeded", 300)
    charge = account.charge(session)
    assert (charge["amount_refunded"], charge["refunded"]) == (300, True)
    assert account.event_types()[-2:] == ["refund.created", "charge.refunded"]
    assert account.last("charge.refunded")["amount_refunded"] == 300


def test_parts_add_up_to_no_more_than_was_paid(account: Account) -> None:
    session = account.paid()
    refunded(account, session, cents=100)
    charge = account.charge(session)
    assert (charge["amount_refunded"], charge["refunded"]) == (100, False)
    with pytest.raises(ApiError, match=r"what wasn't refunded yet: \$2\.00"):
        refunded(account, session, cents=201)
    refunded(account, session, cents=200)
    with pytest.raises(ApiError, match="already been refunded"):
        refunded(account, session, cents=1)


def test_a_bank_takes_its_time(account: Account) -> None:
    session = by_bank(account)
    refund = refunded(account, session)
    assert refund["status"] == "pending"
    assert account.charge(session)["amount_refunded"] == 300
    with account.records() as records:
        assert refunds.succeed(records, refund["id"])["status"] == "succeeded"
    assert account.event_types()[-2:] == ["refund.updated", "charge.refund.updated"]
    with account.records() as records, pytest.raises(ApiError, match="Only a pending one can be canceled"):
        refunds.cancel(records, refund["id"])


@pytest.mark.parametrize("bank", [True, False])
def test_a_refund_that_fails_brings_its_amount_back_to_the_charge(account: Account, bank: bool) -> None:
    session = by_bank(account) if bank else account.paid()
    refunded(account, session, cents=100)
    refund = refunded(account, session, cents=200)
    with account.records() as records:
        assert refunds.fail(records, refund["id"])["status"] == "failed"
    charge = account.charge(session)
    assert (charge["amount_refunded"], charge["refunded"]) == (100, False)
    assert account.event_types()[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    with account.records() as records, pytest.raises(ApiError, match="can no longer fail"):
        refunds.fail(records, refund["id"])
    assert refunded(account, session)["amount"] == 200


def test_a_pending_refund_can_be_canceled(account: Account) -> None:
    session = by_bank(account)
    refund = refunded(account, session)
    with account.records() as records:
        refunds.cancel(records, refund["id"])
    assert account.charge(session)["amount_refunded"] == 0
    with account.records() as records, pytest.raises(ApiError, match="canceled"):
        refunds.fail(records, refund["id"])


def test_what_was_not_paid_cannot_be_refunded(account: Account) -> None:
    session = account.paid(Attempt.BANK_DEBIT)
    with pytest.raises(ApiError, match="Only a payment that succeeded"):
        refunded(account, session)


def test_what_the_bank_took_back_is_not_refunded_too(account: Account) -> None:
    session = account.paid()
    charge = account.charge(session)
    with account.records() as records:
        disputes.create(records, charge["id"], inquiry=False)
    with pytest.raises(ApiError, match="charged back"):
        refunded(account, session)


def test_a_refund_is_still_possible_during_an_inquiry(account: Account) -> None:
    session = account.paid()
    with account.records() as records:
        disputes.create(records, charge_id := records.find("charge")[0]["id"], inquiry=True)
    assert refunded(account, session)["charge"] == charge_id
