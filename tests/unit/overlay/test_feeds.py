"""Feeds of three workers that notify each other through a fake database; the test sets the clock."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID, uuid4

import msgspec
import pytest

from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.overlay import feeds as module
from transcription_proxy.overlay.feed import MAX_PENDING_LINES, Subscription
from transcription_proxy.overlay.feeds import SHARED_CHANNEL, Feeds
from transcription_proxy.overlay.messages import Clear, Line, Shown

ANN, BOB = uuid4(), uuid4()


class Wire:
    """A fake of NOTIFY and of the table of keys. `sent`: the channel of each notification, in order."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.key_versions = {ANN: 1, BOB: 1}
        self.away = False
        self.refused = 0
        self.sent: list[str] = []
        self.now = 0.0

    async def notify(self, messages: Sequence[tuple[str, str]]) -> None:
        self._answer()
        self.sent += [channel for channel, _ in messages]
        await asyncio.sleep(0)
        for channel, payload in messages:
            for worker in self.workers:
                if worker.is_listening:
                    worker.receive(channel, payload)

    async def versions(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        self._answer()
        return {user: self.key_versions[user] for user in user_ids if user in self.key_versions}

    def _answer(self) -> None:
        if self.away:
            self.refused += 1
            raise Unavailable("cut")


class Worker:
    def __init__(self, wire: Wire) -> None:
        self.feeds = Feeds(uuid4(), wire, wire, lambda: wire.now)
        self.is_listening = True
        wire.workers.append(self)
        self._tasks = [asyncio.create_task(self.feeds.announce()), asyncio.create_task(self.feeds.forward())]

    def receive(self, channel: str, payload: str) -> None:
        if channel == SHARED_CHANNEL:
            self.feeds.receive_announcement(payload)
        elif channel == self.feeds.own_channel:
            self.feeds.receive_line(payload)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        assert [str(each) for each in await asyncio.gather(*self._tasks, return_exceptions=True)] == ["", ""]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0)
    return Wire()


@pytest.fixture
async def workers(wire: Wire) -> AsyncIterator[tuple[Worker, Worker, Worker]]:
    three = (Worker(wire), Worker(wire), Worker(wire))
    await settled()
    yield three
    for worker in three:
        await worker.stop()


async def settled() -> None:
    """Let all tasks run until every notification has arrived. Nothing here waits for more than its turn."""
    for _ in range(40):
        await asyncio.sleep(0)


async def later(wire: Wire, worker: Worker, seconds: float) -> None:
    """Advance the clock, and wake the worker."""
    wire.now += seconds
    worker.feeds._has_due.set()
    await settled()


def line(number: int, is_final: bool = True, session: str = "s") -> Line:
    return Line(session, float(number), f"w{number}", is_final)


async def shown_to(subscription: Subscription) -> list[Shown]:
    """Return the lines that the subscription has not returned yet."""
    taking = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    if taking.done():
        return taking.result()
    taking.cancel()
    return []


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refused:
        call()
    return refused.value.code


Workers = tuple[Worker, Worker, Worker]


async def test_without_pages_nothing_is_sent(wire: Wire, workers: Workers) -> None:
    feed = workers[0].feeds.feed(ANN)
    assert not feed.is_watched
    feed.show(line(1))
    await settled()
    assert wire.sent == []


async def test_a_page_of_the_same_worker_needs_no_database(wire: Wire, workers: Workers) -> None:
    here = workers[0].feeds
    subscription = here.subscribe(ANN, 1)
    await settled()
    wire.sent.clear()
    assert here.feed(ANN).is_watched
    assert not here.feed(BOB).is_watched
    here.feed(ANN).show(line(1))
    here.feed(BOB).show(line(2))
    await settled()
    assert await shown_to(subscription) == [line(1)]
    assert wire.sent == []


async def test_lines_go_in_order_to_workers_with_pages_and_to_no_others(wire: Wire, workers: Workers) -> None:
    here, there, _ = (worker.feeds for worker in workers)
    feed = here.feed(ANN)
    subscriptions = [there.subscribe(ANN, 1), there.subscribe(ANN, 1)]
    await settled()
    assert feed.is_watched
    wire.sent.clear()
    shown: list[Shown] = [line(1), line(2), line(2, session="other"), line(3), Clear("s")]
    for each in shown:
        feed.show(each)
    await settled()
    assert [await shown_to(subscription) for subscription in subscriptions] == [shown, shown]
    assert wire.sent == [there.own_channel] * 5


