"""Runs a row: the direct connection, nginx and the service in turns, several rounds of each."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO

import msgspec

from bench import database, kernel, probe, processes, subjects
from bench.figures import Latency
from bench.load import Plan, Step
from bench.machine import now, revision
from bench.processes import Failed
from bench.results import Load, Round, Row
from bench.subjects import StandIn, Subject

Start = Callable[[StandIn, Path], AbstractContextManager[Subject]]


@dataclass(frozen=True)
class Kind:
    """A row as it is asked for. `only_ours`: nothing to compare with."""

    name: str
    streams: int
    frame_ms: int = 100
    tls: bool = False
    workers: int = 1
    rounds: int | None = None
    only_ours: bool = False


KINDS = (
    Kind("1000", 1000),
    Kind("2000", 2000),
    Kind("20ms", 500, frame_ms=20),
    Kind("tls", 1000, tls=True),
    Kind("held", 5000, rounds=1),
    Kind("workers", 2000, workers=2, only_ours=True),
)


def run(kind: Kind, rounds: int, seconds: float, report: Callable[[Round], None]) -> Row:
    """Measure a row. `report` gets each round as it ends."""
    with processes.folder(kind.name) as home, subjects.standin(tls=kind.tls) as upstream:
        service = subjects.Service(upstream, home / "service", kind.streams, kind.workers)
        starts: list[Start] = [lambda *_: service.running()]
        if not kind.only_ours:
            starts = [subjects.direct, subjects.nginx, *starts]
        measured: list[Round] = []
        for number in range(kind.rounds or rounds):
            for start in starts[number % len(starts) :] + starts[: number % len(starts)]:
                with start(upstream, home) as subject:
                    measured.append(measure(subject, kind, seconds))
                report(measured[-1])
    return Row(
        name=kind.name,
        streams=kind.streams,
        frame_ms=kind.frame_ms,
        tls=kind.tls,
        workers=kind.workers,
        seconds=seconds,
        measured_at=now(),
        revision=revision(),
        rounds=measured,
    )


def measure(subject: Subject, kind: Kind, seconds: float) -> Round:
    """Put the load on a subject, and count while it is steady."""
    plan = Plan(subject.url, kind.streams, kind.frame_ms, seconds, subject.tokens)
    command = [sys.executable, "-m", "bench.load", msgspec.json.encode(plan).decode()]
    rest = [kernel.rss_kib(pid) for pid in subject.pids]
    with processes.running(command, {min(processes.load_cores())}, piped=True) as generator:
        assert generator.stdin is not None and generator.stdout is not None
        _step(generator.stdout, "open")
        generator.stdin.write("\n")
        _step(generator.stdout, "begin")
        before = _Counts.now(subject)
        _lags(subject)  # starts a new measurement
        load = _step(generator.stdout, "end").load
        after = _Counts.now(subject)
        grown = sum(kernel.rss_kib(pid) for pid in subject.pids) - sum(rest)
        lags = _lags(subject)
        generator.stdin.write("\n")
        generator.wait(processes.END_SECONDS)
    assert load is not None
    return _round(subject, kind, load, before, after, grown, lags)


def _lags(subject: Subject) -> list[Latency | None]:
    """Return the lag of each worker's event loop since this was last called."""
    return [probe.ask(subject.probe, pid).lag for pid in subject.pids] if subject.probe else []


@dataclass(frozen=True)
class _Counts:
    """What is counted, at one moment. `cpu`: seconds of each relaying process."""

    at: float
    cpu: list[float]
    load_cores: kernel.CoreTime
    database_ms: float | None

    @classmethod
    def now(cls, subject: Subject) -> "_Counts":
        return cls(
            monotonic(),
            [kernel.cpu_seconds(pid) for pid in subject.pids],
            kernel.core_time(processes.load_cores()),
            database.active_ms(subject.database) if subject.database else None,
        )


def _round(
    subject: Subject, kind: Kind, load: Load, before: _Counts, after: _Counts, grown: int, lags: list[Latency | None]
) -> Round:
    took = after.at - before.at
    used = [end - begin for begin, end in zip(before.cpu, after.cpu, strict=True)]
    spent = after.database_ms - before.database_ms if after.database_ms and before.database_ms else None
    return Round(
        subject=subject.name,
        load=load,
        load_busy=after.load_cores.busy_since(before.load_cores),
        cpu_us=1e6 * sum(used) / max(1, load.frames) if subject.pids else None,
        shares=[seconds / took for seconds in used],
        memory_kib=grown / kind.streams if subject.pids else None,
        loop_lag=max((lag for lag in lags if lag), key=lambda lag: lag.p99, default=None),
        database_ms=None if spent is None else spent / took,
    )


def _step(lines: IO[str], wanted: str) -> Step:
    """Return the generator's next step. Raise Failed if it has failed: its reason is on the terminal."""
    line = lines.readline()
    step = msgspec.json.decode(line, type=Step) if line else None
    if step is None or step.step != wanted:
        raise Failed("the load generator has failed, see above")
    return step
