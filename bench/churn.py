"""Clients that come and go all the time, as a long day has them: some stop, some vanish, some are never let in."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import cycle

from bench.client import Client, ConnectFailed, noise

FRAME_MS = 100
LONGEST_SECONDS = 12
"""Length of a stream, long enough for a settle (money 12)."""
MUTED_SECONDS = 6
"""Longer than a session keeps its hold without audio (money 13)."""
END_SECONDS = 30.0
ACCOUNTS_PER_CLIENT = 4
"""So that a client that comes back is not refused because of its own last sessions, which are still ending."""


class Churn:
    """Runs many clients at once. `counts`: sessions of each kind; `failures`: what went wrong, by its reason."""

    def __init__(self, url: str, tokens: list[str], clients: int) -> None:
        self._url = url
        self._clients = clients
        self._tokens = cycle(tokens)
        self._frame = noise(FRAME_MS)
        self._random = random.Random(1)
        self._stopping = False
        self.live = 0
        self.counts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._kinds: dict[Callable[[Client], Awaitable[None]], int] = {
            self._stop: 5,
            self._vanish: 3,
            self._mute: 1,
        }

    async def run(self) -> None:
        """Let clients come and go until `stop`, and wait until the last has gone."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._come_and_go())

    def stop(self) -> None:
        """Let no more clients come."""
        self._stopping = True

    async def _come_and_go(self) -> None:
        await asyncio.sleep(self._random.random() * LONGEST_SECONDS / 4)
        while not self._stopping:
            if self._random.random() < 0.1:
                await self._be_refused()
            elif self._random.random() < 0.1:
                await self._leave_early()
            else:
                await self._hold_session()

    async def _hold_session(self) -> None:
        (end,) = self._random.choices(list(self._kinds), list(self._kinds.values()))
        client = Client(self._frame, next(self._tokens))
        try:
            await client.connect(self._url)
        except ConnectFailed as failure:
            self.failures[str(failure)] += 1
            await asyncio.sleep(1)
            return
        self.live += 1
        try:
            await end(client)
        finally:
            self.live -= 1

    async def _stop(self, client: Client) -> None:
        """Stream, and end in order."""
        self.counts["stopped"] += 1
        await self._stream(client)
        client.stop()
        try:
            await asyncio.wait_for(asyncio.shield(client.closed), END_SECONDS)
        except TimeoutError:
            self.failures["not closed after stop"] += 1
            client.drop()

    async def _vanish(self, client: Client) -> None:
        """Stream, and close the socket without a word."""
        self.counts["vanished"] += 1
        await self._stream(client)
        client.drop()

    async def _mute(self, client: Client) -> None:
        """Send nothing for a while, then end in order."""
        self.counts["muted"] += 1
        await asyncio.sleep(MUTED_SECONDS)
        client.stop()
        await asyncio.wait([client.closed], timeout=END_SECONDS)

    async def _leave_early(self) -> None:
        """Close the socket while the session is being opened."""
        self.counts["left early"] += 1
        client = Client(self._frame, next(self._tokens))
        connecting = asyncio.create_task(client.connect(self._url))
        await asyncio.sleep(self._random.random() * 0.05)
        client.drop()
        await asyncio.gather(connecting, return_exceptions=True)
        client.drop()

    async def _be_refused(self) -> None:
        """Present a token that is none."""
        self.counts["refused"] += 1
        client = Client(self._frame, "not-a-token")
        try:
            await client.connect(self._url)
        except ConnectFailed as failure:
            if str(failure) != "unauthorized":
                self.failures[f"bad token: {failure}"] += 1
        await asyncio.wait([client.closed], timeout=END_SECONDS)

    async def _stream(self, client: Client) -> None:
        """Send audio in real time for a random while, or until the service closes the socket."""
        for _ in range(self._random.randrange(LONGEST_SECONDS * 1000 // FRAME_MS)):
            if not client.is_open:
                self.failures["closed by the service"] += 1
                return
            client.send()
            await asyncio.sleep(FRAME_MS / 1000)