async def test_interim_lines_that_were_replaced_before_they_were_sent_are_left_out(
    wire: Wire, workers: Workers
) -> None:
    here, there, _ = (worker.feeds for worker in workers)
    subscription = there.subscribe(ANN, 1)
    await settled()
    wire.sent.clear()
    for each in (line(1, False), line(2, False), line(3), line(4, False), line(5, False)):
        here.feed(ANN).show(each)
    await settled()
    assert await shown_to(subscription) == [line(3), line(5, False)]
    assert len(wire.sent) == 2


async def test_a_closed_page_costs_nothing_afterwards(wire: Wire, workers: Workers) -> None:
    here, there, third = (worker.feeds for worker in workers)
    feed = here.feed(ANN)
    subscription = there.subscribe(ANN, 1)
    await settled()
    there.unsubscribe(ANN, subscription)
    await settled()
    wire.sent.clear()
    assert not feed.is_watched
    feed.show(line(1))
    await settled()
    assert wire.sent == []
    del feed, subscription
    gc.collect()
    for each in (here, there, third):
        assert (dict(each._feeds), each._watched, each._page_count) == ({}, {}, 0)


async def test_pages_of_a_process_are_limited(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAGES_PER_PROCESS", 3)
    here, there, _ = (worker.feeds for worker in workers)
    subscriptions = [here.subscribe(user, 1) for user in (ANN, ANN, BOB)]
    assert refusal(lambda: here.subscribe(BOB, 1)) == "service_unavailable"
    there.subscribe(BOB, 1)
    here.unsubscribe(ANN, subscriptions[0])
    here.subscribe(BOB, 1)


async def test_a_page_that_does_not_read_gets_the_newest_lines(workers: Workers) -> None:
    here = workers[0].feeds
    subscription = here.subscribe(ANN, 1)
    for number in range(MAX_PENDING_LINES * 3):
        here.feed(ANN).show(line(number))
        here.feed(ANN).show(line(number, False, session="other"))
    shown = await shown_to(subscription)
    assert len(shown) == MAX_PENDING_LINES
    assert shown[-1] == line(MAX_PENDING_LINES * 3 - 1)
    assert [each.is_final for each in shown if isinstance(each, Line)].count(False) <= 1
    assert not subscription.is_ended


# --- keys


async def renewed(worker: Worker, version: int) -> None:
    worker.receive(SHARED_CHANNEL, f'{{"type":"renewed","user":"{ANN}","version":{version}}}')


async def test_a_renewed_key_ends_pages_with_an_older_one(workers: Workers) -> None:
    here = workers[0].feeds
    old, new, other = here.subscribe(ANN, 1), here.subscribe(ANN, 2), here.subscribe(BOB, 1)
    here.feed(ANN).show(line(1))
    await renewed(workers[0], 2)
    assert [(each.is_ended, each.is_key_void) for each in (old, new, other)] == [
        (True, True),
        (False, False),
        (False, False),
    ]
    assert await old.next() == []
    assert await new.next() == [line(1)]


async def test_a_key_that_was_renewed_before_the_page_subscribed_ends_the_page(wire: Wire, workers: Workers) -> None:
    wire.key_versions[ANN] = 2
    subscription = workers[0].feeds.subscribe(ANN, 1)
    await settled()
    assert subscription.is_key_void


@pytest.mark.parametrize("versions", [{ANN: 2, BOB: 1}, {BOB: 1}])
async def test_a_lost_announcement_of_a_void_key_is_noticed_within_seconds(
    wire: Wire, workers: Workers, versions: dict[UUID, int]
) -> None:
    """A key was renewed, or an account blocked."""
    here = workers[0].feeds
    subscription, other = here.subscribe(ANN, 1), here.subscribe(BOB, 1)
    await settled()
    wire.key_versions = versions
    await later(wire, workers[0], module.ANNOUNCE_SECONDS)
    assert (subscription.is_key_void, other.is_ended) == (True, False)


# --- workers that come, go and lose each other


@pytest.mark.parametrize("away", [False, True])
async def test_a_worker_that_begins_to_listen_learns_the_page_counts(wire: Wire, workers: Workers, away: bool) -> None:
    """Also if the database is away at first."""
    here, there, _ = (worker.feeds for worker in workers)
    workers[0].is_listening = False
    subscription = there.subscribe(ANN, 1)
    await settled()
    assert not here.feed(ANN).is_watched
    workers[0].is_listening = True
    wire.away = away
    here.request_counts()
    await settled()
    wire.away = False
    await settled()
    here.feed(ANN).show(line(1))
    await settled()
    assert await shown_to(subscription) == [line(1)]


async def test_a_worker_that_announces_nothing_is_forgotten(wire: Wire, workers: Workers) -> None:
    here, there, _ = (worker.feeds for worker in workers)
    feed = here.feed(ANN)
    there.subscribe(ANN, 1)
    await settled()
    await later(wire, workers[0], module.COUNT_LIFETIME_SECONDS - 1)
    assert feed.is_watched
    await later(wire, workers[0], module.ANNOUNCE_SECONDS)
    assert not feed.is_watched


async def test_a_worker_repeats_its_page_counts_even_while_others_change(wire: Wire, workers: Workers) -> None:
    here, there, _ = (worker.feeds for worker in workers)
    feed = here.feed(ANN)
    there.subscribe(ANN, 1)
    for _ in range(12):
        there.unsubscribe(BOB, there.subscribe(BOB, 1))
        await later(wire, workers[1], module.ANNOUNCE_SECONDS / 2)
        await later(wire, workers[0], 0)
        assert feed.is_watched


async def test_while_the_database_is_away_only_pages_of_the_same_worker_get_lines(wire: Wire, workers: Workers) -> None:
    here, there, _ = (worker.feeds for worker in workers)
    near, far = here.subscribe(ANN, 1), there.subscribe(ANN, 1)
    await settled()
    wire.away = True
    for number in range(module.MAX_OUTGOING_LINES):
        here.feed(ANN).show(line(number))
    while not wire.refused:
        await asyncio.sleep(0)
    third = there.subscribe(BOB, 1)
    await asyncio.sleep(0)
    assert len(await shown_to(near)) == MAX_PENDING_LINES
    wire.away = False
    await settled()
    here.feed(ANN).show(line(9999))
    here.feed(BOB).show(line(8888))
    await settled()
    assert [await shown_to(each) for each in (near, far, third)] == [[line(9999)], [line(9999)], [line(8888)]]


async def test_workers_find_each_other_after_a_long_absence_of_the_database(wire: Wire, workers: Workers) -> None:
    here, there, _ = (worker.feeds for worker in workers)
    feed = here.feed(ANN)
    subscription = there.subscribe(ANN, 1)
    await settled()
    wire.away = True
    for worker in workers:
        worker.is_listening = False
    for _ in range(5):
        await later(wire, workers[0], module.ANNOUNCE_SECONDS)
        await later(wire, workers[1], 0)
    assert not feed.is_watched
    wire.away = False
    for worker in workers:
        worker.is_listening = True
        worker.feeds.request_counts()
    await settled()
    feed.show(line(1))
    await settled()
    assert await shown_to(subscription) == [line(1)]
    assert not subscription.is_ended


async def test_at_the_end_pages_get_what_is_pending_and_new_ones_are_refused(workers: Workers) -> None:
    here = workers[0].feeds
    subscriptions = [here.subscribe(ANN, 1), here.subscribe(BOB, 1)]
    here.feed(ANN).show(line(1))
    here.end()
    assert await subscriptions[0].next() == [line(1)]
    assert [await subscription.next() for subscription in subscriptions] == [[], []]
    assert [subscription.is_key_void for subscription in subscriptions] == [False, False]
    assert refusal(lambda: here.subscribe(ANN, 1)) == "service_unavailable"


async def test_a_malformed_payload_raises(workers: Workers) -> None:
    for handle in (workers[0].feeds.receive_line, workers[0].feeds.receive_announcement):
        with pytest.raises(msgspec.DecodeError):
            handle("{}")
    workers[0].feeds.receive_line(f'{{"user":"{ANN}","shown":{{"event":"clear","session":"s"}}}}')
    assert not workers[0].feeds.feed(ANN).is_watched
