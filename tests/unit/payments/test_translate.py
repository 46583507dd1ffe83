"""Stripe's events as facts about money; whatever is not in its published shape is told apart, and never fails."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.payments import events
from transcription_proxy.payments import translate
from transcription_proxy.payments.standing import Claim, Dispute, Kind, Refund
from transcription_proxy.payments.translate import NEEDED, STATUSES, Checkout, Event, NotUnderstood

PURCHASE, USER = UUID(int=1), UUID(int=2)
METADATA = events.names(PURCHASE, USER)
HUGE = 10**12 + 1
Body = dict[str, Any]
NO_NAMES: list[Any] = [None, "", 7, [], {}]


def heard(kind: str, thing: Any, **changes: Any) -> Event:
    return translate.event(json.dumps(events.event(kind, thing, **changes)))


def fact(kind: str, thing: Any) -> Any:
    return heard(kind, thing).fact


def why(kind: str, thing: Any) -> str:
    """Why it is not understood."""
    found = fact(kind, thing)
    assert isinstance(found, NotUnderstood)
    return str(found)


def session(**changes: Any) -> Body:
    return events.session("cs_1", payment="pi_1", metadata=METADATA) | changes


def charge(**changes: Any) -> Body:
    return events.charge("pi_1", 100) | changes


def refund(**changes: Any) -> Body:
    return events.refund("re_1", "pi_1", 100, "succeeded") | changes


def dispute(**changes: Any) -> Body:
    return events.dispute("dp_1", "pi_1", 300, "needs_response") | changes


def test_a_paid_session() -> None:
    found = heard("checkout.session.completed", session(), name="evt_1")
    assert found == Event(
        id="evt_1",
        type="checkout.session.completed",
        livemode=False,
        object_id="cs_1",
        fact=Checkout(
            session_id="cs_1",
            status="paid",
            payment_intent="pi_1",
            charge=None,
            paid_cents=300,
            currency="usd",
            receipt_url=None,
            purchase_id=PURCHASE,
            user_id=USER,
            package_id="pack_500",
            seconds=30_000,
        ),
    )


@pytest.mark.parametrize(("mode", "live"), [(True, True), (False, False), (None, False), (1, False), ("true", False)])
def test_live_is_what_says_so(mode: Any, live: bool) -> None:
    body = events.event("charge.refunded", charge()) | {"livemode": mode}
    assert translate.event(json.dumps(body)).livemode is live


@pytest.mark.parametrize(
    ("kind", "paid", "status"),
    [
        ("completed", "paid", "paid"),
        ("completed", "no_payment_required", "paid"),
        ("completed", "unpaid", "pending"),
        ("async_payment_succeeded", "paid", "paid"),
        ("async_payment_succeeded", "unpaid", "pending"),  # never before it is paid
        ("async_payment_failed", "unpaid", "failed"),
        ("async_payment_failed", "no_payment_required", "failed"),
        ("expired", "unpaid", "expired"),
        ("expired", "no_payment_required", "expired"),
        ("of_a_later_year", "unpaid", "pending"),  # by the session's own status, which is complete
    ],
)
def test_how_far_a_session_got_by_its_event(kind: str, paid: str, status: str) -> None:
    assert fact(f"checkout.session.{kind}", session(payment_status=paid)).status == status


@pytest.mark.parametrize(
    ("stage", "paid", "payment", "status"),
    [
        ("open", "unpaid", None, "open"),
        ("open", "no_payment_required", None, "open"),
        ("expired", "unpaid", None, "expired"),
        ("complete", "paid", "succeeded", "paid"),
        ("complete", "no_payment_required", None, "paid"),
        ("complete", "unpaid", "processing", "pending"),
        ("complete", "unpaid", "requires_payment_method", "failed"),
        ("complete", "unpaid", "canceled", "failed"),
        (None, None, None, "open"),
        (["complete"], {"paid": "paid"}, None, "open"),
    ],
)
def test_how_far_a_session_got_by_asking(stage: Any, paid: Any, payment: str | None, status: str) -> None:
    intent = {"id": "pi_1", "object": "payment_intent", "status": payment, "latest_charge": None} if payment else None
    asked = session(status=stage, payment_status=paid, payment_intent=intent)
    assert translate.checkout(asked).status == status


def test_an_expanded_payment_has_its_charge_and_receipt() -> None:
    receipt = "https://pay.stripe.com/receipts/1"
    intent = {"id": "pi_1", "status": "succeeded", "latest_charge": charge(receipt_url=receipt)}
    found = translate.checkout(session(payment_intent=intent))
    assert found.payment_intent == "pi_1"
    assert found.charge == Claim("ch_of_pi_1", Kind.CHARGE, 0, "pi_1", "ch_of_pi_1", 100, 300, "usd")
    assert found.receipt_url == receipt


@pytest.mark.parametrize("latest", [None, "ch_1", 7, [], {}, {"id": "ch_1"}, charge(amount=-1)])
def test_a_session_is_as_good_without_its_charge(latest: Any) -> None:
    found = translate.checkout(session(payment_intent={"id": "pi_1", "latest_charge": latest}))
    assert (found.status, found.payment_intent, found.charge) == ("paid", "pi_1", None)


@pytest.mark.parametrize(
    "url", [None, 7, "", "javascript:alert(1)", "https://a/\n", "https://ä.example", "https://a/" + "b" * 2048]
)
def test_a_receipt_that_is_no_link_is_none(url: Any) -> None:
    intent = {"id": "pi_1", "latest_charge": charge(receipt_url=url)}
    assert translate.checkout(session(payment_intent=intent)).receipt_url is None


@pytest.mark.parametrize("metadata", [None, {}, {"purchase_id": None, "user_id": None}, {"other": "product"}])
def test_metadata_that_say_nothing(metadata: Any) -> None:
    found = fact("checkout.session.completed", session(metadata=metadata))
    assert (found.purchase_id, found.user_id, found.package_id, found.seconds) == (None, None, None, None)


@pytest.mark.parametrize("name", ["purchase_id", "user_id"])
@pytest.mark.parametrize("value", ["", "7", "x" * 32, "x" * 10_000, 7, None, ["a"], {"a": "b"}, "\ud800", "é" * 32])
def test_metadata_that_name_no_user(name: str, value: Any) -> None:
    found = fact("checkout.session.completed", session(metadata=METADATA | {name: value}))
    assert getattr(found, name) is None
    assert found.status == "paid"


@pytest.mark.parametrize("value", ["", "0", "-5", "+5", "1.5", "1e3", " 7", "٧", "100000001", "9" * 5000, 7, None, [7]])
def test_seconds_that_are_no_number_of_seconds_are_not_known(value: Any) -> None:
    assert fact("checkout.session.completed", session(metadata=METADATA | {"seconds": value})).seconds is None


def test_seconds_up_to_the_most_of_a_package_are_known() -> None:
    metadata = METADATA | {"seconds": "100000000"}
    assert fact("checkout.session.completed", session(metadata=metadata)).seconds == 100_000_000


@pytest.mark.parametrize("value", ["", "x" * 256, "päck", "a\nb", 7, None, {}])
def test_a_package_that_cannot_be_one_is_not_known(value: Any) -> None:
    assert fact("checkout.session.completed", session(metadata=METADATA | {"package_id": value})).package_id is None


NO_AMOUNTS: list[Any] = [None, -1, True, False, 1.5, 300.0, "300", [], {}, float("nan"), float("inf"), HUGE, 10**100]


@pytest.mark.parametrize("amount", NO_AMOUNTS)
@pytest.mark.parametrize(
    ("kind", "thing", "name"),
    [
        ("checkout.session.completed", session, "amount_total"),
        ("charge.refunded", charge, "amount_refunded"),
        ("charge.refunded", charge, "amount"),
        ("refund.updated", refund, "amount"),
        ("charge.dispute.created", dispute, "amount"),
    ],
)
def test_what_is_no_amount_is_said_so(kind: str, thing: Any, name: str, amount: Any) -> None:
    assert why(kind, thing(**{name: amount})) == f"{name} isn't an amount"


@pytest.mark.parametrize("amount", [0, 1, HUGE - 1])
def test_any_amount_that_can_be_paid_is_one(amount: int) -> None:
    assert fact("checkout.session.completed", session(amount_total=amount)).paid_cents == amount


@pytest.mark.parametrize("currency", [None, "", 7, ["usd"], "€", "u\x00sd", "x" * 256])
def test_without_a_currency_no_amount_is_one(currency: Any) -> None:
    assert why("checkout.session.completed", session(currency=currency)) == "currency is missing"
    assert why("charge.refunded", charge(currency=currency)) == "currency is missing"


def test_a_currency_is_the_same_in_capitals() -> None:
    assert fact("checkout.session.completed", session(currency="USD")).currency == "usd"
    assert fact("refund.updated", refund(currency="EUR")).currency == "eur"


@pytest.mark.parametrize("name", [None, "", 7, [], {}, "cs_é", "cs\n1", "cs_" + "1" * 253])
def test_what_has_no_id_is_not_understood(name: Any) -> None:
    for kind, thing in [("checkout.session.completed", session), ("charge.refunded", charge)]:
        event = heard(kind, thing(id=name))
        assert str(event.fact) == "id is missing"
        assert event.object_id is None


def test_metadata_must_be_an_object() -> None:
    assert why("checkout.session.completed", session(metadata=["purchase_id"])) == "metadata isn't an object"


def test_a_charge_that_was_refunded() -> None:
    metadata = {"purchase_id": str(PURCHASE)}
    claim = Claim("ch_of_pi_1", Kind.CHARGE, 0, "pi_1", "ch_of_pi_1", 100, 300, "usd", PURCHASE)
    assert fact("charge.refunded", charge(metadata=metadata)) == claim
    assert fact("charge.refunded", charge(metadata=metadata, payment_intent={"id": "pi_1"})) == claim


def test_more_refunded_than_there_was_is_not_understood() -> None:
    assert why("charge.refunded", charge(amount_refunded=301)) == "amount_refunded is more than amount"


@pytest.mark.parametrize("listed", [None, 7, [], {}, {"data": None}, {"data": [None, 7, {"id": "re_1"}]}])
def test_a_charge_that_lists_no_refunds(listed: Any) -> None:
    assert fact("charge.refunded", charge(refunds=listed)).refunds == ()


def test_refunds_that_a_charge_lists_are_of_that_charge() -> None:
    listed = {"object": "list", "data": [refund(charge=None, payment_intent=None), {"id": "re_2"}]}
    [found] = fact("charge.refunded", charge(refunds=listed)).refunds
    assert (found.kind, found.charge, found.payment_intent) == (Kind.REFUND, "ch_of_pi_1", "pi_1")


@pytest.mark.parametrize(
    "kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]
)  # what counts is its status
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", Refund.UNDER_WAY),
        ("requires_action", Refund.UNDER_WAY),
        ("succeeded", Refund.SUCCEEDED),
        ("failed", Refund.FAILED),
        ("canceled", Refund.FAILED),
        (None, Refund.UNDER_WAY),
        ("of_a_later_year", Refund.UNDER_WAY),
        (["failed"], Refund.UNDER_WAY),
    ],
)
def test_a_refund_by_its_status(kind: str, status: Any, state: Refund) -> None:
    expected = Claim("re_1", Kind.REFUND, state, "pi_1", "ch_of_pi_1", 100, 0, "usd")
    assert fact(kind, refund(status=status)) == expected


@pytest.mark.parametrize(
    ("status", "created", "closed"),
    [
        ("warning_needs_response", Dispute.INQUIRY, Dispute.INQUIRY),
        ("warning_under_review", Dispute.INQUIRY, Dispute.INQUIRY),
        ("warning_closed", Dispute.OVER, Dispute.OVER),
        ("needs_response", Dispute.OPEN, Dispute.OPEN),
        ("under_review", Dispute.OPEN, Dispute.OPEN),
        ("lost", Dispute.LOST, Dispute.LOST),
        ("won", Dispute.OVER, Dispute.OVER),
        ("prevented", Dispute.OVER, Dispute.OVER),
        (None, Dispute.INQUIRY, Dispute.OVER),
        ("of_a_later_year", Dispute.INQUIRY, Dispute.OVER),
    ],
)
def test_a_dispute_by_its_status_and_event(status: Any, created: Dispute, closed: Dispute) -> None:
    for kind, state in [("created", created), ("updated", created), ("closed", closed)]:
        expected = Claim("dp_1", Kind.DISPUTE, state, "pi_1", "ch_of_pi_1", 300, 0, "usd")
        assert fact(f"charge.dispute.{kind}", dispute(status=status)) == expected
    assert fact("charge.dispute.funds_reinstated", dispute(status=status)).standing == Dispute.OVER


def test_references_are_understood_expanded_or_not_and_may_be_missing() -> None:
    expanded = dispute(charge={"id": "ch_1", "object": "charge"}, payment_intent={"id": "pi_1"})
    assert (
        fact("charge.dispute.created", expanded).charge,
        fact("charge.dispute.created", expanded).payment_intent,
    ) == (
        "ch_1",
        "pi_1",
    )
    nothings: list[Any] = [None, 7, [], {}, {"id": 7}, "", "\n"]
    for nothing in nothings:
        claim = fact("refund.updated", refund(charge=nothing, payment_intent=nothing, metadata=nothing))
        assert (claim.charge, claim.payment_intent, claim.purchase_id) == (None, None, None)


@pytest.mark.parametrize(
    "kind", ["payment_intent.payment_failed", "charge.succeeded", "customer.created", "v9.novelty"]
)
def test_what_needs_nothing_says_nothing_about_money(kind: str) -> None:
    assert fact(kind, {"id": "pi_1", "object": "payment_intent"}) is None
    assert heard(kind, {}).object_id is None


def test_every_event_that_we_ask_for_is_understood() -> None:
    things = {"checkout": session(), "charge": dispute(amount_refunded=100), "refund": refund()}
    for kind in NEEDED:
        expected = None if kind.startswith("payment_intent.") else Checkout if kind.startswith("checkout.") else Claim
        found = fact(kind, things.get(kind.split(".")[0], {}))
        assert found is None if expected is None else isinstance(found, expected), kind


@pytest.mark.parametrize(
    ("one", "other", "further"),
    [
        ("open", "open", "open"),
        ("open", "pending", "pending"),
        ("pending", "failed", "failed"),
        ("failed", "expired", "expired"),
        *((one, "paid", "paid") for one in STATUSES),  # nothing is taken back from it by a late event
    ],
)
def test_the_further_of_two_statuses(one: str, other: str, further: str) -> None:
    assert translate.furthest(one, other) == translate.furthest(other, one) == further


@pytest.mark.parametrize(
    "text", ["", "{", "nonsense", "\ufeff{}", "[" * 100_000, '{"id":' * 100_000, "9" * 5000, '{"id": "\n"}']
)
def test_what_is_no_json_is_said_so(text: str) -> None:
    with pytest.raises(NotUnderstood, match="it isn't JSON"):
        translate.event(text)


GOOD = events.event("charge.refunded", charge())
BAD_PARTS: list[Body] = [
    *({"id": name} for name in [*NO_NAMES, "e" * 256, "evt_é"]),
    *({"type": kind} for kind in [*NO_NAMES, "charge\n"]),
    *({"data": data} for data in [*NO_NAMES, {"object": None}, {"object": ["charge"]}]),
]


@pytest.mark.parametrize(
    "text",
    [
        *("null", "[]", "7", '"evt_1"', "NaN", "{}", "true"),
        *(json.dumps(GOOD | bad) for bad in BAD_PARTS),
    ],
)
def test_json_that_is_no_event_is_said_so(text: str) -> None:
    with pytest.raises(NotUnderstood, match="it isn't a Stripe event"):
        translate.event(text)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["usd", "paid"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.data(), st.sampled_from(NEEDED))
def test_any_value_in_any_place_is_understood_or_said_not_to_be(data: st.DataObject, kind: str) -> None:
    thing = data.draw(st.sampled_from([session(), charge(), refund(), dispute()]))
    for name in data.draw(st.lists(st.sampled_from(sorted(thing)), max_size=3)):
        thing[name] = data.draw(JSON)
    found = heard(kind, thing).fact
    if isinstance(found, Checkout):
        assert 0 <= found.paid_cents < HUGE
        assert found.status in STATUSES
    if isinstance(found, Claim):
        assert 0 <= found.cents < HUGE


@given(JSON)
def test_any_json_is_an_event_or_said_not_to_be(body: Any) -> None:
    with pytest.raises(NotUnderstood):
        translate.event(json.dumps(body))
