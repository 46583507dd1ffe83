"""What refunds and disputes have of a purchase: worked examples, and what holds for any of them in any order."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.payments.standing import Claim, Dispute, Kind, Refund, Standing, standing

SECONDS, PAID = 30_000, 300


def of(*claims: Claim, seconds: int = SECONDS, paid: int = PAID) -> Standing:
    return standing(seconds, paid, "usd", claims)


def charge(refunded: int, currency: str = "usd", of_cents: int = PAID) -> Claim:
    return Claim(f"ch_{currency}", Kind.CHARGE, 0, "pi_1", "ch_1", refunded, of_cents, currency)


def refund(name: str, state: Refund, cents: int, currency: str = "usd") -> Claim:
    return Claim(name, Kind.REFUND, state, "pi_1", "ch_1", cents, 0, currency)


def dispute(name: str, state: Dispute, cents: int = PAID, currency: str = "usd") -> Claim:
    return Claim(name, Kind.DISPUTE, state, "pi_1", "ch_1", cents, 0, currency)


def test_nothing_is_claimed_of_a_purchase_of_which_nothing_is_known() -> None:
    assert of() == Standing(taken=0, lost=0, frozen=0, refunded=0)


@pytest.mark.parametrize(
    ("seconds", "refunded", "taken"),
    [(1000, 0, 0), (1000, 1, 3), (1000, 100, 333), (1000, 200, 666), (1000, 299, 996), (1000, 300, 1000), (7, 299, 6)],
)
def test_a_refund_takes_its_part_rounded_down_and_a_whole_one_all(seconds: int, refunded: int, taken: int) -> None:
    assert of(charge(refunded), seconds=seconds) == Standing(taken, lost=0, frozen=0, refunded=refunded)


SUCCEEDED, FAILED, UNDER_WAY = Refund.SUCCEEDED, Refund.FAILED, Refund.UNDER_WAY


@pytest.mark.parametrize(
    ("amount_refunded", "refunds", "refunded"),
    [
        (200, [], 200),
        (200, [(SUCCEEDED, 100), (SUCCEEDED, 100)], 200),
        (0, [(SUCCEEDED, 100), (SUCCEEDED, 50)], 150),  # before their charge says so
        (100, [(FAILED, 100)], 0),
        (100, [(FAILED, 100), (SUCCEEDED, 100)], 100),  # it fell to 0 and rose to 100 again
        (150, [(FAILED, 150), (FAILED, 150), (SUCCEEDED, 150)], 150),
        (100, [(UNDER_WAY, 100)], 0),
        (200, [(SUCCEEDED, 100), (UNDER_WAY, 100)], 100),
        (150, [(SUCCEEDED, 50)], 50),  # an older one of 100 was never seen by its id
        (300, [(SUCCEEDED, 200), (SUCCEEDED, 200)], 300),  # no more than was paid
    ],
)
def test_refunds_count_by_their_ids_and_the_charge_only_where_none_is_known(
    amount_refunded: int, refunds: list[tuple[Refund, int]], refunded: int
) -> None:
    known = [refund(f"re_{number}", *one) for number, one in enumerate(refunds)]
    expected = Standing(refunded * SECONDS // PAID, lost=0, frozen=0, refunded=refunded)
    assert of(charge(amount_refunded), *known) == of(*known, charge(amount_refunded)) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (Dispute.INQUIRY, Standing(taken=0, lost=0, frozen=0, refunded=0)),
        (Dispute.OPEN, Standing(taken=0, lost=0, frozen=30_000, refunded=0)),
        (Dispute.LOST, Standing(taken=30_000, lost=30_000, frozen=0, refunded=0)),
        (Dispute.OVER, Standing(taken=0, lost=0, frozen=0, refunded=0)),
    ],
)
def test_a_dispute_freezes_while_it_is_open_and_takes_when_it_is_lost(state: Dispute, expected: Standing) -> None:
    assert of(dispute("dp_1", state)) == expected


def test_a_dispute_of_a_part() -> None:
    assert of(dispute("dp_1", Dispute.OPEN, 100)).frozen == 10_000
    assert of(dispute("dp_1", Dispute.LOST, 100)).lost == 10_000


def test_refunds_and_disputes_share_a_purchase_and_never_have_more_than_it() -> None:
    lost, open_ = dispute("dp_1", Dispute.LOST, 150), dispute("dp_2", Dispute.OPEN, 150)
    assert of(charge(100), lost, open_) == Standing(taken=25_000, lost=15_000, frozen=5_000, refunded=100)
    assert of(charge(300), lost, open_) == Standing(taken=30_000, lost=0, frozen=0, refunded=300)
    assert of(dispute("dp_1", Dispute.LOST), dispute("dp_2", Dispute.LOST)).taken == 30_000


def test_more_than_was_paid_is_all_of_it() -> None:
    """An amount that a bank disputes may exceed the payment, by fluctuations of a currency."""
    assert of(dispute("dp_1", Dispute.OPEN, 301)) == Standing(taken=0, lost=0, frozen=30_000, refunded=0)
    assert of(charge(400, of_cents=400)) == Standing(taken=30_000, lost=0, frozen=0, refunded=300)


def test_a_free_order_has_nothing_to_take_back() -> None:
    claims = charge(10), dispute("dp_1", Dispute.LOST), dispute("dp_2", Dispute.OPEN)
    assert of(*claims, paid=0) == Standing(taken=0, lost=0, frozen=0, refunded=0)


def test_a_foreign_amount_counts_in_proportion_to_a_charge_of_its_currency() -> None:
    euros = charge(0, "eur", of_cents=280)
    assert of(euros, dispute("dp_1", Dispute.OPEN, 140, "eur")).frozen == 15_000
    assert of(charge(70, "eur", of_cents=280)).taken == 7_500


def test_a_foreign_amount_of_which_no_whole_is_known_is_the_whole_payment_unless_it_is_nothing() -> None:
    assert of(dispute("dp_1", Dispute.OPEN, 1, "eur")).frozen == 30_000
    assert of(charge(0, "eur", of_cents=0)).taken == 0


CENTS = st.integers(0, 2 * PAID)
CURRENCY = st.sampled_from(["usd", "usd", "usd", "eur"])


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    """What a hostile world may say of one payment."""
    charges = [charge(refunded, one, whole) for refunded, one, whole in draw(_each(st.tuples(CENTS, CURRENCY, CENTS)))]
    refunds = draw(_each(st.tuples(st.sampled_from(Refund), CENTS, CURRENCY)))
    disputes = draw(_each(st.tuples(st.sampled_from(Dispute), CENTS, CURRENCY)))
    return [
        *charges,
        *(refund(f"re_{number}", *values) for number, values in enumerate(refunds)),
        *(dispute(f"dp_{number}", *values) for number, values in enumerate(disputes)),
    ]


def _each(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, max_size=3)


@given(claims(), st.randoms(), st.integers(1, 10**8), st.integers(0, 2 * PAID))
def test_no_order_of_claims_matters(known: Sequence[Claim], chance: Any, seconds: int, paid: int) -> None:
    shuffled = chance.sample(known, len(known))
    assert of(*shuffled, seconds=seconds, paid=paid) == of(*known, seconds=seconds, paid=paid)


@given(claims(), st.integers(1, 10**8), st.integers(0, 2 * PAID))
def test_all_claims_together_have_at_most_the_purchase(known: Sequence[Claim], seconds: int, paid: int) -> None:
    found = of(*known, seconds=seconds, paid=paid)
    assert 0 <= found.lost <= found.taken
    assert found.frozen >= 0
    assert found.taken + found.frozen <= seconds
    assert 0 <= found.refunded <= paid


@given(st.integers(1, 10**8), st.integers(1, 10**6), st.data())
def test_what_is_refunded_leaves_what_was_paid_for(seconds: int, paid: int, data: st.DataObject) -> None:
    """Nobody keeps more than was paid for, and nobody loses a second more than was refunded."""
    refunded = data.draw(st.integers(0, paid))
    taken = of(charge(refunded, of_cents=paid), seconds=seconds, paid=paid).taken
    assert taken * paid <= seconds * refunded < (taken + 1) * paid
