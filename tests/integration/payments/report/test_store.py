"""The report's figures, from real purchases and sessions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from tests.integration.ledger.harness import closing, opening
from tests.integration.payments.harness import PaymentsHarness
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Description
from transcription_proxy.metering import rates
from transcription_proxy.payments.report import store
from transcription_proxy.payments.report.figures import Report, Sold, Standing, Used

RATES = rates.load()


@pytest.fixture
def harness(database: Database) -> PaymentsHarness:
    """The harness without the final audit, because these purchases have no ledger rows."""
    return PaymentsHarness(database)


async def report(harness: PaymentsHarness, days: int = 30) -> Report:
    return await store.report(harness.database, RATES, datetime.now(UTC) - timedelta(days=days))


async def paid(
    harness: PaymentsHarness, user: UUID, *, taken: int = 0, frozen: int = 0, refunded: int = 0, cents: int = 300
) -> UUID:
    """Add a paid purchase of 30,000 s in the state that its events would leave."""
    purchase = await harness.purchase(user, cents=cents)
    await harness.sql(
        "UPDATE purchases SET status = 'paid', paid_at = now(), paid_cents = %s WHERE id = %s", cents, purchase
    )
    await harness.sql(
        "UPDATE purchases SET seconds_taken = %s, seconds_frozen = %s, refunded_cents = %s WHERE id = %s",
        taken,
        frozen,
        refunded,
        purchase,
    )
    return purchase


async def ended(harness: PaymentsHarness, user: UUID, total: int, **changes: object) -> UUID:
    """Add an ended session that used `total` credits for as many seconds of audio."""
    session = await harness.open(user, **changes)
    await harness.ledger.close(closing(session, 2, total))
    return session


async def test_an_empty_report_is_all_zero(harness: PaymentsHarness) -> None:
    found = await report(harness)
    assert (found.sold, found.used, found.given, found.standing) == ([], [], 0, Standing(0, 0, 0, 0, 0))
    assert [found.cents, found.fees, found.engine, found.margin] == [0, 0, 0, 0]


async def test_paid_purchases_are_summed_by_package(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user)
    for _ in range(2):
        await paid(harness, user)
    await harness.sql(
        "UPDATE purchases SET package_id = 'pack_1200', label = '1200 minutes' WHERE id = %s",
        await paid(harness, user, cents=500),
    )
    found = await report(harness)
    assert found.sold == [
        Sold("pack_500", "500 minutes", "usd", 2, 2, 600, 60_000, 0, 0, 0, 0),
        Sold("pack_1200", "1200 minutes", "usd", 1, 1, 500, 30_000, 0, 0, 0, 0),
    ]


async def test_a_free_order_costs_no_fee(harness: PaymentsHarness) -> None:
    await paid(harness, await harness.buyer(), cents=0)
    [sold] = (await report(harness)).sold
    assert (sold.count, sold.charged, sold.cents) == (1, 0, 0)


@pytest.mark.parametrize(
    ("taken", "frozen", "refunded", "expected"),
    [
        (30_000, 0, 300, (300, 0, 0)),
        (10_000, 0, 100, (100, 0, 0)),
        (99, 0, 1, (1, 0, 0)),
        (30_000, 0, 0, (0, 300, 0)),
        (30_000, 0, 100, (100, 200, 0)),
        (0, 30_000, 0, (0, 0, 300)),
        (10_000, 20_000, 100, (100, 0, 200)),
    ],
)
async def test_the_report_separates_refunds_lost_and_open_disputes(
    harness: PaymentsHarness, taken: int, frozen: int, refunded: int, expected: tuple[int, int, int]
) -> None:
    await paid(harness, await harness.buyer(), taken=taken, frozen=frozen, refunded=refunded)
    [sold] = (await report(harness)).sold
    assert (sold.refunded_cents, sold.lost_cents, sold.disputed_cents) == expected
    assert sold.seconds_taken == taken


async def test_sessions_cost_the_rate_at_their_opening(harness: PaymentsHarness) -> None:
    user, other = await harness.user(10_000), await harness.user(10_000)
    await ended(harness, user, 30)
    await ended(harness, other, 30, cost_micro=7_200)
    await ended(harness, user, 40, model="nova-3", channels=2, hold_cap=90)
    found = await report(harness)
    assert found.used == [
        Used("deepgram", "nova-2", 2, 60, Decimal("60.0"), Decimal(6_600), Decimal(0)),
        Used("deepgram", "nova-3", 1, 40, Decimal("40.0"), Decimal(8_000), Decimal(0)),
    ]
    assert found.engine == Decimal("1.46")


async def test_the_built_in_engine_is_one_line_for_all_models(harness: PaymentsHarness) -> None:
    user = await harness.user(10_000)
    for model in ("nova-2", "nova-3"):
        await ended(harness, user, 30, model=model, engine="builtin", cost_micro=0)
    await ended(harness, user, 10, model="nova-3")
    assert [(used.name, used.model, used.sessions) for used in (await report(harness)).used] == [
        ("Built-in", None, 2),
        ("Nova-3", "nova-3", 1),
    ]


async def test_a_live_session_counts_what_is_settled_and_an_unready_one_nothing(
    harness: PaymentsHarness,
) -> None:
    user = await harness.user(10_000)
    live = await harness.open(user, rate_micro=2_000_000, channels=1)
    await harness.settle(live, 2, 20)
    await harness.ledger.open_session(opening(user))
    assert (await report(harness)).used == [Used("deepgram", "nova-2", 1, 20, Decimal(10), Decimal(1000), Decimal(0))]


async def test_audio_without_recorded_costs_is_reported_unpriced(harness: PaymentsHarness) -> None:
    session = await ended(harness, await harness.user(1000), 30)
    await harness.sql("UPDATE transcription_sessions SET cost_micro = NULL WHERE id = %s", session)
    [used] = (await report(harness)).used
    assert (used.cost, used.unpriced_seconds) == (Decimal(0), Decimal("30.0"))


async def test_events_count_since_the_start_and_balances_count_now(harness: PaymentsHarness) -> None:
    user = await harness.user(1000)
    await harness.ledger.credit(user, 600, Description.TRIAL)
    await paid(harness, user)
    await ended(harness, user, 30)
    await harness.sql("UPDATE purchases SET paid_at = now() - interval '31 days'")
    await harness.sql("UPDATE transcription_sessions SET started_at = now() - interval '31 days'")
    await harness.sql("UPDATE usage_ledger SET recorded_at = now() - interval '31 days'")
    found = await report(harness)
    assert (found.sold, found.used, found.given) == ([], [], 0)
    assert found.standing.outstanding == 1570
    longer = await report(harness, days=32)
    assert (longer.cents, longer.used[0].seconds, longer.given) == (300, 30, 600)


async def test_debts_are_not_outstanding_and_grants_are_reported(harness: PaymentsHarness) -> None:
    rich, poor = await harness.user(1000), await harness.buyer()
    await harness.ledger.credit(rich, 50, Description.MANUAL_ADJUSTMENT, reason="a gift", actor="ann")
    await harness.ledger.credit(rich, -20, Description.MANUAL_ADJUSTMENT, reason="too much", actor="ann")
    await harness.open(rich)
    purchase = await paid(harness, poor)
    async with harness.database.transaction() as connection:
        balance = await ledger.lock_or_add_balance(connection, poor)
        await ledger.claw_back(connection, poor, balance, purchase, 40, Description.REFUND)
        await ledger.freeze(connection, poor, 7)
    found = await report(harness)
    assert found.standing == Standing(outstanding=1030, held=45, frozen=7, owed=40, debtors=1)
    assert found.given == 30
