"""Random histories of payments: in any order of Stripe's events, the buyer ends with the model's balance."""

import asyncio
import itertools
import random
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.integration.ledger.harness import closing, opening, settlement
from tests.integration.payments.checkout_server import CheckoutServer
from tests.integration.payments.events import Body
from tests.integration.payments.harness import PaymentsHarness
from tests.integration.payments.model import Payment, another_id, moves, refunded_by_rule
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger.entries import Balance
from transcription_proxy.payments import store
from transcription_proxy.payments.standing import Claim, Kind, Refund

T = TypeVar("T")
ORDER = st.tuples(
    st.integers(0, 1),
    st.sampled_from([7, 1000, 30_000]),
    st.sampled_from([300, 300, 100, 7, 0]),
    st.sampled_from(["with its session", "before Stripe answered", "lost"]),
    st.booleans(),
    st.booleans(),
)
"""An order: which of two users, seconds, cents, the stored purchase at Stripe's first event, whether disputes name only
their charge, and whether charges list their refunds."""
STORY = st.lists(st.tuples(st.sampled_from([0.5, 1.0]), st.integers(0, 11)), min_size=1, max_size=8)
"""What happens to a payment: each time a share of its amount, and the number of one of the possible moves."""


@dataclass
class Live:
    """A live session that uses what was bought."""

    id: UUID
    user: UUID
    grant: int
    number: int = 0
    total: int = 0


