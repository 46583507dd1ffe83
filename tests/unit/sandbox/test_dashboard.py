"""The word that a payment has on the dashboard, and the buttons beside it."""

import pytest

from tests.unit.sandbox.account import Account
from transcription_sandbox import checkout, disputes, refunds
from transcription_sandbox.checkout import Attempt
from transcription_sandbox.dashboard import Payment
from transcription_sandbox.markup import render
from transcription_sandbox.state import Object


def dashboard(payments: list[Payment], endpoint: str | None = None) -> str:
    return render("dashboard", "", payments=payments, events=[], endpoint=endpoint, error=None)


def seen(account: Account, name: str) -> tuple[str, set[str]]:
    """The word, and the buttons."""
    with account.records() as records:
        session = records.get("checkout.session", name)
        intent = records.get("payment_intent", session["payment_intent"]) if session["payment_intent"] else None
        charge = records.get("charge", intent["latest_charge"]) if intent else None
        of: dict[str, str | int] = {"charge": charge["id"] if charge else ""}
        payment = Payment(session, "x", charge, records.find("refund", of), records.find("dispute", of))
    page = dashboard([payment])
    buttons = {part.partition('"')[0] for part in page.split('name="action" value="')[1:]}
    return payment.status, buttons


def test_each_state_has_its_word_and_its_buttons(account: Account) -> None:
    opened, declined, expired, free = (account.session() for _ in range(4))
    paid, late = account.paid(), account.paid(Attempt.BANK_DEBIT)
    with account.records() as records:
        checkout.pay(records, declined, Attempt.DECLINED_CARD)
        checkout.expire(records, expired)
        checkout.apply_code(records, free, "FREE100")
        checkout.pay(records, free, Attempt.CARD)
    assert seen(account, opened) == ("Open", set())
    assert seen(account, declined) == ("Declined", set())
    assert seen(account, expired) == ("Expired", set())
    assert seen(account, free) == ("Free", set())
    assert seen(account, paid["id"]) == ("Paid", {"refund", "dispute", "inquiry"})
    assert seen(account, late["id"]) == ("Pending", {"settle", "fail"})
    with account.records() as records:
        checkout.fail(records, late["payment_intent"])
    assert seen(account, late["id"]) == ("Failed", set())


def test_refunds_and_disputes_have_theirs(account: Account) -> None:
    def refund(session: Object, cents: int) -> Object:
        charge = account.charge(session)
        with account.records() as records:
            return refunds.create(records, charge["id"], cents)

    session = account.paid()
    refund(session, 100)
    assert seen(account, session["id"]) == ("Partly refunded", {"refund", "dispute", "inquiry", "fail"})
    refund(session, 200)
    assert seen(account, session["id"]) == ("Refunded", {"fail"})
    other = account.paid()
    with account.records() as records:
        dispute = disputes.create(records, charge_id(records.find("charge")), inquiry=True)["id"]
    assert seen(account, other["id"]) == ("Disputed", {"refund", "escalate", "win"})
    with account.records() as records:
        disputes.escalate(records, dispute)
    assert seen(account, other["id"]) == ("Disputed", {"win", "lose", "reinstate"})
    with account.records() as records:
        disputes.lose(records, dispute)
    assert seen(account, other["id"]) == ("Disputed", {"reinstate"})


def charge_id(charges: list[Object]) -> str:
    """The newest."""
    return str(charges[0]["id"])


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:3000/webhooks/stripe"])
def test_an_empty_dashboard_says_so(endpoint: str | None) -> None:
    page = dashboard([], endpoint)
    assert "No payments yet." in page
    assert "No events yet." in page
    assert (endpoint or "No webhook endpoint is set") in page
