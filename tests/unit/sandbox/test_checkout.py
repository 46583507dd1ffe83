"""A Checkout Session from beginning to end: what it costs, what a try to pay makes of it, and its events."""

from typing import Any

import pytest

from tests.unit.sandbox.account import EMAIL, NOW, Account
from transcription_sandbox import checkout
from transcription_sandbox.checkout import Attempt, SessionClosed
from transcription_sandbox.errors import ApiError

DAY = 86400


def pay(account: Account, name: str, attempt: Attempt = Attempt.CARD) -> dict[str, Any]:
    with account.records() as records:
        return checkout.pay(records, name, attempt)


def test_a_new_session_is_open_for_a_day_and_has_no_payment() -> None:
    account = Account()
    session = account.get("checkout.session", account.session(300, metadata={"a": "1"}))
    assert (session["amount_subtotal"], session["amount_total"], session["currency"]) == (300, 300, "usd")
    assert (session["status"], session["payment_status"], session["payment_intent"]) == ("open", "unpaid", None)
    assert (session["expires_at"], session["metadata"]) == (NOW + DAY, {"a": "1"})
    assert session["url"].endswith(f"/c/pay/{session['id']}")
    assert account.event_types() == []


def test_a_payment_by_card_is_paid_at_once(account: Account) -> None:
    session = account.paid()
    assert (session["status"], session["payment_status"], session["url"]) == ("complete", "paid", None)
    charge, intent = account.charge(session), account.get("payment_intent", session["payment_intent"])
    assert (charge["paid"], charge["amount_captured"], charge["refunded"]) == (True, 300, False)
    assert (intent["status"], intent["amount_received"], intent["latest_charge"]) == ("succeeded", 300, charge["id"])
    assert charge["billing_details"]["email"] == EMAIL
    assert account.event_types() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_metadata_of_the_payment_are_on_its_charge_too(account: Account) -> None:
    name = account.session(payment_intent_data={"metadata": {"purchase_id": "7"}})
    charge = account.charge(pay(account, name))
    assert charge["metadata"] == {"purchase_id": "7"}
    assert account.get("payment_intent", charge["payment_intent"])["metadata"] == {"purchase_id": "7"}


def test_a_payment_that_takes_its_time_is_complete_and_not_paid_until_it_arrives(account: Account) -> None:
    session = account.paid(Attempt.BANK_DEBIT)
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    with account.records() as records:
        checkout.settle(records, session["payment_intent"])
    assert account.get("checkout.session", session["id"])["payment_status"] == "paid"
    assert account.charge(session)["status"] == "succeeded"
    assert account.event_types()[-1] == "checkout.session.async_payment_succeeded"
    with account.records() as records, pytest.raises(ApiError, match="succeeded"):
        checkout.settle(records, session["payment_intent"])


def test_a_payment_that_takes_its_time_may_fail(account: Account) -> None:
    session = account.paid(Attempt.BANK_DEBIT)
    with account.records() as records:
        checkout.fail(records, session["payment_intent"])
    intent = account.get("payment_intent", session["payment_intent"])
    assert (intent["status"], intent["last_payment_error"]["message"]) == (
        "requires_payment_method",
        "The bank account has insufficient funds.",
    )
    assert account.get("checkout.session", session["id"])["payment_status"] == "unpaid"
    assert account.event_types()[-3:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]


def test_a_card_that_was_declined_may_be_tried_again_in_the_same_payment(account: Account) -> None:
    name = account.session()
    declined = pay(account, name, Attempt.DECLINED_CARD)
    assert (declined["status"], declined["payment_status"]) == ("open", "unpaid")
    failed = account.charge(account.get("checkout.session", name))
    assert (failed["status"], failed["failure_code"]) == ("failed", "card_declined")
    paid = pay(account, name)
    assert (paid["status"], paid["payment_intent"]) == ("complete", declined["payment_intent"])
    assert account.charge(paid)["id"] != failed["id"]
    assert account.event_types().count("payment_intent.created") == 1
    assert account.get("payment_intent", str(paid["payment_intent"]))["last_payment_error"] is None


@pytest.mark.parametrize(("code", "total", "paid"), [("HALF50", 150, "paid"), ("FREE100", 0, "no_payment_required")])
def test_a_promotion_code_lowers_what_is_charged(account: Account, code: str, total: int, paid: str) -> None:
    name = account.session()
    with account.records() as records:
        checkout.apply_code(records, name, code)
    session = pay(account, name)
    assert (session["amount_subtotal"], session["amount_total"], session["payment_status"]) == (300, total, paid)
    assert (session["payment_intent"] is None) == (total == 0)
    assert session["total_details"]["amount_discount"] == 300 - total


def test_a_code_may_be_given_after_the_card_was_declined_and_taken_back(account: Account) -> None:
    name = account.session()
    pay(account, name, Attempt.DECLINED_CARD)
    with account.records() as records:
        checkout.apply_code(records, name, "HALF50")
    with account.records() as records:
        assert checkout.apply_code(records, name, None)["amount_total"] == 300
    with account.records() as records:
        checkout.apply_code(records, name, "HALF50")
    assert account.charge(pay(account, name))["amount"] == 150


def test_a_session_is_paid_once(account: Account) -> None:
    name = account.session()
    pay(account, name)
    with pytest.raises(SessionClosed):
        pay(account, name)
    assert account.event_types().count("checkout.session.completed") == 1


def test_a_session_that_expired_cannot_be_paid(account: Account) -> None:
    name = account.session()
    with account.records() as records:
        checkout.expire(records, name)
    with pytest.raises(SessionClosed):
        pay(account, name)
    with account.records() as records, pytest.raises(ApiError, match="Only open Checkout Sessions can be expired"):
        checkout.expire(records, name)
    assert account.event_types() == ["checkout.session.expired"]


def test_time_expires_a_session_and_its_payment(account: Account) -> None:
    name = account.session()
    pay(account, name, Attempt.DECLINED_CARD)
    account.now += DAY - 1
    with account.records() as records:
        checkout.expire_due(records)
    assert account.get("checkout.session", name)["status"] == "open"
    account.now += 1
    with account.records() as records:
        checkout.expire_due(records)
    session = account.get("checkout.session", name)
    assert (session["status"], session["url"]) == ("expired", None)
    assert account.get("payment_intent", session["payment_intent"])["status"] == "canceled"
    assert account.event_types()[-2:] == ["payment_intent.canceled", "checkout.session.expired"]


def test_who_pays_too_late_finds_it_expired(account: Account) -> None:
    """Also before anything in the background has noticed."""
    name = account.session()
    account.now += DAY
    with account.records() as records, pytest.raises(SessionClosed):
        checkout.pay(records, name, Attempt.CARD)
