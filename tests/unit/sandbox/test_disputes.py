"""Disputes: what may be disputed, how it ends, and where the money is meanwhile."""

import pytest

from tests.unit.sandbox.account import Account
from transcription_sandbox import disputes, refunds
from transcription_sandbox.checkout import Attempt
from transcription_sandbox.disputes import cents_taken
from transcription_sandbox.errors import ApiError
from transcription_sandbox.state import Object


def disputed(
    account: Account, *, inquiry: bool = False, cents: int | None = None, attempt: Attempt = Attempt.CARD
) -> Object:
    charge = account.charge(account.paid(attempt))
    with account.records() as records:
        return disputes.create(records, charge["id"], inquiry=inquiry, cents=cents)


def test_a_dispute_takes_the_money_at_once(account: Account) -> None:
    dispute = disputed(account)
    assert (dispute["status"], dispute["amount"], cents_taken(dispute)) == ("needs_response", 300, 300)
    assert account.get("charge", dispute["charge"])["disputed"]
    assert account.event_types()[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


def test_a_dispute_that_is_won_brings_it_back(account: Account) -> None:
    name = disputed(account)["id"]
    with account.records() as records:
        after = disputes.win(records, name)
    assert (after["status"], cents_taken(after)) == ("won", 0)
    assert account.event_types()[-2:] == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
    with account.records() as records, pytest.raises(ApiError, match="and can't change"):
        disputes.lose(records, name)
    with account.records() as records, pytest.raises(ApiError, match="nothing to reinstate"):
        disputes.reinstate(records, name)


def test_a_dispute_that_is_lost_may_still_bring_it_back(account: Account) -> None:
    name = disputed(account)["id"]
    with account.records() as records:
        lost = disputes.lose(records, name)
    assert (lost["status"], cents_taken(lost)) == ("lost", 300)
    with account.records() as records:
        after = disputes.reinstate(records, name)
    assert (after["status"], cents_taken(after)) == ("lost", 0)
    assert account.event_types()[-2:] == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]


def test_an_inquiry_takes_nothing_and_is_closed(account: Account) -> None:
    name = disputed(account, inquiry=True)["id"]
    assert account.event_types()[-1] == "charge.dispute.created"
    with account.records() as records, pytest.raises(ApiError, match="can't be lost"):
        disputes.lose(records, name)
    with account.records() as records:
        after = disputes.win(records, name)
    assert (after["status"], cents_taken(after)) == ("warning_closed", 0)


def test_an_inquiry_may_become_a_dispute(account: Account) -> None:
    name = disputed(account, inquiry=True)["id"]
    with account.records() as records:
        after = disputes.escalate(records, name)
    assert (after["status"], cents_taken(after)) == ("needs_response", 300)
    assert account.event_types()[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    with account.records() as records, pytest.raises(ApiError, match="Only an open inquiry"):
        disputes.escalate(records, name)


def test_a_payment_is_disputed_once_and_only_for_what_is_left(account: Account) -> None:
    charge = account.charge(account.paid())
    with account.records() as records:
        refunds.create(records, charge["id"], 100)
        for cents in (0, 201):
            with pytest.raises(ApiError, match=r"what wasn't refunded: \$2\.00"):
                disputes.create(records, charge["id"], inquiry=False, cents=cents)
        assert disputes.create(records, charge["id"], inquiry=False)["amount"] == 200
        with pytest.raises(ApiError, match="only once"):
            disputes.create(records, charge["id"], inquiry=True)


def test_what_was_not_paid_cannot_be_disputed(account: Account) -> None:
    with pytest.raises(ApiError, match="Only a payment that succeeded"):
        disputed(account, attempt=Attempt.BANK_DEBIT)
