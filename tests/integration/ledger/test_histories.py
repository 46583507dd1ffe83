"""Random histories, compared with the model and audited after every step."""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import nullcontext, suppress
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.integration.ledger import model
from tests.integration.ledger.harness import LedgerHarness, closing, opening, settlement
from tests.integration.ledger.model import Account, Key, Session
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger.entries import Balance, Description
from transcription_proxy.values import Closed, Settlement
from transcription_wire.codes import Reason

T = TypeVar("T")


class Histories(RuleBasedStateMachine):
    """One database for all examples, emptied for each."""

    loop: asyncio.Runner
    harness: LedgerHarness

    def __init__(self) -> None:
        super().__init__()
        self.accounts: list[Account] = []
        self.sessions: dict[UUID, Session] = {}
        self.keys: dict[UUID, list[Key]] = {}
        """The API keys of each account, by its id."""
        self.run(self.harness.sql("TRUNCATE users CASCADE"))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def account(self, data: st.DataObject) -> Account:
        return data.draw(st.sampled_from(self.accounts), label="account")

    def session(self, data: st.DataObject) -> Session:
        return data.draw(st.sampled_from(list(self.sessions.values())), label="session")

    @precondition(lambda self: len(self.accounts) < 3)
    @rule(seconds=st.integers(0, 120))
    def register(self, seconds: int) -> None:
        self.accounts.append(Account(self.run(self.harness.user(seconds)), seconds))

    @precondition(lambda self: self.accounts)
    @rule(data=st.data(), limit=st.none() | st.integers(1, 90))
    def create_key(self, data: st.DataObject, limit: int | None) -> None:
        account = self.account(data)
        key, _ = self.run(self.harness.keys.create(account.id, "", limit, daily=False, models=None))
        self.keys.setdefault(account.id, []).append(Key(key.id, limit))

    @precondition(lambda self: self.accounts)
    @rule(data=st.data(), cap=st.integers(1, 60), replaces=st.booleans())
    def open(self, data: st.DataObject, cap: int, replaces: bool) -> None:
        account = self.account(data)
        ghost = self.session(data).id if replaces and self.sessions else None
        key = data.draw(st.sampled_from([None, *self.keys.get(account.id, [])]), label="key")
        wish = opening(account.id, hold_cap=cap, replaces=ghost, key_id=key and key.id)
        refusal = account.refusal(wish, key)
        try:
            opened = self.run(self.harness.ledger.open_session(wish))
        except Refusal as error:
            assert error.code == refusal
            return
        assert refusal is None
        session = Session(opened.session_id, account, cap, 0, key=key)
        assert (opened.grant, opened.seconds_remaining) == (account.open(wish, key), session.seconds_remaining)
        session.hold = opened.grant
        account.sessions.append(session)
        if key is not None:
            key.sessions.append(session)
        self.sessions[session.id] = session

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        some = st.lists(st.sampled_from(list(self.sessions)), min_size=1, max_size=6, unique=True)
        batch = [self.settlement(data, self.sessions[one]) for one in data.draw(some)]
        answers = self.run(self.harness.ledger.settle(batch))
        assert {answer.session_id: answer for answer in answers} == model.settle(self.sessions, batch)

    def settlement(self, data: st.DataObject, session: Session) -> Settlement:
        """Return mostly new totals within the grant; also repeats, outdated numbers and impossible totals."""
        number = session.number + data.draw(st.sampled_from([1, 1, 1, 2, 0, -1]))
        total = session.used + data.draw(st.integers(-2, session.hold + 2))
        keep = data.draw(st.none() | st.integers(max(total, 0), session.grant + 2))
        extend, ready = data.draw(st.booleans()), data.draw(st.booleans())
        return settlement(session.id, number, total, extend=extend, keep=keep, ready=ready)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), further=st.sampled_from([1, 1, 0]), reason=st.sampled_from(Reason), ready=st.booleans())
    def close(self, data: st.DataObject, further: int, reason: Reason, ready: bool) -> None:
        session = self.session(data)
        total = data.draw(st.integers(0, session.grant + 2))
        end = closing(session.id, session.number + further, total, reason=reason, ready=ready)
        model.close(session, end)
        closed = self.run(self.harness.ledger.close(end))
        assert closed == Closed(session.id, session.used, session.reason or reason, session.account.remaining)

    @precondition(lambda self: self.accounts)
    @rule(data=st.data(), seconds=st.integers(-80, 80))
    def credit(self, data: st.DataObject, seconds: int) -> None:
        account = self.account(data)
        allowed = seconds >= -max(account.available, 0)
        with suppress(Refusal) if not allowed else nullcontext():
            self.run(self.harness.ledger.credit(account.id, seconds, Description.MANUAL_ADJUSTMENT))
            account.remaining += seconds
            assert allowed

    @precondition(lambda self: self.accounts)
    @rule(data=st.data(), seconds=st.integers(1, 100))
    def claw_back(self, data: st.DataObject, seconds: int) -> None:
        account = self.account(data)
        self.run(self.harness.claw_back(account.id, seconds))
        account.remaining -= seconds

    @precondition(lambda self: self.accounts)
    @rule(data=st.data(), seconds=st.integers(0, 100))
    def freeze(self, data: st.DataObject, seconds: int) -> None:
        account = self.account(data)
        change = "UPDATE credit_balance SET seconds_frozen = %s WHERE user_id = %s"
        self.run(self.harness.sql(change, seconds, account.id))
        account.frozen = seconds

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), reason=st.sampled_from([Reason.ENDED_BY_USER, Reason.ENDED_BY_OPERATOR]))
    def mark(self, data: st.DataObject, reason: Reason) -> None:
        session = self.session(data)
        assert self.run(self.harness.mark_ending(session.id, reason)) == session.active
        if session.active:
            session.ending = session.ending or reason

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        session = self.session(data)
        self.run(self.harness.expire(session.id))
        session.expired = True

    @rule()
    def reap(self) -> None:
        expired = [one for one in self.sessions.values() if one.active and one.expired]
        ended = self.run(self.harness.ledger.reap())
        assert {one.session_id: one.released for one in ended} == {one.id: one.hold for one in expired}
        for session in expired:
            session.released = session.hold
            session.end(Reason.LEASE_EXPIRED)

    @invariant()
    def the_books_balance(self) -> None:
        assert self.run(self.harness.findings()) == []

    @invariant()
    def the_model_agrees(self) -> None:
        for account in self.accounts:
            balance = self.run(self.harness.ledger.balance(account.id))
            assert balance == Balance(account.remaining, account.held, account.frozen)
            spent = {
                spending.key_id: spending.seconds_used for _, spending in self.run(self.harness.keys.all_of(account.id))
            }
            assert spent == {key.id: key.used for key in self.keys.get(account.id, [])}
        stored = self.run(self.harness.sql("SELECT id, seconds_used, hold, reason FROM transcription_sessions"))
        assert set(stored) == {(one.id, one.used, one.hold, one.reason) for one in self.sessions.values()}


