"""How many sessions can be opened a second, until 99 in 100 do not become ready in a quarter of a second any more.

`python -m bench.opening PLAN` is its load generator: it opens sessions evenly at one rate, then closes them all."""

import asyncio
import resource
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

import msgspec
import uvloop

from bench import kernel, processes, subjects
from bench.client import Client, ConnectFailed, close_all, noise
from bench.figures import Latency, latency
from bench.load import read_tokens, say
from bench.machine import now, revision
from bench.pacer import Pacer
from bench.processes import Failed
from bench.results import Opening, Openings
from bench.subjects import Subject

LIMIT_MS = 250.0
FIRST_RATE = 20.0
"""Sessions a second."""
GROWTH = 1.5
HIGHEST_RATE = 2000.0
REFINEMENTS = 2
"""Rates tried between the highest that was kept up and the lowest that was not."""
CLOSE_SECONDS = 60.0


class Plan(msgspec.Struct):
    url: str
    tokens: str
    rate: float
    seconds: float


class Opened(msgspec.Struct):
    """The measurements of the generator."""

    ready: Latency | None
    failed: int
    lateness: Latency | None


def search(seconds: float, report: Callable[[Opening], None]) -> Openings:
    """Raise the rate until it is not kept up. `report` gets each step."""
    steps: list[Opening] = []
    accounts = round(HIGHEST_RATE * seconds)
    with processes.folder("opening") as home, subjects.standin() as upstream:
        service = subjects.Service(upstream, home / "service", min(accounts, 5000))
        with service.running() as subject:
            for rate in rates(steps):
                steps.append(_step(subject, rate, seconds))
                report(steps[-1])
    return Openings(LIMIT_MS, seconds, now(), revision(), steps)


def rates(steps: list[Opening]) -> Iterator[float]:
    """Yield rates to try, looking at how the last one went."""
    kept, missed = 0.0, FIRST_RATE
    while missed <= HIGHEST_RATE:
        yield from _tries(missed, steps)
        if not steps[-1].is_kept_up(LIMIT_MS):
            break
        kept, missed = missed, missed * GROWTH
    for _ in range(REFINEMENTS):
        middle = (kept + missed) / 2
        yield from _tries(middle, steps)
        if steps[-1].is_kept_up(LIMIT_MS):
            kept = middle
        else:
            missed = middle


def _tries(rate: float, steps: list[Opening]) -> Iterator[float]:
    """Yield a rate, and once more if it was missed: a single pause of the machine proves nothing."""
    yield rate
    if not steps[-1].is_kept_up(LIMIT_MS):
        yield rate


def _step(subject: Subject, rate: float, seconds: float) -> Opening:
    plan = Plan(subject.url, subject.tokens, rate, seconds)
    command = [sys.executable, "-m", "bench.opening", msgspec.json.encode(plan).decode()]
    with processes.running(command, {min(processes.load_cores())}, piped=True) as generator:
        assert generator.stdout is not None
        before = kernel.core_time(processes.load_cores())
        line = generator.stdout.readline()
        busy = kernel.core_time(processes.load_cores()).busy_since(before)
        generator.wait(CLOSE_SECONDS + processes.END_SECONDS)
    if not line:
        raise Failed("the load generator has failed, see above")
    opened = msgspec.json.decode(line, type=Opened)
    return Opening(rate, opened.ready, opened.failed, opened.lateness, busy)


async def run(plan: Plan) -> None:
    """Open sessions for `seconds`, print what became of them, and close them all."""
    tokens = read_tokens(plan.tokens)
    frame = noise(100)
    clients: list[Client] = []
    tasks: list[asyncio.Task[float | None]] = []

    def begin(slot: int) -> None:
        if len(clients) < round(plan.rate * plan.seconds):
            clients.append(Client(frame, tokens[slot % len(tokens)]))
            tasks.append(asyncio.create_task(_ready(clients[-1], plan.url)))

    pacer = Pacer(1 / plan.rate, begin)
    pacer.start()
    await asyncio.sleep(plan.seconds)
    pacer.stop()
    times = await asyncio.gather(*tasks)
    ready = [seconds for seconds in times if seconds is not None]
    say(Opened(latency(ready), len(times) - len(ready), latency(pacer.lateness)))
    await close_all(clients, CLOSE_SECONDS)


async def _ready(client: Client, url: str) -> float | None:
    """Return the seconds from connecting to `ready`, None if there was none."""
    began = perf_counter()
    try:
        await client.connect(url)
    except ConnectFailed:
        return None
    return perf_counter() - began


if __name__ == "__main__":
    _hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
        _runner.run(run(msgspec.json.decode(sys.argv[1], type=Plan)))
