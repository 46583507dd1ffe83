"""What the sandbox knows: all of a change or nothing, lists in order, events on their way, answers for a day."""

import json

import pytest

from tests.unit.sandbox.till import NOW, Till
from transcription_sandbox import objects
from transcription_sandbox.refusals import Refused
from transcription_sandbox.state import Answer, Cause


def test_a_change_that_fails_leaves_nothing(till: Till) -> None:
    heard: list[int] = []
    till.state.on_event = lambda: heard.append(1)
    with pytest.raises(ZeroDivisionError), till.records() as records:
        records.tell("customer.created", records.add(objects.customer(NOW, {})))
        raise ZeroDivisionError
    with till.records() as records:
        assert (records.listed("customer"), records.listed("event"), records.due()) == ([], [], [])
    assert heard == []


def test_a_part_that_fails_leaves_the_rest(till: Till) -> None:
    with till.records() as records:
        kept = records.add(objects.customer(NOW, {"name": "kept"}))
        with pytest.raises(Refused), records.all_or_nothing():
            records.tell("customer.created", records.add(objects.customer(NOW, {})))
            raise Refused("no")
    with till.records() as records:
        assert [one["id"] for one in records.listed("customer")] == [kept["id"]]
        assert records.listed("event") == []


def test_lists_are_newest_first_and_can_be_narrowed(till: Till) -> None:
    with till.records() as records:
        names = [
            records.add(objects.customer(NOW + age, {"email": f"{age % 2}@example.org"}))["id"] for age in range(5)
        ]
        assert [one["id"] for one in records.listed("customer")] == names[::-1]
        assert [one["id"] for one in records.listed("customer", limit=2, oldest_first=True)] == names[:2]
        assert [one["id"] for one in records.listed("customer", {"email": "1@example.org"})] == [names[3], names[1]]
        assert [one["id"] for one in records.listed("customer", {"gt": NOW + 1, "lte": NOW + 3})] == names[3:1:-1]
        assert [one["id"] for one in records.listed("customer", {"after": names[2]})] == names[1::-1]
        assert [one["id"] for one in records.listed("customer", {"before": names[2]})] == names[4:2:-1]


def test_a_name_of_another_kind_is_missing(till: Till) -> None:
    customer = till.customer()
    with till.records() as records, pytest.raises(Refused, match=f"No such charge: '{customer}'"):
        records.get("charge", customer)


def test_an_event_says_what_asked_for_it(till: Till) -> None:
    with till.records(Cause("req_1", "key-1")) as records:
        records.tell("customer.created", records.add(objects.customer(NOW, {})))
        [event] = records.listed("event")
    assert event["request"] == {"id": "req_1", "idempotency_key": "key-1"}
    assert (event["pending_webhooks"], event["api_version"]) == (1, objects.API_VERSION)


def test_an_event_is_due_until_it_was_taken_or_given_up(till: Till) -> None:
    with till.records() as records:
        records.tell("customer.created", records.add(objects.customer(NOW, {})))
    with till.records() as records:
        [due] = records.due()
        assert (due.at, due.attempts, due.since) == (NOW, 0, NOW)
        records.put_off(due, "500", NOW + 1)
        [again] = records.due()
        assert (again.at, again.attempts) == (NOW + 1, 1)
        assert records.deliveries(5)[0][1].state == "waiting"
        records.delivered(again, "200")
        assert records.due() == []
        [(event, delivery)] = records.deliveries(5)
        assert (delivery.state, delivery.attempts, delivery.outcome) == ("delivered", 2, "200")
        assert records.get("event", event["id"])["pending_webhooks"] == 0


def test_what_is_asked_for_again_is_not_answered_for_by_an_earlier_delivery(till: Till) -> None:
    with till.records() as records:
        records.tell("customer.created", records.add(objects.customer(NOW, {})))
        [due] = records.due()
        records.send_again(due.event)
        records.delivered(due, "200")
        [again] = records.due()
    assert (again.round, again.attempts) == (1, 0)
    with till.records() as records, pytest.raises(Refused):
        records.send_again("evt_none")


def test_without_an_endpoint_events_are_only_written_down() -> None:
    till = Till(endpoint=None)
    with till.records() as records:
        records.tell("customer.created", records.add(objects.customer(NOW, {})))
        [(event, delivery)] = records.deliveries(5)
        records.send_again(event["id"])
        assert (records.due(), delivery.state, event["pending_webhooks"]) == ([], "nowhere", 0)


def test_an_answer_is_kept_for_a_day(till: Till) -> None:
    with till.records() as records:
        records.keep_answer("key", Answer("asked", 200, "{}"))
        assert records.answer("key") == Answer("asked", 200, "{}")
        assert records.answer("other") is None
    till.now += 86401
    with till.records() as records:
        assert records.answer("key") is None


def test_what_stands_beside_an_object_is_not_shown(till: Till) -> None:
    name = till.session(payment_intent_data={"metadata": {"a": "1"}})
    assert "payment" not in json.dumps(till.get("checkout.session", name)["metadata"])
    with till.records() as records:
        assert records.beside(name)["payment"] == {"metadata": {"a": "1"}}
