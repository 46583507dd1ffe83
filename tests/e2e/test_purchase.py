"""Purchases, refunds and disputes in the sandbox, through the service, Stripe's page and webhooks."""

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.buyer import Order, bearer, stranger
from tests.e2e.client import sound
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream
from tests.standin.script import Script

TRIAL = 600


async def test_a_stranger_buys_minutes(service: Service) -> None:
    user = await stranger(service)
    order = await Order.begun(service, user)
    assert (await order.state()) == {"status": "open", "seconds": 30000}
    page = order.buttons.page(order.session)
    assert user.email in page.text
    assert "Live Captions: 500 minutes" in page.text
    assert await order.purchases() == []
    paid = order.buttons.checkout(order.session)
    back = paid.headers["Location"]
    assert back == f"{service.url}/billing/success?session_id={order.session}"
    assert (await service.http.get(back)).status_code == 200
    await order.balance_is(TRIAL + 30000)
    state = await order.state()
    assert (state["status"], state["seconds"]) == ("paid", 30000)
    await order.becomes("paid")
    await order.has_receipt()
    [purchase] = await order.purchases()
    assert {name: purchase[name] for name in ("label", "amount_cents", "currency", "seconds", "status")} == {
        "label": "500 minutes",
        "amount_cents": 300,
        "currency": "usd",
        "seconds": 30000,
        "status": "paid",
    }
    assert (await order.state())["receipt_url"] == purchase["receipt_url"]
    receipt = order.buttons.http.get(purchase["receipt_url"])
    assert receipt.status_code == 200
    assert "$3.00" in receipt.text
    today = (await service.get("/account/usage", user))["days"][-1]
    assert today["seconds_purchased"] == 30000


async def test_a_double_click_makes_one_checkout_and_nobody_else_sees_it(service: Service) -> None:
    user, other = await service.user(), await service.user()
    first, again = await asyncio.gather(Order.begun(service, user), Order.begun(service, user))
    assert (first.session, first.url) == (again.session, again.url)
    assert (await Order.begun(service, user, "pack_1200")).session != first.session
    assert (await Order.begun(service, other)).session != first.session
    answer = await service.http.get(f"/billing/checkout/{first.session}", headers=bearer(other))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_unknown_packages_are_refused(service: Service) -> None:
    user = await service.user()
    bodies: list[dict[str, Any]] = [{}, {"package_id": "pack_1"}, {"package_id": 5}, {"package_id": None}]
    for body in bodies:
        answer = await service.http.post("/billing/checkout", json=body, headers=bearer(user))
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unknown_package")
    assert (await service.http.post("/billing/checkout", json={"package_id": "pack_500"})).status_code == 401


async def test_a_delayed_payment_is_credited_when_it_arrives(service: Service) -> None:
    order = await Order.begun(service, await service.user(100))
    order.pay("later")
    await order.becomes("pending")
    assert [one["status"] for one in await order.purchases()] == ["pending"]
    await order.balance_is(100)
    order.press("settle")
    await order.balance_is(30100)
    assert (await order.state())["status"] == "paid"


async def test_failed_payments_credit_nothing(service: Service) -> None:
    user = await service.user(100)
    failed = await Order.begun(service, user)
    failed.pay("decline")
    assert (await failed.state())["status"] == "open"
    failed.pay("later")
    failed.press("fail")
    await failed.becomes("failed")
    assert [one["status"] for one in await failed.purchases()] == ["failed"]
    await failed.balance_is(100)
    assert (await service.http.get("/billing/cancel")).status_code == 200


async def test_refunds_and_disputes_change_the_balance(service: Service) -> None:
    order = await Order.begun(service, await service.user(100))
    order.pay()
    await order.balance_is(30100)
    order.press("refund", "1.00")
    await order.balance_is(20100)
    assert [one["status"] for one in await order.purchases()] == ["partially_refunded"]
    order.press("dispute")
    await order.balance_is(20100, frozen=20000)
    assert [one["status"] for one in await order.purchases()] == ["disputed"]
    page = order.buttons.dashboard().partition(f'id="{order.session}"')[2].partition("</article>")[0]
    dispute = page.partition('action="/disputes/')[2].partition('"')[0]
    order.buttons.dispute(dispute, "lose")
    await order.balance_is(100)
    order.buttons.dispute(dispute, "reinstate")
    await order.balance_is(20100)
    assert [one["status"] for one in await order.purchases()] == ["partially_refunded"]


async def test_a_purchase_extends_a_live_session(service: Service, upstream: Upstream) -> None:
    user = await service.user(12)
    order = await Order.begun(service, user)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(9), speed=8)
    await captions.first("credits_low")
    order.pay()
    await order.becomes("paid")
    await captions.send(sound(30, seed=1), speed=8)
    end = await captions.stop()
    assert (captions.errors(), end["reason"], end["seconds_used"]) == ([], "client_stop", 39)
    assert upstream.heard(captions).audio_bytes == len(sound(39))
    assert (await service.balance(user))["seconds_remaining"] == 12 + 30000 - 39


async def test_a_refund_ends_the_live_session_that_used_it(service: Service, upstream: Upstream) -> None:
    """The user owes what the session had used, and the next purchase pays that off first."""
    user = await service.user(1)
    order = await Order.begun(service, user)
    order.pay()
    await order.balance_is(30001)
    config = upstream.scripted(Script())
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send(sound(20), speed=8)
    await captions.first("usage")
    order.press("refund")
    await captions.send_while_open(sound(60), speed=8)
    end = await captions.end()
    assert (end["reason"], captions.errors(), captions.close_code) == (
        "insufficient_credits",
        ["insufficient_credits"],
        4402,
    )
    balance = await service.balance(user)
    assert balance["seconds_remaining"] == 1 - end["seconds_used"] < 0
    assert (balance["minutes_remaining"], balance["seconds_held"]) == (0, 0)
    refused = await service.captions(user)
    assert await refused.closed() == 4402
    again = await Order.begun(service, user, "pack_1200")
    again.pay()
    await again.balance_is(72001 - end["seconds_used"])


async def test_the_report_shows_what_was_sold(service: Service) -> None:
    before = json.loads(await service.command("report", "--json", "--since", "1h"))
    order = await Order.begun(service, await service.user(100))
    order.pay()
    await order.balance_is(30100)
    order.press("refund", "1.00")
    await order.balance_is(20100)
    after, unmatched, reconciled, doctor = await asyncio.gather(
        service.command("report", "--json", "--since", "1h"),
        service.command("payments", "unmatched", "--json"),
        service.command("payments", "reconcile", "--since", "7d", "--json"),
        service.command("doctor", "--json"),
    )
    report = json.loads(after)
    grown = {name: report[name] - before[name] for name in ("refunded_cents", "stripe_fee_cents")}
    assert report["sold"]["count"] - before["sold"]["count"] == 1
    assert report["sold"]["cents"] - before["sold"]["cents"] == 300
    assert grown == {"refunded_cents": 100, "stripe_fee_cents": pytest.approx(38.7)}
    assert order.session not in unmatched
    assert json.loads(reconciled) == []
    assert [check["ok"] for check in json.loads(doctor) if check["name"] == "payments"] == [True]
    assert await service.command("payments", "reconcile", "--fix") == "No differences with Stripe.\n"
