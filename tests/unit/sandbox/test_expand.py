"""`expand`: objects in the place of their ids."""

import pytest

from tests.unit.sandbox.account import Account
from transcription_sandbox import objects, refunds
from transcription_sandbox.errors import ApiError
from transcription_sandbox.expand import expand
from transcription_sandbox.state import Object


def expanded(account: Account, thing: Object, *paths: str) -> Object:
    with account.records() as records:
        return expand(records, thing, paths)


def test_a_path_goes_from_one_object_to_the_next(account: Account) -> None:
    session = account.paid()
    found = expanded(account, session, "payment_intent.latest_charge")
    charge = found["payment_intent"]["latest_charge"]
    assert (charge["object"], charge["payment_intent"]) == ("charge", found["payment_intent"]["id"])


def test_each_object_of_a_list_is_expanded(account: Account) -> None:
    paid, open_still = account.paid(), account.get("checkout.session", account.session())
    listing = objects.page("/v1/checkout/sessions", [paid, open_still])
    data = expanded(account, listing, "data.payment_intent.latest_charge")["data"]
    assert data[0]["payment_intent"]["latest_charge"]["object"] == "charge"
    assert data[1]["payment_intent"] is None


def test_a_charge_shows_its_refunds_when_it_is_asked(account: Account) -> None:
    charge = account.charge(account.paid())
    with account.records() as records:
        refund = refunds.create(records, charge["id"], 100)
    found = expanded(account, account.get("charge", charge["id"]), "refunds")
    assert [one["id"] for one in found["refunds"]["data"]] == [refund["id"]]


@pytest.mark.parametrize("path", ["nothing", "payment_intent.nothing", "amount_total", "", "data", "metadata.x"])
def test_what_is_no_reference_cannot_be_expanded(account: Account, path: str) -> None:
    with pytest.raises(ApiError, match="cannot be expanded") as error:
        expanded(account, account.paid(), path)
    assert error.value.body()["error"]["param"] == "expand"
