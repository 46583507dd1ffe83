"""A Checkout Session from beginning to end: what it costs, what a try to pay makes of it, and its events."""

import pytest

from tests.unit.sandbox.till import NOW, Till, order
from transcription_sandbox import checkout
from transcription_sandbox.checkout import Closed, Way
from transcription_sandbox.refusals import Refused

EMAIL = "buyer@example.org"
DAY = 86400


def pay(till: Till, name: str, way: Way = Way.CARD) -> dict[str, object]:
    with till.records() as records:
        return checkout.pay(records, name, way, EMAIL)


def test_a_new_session_is_open_for_a_day_and_has_no_payment() -> None:
    till = Till()
    session = till.get("checkout.session", till.session(300, quantity=2, metadata={"a": "1"}))
    assert (session["amount_subtotal"], session["amount_total"], session["currency"]) == (600, 600, "usd")
    assert (session["status"], session["payment_status"], session["payment_intent"]) == ("open", "unpaid", None)
    assert (session["expires_at"], session["metadata"]) == (NOW + DAY, {"a": "1"})
    assert session["url"].endswith(f"/c/pay/{session['id']}")
    assert till.told() == []


def test_the_customer_of_a_session_is_known_by_name(till: Till) -> None:
    customer = till.customer("known@example.org")
    session = till.get("checkout.session", till.session(customer=customer))
    assert session["customer_details"]["email"] == "known@example.org"
    assert session["customer_creation"] is None
    with pytest.raises(Refused, match="No such customer") as refused:
        till.session(customer="cus_none")
    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "resource_missing", "customer")
    with pytest.raises(Refused, match="only specify one"):
        till.session(customer=customer, customer_email=EMAIL)


@pytest.mark.parametrize(
    ("cents", "code"), [(49, "amount_too_small"), (1, "amount_too_small"), (99_999_999 + 1, "amount_too_large")]
)
def test_amounts_that_stripe_does_not_charge_are_refused(till: Till, cents: int, code: str) -> None:
    with pytest.raises(Refused) as refused:
        till.session(cents)
    assert refused.value.code == code
    assert till.get("checkout.session", till.session(50))["amount_total"] == 50
    assert till.get("checkout.session", till.session(0))["amount_total"] == 0


def test_one_session_has_one_currency(till: Till) -> None:
    asked = dict(order())
    other = {"currency": "eur", "unit_amount": 300, "product_data": {"name": "x"}}
    asked["line_items"] = [*asked["line_items"], {"quantity": 1, "price_data": other}]
    with till.records() as records, pytest.raises(Refused, match="same currency"):
        checkout.create(records, asked)


@pytest.mark.parametrize("seconds", [0, 1799, DAY + 1])
def test_a_session_may_not_end_too_soon_or_too_late(till: Till, seconds: int) -> None:
    with pytest.raises(Refused, match="between 30 minutes and 24 hours"):
        till.session(expires_at=NOW + seconds)
    assert till.session(expires_at=NOW + 1800)


def test_a_payment_by_card_is_paid_at_once(till: Till) -> None:
    session = till.paid()
    assert (session["status"], session["payment_status"], session["url"]) == ("complete", "paid", None)
    charge, intent = till.charge(session), till.get("payment_intent", session["payment_intent"])
    assert (charge["paid"], charge["amount_captured"], charge["refunded"]) == (True, 300, False)
    assert (intent["status"], intent["amount_received"], intent["latest_charge"]) == ("succeeded", 300, charge["id"])
    assert charge["billing_details"]["email"] == EMAIL
    assert till.told() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_metadata_of_the_payment_are_on_its_charge_too(till: Till) -> None:
    name = till.session(payment_intent_data={"metadata": {"purchase_id": "7"}})
    charge = till.charge(pay(till, name))
    assert charge["metadata"] == {"purchase_id": "7"}
    assert till.get("payment_intent", charge["payment_intent"])["metadata"] == {"purchase_id": "7"}


def test_a_payment_that_takes_its_time_is_complete_and_not_paid_until_it_arrives(till: Till) -> None:
    session = till.paid(Way.DELAYED)
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    with till.records() as records:
        checkout.settle(records, session["payment_intent"])
    assert till.get("checkout.session", session["id"])["payment_status"] == "paid"
    assert till.charge(session)["status"] == "succeeded"
    assert till.told()[-1] == "checkout.session.async_payment_succeeded"
    with till.records() as records, pytest.raises(Refused, match="succeeded"):
        checkout.settle(records, session["payment_intent"])


