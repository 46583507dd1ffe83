"""Workers that hear each other over a wire of the test's, which may be cut; their clock is the test's too."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID, uuid4

import msgspec
import pytest

from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.relay import stages as module
from transcription_proxy.relay.stages import NEWS, Stages, Watcher
from transcription_proxy.stream.overlay import Clear, Line, Shown

ANN, BOB = uuid4(), uuid4()


class Wire:
    """NOTIFY and the table of keys. `sent`: channels of what was said, in order."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.versions = {ANN: 1, BOB: 1}
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
                if worker.hears:
                    worker.hear(channel, payload)

    async def overlay_versions(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        self._answer()
        return {user: self.versions[user] for user in user_ids if user in self.versions}

    def _answer(self) -> None:
        if self.away:
            self.refused += 1
            raise Unavailable("cut")


class Worker:
    def __init__(self, wire: Wire) -> None:
        self.stages = Stages(uuid4(), wire, wire, lambda: wire.now)
        self.hears = True
        wire.workers.append(self)
        self._tasks = [asyncio.create_task(self.stages.announce()), asyncio.create_task(self.stages.pass_on())]

    def hear(self, channel: str, payload: str) -> None:
        if channel == NEWS:
            self.stages.heard_news(payload)
        elif channel == self.stages.channel:
            self.stages.heard(payload)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        assert [str(each) for each in await asyncio.gather(*self._tasks, return_exceptions=True)] == ["", ""]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setattr(module, "PAUSE", 0)
    return Wire()


@pytest.fixture
async def workers(wire: Wire) -> AsyncIterator[tuple[Worker, Worker, Worker]]:
    three = (Worker(wire), Worker(wire), Worker(wire))
    await settled()
    yield three
    for worker in three:
        await worker.stop()


async def settled() -> None:
    """All that was to be said has been heard: nothing here waits for anything but its turn."""
    for _ in range(40):
        await asyncio.sleep(0)


async def later(wire: Wire, worker: Worker, seconds: float) -> None:
    """So much later, a moment after the worker looked at its clock."""
    wire.now += seconds
    worker.stages._to_announce.set()
    await settled()


def line(number: int, is_final: bool = True, session: str = "s") -> Line:
    return Line(session, float(number), f"w{number}", is_final)


async def shown_to(watcher: Watcher) -> list[Shown]:
    """What it has not taken yet."""
    taking = asyncio.create_task(watcher.next())
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


async def test_where_nobody_watches_nothing_is_sent(wire: Wire, workers: Workers) -> None:
    stage = workers[0].stages.stage(ANN)
    assert not stage.watched
    stage.show(line(1))
    await settled()
    assert wire.sent == []


async def test_a_watcher_of_the_same_worker_needs_no_database(wire: Wire, workers: Workers) -> None:
    here = workers[0].stages
    watcher = here.watch(ANN, 1)
    await settled()
    wire.sent.clear()
    assert here.stage(ANN).watched
    assert not here.stage(BOB).watched
    here.stage(ANN).show(line(1))
    here.stage(BOB).show(line(2))
    await settled()
    assert await shown_to(watcher) == [line(1)]
    assert wire.sent == []


async def test_lines_go_in_order_to_the_worker_that_wants_them_and_to_no_other(wire: Wire, workers: Workers) -> None:
    here, there, _ = (worker.stages for worker in workers)
    stage = here.stage(ANN)
    watchers = [there.watch(ANN, 1), there.watch(ANN, 1)]
    await settled()
    assert stage.watched
    wire.sent.clear()
    told: list[Shown] = [line(1), line(2), line(2, session="other"), line(3), Clear("s")]
    for each in told:
        stage.show(each)
    await settled()
    assert [await shown_to(watcher) for watcher in watchers] == [told, told]
    assert wire.sent == [there.channel] * 5


async def test_what_gathers_while_the_last_lot_is_on_its_way_leaves_out_what_was_overtaken(
    wire: Wire, workers: Workers
) -> None:
    here, there, _ = (worker.stages for worker in workers)
    watcher = there.watch(ANN, 1)
    await settled()
    wire.sent.clear()
    for each in (line(1, False), line(2, False), line(3), line(4, False), line(5, False)):
        here.stage(ANN).show(each)
    await settled()
    assert await shown_to(watcher) == [line(3), line(5, False)]
    assert len(wire.sent) == 2


async def test_who_has_left_costs_nothing_any_more(wire: Wire, workers: Workers) -> None:
    here, there, third = (worker.stages for worker in workers)
    stage = here.stage(ANN)
    watcher = there.watch(ANN, 1)
    await settled()
    there.leave(ANN, watcher)
    await settled()
    wire.sent.clear()
    assert not stage.watched
    stage.show(line(1))
    await settled()
    assert wire.sent == []
    del stage, watcher
    gc.collect()
    for each in (here, there, third):
        assert (dict(each._stages), each._watched, each._here) == ({}, {}, 0)


async def test_an_account_has_so_many_watchers_over_all_workers(workers: Workers) -> None:
    here, there, _ = (worker.stages for worker in workers)
    watchers = [here.watch(ANN, 1) for _ in range(module.MOST_WATCHERS - 1)]
    far = there.watch(ANN, 1)
    await settled()
    assert refusal(lambda: here.watch(ANN, 1)) == "too_many_watchers"
    assert refusal(lambda: there.watch(ANN, 1)) == "too_many_watchers"
    there.watch(BOB, 1)
    here.leave(ANN, watchers[0])
    there.leave(ANN, far)
    await settled()
    there.watch(ANN, 1)
    here.watch(ANN, 1)
    await settled()
    assert refusal(lambda: here.watch(ANN, 1)) == "too_many_watchers"


async def test_a_process_has_so_many_watchers(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HERE", 3)
    here, there, _ = (worker.stages for worker in workers)
    watchers = [here.watch(user, 1) for user in (ANN, ANN, BOB)]
    assert refusal(lambda: here.watch(BOB, 1)) == "service_unavailable"
    there.watch(BOB, 1)
    here.leave(ANN, watchers[0])
    here.watch(BOB, 1)


async def test_a_watcher_that_does_not_read_keeps_the_newest(workers: Workers) -> None:
    here = workers[0].stages
    watcher = here.watch(ANN, 1)
    for number in range(module.MAX_WAITING * 3):
        here.stage(ANN).show(line(number))
        here.stage(ANN).show(line(number, False, session="other"))
    told = await shown_to(watcher)
    assert len(told) == module.MAX_WAITING
    assert told[-1] == line(module.MAX_WAITING * 3 - 1)
    assert [each.is_final for each in told if isinstance(each, Line)].count(False) <= 1
    assert not watcher.ended


# --- keys


async def renewed(worker: Worker, version: int) -> None:
    worker.hear(NEWS, f'{{"type":"renewed","user":"{ANN}","version":{version}}}')


async def test_a_renewed_key_ends_those_who_came_with_an_older_one(workers: Workers) -> None:
    here = workers[0].stages
    old, new, other = here.watch(ANN, 1), here.watch(ANN, 2), here.watch(BOB, 1)
    here.stage(ANN).show(line(1))
    await renewed(workers[0], 2)
    assert [(each.ended, each.gone) for each in (old, new, other)] == [(True, True), (False, False), (False, False)]
    assert await old.next() == []
    assert await new.next() == [line(1)]


async def test_a_key_that_was_renewed_before_its_watcher_was_there_ends_it_too(wire: Wire, workers: Workers) -> None:
    wire.versions[ANN] = 2
    watcher = workers[0].stages.watch(ANN, 1)
    await settled()
    assert watcher.gone


@pytest.mark.parametrize("versions", [{ANN: 2, BOB: 1}, {BOB: 1}])
async def test_news_that_were_missed_are_made_up_within_seconds(
    wire: Wire, workers: Workers, versions: dict[UUID, int]
) -> None:
    """A key was renewed, or an account blocked."""
    here = workers[0].stages
    watcher, other = here.watch(ANN, 1), here.watch(BOB, 1)
    await settled()
    wire.versions = versions
    await later(wire, workers[0], module.ANNOUNCED_EVERY)
    assert (watcher.gone, other.ended) == (True, False)


# --- workers that come, go and lose each other


@pytest.mark.parametrize("away", [False, True])
async def test_a_worker_that_begins_to_listen_learns_who_watches(wire: Wire, workers: Workers, away: bool) -> None:
    """Also where it cannot ask at once."""
    here, there, _ = (worker.stages for worker in workers)
    workers[0].hears = False
    watcher = there.watch(ANN, 1)
    await settled()
    assert not here.stage(ANN).watched
    workers[0].hears = True
    wire.away = away
    here.listening()
    await settled()
    wire.away = False
    await settled()
    here.stage(ANN).show(line(1))
    await settled()
    assert await shown_to(watcher) == [line(1)]


async def test_a_worker_that_is_silent_for_long_is_forgotten(wire: Wire, workers: Workers) -> None:
    here, there, _ = (worker.stages for worker in workers)
    stage = here.stage(ANN)
    there.watch(ANN, 1)
    await settled()
    await later(wire, workers[0], module.ANNOUNCED_FOR - 1)
    assert stage.watched
    await later(wire, workers[0], module.ANNOUNCED_EVERY)
    assert not stage.watched


async def test_a_worker_says_again_and_again_whom_it_watches_also_while_others_come_and_go(
    wire: Wire, workers: Workers
) -> None:
    here, there, _ = (worker.stages for worker in workers)
    stage = here.stage(ANN)
    there.watch(ANN, 1)
    for _ in range(12):
        there.leave(BOB, there.watch(BOB, 1))
        await later(wire, workers[1], module.ANNOUNCED_EVERY / 2)
        await later(wire, workers[0], 0)
        assert stage.watched


async def test_with_the_database_away_near_watchers_see_all_and_far_ones_what_is_said_later(
    wire: Wire, workers: Workers
) -> None:
    here, there, _ = (worker.stages for worker in workers)
    near, far = here.watch(ANN, 1), there.watch(ANN, 1)
    await settled()
    wire.away = True
    for number in range(module.MOST_PASSING):
        here.stage(ANN).show(line(number))
    while not wire.refused:
        await asyncio.sleep(0)
    third = there.watch(BOB, 1)
    await asyncio.sleep(0)
    assert len(await shown_to(near)) == module.MAX_WAITING
    wire.away = False
    await settled()
    here.stage(ANN).show(line(9999))
    here.stage(BOB).show(line(8888))
    await settled()
    assert [await shown_to(each) for each in (near, far, third)] == [[line(9999)], [line(9999)], [line(8888)]]


async def test_a_long_absence_of_the_database_is_made_up(wire: Wire, workers: Workers) -> None:
    here, there, _ = (worker.stages for worker in workers)
    stage = here.stage(ANN)
    watcher = there.watch(ANN, 1)
    await settled()
    wire.away = True
    for worker in workers:
        worker.hears = False
    for _ in range(5):
        await later(wire, workers[0], module.ANNOUNCED_EVERY)
        await later(wire, workers[1], 0)
    assert not stage.watched
    wire.away = False
    for worker in workers:
        worker.hears = True
        worker.stages.listening()
    await settled()
    stage.show(line(1))
    await settled()
    assert await shown_to(watcher) == [line(1)]
    assert not watcher.ended


async def test_at_the_end_watchers_get_what_waits_and_nobody_new_comes(workers: Workers) -> None:
    here = workers[0].stages
    watchers = [here.watch(ANN, 1), here.watch(BOB, 1)]
    here.stage(ANN).show(line(1))
    here.end()
    assert await watchers[0].next() == [line(1)]
    assert [await watcher.next() for watcher in watchers] == [[], []]
    assert [watcher.gone for watcher in watchers] == [False, False]
    assert refusal(lambda: here.watch(ANN, 1)) == "service_unavailable"


async def test_a_payload_that_is_none_of_ours_is_an_error_of_its_sender(workers: Workers) -> None:
    for hear in (workers[0].stages.heard, workers[0].stages.heard_news):
        with pytest.raises(msgspec.DecodeError):
            hear("{}")
    workers[0].stages.heard(f'{{"user":"{ANN}","shown":{{"event":"clear","session":"s"}}}}')
    assert not workers[0].stages.stage(ANN).watched
