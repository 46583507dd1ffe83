"""Webhooks that got lost: what Stripe has and we have not is found and booked once; what comes late changes nothing."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import structlog

from tests.integration.payments.shop import Sale, Shop
from tests.integration.sandbox.running import Sandbox
from transcription_proxy.db.jobs import Jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.payments.service import REFUNDS

CREDIT: Final = ("credit_purchase", 30000)
Step = Callable[[Sale], Any]


@pytest.fixture
async def shop(database: Database, sandbox: Sandbox) -> AsyncIterator[Shop]:
    shop = Shop(database, sandbox)
    yield shop
    assert await shop.findings() == []


def paid(sale: Sale) -> None:
    sale.pay()


def later(sale: Sale) -> None:
    sale.pay("later")


def settled(sale: Sale) -> None:
    later(sale)
    sale.press("settle")


def refunded(amount: str = "") -> Step:
    return lambda sale: sale.press("refund", amount)


def disputed(sale: Sale) -> None:
    sale.press("dispute")


def ended(action: str) -> Step:
    return lambda sale: sale.dispute(action)


def expired(sale: Sale) -> None:
    sale.shop.sandbox.client.v1.checkout.sessions.expire(sale.session)


# What was heard, what was lost after it; how many differences that makes; the ledger, the frozen seconds, the status.
LOST: Final[dict[str, tuple[list[Step], list[Step], int, tuple[Any, ...]]]] = {
    "paid": ([], [paid], 1, ([CREDIT], "paid", 0)),
    "paid later": ([], [settled], 1, ([CREDIT], "paid", 0)),
    "on its way": ([], [later], 1, ([], "pending", 0)),
    "arrived": ([later], [lambda sale: sale.press("settle")], 1, ([CREDIT], "paid", 0)),
    "failed": ([later], [lambda sale: sale.press("fail")], 1, ([], "failed", 0)),
    "expired": ([], [expired], 1, ([], "expired", 0)),
    "declined, then nothing": ([], [lambda sale: sale.pay("decline")], 0, ([], "open", 0)),
    "refunded": ([paid], [refunded()], 1, ([CREDIT, ("refund", -30000)], "paid", 0)),
    "refunded in parts": (
        [paid, refunded("0.50")],
        [refunded("1.00"), refunded("0.50")],
        2,
        ([CREDIT, ("refund", -5000), ("refund", -15000)], "paid", 0),
    ),
    "paid and refunded": ([], [paid, refunded("1.00")], 2, ([CREDIT, ("refund", -10000)], "paid", 0)),
    "a refund that failed": (
        [paid, refunded()],
        [lambda sale: sale.refund("fail")],
        1,
        ([CREDIT, ("refund", -30000), ("refund", 30000)], "paid", 0),
    ),
    "a refund that came and failed": ([paid], [refunded(), lambda sale: sale.refund("fail")], 0, ([CREDIT], "paid", 0)),
    "a refund that was canceled": (
        [settled, refunded("2.00")],
        [lambda sale: sale.refund("cancel")],
        0,
        ([CREDIT], "paid", 0),
    ),
    "a refund that took its time": (
        [settled, refunded("2.00")],
        [lambda sale: sale.refund("succeed")],
        1,
        ([CREDIT, ("refund", -20000)], "paid", 0),
    ),
    "a refund that failed, then another": (
        [paid, refunded()],
        [lambda sale: sale.refund("fail"), refunded()],
        0,
        ([CREDIT, ("refund", -30000)], "paid", 0),
    ),
    "disputed": ([paid], [disputed], 1, ([CREDIT], "paid", 30000)),
    "asked about": ([paid], [lambda sale: sale.press("inquiry")], 1, ([CREDIT], "paid", 0)),
    "asked about, then disputed": (
        [paid, lambda sale: sale.press("inquiry")],
        [ended("escalate")],
        1,
        ([CREDIT], "paid", 30000),
    ),
    "lost": ([paid, disputed], [ended("lose")], 1, ([CREDIT, ("dispute", -30000)], "paid", 0)),
    "disputed and lost": ([paid], [disputed, ended("lose")], 1, ([CREDIT, ("dispute", -30000)], "paid", 0)),
    "won": ([paid, disputed], [ended("win")], 1, ([CREDIT], "paid", 0)),
    "reinstated": ([paid, disputed], [ended("reinstate")], 1, ([CREDIT], "paid", 0)),
    "lost and reinstated": (
        [paid, disputed, ended("lose")],
        [ended("reinstate")],
        1,
        ([CREDIT, ("dispute", -30000), ("dispute", 30000)], "paid", 0),
    ),
    "refunded, then disputed and lost": (
        [paid, refunded("1.00")],
        [disputed, ended("lose")],
        1,
        ([CREDIT, ("refund", -10000), ("dispute", -20000)], "paid", 0),
    ),
}


async def sold(shop: Shop) -> dict[str, Sale]:
    """All of LOST, with what was heard and what was not."""
    sales = {name: await shop.sale() for name in LOST}
    for name, (heard, _, _, _) in LOST.items():
        for step in heard:
            step(sales[name])
    await shop.hear_all()
    for name, (_, lost, _, _) in LOST.items():
        for step in lost:
            step(sales[name])
    return sales


async def test_every_kind_of_lost_webhook_is_found_and_booked_once(shop: Shop) -> None:
    sales = await sold(shop)
    before = await shop.books()
    found = await shop.differences()
    assert {one.fixed for one in found.values()} == {False}
    assert await shop.books() == before
    fixed = await shop.differences(fix=True)
    assert {(one.fixed, one.why_not) for one in fixed.values()} == {(True, None)}
    assert set(found) <= set(fixed)  # a refund of a payment that is not known yet is found after it
    after = await shop.books()
    of = {thing["id"]: thing.get("payment_intent") for thing in shop.objects()}
    for name, (_, _, count, end) in LOST.items():
        ours = {sales[name].session, of.get(sales[name].session)} - {None}
        assert len([one for one in fixed if {one, of.get(one)} & ours]) == count, name
        assert after[sales[name].user] == end, name
    assert await shop.differences(fix=True) == {}
    await shop.hear_all()
    await shop.hear_all(lambda event: event["type"] != "checkout.session.completed")
    assert await shop.books() == after
    assert await shop.differences() == {}


NEEDED_OF_A_REFUND: Final = ("checkout.session.completed", "charge.refunded")


async def test_a_refund_that_its_charge_has_counted_is_no_difference(shop: Shop) -> None:
    """Stripe sends no other event of it to an endpoint that takes what is needed."""
    sale = await shop.sale()
    sale.pay()
    sale.press("refund", "1.00")
    await shop.hear_all(lambda event: event["type"] in NEEDED_OF_A_REFUND)
    assert await shop.differences(fix=True) == {}
    assert await shop.ledger_rows(sale.user) == [CREDIT, ("refund", -10000)]
    sale.refund("fail")
    [difference] = (await shop.differences(fix=True)).values()
    assert difference.fixed
    assert await shop.ledger_rows(sale.user) == [CREDIT, ("refund", -10000), ("refund", 10000)]
    assert await shop.differences() == {}


async def test_a_refund_that_is_under_way_counts_once_it_has_succeeded(shop: Shop) -> None:
    sale = await shop.sale()
    settled(sale)
    sale.press("refund", "1.00")
    await shop.hear_all()
    assert await shop.ledger_rows(sale.user) == [CREDIT]
    assert await shop.differences(fix=True) == {}
    sale.refund("succeed")
    [difference] = (await shop.differences(fix=True)).values()
    assert (difference.subject, difference.fixed) == (sale.refund(), True)
    assert await shop.ledger_rows(sale.user) == [CREDIT, ("refund", -10000)]
    assert await shop.differences() == {}


@pytest.mark.parametrize(
    ("begun", "end", "rows"),
    [
        ([later], lambda sale: sale.press("settle"), [CREDIT]),
        ([paid, disputed], ended("lose"), [CREDIT, ("dispute", -30000)]),
        ([settled, refunded()], lambda sale: sale.refund("succeed"), [CREDIT, ("refund", -30000)]),
    ],
)
async def test_what_takes_its_time_is_asked_about_however_old_it_is(
    shop: Shop, begun: list[Step], end: Step, rows: list[Any]
) -> None:
    sale = await shop.sale()
    for step in begun:
        step(sale)
    await shop.hear_all()
    end(sale)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    [difference] = (await shop.differences(fix=True, since=tomorrow)).values()
    assert difference.fixed
    assert await shop.ledger_rows(sale.user) == rows
    assert await shop.differences(fix=True, since=tomorrow) == {}


async def test_what_is_older_than_one_looks_back_is_left_alone(shop: Shop) -> None:
    sale = await shop.sale()
    sale.pay()
    assert await shop.differences(fix=True, since=datetime.now(UTC) + timedelta(days=1)) == {}
    assert await shop.ledger_rows(sale.user) == []


async def test_events_that_were_kept_unmatched_find_their_purchase(shop: Shop) -> None:
    """A refund, by its payment alone, is heard before the payment."""
    sale = await shop.sale()
    sale.pay()
    sale.press("refund")
    for event in shop.events(lambda event: event["type"] == "charge.refunded"):
        event["data"]["object"]["metadata"] = {}
        await shop.hear(event)
    assert [kind for kind, _ in await shop.unmatched()] == ["charge.refunded"]
    found = await shop.differences(fix=True)
    assert {one.fixed for one in found.values()} == {True}
    assert await shop.ledger_rows(sale.user) == [CREDIT, ("refund", -30000)]
    assert await shop.unmatched() == []
    assert await shop.differences(fix=True) == {}


async def test_a_payment_of_an_unknown_user_is_listed_and_not_booked(shop: Shop) -> None:
    sale = await shop.sale()
    sale.pay()
    await shop.sql("DELETE FROM purchases WHERE user_id = %s", sale.user)
    await shop.sql("DELETE FROM credit_balance WHERE user_id = %s", sale.user)
    await shop.sql("DELETE FROM users WHERE id = %s", sale.user)
    [difference] = (await shop.differences(fix=True)).values()
    assert (difference.subject, difference.fixed) == (sale.session, False)
    assert difference.why_not == "it names no known user"


async def test_payments_of_another_product_are_none_of_our_business(shop: Shop) -> None:
    theirs = shop.sandbox.paid()
    shop.sandbox.buttons.payment(theirs.id, "refund", "1.00")
    shop.sandbox.buttons.payment(theirs.id, "dispute")
    found = await shop.reconciler.run(shop.since, fix=True)
    assert theirs.id not in [one.subject for one in found]
    assert await shop.sql("SELECT 1 FROM payment_claims") == []


async def test_it_mends_by_itself_and_says_so_in_the_log(shop: Shop) -> None:
    sale = await shop.sale()
    sale.pay()
    with structlog.testing.capture_logs() as logs:
        await shop.reconciler.run_job("")
    assert sale.session in [line["subject"] for line in logs if line["event"] == "payment_difference"]
    assert await shop.ledger_rows(sale.user) == [CREDIT]


async def test_refunds_whose_events_are_lost_are_fetched_when_the_charge_counts_them(shop: Shop) -> None:
    """As of an endpoint that was made before `refund.created` was asked for: a maximum cannot see a second rise."""
    background = Jobs(shop.database, {REFUNDS: shop.payments.fetch_refunds}, {})
    sale = await shop.sale()
    sale.pay()
    await shop.hear_all()
    left = []
    for step in (refunded("1.00"), lambda sale: sale.refund("fail"), refunded("1.00"), refunded("0.50")):
        step(sale)
        await shop.hear_all(lambda event: event["type"] in ("charge.refunded", "refund.failed"))
        while await background.run_one():
            pass
        left.append((await shop.ledger.balance(sale.user)).seconds_remaining)
    assert left == [20000, 30000, 20000, 15000]
    assert await shop.differences() == {}


async def test_refunds_of_a_charge_that_stripe_does_not_know_are_none(shop: Shop) -> None:
    await shop.payments.fetch_refunds("ch_none")
    assert await shop.sql("SELECT 1 FROM payment_claims") == []