def test_a_payment_that_takes_its_time_may_fail(till: Till) -> None:
    session = till.paid(Way.DELAYED)
    with till.records() as records:
        checkout.fail(records, session["payment_intent"])
    intent = till.get("payment_intent", session["payment_intent"])
    assert (intent["status"], intent["last_payment_error"]["message"]) == (
        "requires_payment_method",
        "The bank account has insufficient funds.",
    )
    assert till.get("checkout.session", session["id"])["payment_status"] == "unpaid"
    assert till.told()[-3:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]


def test_a_card_that_was_declined_may_be_tried_again_in_the_same_payment(till: Till) -> None:
    name = till.session()
    declined = pay(till, name, Way.DECLINED_CARD)
    assert (declined["status"], declined["payment_status"]) == ("open", "unpaid")
    failed = till.charge(till.get("checkout.session", name))
    assert (failed["failure_code"], failed["outcome"]["type"]) == ("card_declined", "issuer_declined")
    paid = pay(till, name)
    assert (paid["status"], paid["payment_intent"]) == ("complete", declined["payment_intent"])
    assert till.charge(paid)["id"] != failed["id"]
    assert till.told().count("payment_intent.created") == 1
    assert till.get("payment_intent", str(paid["payment_intent"]))["last_payment_error"] is None


@pytest.mark.parametrize(("code", "total", "paid"), [("HALF50", 150, "paid"), ("FREE100", 0, "no_payment_required")])
def test_a_promotion_code_lowers_what_is_charged(till: Till, code: str, total: int, paid: str) -> None:
    name = till.session()
    with till.records() as records:
        checkout.take_code(records, name, code)
    session = pay(till, name)
    assert (session["amount_subtotal"], session["amount_total"], session["payment_status"]) == (300, total, paid)
    assert (session["payment_intent"] is None) == (total == 0)
    with till.records() as records:
        [line] = checkout.items(records, session)
    assert (line["amount_subtotal"], line["amount_discount"], line["amount_total"]) == (300, 300 - total, total)


def test_a_code_may_be_given_after_the_card_was_declined_and_taken_back(till: Till) -> None:
    name = till.session()
    pay(till, name, Way.DECLINED_CARD)
    with till.records() as records:
        checkout.take_code(records, name, "HALF50")
    with till.records() as records:
        assert checkout.take_code(records, name, None)["amount_total"] == 300
    with till.records() as records:
        checkout.take_code(records, name, "HALF50")
    assert till.charge(pay(till, name))["amount"] == 150


def test_discounts_of_several_lines_come_to_the_whole(till: Till) -> None:
    asked = dict(order(333))
    asked["line_items"] = [*asked["line_items"] * 3]
    with till.records() as records:
        session = checkout.create(records, asked)
        session = checkout.take_code(records, session["id"], "HALF50")
        lines = checkout.items(records, session)
    assert sum(line["amount_discount"] for line in lines) == session["total_details"]["amount_discount"] == 500
    assert sum(line["amount_total"] for line in lines) == session["amount_total"]


def test_a_session_is_paid_once(till: Till) -> None:
    name = till.session()
    pay(till, name)
    with pytest.raises(Closed) as closed:
        pay(till, name)
    assert closed.value.status == "complete"
    assert till.told().count("checkout.session.completed") == 1


def test_a_session_that_expired_cannot_be_paid(till: Till) -> None:
    name = till.session()
    with till.records() as records:
        checkout.expire(records, name)
    with pytest.raises(Closed) as closed:
        pay(till, name)
    assert closed.value.status == "expired"
    with till.records() as records, pytest.raises(Refused, match='status in \\["open"\\] can be expired'):
        checkout.expire(records, name)
    assert till.told() == ["checkout.session.expired"]


def test_time_expires_a_session_and_its_payment(till: Till) -> None:
    first, second = till.session(), till.session(expires_at=NOW + 1800)
    pay(till, first, Way.DECLINED_CARD)
    with till.records() as records:
        assert checkout.expire_due(records) == NOW + 1800
    till.now += 1800
    with till.records() as records:
        assert checkout.expire_due(records) == NOW + DAY
    assert till.get("checkout.session", second)["status"] == "expired"
    till.now += DAY
    with till.records() as records:
        assert checkout.expire_due(records) is None
    session = till.get("checkout.session", first)
    assert (session["status"], session["url"]) == ("expired", None)
    assert till.get("payment_intent", session["payment_intent"])["status"] == "canceled"
    assert till.told()[-2:] == ["payment_intent.canceled", "checkout.session.expired"]


def test_who_pays_too_late_finds_it_expired(till: Till) -> None:
    """Also before anything in the background has noticed."""
    name = till.session()
    till.now += DAY
    with till.records() as records, pytest.raises(Closed) as closed:
        checkout.pay(records, name, Way.CARD, EMAIL)
    assert closed.value.status == "expired"
