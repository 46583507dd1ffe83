"""Delivers events to the webhook endpoint, several at once, each until it is accepted or a day has passed."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx

from transcription_sandbox.signing import headers
from transcription_sandbox.state import DueDelivery, State

MAX_DELIVERIES: Final = 8
"""Deliveries at the same time."""
TIMEOUT_SECONDS: Final = 10.0
"""Timeout of one attempt."""
MAX_PAUSE_SECONDS: Final = 300.0
GIVE_UP_SECONDS: Final = 86400.0


def pause_seconds(attempts: int) -> float:
    """Return how long to wait after so many attempts: 1, 2, 4, ... 300."""
    return min(2.0 ** min(attempts - 1, 20), MAX_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where events go, and the secret that signs them."""

    url: str
    secret: str


class Deliverer:
    """Delivers the events of `state`. `run` may be called again after it failed: unfinished deliveries start over."""

    def __init__(self, state: State, webhook: Webhook) -> None:
        self._state = state
        self._webhook = webhook
        self._changed = asyncio.Event()
        self._in_progress: set[tuple[str, int]] = set()
        state.on_event = self._changed.set

    async def run(self) -> None:
        """Deliver events until cancelled."""
        self._in_progress.clear()
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client, asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                now = time.time()
                with self._state.transaction(now) as records:
                    waiting = [due for due in records.due() if due.key not in self._in_progress]
                for due in [due for due in waiting if due.at <= now][: MAX_DELIVERIES - len(self._in_progress)]:
                    self._in_progress.add(due.key)
                    group.create_task(self._deliver(client, due))
                await self._wait(min((due.at for due in waiting if due.at > now), default=None))

    async def _wait(self, until: float | None) -> None:
        """Wait until a time, None for ever, or until a delivery is added or finished."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(until - time.time(), 0)):
                await self._changed.wait()

    async def _deliver(self, client: httpx.AsyncClient, due: DueDelivery) -> None:
        with self._state.transaction(time.time()) as records:
            payload = json.dumps(records.get("event", due.event)).encode()
        url, signed = self._webhook.url, headers(payload, self._webhook.secret, int(time.time()))
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                client.stream("POST", url, content=payload, headers=signed) as answer,
            ):
                outcome, accepted = str(answer.status_code), answer.is_success
        except (httpx.HTTPError, TimeoutError) as error:
            outcome, accepted = type(error).__name__, False
        self._record(due, outcome, accepted=accepted)

    def _record(self, due: DueDelivery, outcome: str, *, accepted: bool) -> None:
        now = time.time()
        with self._state.transaction(now) as records:
            if accepted:
                records.mark_delivered(due, outcome)
            elif now - due.since >= GIVE_UP_SECONDS:
                records.give_up(due, outcome)
            else:
                records.postpone(due, outcome, now + pause_seconds(due.attempts + 1))
        self._in_progress.discard(due.key)
        self._changed.set()