@pytest.mark.timeout(600)
def test_random_histories(database_url: str) -> None:
    with asyncio.Runner() as loop:
        database = Database(database_url)
        loop.run(database.open())
        machine = type("Histories", (Histories,), {"loop": loop, "harness": LedgerHarness(database)})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        loop.run(database.close())


async def test_concurrent_random_calls_keep_the_books_balanced(harness: LedgerHarness) -> None:
    """Twenty tasks make random calls for five users. The books balance at the end, and no user was overdrawn."""
    users = [await harness.user(150) for _ in range(5)]
    await asyncio.gather(*(_anything(harness, users, random.Random(seed)) for seed in range(20)))
    await harness.sql("UPDATE transcription_sessions SET lease_until = clock_timestamp() - interval '1 s'")
    await harness.ledger.reap()
    for user in users:
        balance = await harness.ledger.balance(user)
        assert balance.seconds_held == 0
        assert balance.seconds_remaining >= 0
    [(lowest,)] = await harness.sql("SELECT min(balance_after) FROM usage_ledger")
    assert lowest >= 0


async def _anything(harness: LedgerHarness, users: list[UUID], chance: random.Random) -> None:
    for _ in range(15):
        user = chance.choice(users)
        with suppress(Refusal):
            match chance.randrange(6):
                case 0:
                    await harness.ledger.credit(user, chance.randint(-30, 30), Description.MANUAL_ADJUSTMENT)
                case 1:
                    await harness.ledger.reap()
                case 2:
                    await harness.ledger.mark_user_ending(user, Reason.ENDED_BY_OPERATOR)
                case _:
                    await _stream(harness, user, chance)


async def _stream(harness: LedgerHarness, user: UUID, chance: random.Random) -> None:
    """Run a session from opening to end. Its relay sometimes dies, and sometimes repeats a statement."""
    opened = await harness.ledger.open_session(opening(user, replaces=uuid4() if chance.random() < 0.5 else None))
    session, total, grant = opened.session_id, 0, opened.grant
    for number in range(1, chance.randint(2, 8)):
        total += chance.randint(0, grant - total)
        settled = settlement(session, number, total, extend=chance.random() < 0.8)
        answers = await harness.ledger.settle([settled] * chance.randint(1, 2))
        grant = answers[0].grant if answers else grant
    if chance.random() < 0.2:
        await harness.expire(session)
        return
    end = closing(session, 99, max(0, total - chance.randint(0, 3)))
    first, *others = await asyncio.gather(*(harness.ledger.close(end) for _ in range(chance.randint(1, 2))))
    assert others in ([], [first]) or others[0].seconds_used == first.seconds_used
