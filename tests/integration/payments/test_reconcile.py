"""Lost webhooks: reconciling finds and books the differences once, and late events change nothing."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import structlog

from tests.integration.payments.sandbox_harness import Sale, SandboxHarness
from tests.integration.sandbox.running import Sandbox
from transcription_proxy.db.jobs import Jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.payments.service import REFUNDS

CREDIT: Final = ("credit_purchase", 30000)
Step = Callable[[Sale], Any]


@pytest.fixture
async def harness(database: Database, sandbox: Sandbox) -> AsyncIterator[SandboxHarness]:
    harness = SandboxHarness(database, sandbox)
    yield harness
    assert await harness.findings() == []


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
    sale.harness.sandbox.client.v1.checkout.sessions.expire(sale.session)


# Received steps, lost steps, number of differences, and the result: ledger rows, status and frozen seconds.
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


async def sold(harness: SandboxHarness) -> dict[str, Sale]:
    """Run all cases of LOST, and lose the events of their lost steps."""
    sales = {name: await harness.sale() for name in LOST}
    for name, (heard, _, _, _) in LOST.items():
        for step in heard:
            step(sales[name])
    await harness.receive_all()
    for name, (_, lost, _, _) in LOST.items():
        for step in lost:
            step(sales[name])
    return sales


async def test_every_kind_of_lost_webhook_is_found_and_booked_once(harness: SandboxHarness) -> None:
    sales = await sold(harness)
    before = await harness.balances()
    found = await harness.differences()
    assert {one.fixed for one in found.values()} == {False}
    assert await harness.balances() == before
    fixed = await harness.differences(fix=True)
    assert {(one.fixed, one.why_not) for one in fixed.values()} == {(True, None)}
    assert set(found) <= set(fixed)  # a refund is found after its payment
    after = await harness.balances()
    of = {thing["id"]: thing.get("payment_intent") for thing in harness.objects()}
    for name, (_, _, count, end) in LOST.items():
        ours = {sales[name].session, of.get(sales[name].session)} - {None}
        assert len([one for one in fixed if {one, of.get(one)} & ours]) == count, name
        assert after[sales[name].user] == end, name
    assert await harness.differences(fix=True) == {}
    await harness.receive_all()
    await harness.receive_all(lambda event: event["type"] != "checkout.session.completed")
    assert await harness.balances() == after
    assert await harness.differences() == {}


NEEDED_OF_A_REFUND: Final = ("checkout.session.completed", "charge.refunded")


async def test_a_refund_already_counted_by_its_charge_is_no_difference(harness: SandboxHarness) -> None:
    """Stripe sends no other event about it to an endpoint that receives the needed events."""
    sale = await harness.sale()
    sale.pay()
    sale.press("refund", "1.00")
    await harness.receive_all(lambda event: event["type"] in NEEDED_OF_A_REFUND)
    assert await harness.differences(fix=True) == {}
    assert await harness.ledger_rows(sale.user) == [CREDIT, ("refund", -10000)]
    sale.refund("fail")
    [difference] = (await harness.differences(fix=True)).values()
    assert difference.fixed
    assert await harness.ledger_rows(sale.user) == [CREDIT, ("refund", -10000), ("refund", 10000)]
    assert await harness.differences() == {}


async def test_a_pending_refund_counts_once_it_succeeds(harness: SandboxHarness) -> None:
    sale = await harness.sale()
    settled(sale)
    sale.press("refund", "1.00")
    await harness.receive_all()
    assert await harness.ledger_rows(sale.user) == [CREDIT]
    assert await harness.differences(fix=True) == {}
    sale.refund("succeed")
    [difference] = (await harness.differences(fix=True)).values()
    assert (difference.subject, difference.fixed) == (sale.refund(), True)
    assert await harness.ledger_rows(sale.user) == [CREDIT, ("refund", -10000)]
    assert await harness.differences() == {}


@pytest.mark.parametrize(
    ("begun", "end", "rows"),
    [
        ([later], lambda sale: sale.press("settle"), [CREDIT]),
        ([paid, disputed], ended("lose"), [CREDIT, ("dispute", -30000)]),
        ([settled, refunded()], lambda sale: sale.refund("succeed"), [CREDIT, ("refund", -30000)]),
    ],
)
async def test_open_payments_are_checked_at_any_age(
    harness: SandboxHarness, begun: list[Step], end: Step, rows: list[Any]
) -> None:
    sale = await harness.sale()
    for step in begun:
        step(sale)
    await harness.receive_all()
    end(sale)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    [difference] = (await harness.differences(fix=True, since=tomorrow)).values()
    assert difference.fixed
    assert await harness.ledger_rows(sale.user) == rows
    assert await harness.differences(fix=True, since=tomorrow) == {}


async def test_objects_older_than_the_look_back_are_ignored(harness: SandboxHarness) -> None:
    sale = await harness.sale()
    sale.pay()
    assert await harness.differences(fix=True, since=datetime.now(UTC) + timedelta(days=1)) == {}
    assert await harness.ledger_rows(sale.user) == []


async def test_unmatched_events_find_their_purchase_later(harness: SandboxHarness) -> None:
    """A refund that names only its payment arrives before the payment."""
    sale = await harness.sale()
    sale.pay()
    sale.press("refund")
    for event in harness.events(lambda event: event["type"] == "charge.refunded"):
        event["data"]["object"]["metadata"] = {}
        await harness.receive(event)
    assert [kind for kind, _ in await harness.unmatched()] == ["charge.refunded"]
    found = await harness.differences(fix=True)
    assert {one.fixed for one in found.values()} == {True}
    assert await harness.ledger_rows(sale.user) == [CREDIT, ("refund", -30000)]
    assert await harness.unmatched() == []
    assert await harness.differences(fix=True) == {}


async def test_a_payment_of_an_unknown_user_is_listed_and_not_booked(harness: SandboxHarness) -> None:
    sale = await harness.sale()
    sale.pay()
    await harness.sql("DELETE FROM purchases WHERE user_id = %s", sale.user)
    await harness.sql("DELETE FROM credit_balance WHERE user_id = %s", sale.user)
    await harness.sql("DELETE FROM users WHERE id = %s", sale.user)
    [difference] = (await harness.differences(fix=True)).values()
    assert (difference.subject, difference.fixed) == (sale.session, False)
    assert difference.why_not == "it names no known user"


async def test_payments_of_another_product_are_ignored(harness: SandboxHarness) -> None:
    theirs = harness.sandbox.paid()
    harness.sandbox.buttons.payment(theirs.id, "refund", "1.00")
    harness.sandbox.buttons.payment(theirs.id, "dispute")
    found = await harness.reconciler.run(harness.since, fix=True)
    assert theirs.id not in [one.subject for one in found]
    assert await harness.sql("SELECT 1 FROM payment_claims") == []


async def test_the_job_books_differences_and_logs_them(harness: SandboxHarness) -> None:
    sale = await harness.sale()
    sale.pay()
    with structlog.testing.capture_logs() as logs:
        await harness.reconciler.run_job("")
    assert sale.session in [line["subject"] for line in logs if line["event"] == "payment_difference"]
    assert await harness.ledger_rows(sale.user) == [CREDIT]


async def test_refunds_with_lost_events_are_fetched_when_the_charge_counts_them(harness: SandboxHarness) -> None:
    """The endpoint does not receive `refund.created`, as older ones do not, and a maximum hides a second refund."""
    background = Jobs(harness.database, {REFUNDS: harness.payments.fetch_refunds}, {})
    sale = await harness.sale()
    sale.pay()
    await harness.receive_all()
    left = []
    for step in (refunded("1.00"), lambda sale: sale.refund("fail"), refunded("1.00"), refunded("0.50")):
        step(sale)
        await harness.receive_all(lambda event: event["type"] in ("charge.refunded", "refund.failed"))
        while await background.run_one():
            pass
        left.append((await harness.ledger.balance(sale.user)).seconds_remaining)
    assert left == [20000, 30000, 20000, 15000]
    assert await harness.differences() == {}


async def test_a_charge_unknown_to_stripe_has_no_refunds(harness: SandboxHarness) -> None:
    await harness.payments.fetch_refunds("ch_none")
    assert await harness.sql("SELECT 1 FROM payment_claims") == []
