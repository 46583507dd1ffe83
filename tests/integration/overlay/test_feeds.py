"""Feeds of three workers that notify each other through a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from tests.waiting import until
from transcription_proxy.accounts import store
from transcription_proxy.db.listen import listen
from transcription_proxy.db.notify import Notifier
from transcription_proxy.db.pool import Database
from transcription_proxy.overlay.feed import Subscription
from transcription_proxy.overlay.feeds import SHARED_CHANNEL, Feeds
from transcription_proxy.overlay.keys import Keys
from transcription_proxy.overlay.messages import MAX_TEXT_CHARACTERS, Clear, Line, Shown

PATIENCE = 20.0
WORD = "xylophone"


@dataclass
class Worker:
    feeds: Feeds
    keys: Keys

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> "AsyncIterator[Worker]":
        database = Database(url)
        await database.open()
        keys = Keys(database, "https://captions.example", SHARED_CHANNEL)
        feeds = Feeds(uuid4(), Notifier(database), keys)
        handlers = {SHARED_CHANNEL: feeds.receive_announcement, feeds.own_channel: feeds.receive_line}
        work = (listen(url, handlers, feeds.request_counts), feeds.announce(), feeds.forward())
        tasks = [asyncio.create_task(each) for each in work]
        yield cls(feeds, keys)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()


@pytest.fixture
async def workers(database_url: str) -> AsyncIterator[tuple[Worker, Worker, Worker]]:
    async with AsyncExitStack() as stack:
        here, there, third = [await stack.enter_async_context(Worker.at(database_url)) for _ in range(3)]
        yield here, there, third


@pytest.fixture
async def user(database: Database) -> UUID:
    async with database.transaction() as connection:
        made = await store.register(connection, f"{uuid4()}@example.org", "")
    assert made
    return made.id


async def taken(subscription: Subscription, last: Shown) -> list[Shown]:
    """Return all lines of the subscription up to `last`."""
    lines: list[Shown] = []
    async with asyncio.timeout(PATIENCE):
        while not lines or lines[-1] != last:
            lines += await subscription.next()
            assert not subscription.is_ended
    return lines


async def key_of(worker: Worker, user: UUID) -> int:
    """Return the version of the account's key, which is made if there is none."""
    _, _, key = (await worker.keys.url(user)).partition("#")
    return (await worker.keys.by_key(key)).version


async def test_many_long_lines_arrive_at_all_workers_in_order(workers: tuple[Worker, ...], user: UUID) -> None:
    here, *others = workers
    subscriptions = [each.feeds.subscribe(user, await key_of(each, user)) for each in others]
    feed = here.feeds.feed(user)
    await until(lambda: feed.page_count == len(others))
    lines: list[Shown] = [Line("s", float(n), f"{n} " + "\x01" * (MAX_TEXT_CHARACTERS - 4), True) for n in range(60)]
    for number, each in enumerate([*lines, Clear("s")]):
        feed.show(each)
        if number % 7 == 0:
            await asyncio.sleep(0.001)
    for subscription in subscriptions:
        assert await taken(subscription, Clear("s")) == [*lines, Clear("s")]


async def test_both_workers_reconnect_to_a_lost_database(
    workers: tuple[Worker, ...], user: UUID, database_url: str
) -> None:
    here, there, third = workers
    near, far = [each.feeds.subscribe(user, await key_of(each, user)) for each in (here, there)]
    feed = here.feeds.feed(user)
    await until(lambda: feed.page_count == 2)
    cut_off(database_url)
    feed.show(Line("s", 0, "in between", True))
    assert await near.next() == [Line("s", 0, "in between", True)]
    shown: list[Shown] = []
    reading = asyncio.create_task(collect(far, shown))
    number = 0
    while Line("s", float(number), "again", True) not in shown:
        number += 1
        assert number < 400
        feed.show(Line("s", float(number), "again", True))
        await asyncio.sleep(0.05)
    reading.cancel()
    assert not far.is_ended
    assert not third.feeds.feed(uuid4()).is_watched


async def collect(subscription: Subscription, shown: list[Shown]) -> None:
    while lines := await subscription.next():
        shown += lines


def cut_off(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_renewed_key_ends_pages_at_all_workers_at_once(workers: tuple[Worker, ...], user: UUID) -> None:
    version = await key_of(workers[0], user)
    subscriptions = [each.feeds.subscribe(user, version) for each in workers]
    await until(lambda: all(each.feeds.feed(user).page_count == 3 for each in workers))
    await workers[2].keys.renew(user)
    for subscription in subscriptions:
        async with asyncio.timeout(2):
            assert await subscription.next() == []
        assert subscription.is_key_void


async def test_no_table_has_a_word(workers: tuple[Worker, ...], user: UUID, database_url: str) -> None:
    here, there, _ = workers
    subscription = there.feeds.subscribe(user, await key_of(there, user))
    feed = here.feeds.feed(user)
    await until(lambda: feed.is_watched)
    feed.show(Line("s", 0, WORD, True))
    feed.show(Clear("s"))
    await taken(subscription, Clear("s"))
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert len(tables) > 5
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
            assert WORD not in repr(connection.execute(query).fetchall())
