"""Injects the faults of a plan into a running service, and records when each fault really began and ended."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos.causes import Cause
from tests.chaos.plan import LANES, Fault
from tests.chaos.program import Postgres, Program, resume
from tests.chaos.proxy import Link, Proxy
from tests.chaos.recorder import UpstreamRecorder
from tests.chaos.streamer import Streamer, Take
from tests.standin.deepgram import DeepgramStandIn, Stream
from tests.standin.script import REFUSALS, Hangup, Script

GRANT = 90
"""Seconds of credit that a poor user gets now and then."""
DEAF_CLIENT = 28.0
HALF_OPEN = 30.0
BLOCKED = 5.0
HOUR = 3600.0
MUTE = 30.0
"""Longer than the stand-in waits for a frame."""


@dataclass
class Environment:
    """All parts of a run, and the proxies between them."""

    program: Program
    postgres: Postgres
    standin: DeepgramStandIn
    """The stand-in for the upstream."""
    front: Proxy
    """The proxy between the clients and the service."""
    upstream: Proxy
    database: Proxy
    recorder: UpstreamRecorder
    streamers: list[Streamer]
    poor: list[str]
    script: Script
    """The behaviour of new upstream connections."""
    spoiled: set[int]
    """Source ports of upstream connections whose end a fault changed."""


class FaultInjector:
    """Call `begin` for each fault when it is due. After `calm` all faults have ended."""

    def __init__(self, setup: Environment, say: Callable[[str], None], seconds: Callable[[], float]) -> None:
        self._setup, self._say, self._seconds = setup, say, seconds
        self.causes: list[Cause] = []
        self.failures: list[str] = []
        self._lanes = {kind: asyncio.Lock() for kind in LANES}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, fault: Fault) -> None:
        task = asyncio.create_task(self._run(fault))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def calm(self) -> None:
        """Wait until the faults under way have ended."""
        await asyncio.gather(*self._tasks)

    async def _run(self, fault: Fault) -> None:
        lane = next(name for name, kinds in LANES.items() if fault.kind in kinds)
        act: Callable[[Fault, random.Random], Awaitable[str]] = getattr(self, f"_{fault.kind}")
        if lane == "clients":  # each of these befalls another one
            await self._act(fault, act)
        else:
            async with self._lanes[lane]:
                await self._act(fault, act)

    async def _act(self, fault: Fault, act: Callable[[Fault, random.Random], Awaitable[str]]) -> None:
        begun = time.monotonic()
        number = len(self.causes)
        self.causes.append(Cause(fault.kind, begun, float("inf")))
        self._say(f"{fault} begins at {self._seconds():.1f}")
        try:
            what = await act(fault, random.Random(fault.luck))
        except Exception as error:
            what = f"could not be done: {error!r}"
            self.failures.append(f"{fault}: {what}")
        self.causes[number] = replace(self.causes[number], end=time.monotonic())
        self._say(f"{fault} over at {self._seconds():.1f}: {what}")

    # Processes

    async def _worker_killed(self, fault: Fault, luck: random.Random) -> str:
        pid = luck.choice(self._setup.program.workers())
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(fault.seconds)
        return f"kill -9 of worker {pid}"

    async def _worker_paused(self, fault: Fault, luck: random.Random) -> str:
        pid = luck.choice(self._setup.program.workers())
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            resume(pid)
        return f"SIGSTOP and SIGCONT of worker {pid}"

    async def _everything_killed(self, fault: Fault, luck: random.Random) -> str:
        self._setup.postgres.signal(signal.SIGKILL)
        await self._setup.program.kill()
        await asyncio.sleep(fault.seconds)
        await self._setup.postgres.ensure()
        await self._setup.program.start()
        return "kill -9 of the program, its workers and PostgreSQL, and a new start"

    async def _drained(self, fault: Fault, luck: random.Random) -> str:
        status = await self._setup.program.stop()
        if status != 0:
            self.failures.append(f"SIGTERM ended the program with status {status} instead of 0")
        await self._setup.program.start()
        return "SIGTERM, the end of all sessions, and a new start"

    # The database

    async def _db_killed(self, fault: Fault, luck: random.Random) -> str:
        return await self._bounced(signal.SIGKILL, fault.seconds)

    async def _db_restarted(self, fault: Fault, luck: random.Random) -> str:
        return await self._bounced(signal.SIGINT, fault.seconds)

    async def _bounced(self, number: signal.Signals, seconds: float) -> str:
        self._setup.postgres.signal(number)
        await asyncio.sleep(seconds)
        await self._setup.postgres.ensure()
        return f"PostgreSQL got {number.name} and was started again"

    async def _db_unreachable(self, fault: Fault, luck: random.Random) -> str:
        proxy = self._setup.database
        if luck.random() < 0.5:  # a partition: nothing answers
            async with weather(proxy, frozen=True):
                await asyncio.sleep(fault.seconds)
            return "a partition: no packet arrived, and then all of them"
        proxy.refusing = True
        for link in list(proxy.links):
            link.cut()
        await asyncio.sleep(fault.seconds)
        proxy.refusing = False
        return "connections were reset, and new ones refused"

    async def _db_slow(self, fault: Fault, luck: random.Random) -> str:
        async with weather(self._setup.database, delay=0.2):
            await asyncio.sleep(fault.seconds)
        return "0.2 s each way"

    async def _db_cut(self, fault: Fault, luck: random.Random) -> str:
        return self._cut(self._setup.database, fault, luck)

    async def _db_frozen(self, fault: Fault, luck: random.Random) -> str:
        return await self._frozen(self._setup.database, fault, luck)

    async def _db_clock_jumps(self, fault: Fault, luck: random.Random) -> str:
        """Inject a fault that must not end any session: no cause names it."""
        ahead = luck.choice((HOUR, -HOUR))
        try:
            await self._setup.postgres.set_clock(ahead)
            await asyncio.sleep(fault.seconds)
        finally:
            await self._setup.postgres.set_clock(0)
        return f"its clock jumped by {ahead:+g} s and back"

    # The upstream

    async def _up_closed_net0000(self, fault: Fault, luck: random.Random) -> str:
        return await self._followed(Script(hangup=Hangup(0, 1011, "NET-0000")), fault, luck)

    async def _up_closed_net0001(self, fault: Fault, luck: random.Random) -> str:
        return await self._followed(Script(hangup=Hangup(0, 1011, "NET-0001")), fault, luck)

    async def _up_closed_1000(self, fault: Fault, luck: random.Random) -> str:
        return await self._followed(Script(hangup=Hangup(0, 1000, "")), fault, luck)

    async def _up_reset(self, fault: Fault, luck: random.Random) -> str:
        return await self._followed(Script(reset_after=0), fault, luck)

    async def _up_stalled(self, fault: Fault, luck: random.Random) -> str:
        """Let open upstream connections, and sometimes new ones, take audio and send nothing."""
        return await self._followed(Script(silent_after=0), fault, luck, fault.seconds)

    async def _up_slow(self, fault: Fault, luck: random.Random) -> str:
        return await self._followed(Script(delay=2.0), fault, luck, fault.seconds)

    async def _up_refuses(self, fault: Fault, luck: random.Random) -> str:
        usual = self._setup.script
        self._setup.script = replace(usual, refuse=REFUSALS[503])
        told = await self._followed(Script(reset_after=0), fault, luck)
        await asyncio.sleep(fault.seconds)
        self._setup.script = usual
        return f"503 for {fault.seconds:g} s; {told}"

    async def _up_deaf(self, fault: Fault, luck: random.Random) -> str:
        return await self._befalls(self._setup.upstream, fault, luck, deaf_up=True)

    async def _up_frozen(self, fault: Fault, luck: random.Random) -> str:
        return await self._frozen(self._setup.upstream, fault, luck)

    async def _followed(self, script: Script, fault: Fault, luck: random.Random, seconds: float = 0) -> str:
        """Switch open upstream connections to another script for some time."""
        usual = self._setup.script
        streams = dict(self._setup.standin.streams)
        chosen = luck.sample(sorted(streams), round(fault.share * len(streams)))
        self._setup.spoiled |= {streams[number].port for number in chosen}
        if seconds and luck.random() < 0.4:
            self._setup.script = replace(usual, silent_after=script.silent_after, delay=script.delay)
        await self._follow(script, streams, chosen)
        await asyncio.sleep(seconds)
        self._setup.script = usual
        if seconds:
            await self._follow(usual, streams, chosen)
        return f"befell {len(chosen)} of {len(streams)} upstream connections"

    async def _follow(self, script: Script, streams: Mapping[int, Stream], chosen: list[int]) -> None:
        """Restore the script, except for stalled connections: they have dropped messages already."""

        def other(stream: Stream) -> Script:
            silent = stream.script.silent_after if script.silent_after is None else script.silent_after
            hangup, reset_after, delay = script.hangup, script.reset_after, script.delay
            return replace(stream.script, hangup=hangup, reset_after=reset_after, delay=delay, silent_after=silent)

        following = [streams[number].follow(other(streams[number])) for number in chosen]
        await asyncio.gather(*following, return_exceptions=True)

    # The network between clients and service

    async def _net_cut(self, fault: Fault, luck: random.Random) -> str:
        return self._cut(self._setup.front, fault, luck)

    async def _net_frozen(self, fault: Fault, luck: random.Random) -> str:
        return await self._frozen(self._setup.front, fault, luck)

    async def _net_slow(self, fault: Fault, luck: random.Random) -> str:
        return await self._befalls(self._setup.front, fault, luck, delay=1.0)

    async def _net_refuses(self, fault: Fault, luck: random.Random) -> str:
        self._setup.front.refusing = True
        told = self._cut(self._setup.front, fault, luck)
        await asyncio.sleep(fault.seconds)
        self._setup.front.refusing = False
        return told

    def _cut(self, proxy: Proxy, fault: Fault, luck: random.Random) -> str:
        links = self._hit(proxy, fault, luck)
        for link in links:
            link.cut()
        return f"reset {len(links)} connections"

    async def _frozen(self, proxy: Proxy, fault: Fault, luck: random.Random) -> str:
        return await self._befalls(proxy, fault, luck, frozen=True)

    def _hit(self, proxy: Proxy, fault: Fault, luck: random.Random) -> list[Link]:
        """Pick the connections of a fault, and record them, so that the fault excuses no other connection."""
        links = proxy.some(fault.share, luck)
        if proxy is self._setup.upstream:
            self._setup.spoiled |= {link.far_port for link in links}
        ports = {link.port for link in links if proxy is self._setup.front}
        for streamer in self._setup.streamers:
            if streamer.take is not None and streamer.take.port in ports:
                streamer.take.told.actions.add("hit")
        return links

    async def _befalls(self, proxy: Proxy, fault: Fault, luck: random.Random, **bad: Any) -> str:
        """Impair some connections for the time of the fault."""
        links = self._hit(proxy, fault, luck)
        good = {name: type(value)() for name, value in bad.items()}
        for link in links:
            link.change(**bad)
        await asyncio.sleep(fault.seconds)
        for link in links:
            link.change(**good)
        return f"befell {len(links)} connections"

    # Clients and users

    def _live(self) -> list[Take]:
        takes = [streamer.take for streamer in self._setup.streamers]
        return [take for take in takes if take is not None and take.live]

    async def _client_vanishes(self, fault: Fault, luck: random.Random) -> str:
        return await self._with_one(luck, self._live(), self._vanish_silently if luck.random() < 0.6 else _vanish)

    async def _vanish_silently(self, take: Take) -> None:
        """Drop a connection at the client only: its session is still live when the client returns (money 22)."""
        link = self._setup.front.link_of(take.port or 0)
        if link is not None:
            link.change(frozen=True)
        take.vanish()
        await asyncio.sleep(HALF_OPEN)
        if link is not None:
            link.change(frozen=False)

    async def _client_deaf(self, fault: Fault, luck: random.Random) -> str:
        live = self._live()
        return await self._with_one(luck, [take for take in live if take.talkative] or live, self._deafen)

    async def _client_drips(self, fault: Fault, luck: random.Random) -> str:
        return await self._with_one(luck, self._live(), lambda take: _do(lambda: take.drip(6000)))

    async def _client_babbles(self, fault: Fault, luck: random.Random) -> str:
        return await self._with_one(luck, self._live(), lambda take: take.babble(7))

    async def _client_floods(self, fault: Fault, luck: random.Random) -> str:
        return await self._with_one(luck, self._live(), lambda take: take.babble(100))

    async def _client_mute(self, fault: Fault, luck: random.Random) -> str:
        return await self._with_one(luck, self._live(), lambda take: _do(lambda: take.mute(MUTE)))

    async def _with_one(self, luck: random.Random, takes: list[Take], act: Callable[[Take], Awaitable[None]]) -> str:
        if not takes:
            return "nobody was there"
        take = luck.choice(takes)
        await act(take)
        return f"befell session {take.told.session}"

    async def _deafen(self, take: Take) -> None:
        """Stop reading from the service, at the proxy."""
        link = self._setup.front.link_of(take.port or 0)
        if link is not None:
            take.told.actions.add("deaf")
            link.change(deaf_down=True)
            await asyncio.sleep(DEAF_CLIENT)
            link.change(deaf_down=False)

    async def _credits_granted(self, fault: Fault, luck: random.Random) -> str:
        email = luck.choice(self._setup.poor)
        await self._setup.program.operate("credits", "grant", email, str(GRANT), "--reason", "chaos")
        return f"{email} bought {GRANT} s"

    async def _session_ended(self, fault: Fault, luck: random.Random) -> str:
        return await self._with_one(luck, self._live(), self._end)

    async def _end(self, take: Take) -> None:
        """End a session, unless it ended by itself meanwhile."""
        await self._setup.program.operator.run("session", "end", f"{take.told.session}")

    async def _user_blocked(self, fault: Fault, luck: random.Random) -> str:
        email = luck.choice(sorted({streamer.email for streamer in self._setup.streamers}))
        try:
            await self._setup.program.operate("user", "block", email)
            await asyncio.sleep(BLOCKED)
        finally:
            await self._setup.program.operate("user", "unblock", email)
        return f"user block and unblock of {email}"


async def _vanish(take: Take) -> None:
    take.vanish()


async def _do(act: Callable[[], None]) -> None:
    act()


@asynccontextmanager
async def weather(proxy: Proxy, **bad: Any) -> AsyncIterator[None]:
    """Apply to all connections of a proxy, and to new ones."""
    good = {name: type(value)() for name, value in bad.items()}
    proxy.change(**bad)
    try:
        yield
    finally:
        proxy.change(**good)
