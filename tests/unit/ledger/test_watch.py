"""Whether the database can be written to: one question at a time, for however many want to know."""

import asyncio

import pytest
from structlog.testing import capture_logs

from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger import watch as module
from transcription_proxy.ledger.watch import Watch


class Ledger:
    """Counts the questions; `gate` keeps them waiting."""

    def __init__(self) -> None:
        self.asked = 0
        self.writable = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing = False
        self.watch = Watch(self, lambda: self.failing)

    async def prove_writable(self, timeout: float) -> None:  # noqa: ASYNC109
        self.asked += 1
        await self.gate.wait()
        if not self.writable:
            raise Unavailable("read-only")


async def test_many_at_once_ask_once_and_one_that_leaves_takes_no_answer_from_the_others() -> None:
    ledger = Ledger()
    ledger.gate.clear()
    asking = [asyncio.create_task(ledger.watch.is_writable()) for _ in range(10)]
    await asyncio.sleep(0)
    asking[0].cancel()
    ledger.gate.set()
    assert await asyncio.gather(*asking[1:]) == [True] * 9
    assert ledger.asked == 1


async def test_an_answer_is_good_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger()
    assert await ledger.watch.is_writable()
    ledger.writable = False
    assert await ledger.watch.is_writable()
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
    assert not await ledger.watch.is_writable()


async def test_settles_that_fail_count_although_the_probe_succeeds() -> None:
    ledger = Ledger()
    ledger.failing = True
    assert not await ledger.watch.is_writable()
    ledger.failing = False
    assert await ledger.watch.is_writable()


async def test_a_database_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    ledger = Ledger()
    ledger.gate.clear()
    assert not await ledger.watch.is_writable()


async def test_each_change_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
    ledger = Ledger()
    with capture_logs() as logs:
        for writable in (False, True, False, False, True, True):
            ledger.writable = writable
            assert await ledger.watch.is_writable() is writable
    assert [line["event"] for line in logs] == ["database_not_writable", "database_writable_again"]
