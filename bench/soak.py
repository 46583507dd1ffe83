"""`make soak`: sessions open, stream, drop and close all the time, and nothing may be left behind.

Prints a line for each sample. Ends with status 1 if memory grows after the first minutes, or if a task, socket, timer,
lease or hold is left when all sessions have ended."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Coroutine
from time import monotonic

import uvloop

from bench import database, kernel, probe, processes, subjects
from bench.churn import ACCOUNTS_PER_CLIENT, Churn
from bench.load import read_tokens
from bench.subjects import Service, Subject
from bench.verdict import Left, Sample, growth_kib, judge

WARM_UP_SECONDS = 20
"""Sessions before the state at rest is taken, so that whatever is made once is there."""
REST_SECONDS = 60.0
"""For everything to end after the last session."""
LOSE_EVERY = 7
"""Every n-th upstream is lost after a few seconds of audio, so that another one is dialled."""
SAMPLES = 60
LINE = "{:>7} {:>5} {:>7} {:>9} {:>8} {:>6} {:>7} {:>7} {:>7} {:>6}"
MOST_GROWN = 10


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=100, help="that come and go at the same time")
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    with processes.folder("soak") as home, subjects.standin(lose=LOSE_EVERY) as upstream:
        service = Service(upstream, home / "service", ACCOUNTS_PER_CLIENT * asked.clients, asked.workers)
        with service.running() as subject:
            os.sched_setaffinity(0, processes.load_cores())
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                found = runner.run(_soak(subject, asked.clients, asked.minutes * 60))
            audit = service.command("ledger", "audit")
        if audit.returncode:
            found.append(f"the ledger's audit failed: {audit.stdout}{audit.stderr}")
    for sentence in found:
        _say(f"LEFT BEHIND  {sentence}")
    _say("Something was left behind." if found else "Nothing was left behind.")
    return 1 if found else 0


async def _soak(subject: Subject, clients: int, seconds: float) -> list[str]:
    """Return a sentence for each thing that is wrong."""
    tokens = read_tokens(subject.tokens)
    await _churn(Churn(subject.url, tokens, clients), asyncio.sleep(WARM_UP_SECONDS))
    before, counted = await _at_rest(subject, None)
    _say(LINE.format("seconds", "live", "opened", "MiB", "sockets", "tasks", "timers", "relays", "leases", "held"))
    churn, samples = Churn(subject.url, tokens, clients), list[Sample]()
    await _churn(churn, _take_samples(subject, churn, samples, seconds))
    after, counted_after = await _at_rest(subject, before)
    _say(f"\nat rest before: {before}\nat rest after:  {after}")
    _say(f"sessions: {dict(churn.counts)}")
    growth = growth_kib(samples)
    if growth is not None:
        _say(f"memory grew by {growth:.0f} KiB")
    found = judge(samples, before, after, churn.failures)
    if found:
        grown = Counter(counted_after)
        grown.subtract(counted)
        _say(f"classes that grew most: {dict(grown.most_common(MOST_GROWN))}")
    return found


async def _churn(churn: Churn, meanwhile: Coroutine[None, None, None]) -> None:
    """Let clients come and go until `meanwhile` is done, and wait until the last has gone."""
    async with asyncio.TaskGroup() as group:
        group.create_task(churn.run())
        await meanwhile
        churn.stop()


async def _take_samples(subject: Subject, churn: Churn, samples: list[Sample], seconds: float) -> None:
    began = monotonic()
    for number in range(SAMPLES):
        await asyncio.sleep(began + (number + 1) * seconds / SAMPLES - monotonic())
        left, _ = await asyncio.to_thread(_look, subject)
        memory = sum(kernel.rss_kib(pid) for pid in subject.pids)
        samples.append(Sample(monotonic() - began, churn.live, sum(churn.counts.values()), memory, left))
        _say(_line(samples[-1]))


async def _at_rest(subject: Subject, wanted: Left | None) -> tuple[Left, dict[str, int]]:
    """Return what is there once no session is left and, with `wanted`, no more than that; or after REST_SECONDS."""
    found, counted = await asyncio.to_thread(_look, subject)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REST_SECONDS):
            while found.relays or found.leases or found.held or (wanted and judge([], wanted, found, {})):
                await asyncio.sleep(1)
                found, counted = await asyncio.to_thread(_look, subject)
            if wanted is None:
                await asyncio.sleep(3)  # tasks and sockets of the last sessions
                found, counted = await asyncio.to_thread(_look, subject)
    return found, counted


def _look(subject: Subject) -> tuple[Left, dict[str, int]]:
    """Return what the workers and the database have now, and how many instances of each class."""
    assert subject.probe is not None and subject.database is not None
    counted: Counter[str] = Counter()
    for pid in subject.pids:
        counted.update(probe.ask(subject.probe, pid, census=True).alive)
    leases, held = database.leftovers(subject.database)
    left = Left(
        sockets=sum(kernel.tcp_sockets(pid) for pid in subject.pids),
        tasks=counted["Task"],
        timers=counted["TimerHandle"],
        relays=counted["Relay"],
        leases=leases,
        held=held,
    )
    return left, counted


def _line(sample: Sample) -> str:
    left = sample.left
    memory = f"{sample.memory_kib / 1024:.1f}"
    counts = (left.sockets, left.tasks, left.timers, left.relays, left.leases, left.held)
    return LINE.format(f"{sample.seconds:.0f}", sample.live, sample.opened, memory, *counts)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except processes.Failed as _failure:
        sys.exit(str(_failure))
