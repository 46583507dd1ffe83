"""Keys of the jobs that write to buyers."""

from uuid import uuid4

import pytest

from transcription_proxy.payments.notices import Taken


@pytest.mark.parametrize("by_dispute", [True, False])
def test_a_key_says_what_was_taken(by_dispute: bool) -> None:
    taken = Taken(uuid4(), 15_000, by_dispute, 30_000)
    assert Taken.read(taken.key) == taken


def test_two_equal_refunds_of_a_purchase_have_two_keys() -> None:
    purchase = uuid4()
    assert Taken(purchase, 100, False, 100).key != Taken(purchase, 100, False, 200).key
