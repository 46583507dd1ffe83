"""`python -m bench.overlay`: what an overlay costs, and how much later than the caption socket it gets the same line.

Two hosts of one worker each use one PostgreSQL. All sessions are on one of them. First nobody watches, then a page for
each session watches on the same worker, then on the other host. CPU is that of the sessions' worker. Clients, pages and
the stand-in engine share one process, so the delays are an upper bound."""

import argparse
import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles
from time import monotonic
from typing import Any

from bench.kernel import command, cpu_seconds
from tests.e2e.client import User, sound
from tests.e2e.overlay import Page, address, page
from tests.e2e.service import Service, environment, serving
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.script import Script
from transcription_proxy.db.embedded import Embedded

INTERIM_MS = 200
"""Twice as often as Deepgram."""
Key = tuple[float, str, bool]


class TimedMessages(list[Any]):
    """A caption socket's messages. `at`: when each line came."""

    def __init__(self, messages: list[Any]) -> None:
        super().__init__(messages)
        self.at: dict[Key, float] = {}

    def append(self, message: Any) -> None:
        super().append(message)
        if message["type"] == "transcript":
            self.at[_key(message)] = monotonic()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.overlay", description=__doc__)
    arguments.add_argument("--sessions", type=int, default=20)
    arguments.add_argument("--seconds", type=int, default=20)
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-overlay-"))
    folder.chmod(0o755)
    try:
        with Embedded.acquire(folder / "database", settings={"max_connections": "100"}) as server:
            asyncio.run(_measure(folder, server.url, given.sessions, given.seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(folder: Path, database: str, sessions: int, seconds: int) -> None:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(DeepgramStandIn(Script(interim_ms=INTERIM_MS, word_ms=INTERIM_MS)))
        more = {"DATABASE_URL": database, "UPSTREAM_MAX_STREAMS": "1000"}
        env = environment(folder / "here", engine.url, **more)
        here = await stack.enter_async_context(serving(env))
        other = environment(folder / "there", engine.url, **more, JWT_SECRET=env["JWT_SECRET"])
        there = await stack.enter_async_context(serving(other))
        users = [await here.user() for _ in range(sessions)]
        (worker,) = [pid for pid in here.children() if "worker" in command(pid)]
        print(f"{'watched':18} {'lines':>7} {'CPU us/line':>12} {'p50 ms':>8} {'p99 ms':>8}", flush=True)
        await _watched(here, None, users, worker, 2)  # to warm up
        unwatched = 0.0
        for name, host in (("by nobody", None), ("on the same worker", here), ("on another host", there)):
            late, used = await _watched(here, host, users, worker, seconds)
            unwatched = unwatched or used
            print(f"{name:18} {_figures(late, used - unwatched)}", flush=True)


async def _watched(
    here: Service, host: Service | None, users: list[User], worker: int, seconds: int
) -> tuple[list[float], float]:
    """Return how late lines were at each user's page, in milliseconds, and the worker's CPU meanwhile, in seconds."""
    async with AsyncExitStack() as stack:
        pages = []
        for user in users:
            if host:
                pages.append(await stack.enter_async_context(page(host, await address(here, user))))
        before = cpu_seconds(worker)
        spoken = await asyncio.gather(*(_speak(here, user, seconds) for user in users))
        used = cpu_seconds(worker) - before
        return [lag for shown, at in zip(pages, spoken, strict=False) for lag in _lags(shown, at)], used


async def _speak(here: Service, user: User, seconds: int) -> dict[Key, float]:
    """Stream in real time. Return when the client got each line."""
    captions = await here.captions(user)
    messages = captions.messages = TimedMessages(captions.messages)
    await captions.ready()
    await captions.send(sound(seconds), speed=1)
    await captions.stop()
    return messages.at


def _lags(shown: Page, at_client: dict[Key, float]) -> list[float]:
    lines = [(_key(line), at) for name, line, at in shown.events if name == "line"]
    return [1000 * (at - at_client[key]) for key, at in lines if key in at_client]


def _key(line: Any) -> Key:
    return line["start"], line["text"], line["is_final"]


def _figures(late: list[float], used: float) -> str:
    if not late:
        return f"{0:7} {'-':>12} {'-':>8} {'-':>8}"
    cuts = quantiles(late, n=100)
    return f"{len(late):7} {1e6 * used / len(late):12.0f} {cuts[49]:8.1f} {cuts[98]:8.1f}"


if __name__ == "__main__":
    main()
