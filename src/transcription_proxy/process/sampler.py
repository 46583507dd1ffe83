"""Adds to the metrics what a worker's live sessions did, once a second, so that nothing is counted per audio frame.

By the same count of frames it paces the event loop's turns."""

import asyncio
import itertools
from time import monotonic
from typing import Final

from transcription_proxy import metrics
from transcription_proxy.ledger.watch import Watch
from transcription_proxy.process.turns import Turns
from transcription_proxy.relay.switchboard import Switchboard

SAMPLE_SECONDS: Final = 1.0
DATABASE_SAMPLES: Final = 5
"""The database is asked with each fifth sample."""
DELAY_SAMPLES: Final = 10
"""A session's delay is observed with each tenth sample: prometheus-client takes 6 µs for it."""
RELAYS_AT_ONCE: Final = 100
"""Relays sampled before other tasks get a turn of the event loop."""


class Sampler:
    """`run` is to run in the background."""

    def __init__(self, switchboard: Switchboard, watch: Watch, turns: Turns) -> None:
        self._switchboard = switchboard
        self._watch = watch
        self._turns = turns

    async def run(self) -> None:
        """Sample until cancelled."""
        for number in itertools.count():
            due = monotonic() + SAMPLE_SECONDS
            await asyncio.sleep(SAMPLE_SECONDS)
            metrics.LOOP_LAG.observe(max(0.0, monotonic() - due))
            await self._sample(number)
            if number % DATABASE_SAMPLES == 0:
                metrics.DATABASE_UP.set(await self._watch.is_writable())

    async def _sample(self, number: int) -> None:
        """Take what sessions and sockets have counted since the last sample. `number`: of this sample."""
        audio_bytes = live = unsettled = 0
        for count, relay in enumerate(list(self._switchboard.relays.values())):
            audio_bytes += relay.take_audio_bytes()
            live += relay.session.is_live
            unsettled += relay.session.credit.unsettled
            if relay.session.is_live and (count + number) % DELAY_SAMPLES == 0:
                metrics.DELAY.observe(relay.session.behind_seconds)
            if count % RELAYS_AT_ONCE == RELAYS_AT_ONCE - 1:
                await asyncio.sleep(0)
        audio_bytes += sum(recording.take_audio_bytes() for recording in self._switchboard.recordings.values())
        metrics.BYTES.inc(audio_bytes)
        frames = sum(socket.take_frames() for socket in self._switchboard.sockets)
        metrics.FRAMES.inc(frames)
        self._turns.pace(frames / SAMPLE_SECONDS)
        metrics.LIVE_SESSIONS.set(live)
        metrics.UNSETTLED.set(unsettled)
        waiting = len(self._switchboard.unauthenticated)
        metrics.SOCKETS.labels("unauthenticated").set(waiting)
        metrics.SOCKETS.labels("authenticated").set(len(self._switchboard.sockets) - waiting)
