"""Events on their way to the one webhook endpoint: several at once, each until it is taken or a day has passed."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from transcription_sandbox.signing import headers
from transcription_sandbox.state import Due, State

AT_ONCE: Final = 8
TIMEOUT: Final = 10.0
LONGEST_PAUSE: Final = 300.0
GIVE_UP: Final = 86400.0
log = logging.getLogger(__name__)


def pause(attempts: int) -> float:
    """Seconds to wait after so many attempts: 1, 2, 4, ... 300."""
    return min(2.0 ** min(attempts - 1, 20), LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    secret: str


class Courier:
    """`run` may be called again after it failed: what was under way is sent again."""

    def __init__(self, state: State, endpoint: Endpoint, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._endpoint = endpoint
        self._clock = clock
        self._news = asyncio.Event()
        self._under_way: set[tuple[str, int]] = set()
        state.on_event = self._news.set

    async def run(self) -> None:
        """For ever."""
        self._under_way.clear()
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client, asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                with self._state.transaction(self._clock()) as records:
                    waiting = [due for due in records.due() if due.key not in self._under_way]
                now = self._clock()
                for due in [due for due in waiting if due.at <= now][: AT_ONCE - len(self._under_way)]:
                    self._under_way.add(due.key)
                    group.create_task(self._deliver(client, due))
                await self._until(min((due.at for due in waiting if due.at > now), default=None))

    async def _until(self, moment: float | None) -> None:
        """Or until there is news."""
        try:
            async with asyncio.timeout(None if moment is None else max(moment - self._clock(), 0)):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _deliver(self, client: httpx.AsyncClient, due: Due) -> None:
        with self._state.transaction(self._clock()) as records:
            payload = json.dumps(records.get("event", due.event), indent=2).encode()
        signed = headers(payload, self._endpoint.secret, int(self._clock()))
        url = self._endpoint.url
        try:
            async with asyncio.timeout(TIMEOUT), client.stream("POST", url, content=payload, headers=signed) as answer:
                outcome, taken = str(answer.status_code), answer.is_success
        except (httpx.HTTPError, TimeoutError) as error:
            outcome, taken = type(error).__name__, False
        self._note(due, outcome, taken=taken)

    def _note(self, due: Due, outcome: str, *, taken: bool) -> None:
        now = self._clock()
        with self._state.transaction(now) as records:
            if taken:
                records.delivered(due, outcome)
            elif now - due.since >= GIVE_UP:
                records.given_up(due, outcome)
            else:
                records.put_off(due, outcome, now + pause(due.attempts + 1))
        self._under_way.discard(due.key)
        self._news.set()
