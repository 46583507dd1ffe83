"""One run: starts the service, injects the faults of the plan, waits until all is quiet, and checks the evidence."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.chaos.audio import locate
from tests.chaos.evidence import Attempt, Evidence, Row, Violation
from tests.chaos.injector import Environment, FaultInjector
from tests.chaos.judge import QUIET_WITHIN, judge
from tests.chaos.plan import Fault, plan
from tests.chaos.program import postgres, running
from tests.chaos.proxy import Proxy
from tests.chaos.recorder import UpstreamRecorder
from tests.chaos.streamer import TALKATIVE, Streamer
from tests.e2e.client import User
from tests.e2e.service import KEY, environment
from tests.e2e.upstream import WORD
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.record import Record
from tests.standin.script import Script

RICH, POOR = 7, 2
"""Users; each has two apps."""
RICH_SECONDS, POOR_SECONDS = 1_000_000, 60
PATIENCE: Final = 25.0
"""Seconds that the stand-in waits for a frame, longer than any fault lasts, so that late audio is still received."""
PROGRESS_EVERY: Final = 10.0
HOME_WITHIN: Final = 90.0
"""Seconds that the apps may take to stop after the last fault."""
BROKEN: Final = ("Traceback", "task_died", "session_failed", "settle_failed", "close_failed", "open_failed", WORD, KEY)
"""Texts that a correct program never logs."""
MOST_LINES: Final = 20
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    summary: str
    violations: list[Violation]


async def chaos(seed: int, seconds: float, home: Path, say: Say) -> Verdict:
    """Stream for `seconds`, with the faults that the plan of `seed` has. Return the violations."""
    faults = plan(seed, seconds)
    say(f"Seed {seed}: {len(faults)} faults in {seconds:g} s")
    for fault in faults:
        say(f"  {fault}")
    async with _setup(home, seed, say) as setup:
        run = Run(setup, say)
        await run.break_things(faults, seconds)
        await run.come_home()
        left, quiet_after = await run.wait_until_quiet()
        evidence = await run.gather(left, quiet_after)
    (home / "evidence.txt").write_text("\n".join(_known(evidence)))
    undone = [Violation("the run", "that it can be done", failure) for failure in run.failures]
    return Verdict(_summary(evidence, len(faults)), undone + judge(evidence))


class Run:
    """A run from the first fault to the evidence. `failures`: steps of the run that failed."""

    def __init__(self, setup: Environment, say: Say) -> None:
        self._setup, self._say = setup, say
        self._begun = time.monotonic()
        self._over = asyncio.Event()
        self._told: list[Attempt] = []
        self._injector = FaultInjector(setup, say, self._clock)
        self._calm_at = 0.0
        self._apps = [asyncio.create_task(streamer.run(self._over, self._told)) for streamer in setup.streamers]
        self.failures: list[str] = []

    def _clock(self) -> float:
        return time.monotonic() - self._begun

    async def break_things(self, faults: list[Fault], seconds: float) -> None:
        progress = asyncio.create_task(self._progress())
        for fault in faults:
            await asyncio.sleep(max(0.0, fault.at - self._clock()))
            self._injector.begin(fault)
        await asyncio.sleep(max(0.0, seconds - self._clock()))
        self._over.set()
        await self._injector.calm()
        self.failures += self._injector.failures
        self._calm_at = time.monotonic()
        progress.cancel()
        self._say(f"{self._clock():7.1f} s  the last fault is over, all apps stop")

    async def come_home(self) -> None:
        """Stop the apps, and wait for their last words."""
        _, late = await asyncio.wait(self._apps, timeout=HOME_WITHIN)
        for app in late:
            app.cancel()
        self.failures += [f"an app has not stopped within {HOME_WITHIN:g} s"] * len(late)

    async def wait_until_quiet(self) -> tuple[list[str], float]:
        """The leases and holds that are left after QUIET_WITHIN, and the seconds until there were none."""
        while True:
            asked_at = time.monotonic() - self._calm_at
            left = await _left(self._setup)
            if not left or asked_at > QUIET_WITHIN:
                break
            await asyncio.sleep(2)
        self._say(f"{self._clock():7.1f} s  {'something is left' if left else 'no lease and no hold is left'}")
        return left, asked_at

    async def gather(self, left: list[str], quiet_after: float) -> Evidence:
        program = self._setup.program
        rows = [_row(row) for row in await program.sessions()]
        audit = await program.audit()
        status = await program.stop()
        if status != 0:
            self.failures.append(f"the last SIGTERM ended the program with status {status} instead of 0")
        log = [line for line in program.service.log().splitlines() if any(word in line for word in BROKEN)]
        return Evidence(
            told=[_since(self._begun, attempt) for attempt in self._told],
            heard=self._setup.recorder.sessions,
            rows=rows,
            causes=[cause.since(self._begun) for cause in self._injector.causes],
            poor=frozenset(self._setup.poor),
            audit=audit,
            left=left,
            quiet_after=quiet_after,
            log=log[:MOST_LINES],
        )

    async def _progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY)
            sessions = self._setup.recorder.sessions
            live = sum(1 for streamer in self._setup.streamers if streamer.take is not None and streamer.take.live)
            heard = sum(float(heard.seconds) for heard in sessions.values())
            so_far = f"{len(sessions)} so far, {heard:.0f} s of audio heard upstream"
            self._say(f"{self._clock():7.1f} s  {live} live sessions, {so_far}")


@asynccontextmanager
async def _setup(home: Path, seed: int, say: Say) -> AsyncIterator[Environment]:
    spoiled: set[int] = set()
    recorder = UpstreamRecorder(lambda record: record.port in spoiled)

    def choose(record: Record) -> Script:
        if setup.script.silent_after is not None:
            spoiled.add(record.port)  # it will never say a word
        return replace(setup.script, interim_ms=20) if record.value("keywords") == TALKATIVE else setup.script

    async with (
        postgres(home) as database,
        DeepgramStandIn(choose, heard=recorder.heard, finished=recorder.finished) as standin,
        Proxy(standin.address) as upstream,
        Proxy(database.socket) as to_database,
    ):
        env = environment(
            home / "data",
            f"ws://127.0.0.1:{upstream.port}",
            WORKERS="2",
            DATABASE_URL=database.through(to_database.port),
            DRAIN_SECONDS="3",
        )
        async with Proxy(("127.0.0.1", int(env["PORT"]))) as front, running(env, database.url) as program:
            users = await program.users(RICH, RICH_SECONDS) + await program.users(POOR, POOR_SECONDS)
            say(f"{len(users)} users, two apps each; log: {home / 'data.log'}")
            luck = random.Random(f"{seed} clients")
            streamers = [
                Streamer(f"ws://127.0.0.1:{front.port}", User(**user), random.Random(luck.random()))
                for user in users
                for _ in range(2)
            ]
            setup = Environment(
                program=program,
                postgres=database,
                standin=standin,
                recorder=recorder,
                front=front,
                upstream=upstream,
                database=to_database,
                streamers=streamers,
                poor=[user["email"] for user in users[RICH:]],
                script=Script(word=WORD, keeps_audio=False, locate=_origin, patience=PATIENCE),
                spoiled=spoiled,
            )
            yield setup


def _origin(head: bytes) -> int | None:
    place = locate(head)
    return None if place is None else place.origin


async def _left(setup: Environment) -> list[str]:
    """Return leases and holds, by user."""
    emails = sorted({streamer.email for streamer in setup.streamers})
    held = [await setup.program.held(email) for email in emails]
    active = [row for row in await setup.program.sessions() if row["status"] == "active"]
    return [email for email, seconds in zip(emails, held, strict=True) if seconds] + [row["id"] for row in active]


def _row(row: dict[str, object]) -> Row:
    audio = row["audio_seconds"]
    return Row(
        session=str(row["id"]),
        user=str(row["email"]),
        status=str(row["status"]),
        reason=None if row["reason"] is None else str(row["reason"]),
        seconds_used=int(str(row["seconds_used"])),
        audio_seconds=None if audio is None else float(str(audio)),
    )


def _since(begun: float, told: Attempt) -> Attempt:
    times = told.began, told.ended, told.silent_since
    told.began, told.ended, told.silent_since = (moment - begun for moment in times)
    return told


def _known(evidence: Evidence) -> Iterator[str]:
    """Write everything that was checked, a line each, to help find the reason of a violation."""
    for kind in (evidence.causes, evidence.told, evidence.rows):
        yield from map(repr, kind)
    for heard in evidence.heard.values():
        yield f"{heard!r} {list(heard.spans)}"


def _summary(evidence: Evidence, faults: int) -> str:
    billed = sum(row.seconds_used for row in evidence.rows)
    heard = sum(float(heard.cost * heard.seconds) for heard in evidence.heard.values())
    return (
        f"{len(evidence.rows)} sessions in {len(evidence.told)} attempts, {faults} faults; "
        f"{billed} credits billed, {heard:.1f} heard upstream (replays and silence taken off)"
    )
