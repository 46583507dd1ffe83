"""Whose turn is next: nobody who floods the line keeps others out of it."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from transcription_proxy.accounts.fair_queue import FairQueue, Requester
from transcription_proxy.errors import Refusal


class Line:
    """Those who asked for a turn; each keeps it until `done`."""

    def __init__(self, slots: int = 2, most_waiting: int = 4, within: float = 60) -> None:
        self.queue = FairQueue(slots, most_waiting, within)
        self.running: list[str] = []
        self.refused: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def ask(self, *names: str, account: str = "", client: str = "") -> None:
        """Asks for each name; an account or client that is not given is the name's own."""
        for name in names:
            requester = Requester(account or name, client or name)
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._hold(name, requester))
        await settled()

    async def done(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await settled()

    async def leave(self, name: str) -> None:
        self.tasks[name].cancel()
        await settled()
        assert self.tasks[name].cancelled()

    async def drain(self) -> list[str]:
        """Ends one turn after another; the order in which they ran."""
        order = []
        while self.running:
            order.append(self.running[0])
            await self.done(self.running[0])
        return order

    async def _hold(self, name: str, requester: Requester) -> None:
        try:
            async with self.queue.slot(requester):
                self.running.append(name)
                try:
                    await self.ends[name].wait()
                finally:
                    self.running.remove(name)
        except Refusal as refusal:
            assert refusal.code == "service_unavailable"
            self.refused.append(name)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def several(prefix: str, count: int) -> Iterable[str]:
    return [f"{prefix}{number}" for number in range(count)]


async def test_as_many_as_there_are_places_have_a_turn_and_the_others_follow_in_order() -> None:
    line = Line()
    await line.ask("a", "b", "c", "d", "e")
    assert line.running == ["a", "b"]
    assert await line.drain() == ["a", "b", "c", "d", "e"]
    assert line.refused == []


@pytest.mark.parametrize("key", ["account", "client"])
async def test_no_account_and_no_client_has_all_places(key: str) -> None:
    line = Line(slots=3)
    await line.ask(*several("flood", 4), **{key: "x"})
    assert line.running == ["flood0", "flood1"]
    await line.ask("other")
    assert line.running == ["flood0", "flood1", "other"]


async def test_a_single_place_is_anybodys() -> None:
    line = Line(slots=1)
    await line.ask("a", "b", account="x", client="y")
    assert await line.drain() == ["a", "b"]


@pytest.mark.parametrize("key", ["account", "client"])
async def test_who_has_less_waiting_goes_first(key: str) -> None:
    line = Line(slots=1, most_waiting=10)
    await line.ask(*several("flood", 4), **{key: "x"})
    await line.ask("ann", "bob")
    await line.ask(*several("few", 2), **{key: "y"})
    assert await line.drain() == ["flood0", "ann", "bob", "few0", "flood1", "few1", "flood2", "flood3"]


async def test_one_account_is_behind_others_also_behind_the_same_address() -> None:
    """As it is in an office, or behind a proxy that is not trusted."""
    line = Line(slots=1, most_waiting=10)
    await line.ask(*several("flood", 4), account="x", client="office")
    await line.ask("ann", client="office")
    assert await line.drain() == ["flood0", "ann", "flood1", "flood2", "flood3"]


async def test_when_the_line_is_too_long_the_one_with_most_in_it_is_refused() -> None:
    line = Line(slots=1, most_waiting=4)
    await line.ask(*several("flood", 6), account="x")
    assert line.refused == ["flood5"]
    await line.ask("ann", "bob")
    assert line.refused == ["flood5", "flood4", "flood3"]
    assert await line.drain() == ["flood0", "ann", "bob", "flood1", "flood2"]


async def test_whoever_waits_too_long_is_refused_and_leaves_the_line() -> None:
    line = Line(slots=1, within=0.01)
    await line.ask("a", "b")
    await line.tasks["b"]
    assert line.refused == ["b"]
    await line.ask("c")
    assert await line.drain() == ["a", "c"]


@pytest.mark.parametrize(("leaving", "order"), [("a", ["b", "c"]), ("b", ["a", "c"])])
async def test_whoever_leaves_makes_room(leaving: str, order: list[str]) -> None:
    line = Line(slots=1)
    await line.ask("a", "b", "c", account="x", client="y")
    await line.leave(leaving)
    assert await line.drain() == order


async def test_whoever_leaves_when_its_turn_has_come_makes_room_too() -> None:
    line = Line(slots=1)
    await line.ask("a", "b", "c", account="x", client="y")
    line.ends["a"].set()
    await until(lambda: not line.running)
    await line.leave("b")
    assert await line.drain() == ["c"]


async def test_one_that_leaves_at_the_moment_it_is_refused_or_given_a_turn_is_just_gone() -> None:
    line = Line(slots=1, most_waiting=1)
    await line.ask("a", "b", account="x")
    line.tasks["b"].cancel()
    task = asyncio.create_task(line.ask("c", account="x"))
    line.ends["a"].set()
    await task
    assert line.tasks["b"].cancelled()
    assert await line.drain() == ["c"]


async def test_nothing_is_remembered_of_those_who_are_gone() -> None:
    line = Line(slots=1, most_waiting=2)
    await line.ask(*several("flood", 5), account="x")
    await line.drain()
    assert not line.queue._present
    assert not line.queue._running


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0)
