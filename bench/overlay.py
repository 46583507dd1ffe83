"""`python -m bench.overlay`: how much later than the caption socket an overlay gets the same line.

Two hosts on one PostgreSQL; every session is on one and its overlay on the other (by NOTIFY), and for comparison on the
same. Clients, pages and the stand-in engine share this process, so that the figures are upper bounds."""

import argparse
import asyncio
import json
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles
from time import monotonic

from tests.e2e.client import User, sound
from tests.e2e.overlay import Page, address, page
from tests.e2e.service import Service, environment, serving
from tests.standin.deepgram import DeepgramStandIn
from transcription_proxy.db.embedded import Embedded


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
        engine = await stack.enter_async_context(DeepgramStandIn())
        env = environment(folder / "here", engine.url, DATABASE_URL=database, UPSTREAM_MAX_STREAMS="1000")
        here = await stack.enter_async_context(serving(env))
        other = environment(folder / "there", engine.url, DATABASE_URL=database, JWT_SECRET=env["JWT_SECRET"])
        there = await stack.enter_async_context(serving(other))
        users = [await here.user() for _ in range(sessions)]
        for name, host in (("another host", there), ("the same worker", here)):
            late = await asyncio.gather(*(_session(here, host, user, seconds) for user in users))
            print(f"{name}: {_figures([each for lags in late for each in lags])}")


async def _session(here: Service, host: Service, user: User, seconds: int) -> list[float]:
    """Milliseconds between the same line at the caption socket and at the page."""
    async with page(host, await address(here, user)) as shown:
        captions = await here.captions(user, {"interim_results": True})
        await captions.ready()
        told: dict[tuple[float, str, bool], float] = {}
        noting = asyncio.create_task(_note(captions.messages, told))
        await captions.send(sound(seconds), speed=1)
        await captions.stop()
        noting.cancel()
        return _lags(shown, told)


async def _note(messages: list[dict[str, object]], told: dict[tuple[float, str, bool], float]) -> None:
    """When each transcript was there, to a millisecond."""
    seen = 0
    while True:
        for message in messages[seen:]:
            if message["type"] == "transcript":
                told[message["start"], message["text"], message["is_final"]] = monotonic()  # type: ignore[index]
        seen = len(messages)
        await asyncio.sleep(0.001)


def _lags(shown: Page, told: dict[tuple[float, str, bool], float]) -> list[float]:
    lines = [(line, at) for name, line, at in shown.events if name == "line"]
    keys = [((line["start"], line["text"], line["is_final"]), at) for line, at in lines]
    return [1000 * (at - told[key]) for key, at in keys if key in told]


def _figures(late: list[float]) -> str:
    cuts = quantiles(late, n=100)
    return json.dumps({"lines": len(late), "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)})


if __name__ == "__main__":
    main()