class Histories(RuleBasedStateMachine):
    """Two workers on one database and a stand-in for Stripe. Each history has new users and payments."""

    loop: asyncio.Runner
    workers: tuple[PaymentsHarness, PaymentsHarness]
    checkout_server: CheckoutServer

    def __init__(self) -> None:
        super().__init__()
        self.used: dict[UUID, int] = {}
        self.payments: list[Payment] = []
        self.live: list[Live] = []
        self.received: list[Body] = []
        """Charges and refunds that the service received."""
        self.harness = self.workers[0]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def payment(self, data: st.DataObject) -> Payment:
        return data.draw(st.sampled_from(self.payments), label="payment")

    @property
    def sent_events(self) -> list[Body]:
        return [event for payment in self.payments for event in payment.sent_events]

    @initialize(orders=st.lists(st.tuples(ORDER, STORY), min_size=1, max_size=4))
    def buy(self, orders: list[tuple[tuple[int, int, int, str, bool, bool], list[tuple[float, int]]]]) -> None:
        users = [self.run(self.harness.buyer()) for _ in range(2)]
        self.used = dict.fromkeys(users, 0)
        for (buyer, seconds, cents, row, shy, lists), story in orders:
            payment = Payment(users[buyer], uuid4(), seconds, cents, shy, lists)
            if row != "lost":
                session = payment.session_id if row == "with its session" else None
                payment.purchase = self.run(self.harness.purchase(payment.user, session, seconds, cents))
            self.payments.append(payment)
            go_on(payment, story)

    @rule(data=st.data(), story=STORY)
    def continues(self, data: st.DataObject, story: list[tuple[float, int]]) -> None:
        go_on(self.payment(data), story)

    @precondition(lambda self: self.sent_events)
    @rule(data=st.data(), worker=st.integers(0, 1), again=st.booleans())
    def deliver(self, data: st.DataObject, worker: int, again: bool) -> None:
        event = data.draw(st.sampled_from(self.sent_events))
        self.note(event)
        self.run(self.workers[worker].receive(another_id(event) if again else event))

    @precondition(lambda self: self.sent_events)
    @rule(data=st.data())
    def deliver_at_once(self, data: st.DataObject) -> None:
        some = data.draw(st.lists(st.sampled_from(self.sent_events), min_size=2, max_size=10))
        self.note(*some)
        self.run(deliver(self.workers, some))

    @rule(data=st.data())
    def load_success_page(self, data: st.DataObject) -> None:
        payment = self.payment(data)
        self.checkout_server.sessions = {payment.session_id: payment.expanded_session()}
        asked = self.checkout_server.requests
        self.run(poll(self.workers, payment))
        intent = payment.expanded_session()["payment_intent"]
        if intent and self.checkout_server.requests > asked:
            self.received.append(intent["latest_charge"])

    @rule(data=st.data(), cap=st.integers(1, 600))
    def open(self, data: st.DataObject, cap: int) -> None:
        user = data.draw(st.sampled_from(list(self.used)))
        try:
            opened = self.run(self.harness.ledger.open_session(opening(user, hold_cap=cap)))
        except Refusal as error:
            assert error.code in ("insufficient_credits", "too_many_connections")
        else:
            self.live.append(Live(opened.session_id, user, opened.grant))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), seconds=st.integers(1, 600), end=st.booleans())
    def use(self, data: st.DataObject, seconds: int, end: bool) -> None:
        """Use held credit, which is billed whatever was clawed back meanwhile."""
        live = data.draw(st.sampled_from(self.live))
        spoken = min(seconds, live.grant - live.total)
        live.number, live.total = live.number + 1, live.total + spoken
        self.used[live.user] += spoken
        if end:
            self.live.remove(live)
            assert (
                self.run(self.harness.ledger.close(closing(live.id, live.number, live.total))).seconds_used
                == live.total
            )
        else:
            [answer] = self.run(self.harness.ledger.settle([settlement(live.id, live.number, live.total, ready=True)]))
            live.grant = answer.grant

    @precondition(lambda self: self.sent_events)
    @rule(seed=st.integers(0, 1000))
    def receive_everything(self, seed: int) -> None:
        """Complete all refunds and deliver all events, some twice. All balances are then correct."""
        for payment in self.payments:
            for name, refund in payment.refunds.items():
                if refund.status == "pending":
                    payment.settle_refund(name, "succeeded")
        self.note(*self.sent_events)
        if seed % 2:
            for event in reversed(self.sent_events):
                self.run(self.harness.receive(event))
        else:
            chance = random.Random(seed)
            events = self.sent_events + [another_id(event) for event in self.sent_events if chance.random() < 0.3]
            chance.shuffle(events)
            self.run(deliver(self.workers, events))
        for payment in self.payments:
            if payment.names_only_charge and payment.is_paid:
                self.checkout_server.sessions = {payment.session_id: payment.expanded_session()}
                self.run(self.harness.payments.look_up(payment.session_id))
        for user, used in self.used.items():
            balance = self.run(self.harness.ledger.balance(user))
            theirs = [payment for payment in self.payments if payment.user == user]
            assert balance.seconds_remaining == sum(payment.owned for payment in theirs) - used
            assert balance.seconds_frozen == sum(payment.frozen for payment in theirs)
        assert self.run(self.harness.unmatched()) == []
        assert self.run(self.harness.findings()) == []

    def note(self, *events: Body) -> None:
        things = [event["data"]["object"] for event in events]
        self.received += [thing for thing in things if thing["object"] in ("charge", "refund")]

    @invariant()
    def refunds_follow_from_received_objects_in_any_order(self) -> None:
        purchases = (
            "SELECT payment_intent, paid_cents, refunded_cents FROM purchases"
            " WHERE payment_intent = ANY (%s) AND status = 'paid' AND paid_cents > 0"
        )
        ours = [payment.intent for payment in self.payments]
        for intent, paid, refunded in self.run(self.harness.sql(purchases, ours)):
            known = refunded_by_rule(one for one in self.received if one["payment_intent"] == intent)
            assert refunded == min(known, paid)  # two refunds exceed it while the failure of one is not received

    @invariant()
    def nothing_is_credited_before_it_is_paid(self) -> None:
        unpaid = [one.session_id for one in self.payments if not one.is_paid]
        credits = "SELECT FROM purchases WHERE checkout_session = ANY (%s) AND status = 'paid'"
        assert self.run(self.harness.sql(credits, unpaid)) == []

    def teardown(self) -> None:
        for live in self.live:
            self.run(self.harness.ledger.close(closing(live.id, live.number + 1, live.total)))
        if self.sent_events:
            self.receive_everything(len(self.sent_events))


