"""The word that a payment has on the dashboard, and the buttons beside it."""

import pytest

from tests.unit.sandbox.till import Till
from transcription_sandbox import checkout, disputes, refunds
from transcription_sandbox.checkout import Way
from transcription_sandbox.dashboard import Payment
from transcription_sandbox.markup import render
from transcription_sandbox.state import Object


def dashboard(payments: list[Payment], endpoint: str | None = None) -> str:
    return render("dashboard", "", payments=payments, events=[], older=None, endpoint=endpoint, error=None)


def seen(till: Till, name: str) -> tuple[str, set[str]]:
    """The word, and the buttons."""
    with till.records() as records:
        session = records.get("checkout.session", name)
        intent = records.get("payment_intent", session["payment_intent"]) if session["payment_intent"] else None
        charge = records.get("charge", intent["latest_charge"]) if intent else None
        of: dict[str, str | int] = {"charge": charge["id"] if charge else ""}
        payment = Payment(session, "x", charge, records.listed("refund", of), records.listed("dispute", of))
    page = dashboard([payment])
    buttons = {part.partition('"')[0] for part in page.split('name="action" value="')[1:]}
    return payment.status, buttons


def test_each_state_has_its_word_and_its_buttons(till: Till) -> None:
    opened, declined, expired, free = (till.session() for _ in range(4))
    paid, late = till.paid(), till.paid(Way.DELAYED)
    with till.records() as records:
        checkout.pay(records, declined, Way.DECLINED_CARD)
        checkout.expire(records, expired)
        checkout.take_code(records, free, "FREE100")
        checkout.pay(records, free, Way.CARD)
    assert seen(till, opened) == ("Open", set())
    assert seen(till, declined) == ("Declined", set())
    assert seen(till, expired) == ("Expired", set())
    assert seen(till, free) == ("Free", set())
    assert seen(till, paid["id"]) == ("Paid", {"refund", "dispute", "inquiry"})
    assert seen(till, late["id"]) == ("Pending", {"settle", "fail"})
    with till.records() as records:
        checkout.fail(records, late["payment_intent"])
    assert seen(till, late["id"]) == ("Failed", set())


def test_refunds_and_disputes_have_theirs(till: Till) -> None:
    def refund(session: Object, amount: int) -> Object:
        with till.records() as records:
            return refunds.create(records, {"payment_intent": session["payment_intent"], "amount": amount})

    session = till.paid()
    refund(session, 100)
    assert seen(till, session["id"]) == ("Partly refunded", {"refund", "dispute", "inquiry", "fail"})
    refund(session, 200)
    assert seen(till, session["id"]) == ("Refunded", {"fail"})
    other = till.paid()
    with till.records() as records:
        dispute = disputes.create(records, till_charge(records.listed("charge")), inquiry=True)["id"]
    assert seen(till, other["id"]) == ("Disputed", {"refund", "escalate", "win"})
    with till.records() as records:
        disputes.escalate(records, dispute)
    assert seen(till, other["id"]) == ("Disputed", {"win", "lose", "reinstate"})
    with till.records() as records:
        disputes.lose(records, dispute)
    assert seen(till, other["id"]) == ("Disputed", {"reinstate"})


def till_charge(charges: list[Object]) -> str:
    """The newest."""
    return str(charges[0]["id"])


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:3000/webhooks/stripe"])
def test_an_empty_dashboard_says_so(endpoint: str | None) -> None:
    page = dashboard([], endpoint)
    assert "No payments yet." in page
    assert "No events yet." in page
    assert (endpoint or "No webhook endpoint is set") in page
