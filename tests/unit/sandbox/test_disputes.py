"""Disputes: what may be disputed, how it ends, and where the money is meanwhile."""

import pytest

from tests.unit.sandbox.till import Till
from transcription_sandbox import disputes, refunds
from transcription_sandbox.checkout import Way
from transcription_sandbox.refusals import Refused
from transcription_sandbox.state import Object


def disputed(till: Till, *, inquiry: bool = False, amount: int | None = None, way: Way = Way.CARD) -> Object:
    charge = till.charge(till.paid(way))
    with till.records() as records:
        return disputes.create(records, charge["id"], inquiry=inquiry, amount=amount)


def gone(dispute: Object) -> int:
    """Cents that are away."""
    moved: int = sum(movement["amount"] for movement in dispute["balance_transactions"])
    return -moved


def test_a_dispute_takes_the_money_at_once(till: Till) -> None:
    dispute = disputed(till)
    assert (dispute["status"], dispute["amount"], gone(dispute)) == ("needs_response", 300, 300)
    assert till.get("charge", dispute["charge"])["disputed"]
    assert till.told()[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


def test_a_dispute_that_is_won_brings_it_back(till: Till) -> None:
    name = disputed(till)["id"]
    with till.records() as records:
        after = disputes.win(records, name)
    assert (after["status"], gone(after)) == ("won", 0)
    assert till.told()[-2:] == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
    with till.records() as records, pytest.raises(Refused, match="and can't change"):
        disputes.lose(records, name)
    with till.records() as records, pytest.raises(Refused, match="nothing to reinstate"):
        disputes.reinstate(records, name)


def test_a_dispute_that_is_lost_may_still_bring_it_back(till: Till) -> None:
    name = disputed(till)["id"]
    with till.records() as records:
        lost = disputes.lose(records, name)
    assert (lost["status"], gone(lost)) == ("lost", 300)
    with till.records() as records:
        after = disputes.reinstate(records, name)
    assert (after["status"], gone(after)) == ("lost", 0)
    assert till.told()[-2:] == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]


def test_an_inquiry_takes_nothing_and_is_closed(till: Till) -> None:
    name = disputed(till, inquiry=True)["id"]
    assert till.told()[-1] == "charge.dispute.created"
    with till.records() as records, pytest.raises(Refused, match="can't be lost"):
        disputes.lose(records, name)
    with till.records() as records:
        after = disputes.win(records, name)
    assert (after["status"], gone(after)) == ("warning_closed", 0)


def test_an_inquiry_may_become_a_dispute(till: Till) -> None:
    name = disputed(till, inquiry=True)["id"]
    with till.records() as records:
        after = disputes.escalate(records, name)
    assert (after["status"], gone(after)) == ("needs_response", 300)
    assert till.told()[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    with till.records() as records, pytest.raises(Refused, match="Only an open inquiry"):
        disputes.escalate(records, name)


def test_what_changed_is_told(till: Till) -> None:
    name = disputed(till)["id"]
    with till.records() as records:
        disputes.lose(records, name)
        [event] = records.listed("event", {"type": "charge.dispute.closed"})
    assert event["data"]["object"]["status"] == "lost"
    assert event["data"]["previous_attributes"] == {"status": "needs_response"}


def test_a_payment_is_disputed_once_and_only_for_what_is_left(till: Till) -> None:
    charge = till.charge(till.paid())
    with till.records() as records:
        refunds.create(records, {"charge": charge["id"], "amount": 100})
        for amount in (0, 201):
            with pytest.raises(Refused, match=r"what wasn't refunded: \$2\.00"):
                disputes.create(records, charge["id"], inquiry=False, amount=amount)
        assert disputes.create(records, charge["id"], inquiry=False)["amount"] == 200
        with pytest.raises(Refused, match="only once"):
            disputes.create(records, charge["id"], inquiry=True)


def test_what_was_not_paid_cannot_be_disputed(till: Till) -> None:
    with pytest.raises(Refused, match="Only a payment that succeeded"):
        disputed(till, way=Way.DELAYED)
