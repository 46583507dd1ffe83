"""`expand`: objects in the place of their ids, as deep as Stripe goes."""

import pytest

from tests.unit.sandbox.till import Till
from transcription_sandbox import objects, refunds
from transcription_sandbox.expand import expanded
from transcription_sandbox.refusals import Refused
from transcription_sandbox.state import Object


def expand(till: Till, thing: Object, *paths: str) -> Object:
    with till.records() as records:
        return expanded(records, thing, paths)


def test_a_path_goes_from_one_object_to_the_next(till: Till) -> None:
    session = till.paid()
    found = expand(till, session, "payment_intent.latest_charge", "line_items", "customer")
    charge = found["payment_intent"]["latest_charge"]
    assert (charge["object"], charge["payment_intent"]) == ("charge", found["payment_intent"]["id"])
    assert [line["amount_total"] for line in found["line_items"]["data"]] == [300]
    assert found["customer"] is None


def test_each_object_of_a_list_is_expanded(till: Till) -> None:
    paid, open_still = till.paid(), till.get("checkout.session", till.session())
    listing = objects.listing("/v1/checkout/sessions", [paid, open_still])
    data = expand(till, listing, "data.payment_intent.latest_charge.payment_intent")["data"]
    assert data[0]["payment_intent"]["latest_charge"]["payment_intent"]["object"] == "payment_intent"
    assert data[1]["payment_intent"] is None


def test_a_charge_shows_its_refunds_when_it_is_asked(till: Till) -> None:
    charge = till.charge(till.paid())
    with till.records() as records:
        refund = refunds.create(records, {"charge": charge["id"], "amount": 100})
    found = expand(till, till.get("charge", charge["id"]), "refunds.data.charge")
    assert [one["id"] for one in found["refunds"]["data"]] == [refund["id"]]
    assert found["refunds"]["data"][0]["charge"]["id"] == charge["id"]


@pytest.mark.parametrize("path", ["nothing", "payment_intent.nothing", "amount_total", "", "data", "metadata.x"])
def test_what_is_no_reference_cannot_be_expanded(till: Till, path: str) -> None:
    with pytest.raises(Refused, match="cannot be expanded") as refused:
        expand(till, till.paid(), path)
    assert refused.value.param == "expand"


def test_there_are_four_levels(till: Till) -> None:
    with pytest.raises(Refused, match="more than 4 levels"):
        expand(till, till.paid(), ".".join(["payment_intent", "latest_charge"] * 2 + ["customer"]))
