"""What the sandbox knows: all of a change or nothing, lists in order, events on their way, answers for a day."""

import json

import pytest

from tests.unit.sandbox.account import EMAIL, NOW, Account
from transcription_sandbox import objects
from transcription_sandbox.errors import ApiError
from transcription_sandbox.state import Answer


def test_a_change_that_fails_leaves_nothing(account: Account) -> None:
    heard: list[int] = []
    account.state.on_event = lambda: heard.append(1)
    with pytest.raises(ZeroDivisionError), account.records() as records:
        records.add_event("customer.created", records.add(objects.customer(NOW, {"email": EMAIL})))
        raise ZeroDivisionError
    with account.records() as records:
        assert (records.find("customer"), records.find("event"), records.due()) == ([], [], [])
    assert heard == []


def test_a_part_that_fails_leaves_the_rest(account: Account) -> None:
    with account.records() as records:
        kept = records.add(objects.customer(NOW, {"email": EMAIL}))
        with pytest.raises(ApiError), records.all_or_nothing():
            records.add_event("customer.created", records.add(objects.customer(NOW, {"email": EMAIL})))
            raise ApiError("no")
    with account.records() as records:
        assert [one["id"] for one in records.find("customer")] == [kept["id"]]
        assert records.find("event") == []


def test_lists_are_newest_first_and_can_be_narrowed(account: Account) -> None:
    with account.records() as records:
        names = [
            records.add(objects.customer(NOW + age, {"email": f"{age % 2}@example.org"}))["id"] for age in range(5)
        ]
        assert [one["id"] for one in records.find("customer")] == names[::-1]
        assert [one["id"] for one in records.find("customer", {"email": "1@example.org"})] == [names[3], names[1]]
        assert [one["id"] for one in records.find("customer", {"gte": NOW + 2})] == names[4:1:-1]
        assert [one["id"] for one in records.find("customer", {"after": names[2]})] == names[1::-1]


def test_a_name_of_another_kind_is_missing(account: Account) -> None:
    customer = account.get("checkout.session", account.session())["customer"]
    with account.records() as records, pytest.raises(ApiError, match=f"No such charge: '{customer}'"):
        records.get("charge", customer)


def test_an_event_is_due_until_it_was_taken_or_given_up(account: Account) -> None:
    with account.records() as records:
        records.add_event("customer.created", records.add(objects.customer(NOW, {"email": EMAIL})))
    with account.records() as records:
        [due] = records.due()
        assert (due.at, due.attempts, due.since) == (NOW, 0, NOW)
        records.postpone(due, "500", NOW + 1)
        [again] = records.due()
        assert (again.at, again.attempts) == (NOW + 1, 1)
        assert records.deliveries(5)[0][1].state == "waiting"
        records.mark_delivered(again, "200")
        assert records.due() == []
        [(_, delivery)] = records.deliveries(5)
        assert (delivery.state, delivery.attempts, delivery.outcome) == ("delivered", 2, "200")


def test_what_is_asked_for_again_is_not_answered_for_by_an_earlier_delivery(account: Account) -> None:
    with account.records() as records:
        records.add_event("customer.created", records.add(objects.customer(NOW, {"email": EMAIL})))
        [due] = records.due()
        records.send_again(due.event)
        records.mark_delivered(due, "200")
        [again] = records.due()
    assert (again.round, again.attempts) == (1, 0)
    with account.records() as records, pytest.raises(ApiError):
        records.send_again("evt_none")


def test_without_an_endpoint_events_are_only_written_down() -> None:
    account = Account(webhook_url=None)
    with account.records() as records:
        records.add_event("customer.created", records.add(objects.customer(NOW, {"email": EMAIL})))
        [(event, delivery)] = records.deliveries(5)
        records.send_again(event["id"])
        assert (records.due(), delivery.state) == ([], "nowhere")


def test_an_answer_is_kept_for_a_day(account: Account) -> None:
    with account.records() as records:
        records.store_answer("key", Answer("asked", 200, "{}"))
        assert records.stored_answer("key") == Answer("asked", 200, "{}")
        assert records.stored_answer("other") is None
    account.now += 86401
    with account.records() as records:
        assert records.stored_answer("key") is None


def test_what_stands_beside_an_object_is_not_shown(account: Account) -> None:
    name = account.session(payment_intent_data={"metadata": {"a": "1"}})
    assert "payment" not in json.dumps(account.get("checkout.session", name)["metadata"])
    with account.records() as records:
        assert records.get_extra(name)["payment"] == {"metadata": {"a": "1"}}
