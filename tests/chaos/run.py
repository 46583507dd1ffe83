"""One run: builds the stage, lets the plan loose on it, waits until all is quiet, and has it judged."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.chaos.audio import locate
from tests.chaos.ears import Ears
from tests.chaos.evidence import Evidence, Row, Told, Violation
from tests.chaos.havoc import Havoc, Stage
from tests.chaos.judge import QUIET_WITHIN, judge
from tests.chaos.plan import plan
from tests.chaos.program import Program, postgres
from tests.chaos.proxy import Proxy
from tests.chaos.streamer import TALKATIVE, Streamer
from tests.e2e.client import User
from tests.e2e.service import environment
from tests.e2e.upstream import WORD
from tests.standin.deepgram import DeepgramStandIn, Record
from tests.standin.script import Script

RICH, POOR = 5, 2
"""Users; each has two apps."""
RICH_SECONDS, POOR_SECONDS = 1_000_000, 60
PATIENCE: Final = 25.0
"""Of the stand-in, without a frame: longer than any fault keeps them from it, so that late ones are still heard."""
PROGRESS_EVERY: Final = 10.0
HOME_WITHIN: Final = 90.0
"""Seconds that the apps may take to stop after the last fault."""
BROKEN: Final = ("Traceback", "task_died", "session_broke", "settle_broke", "close_broke", "open_failed", WORD)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    summary: str
    violations: list[Violation]


async def chaos(seed: int, seconds: float, home: Path, say: Say) -> Verdict:
    """Streams for `seconds`, and breaks what the plan of `seed` says."""
    faults = plan(seed, seconds)
    say(f"Seed {seed}: {len(faults)} faults in {seconds:g} s")
    for fault in faults:
        say(f"  {fault}")
    told: list[Told] = []
    over = asyncio.Event()
    async with _stage(home, told, over, seed, say) as (stage, ears):
        begun = time.monotonic()

        def clock() -> float:
            return time.monotonic() - begun

        havoc = Havoc(stage, say, clock)
        apps = [asyncio.create_task(streamer.run()) for streamer in stage.streamers]
        progress = asyncio.create_task(_progress(stage, told, ears, clock, say))
        for fault in faults:
            await asyncio.sleep(max(0.0, fault.at - clock()))
            havoc.begin(fault)
        await asyncio.sleep(max(0.0, seconds - clock()))
        over.set()
        await havoc.calm()
        calm_at = time.monotonic()
        say(f"{clock():7.1f} s  the last fault is over, all apps stop")
        _, late = await asyncio.wait(apps, timeout=HOME_WITHIN)
        for app in apps:
            app.cancel()
        failures = [f"an app is stuck after {HOME_WITHIN:g} s"] * len(late) + havoc.failures
        left = await _left(stage, told)
        while left and time.monotonic() < calm_at + QUIET_WITHIN:
            await asyncio.sleep(2)
            left = await _left(stage, told)
        quiet_after = 0.0 if left else time.monotonic() - calm_at
        say(f"{clock():7.1f} s  {'something is left' if left else 'no lease and no hold is left'}")
        progress.cancel()
        rows = [_row(row) for row in await stage.program.sessions()]
        audit = await stage.program.audit()
        status = await stage.program.stop()
        if status != 0:
            failures.append(f"the last SIGTERM ended the program with status {status}")
        log = [line for line in stage.program.service.log().splitlines() if any(word in line for word in BROKEN)]
    evidence = Evidence(
        told=[_since(begun, attempt) for attempt in told],
        heard=ears.sessions,
        rows=rows,
        causes=[cause.since(begun) for cause in havoc.causes],
        poor=frozenset(stage.poor),
        audit=audit,
        left=left,
        quiet_after=quiet_after,
        log=log[:20],
    )
    (home / "evidence.txt").write_text("\n".join(_known(evidence)))
    violations = [Violation("the run", "that it can be done", failure) for failure in failures] + judge(evidence)
    return Verdict(_summary(evidence, len(faults)), violations)


@asynccontextmanager
async def _stage(
    home: Path, told: list[Told], over: asyncio.Event, seed: int, say: Say
) -> AsyncIterator[tuple[Stage, Ears]]:
    spoiled: set[int] = set()
    ears = Ears(lambda record: record.port in spoiled)
    script = Script(word=WORD, keeps_audio=False, locate=_origin, patience=PATIENCE)

    def choose(record: Record) -> Script:
        return replace(stage.script, interim_ms=20) if record.value("keywords") == TALKATIVE else stage.script

    async with (
        postgres(home) as database,
        DeepgramStandIn(choose, heard=ears.heard, finished=ears.finished) as standin,
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
        async with Proxy(("127.0.0.1", int(env["PORT"]))) as front:
            program = Program(env, database.url)
            await program.start()
            users = await program.users(RICH, RICH_SECONDS) + await program.users(POOR, POOR_SECONDS)
            say(f"{len(users)} users, two apps each; log: {home / 'data.log'}")
            luck = random.Random(f"{seed} clients")
            streamers = [
                Streamer(f"ws://127.0.0.1:{front.port}", User(**user), random.Random(luck.random()), over, told)
                for user in users
                for _ in range(2)
            ]
            poor = [user["email"] for user in users[RICH:]]
            stage = Stage(program, database, standin, front, upstream, to_database, streamers, poor, script, spoiled)
            yield stage, ears


def _origin(head: bytes) -> int | None:
    place = locate(head)
    return None if place is None else place.origin


async def _progress(stage: Stage, told: list[Told], ears: Ears, clock: Callable[[], float], say: Say) -> None:
    while True:
        await asyncio.sleep(PROGRESS_EVERY)
        live = sum(1 for streamer in stage.streamers if streamer.take is not None and streamer.take.live)
        heard = sum(float(heard.seconds) for heard in ears.sessions.values())
        so_far = f"{len(ears.sessions)} so far, {heard:.0f} s of audio heard upstream"
        say(f"{clock():7.1f} s  {live} live sessions, {so_far}")


async def _left(stage: Stage, told: list[Told]) -> list[str]:
    """Leases and holds, by user."""
    emails = sorted({attempt.user for attempt in told})
    held = [await stage.program.held(email) for email in emails]
    active = [row for row in await stage.program.sessions() if row["status"] == "active"]
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


def _since(begun: float, told: Told) -> Told:
    times = told.began, told.ended, told.silent_since
    told.began, told.ended, told.silent_since = (moment - begun for moment in times)
    return told


def _known(evidence: Evidence) -> Iterator[str]:
    """All that was judged, a line each, for whoever looks for the reason of a violation."""
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
