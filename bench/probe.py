"""Looks at an event loop from inside: how late its timers are, and what lives in its process.

`python -m bench.probe` is a worker of the service with a probe in it, which costs 0.1 % of a core. A signal makes the
probe write a Report to the file named by BENCH_PROBE with the process id after it: SIGUSR1 for the lag since the last
report, SIGUSR2 also for what lives in the process, which takes a while."""

import asyncio
import gc
import os
import signal
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import msgspec
import uvloop

from bench import kernel
from bench.figures import Latency, latency

PROBE = "BENCH_PROBE"
TICK_SECONDS = 0.005
_run = uvloop.run


class Report(msgspec.Struct):
    """`lag`: of the event loop since the last report. `alive`: instances of each class, if asked for."""

    lag: Latency | None
    alive: dict[str, int]


class LagProbe:
    """Measures how late a timer of the running event loop is, again and again. Its resolution is a millisecond."""

    def __init__(self) -> None:
        self._lags = array("d")
        self._loop = asyncio.get_running_loop()
        self._tick()

    def _tick(self) -> None:
        self._due = monotonic() + TICK_SECONDS
        self._timer = self._loop.call_later(TICK_SECONDS, self._expired)

    def _expired(self) -> None:
        self._lags.append(max(0.0, monotonic() - self._due))
        self._tick()

    def take(self) -> Latency | None:
        """Return the lag since the last call."""
        lags, self._lags = self._lags, array("d")
        return latency(lags)

    def stop(self) -> None:
        self._timer.cancel()


class TurnProbe:
    """Measures the longest turn of the running event loop, which is how long it may block a frame.

    Turns follow each other without a pause, so that the core never sleeps: a virtual machine may wake some milliseconds
    late, and a timer would count that. Nor does it count while something else runs on the core: that would add 5 ms."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waits = kernel.Waits()
        self._longest = 0.0
        self._begin()

    def _begin(self) -> None:
        self._waited = self._waits.seconds()
        self._begun_at = perf_counter()
        self._next = self._loop.call_soon(self._end)

    def _end(self) -> None:
        took = perf_counter() - self._begun_at
        if took > self._longest:
            self._longest = max(self._longest, took - (self._waits.seconds() - self._waited))
        self._begin()

    def take(self) -> float:
        """Return the longest turn since the last call, in milliseconds. The turn under way does not count."""
        longest, self._longest = self._longest, 0.0
        self._next.cancel()
        self._begin()
        return round(1000 * longest, 3)

    def stop(self) -> None:
        self._next.cancel()


def alive() -> dict[str, int]:
    """Return how many instances of each class this process has, of those that the collector knows."""
    gc.unfreeze()  # what the worker froze at its start is replaced in time, and must count before as well as after
    gc.collect()
    return dict(Counter(type(thing).__name__ for thing in gc.get_objects()))


class _Reporter:
    """Answers the signals."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lag = LagProbe()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._report, dict)
        loop.add_signal_handler(signal.SIGUSR2, self._report, alive)

    def _report(self, count: Callable[[], dict[str, int]]) -> None:
        report = Report(self._lag.take(), count())
        draft = self._path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(report))
        draft.rename(self._path)


def ask(path: Path, pid: int, seconds: float = 60.0, *, census: bool = False) -> Report:
    """Ask a worker's probe for a report. Raise TimeoutError."""
    file = _file(path, pid)
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR2 if census else signal.SIGUSR1)
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        if file.exists():
            return msgspec.json.decode(file.read_bytes(), type=Report)
        sleep(0.002)
    raise TimeoutError(f"the probe of process {pid} didn't answer in {seconds:g} s")


def _file(path: Path, pid: int) -> Path:
    return path.with_name(f"{path.name}-{pid}.json")


def _run_probed(main: Coroutine[Any, Any, Any], **options: Any) -> Any:
    async def probed() -> Any:
        reporter = _Reporter(_file(Path(os.environ[PROBE]), os.getpid()))
        try:
            return await main
        finally:
            del reporter

    return _run(probed(), **options)


def _worker() -> int:
    uvloop.run = _run_probed
    from transcription_proxy.process import worker  # noqa: PLC0415 - after the line above

    return worker.main()


if __name__ == "__main__":
    sys.exit(_worker())