def go_on(payment: Payment, story: list[tuple[float, int]]) -> None:
    for part, which in story:
        possible = moves(payment, int(payment.cents * part))
        if possible:
            possible[which % len(possible)]()


async def deliver(workers: tuple[PaymentsHarness, PaymentsHarness], events: list[Body]) -> None:
    """Deliver all events at once, to both workers in turn."""
    async with asyncio.TaskGroup() as group:
        for number, event in enumerate(events):
            group.create_task(workers[number % 2].receive(event))


async def poll(workers: tuple[PaymentsHarness, PaymentsHarness], payment: Payment) -> None:
    """Load the success page from both workers at once. A session without a purchase is not found."""
    await workers[0].sql("UPDATE purchases SET asked_at = NULL")
    wanted = (harness.payments.purchase(payment.user, payment.session_id) for harness in workers)
    for found in await asyncio.gather(*wanted, return_exceptions=True):
        if isinstance(found, Refusal):
            assert found.code == "not_found"
        else:
            assert not isinstance(found, BaseException)


def test_random_histories(database_url: str) -> None:
    with asyncio.Runner() as loop:
        stack = AsyncExitStack()
        checkout_server = loop.run(stack.enter_async_context(CheckoutServer()))
        databases = [Database(database_url), Database(database_url)]
        for database in databases:
            loop.run(database.open())
        workers = tuple(PaymentsHarness(database, checkout_server.url) for database in databases)
        machine = type(
            "Histories", (Histories,), {"loop": loop, "workers": workers, "checkout_server": checkout_server}
        )
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        for database in databases:
            loop.run(database.close())
        loop.run(stack.aclose())


async def test_forty_deliveries_at_once_to_two_workers(database_url: str) -> None:
    """The payment is refunded in two parts, and its dispute is lost and reinstated. Each event arrives four times."""
    async with AsyncExitStack() as stack:
        workers = []
        for _ in range(2):
            database = Database(database_url)
            await database.open()
            stack.push_async_callback(database.close)
            workers.append(PaymentsHarness(database))
        user = await workers[0].buyer()
        payment = Payment(user, await workers[0].purchase(user), 30_000, 300)
        payment.complete(at_once=False)
        payment.arrive()
        payment.refund(50, "succeeded")
        payment.refund(50, "succeeded")
        payment.dispute(200, "needs_response")
        [dispute] = payment.disputes
        payment.move_dispute(dispute, "lost")
        payment.reinstate(dispute)
        events = [event for one in payment.sent_events for event in (one, one, another_id(one), another_id(one))]
        random.Random(40).shuffle(events)
        await deliver((workers[0], workers[1]), (events + events)[:40])
        rows = await workers[0].ledger_rows(user)
        assert [row for row in rows if row[0] == "credit_purchase"] == [("credit_purchase", 30_000)]
        assert await workers[0].ledger.balance(user) == Balance(20_000, 0, 0)
        assert await workers[0].findings() == []
        assert await workers[0].unmatched() == []


VARIANTS = [
    Claim("re_1", Kind.REFUND, *values)
    for values in itertools.product(
        Refund, (None, "pi_1"), (None, "ch_1"), (0, 100, 300), (0, 300), ("usd",), (None, UUID(int=1))
    )
]
"""Variants of one claim, with each part of it that an event may contain."""


async def test_the_state_of_a_claim_does_not_depend_on_the_order_of_events(database: Database) -> None:
    async def known(events: list[Claim]) -> list[tuple[Any, ...]]:
        async with database.transaction() as connection:
            await connection.execute("DELETE FROM payment_claims")
            for claim in events:
                await store.merge_claim(connection, claim)
            return await (await connection.execute("SELECT * FROM payment_claims")).fetchall()

    chance = random.Random(1)
    for _ in range(40):
        events = [chance.choice(VARIANTS) for _ in range(4)]
        once = await known(events)
        for _ in range(3):
            assert await known(chance.choices(events, k=3) + chance.sample(events, 4)) == once
