"""Adds to the metrics what a worker's live sessions did, once a second, so that nothing is counted per audio frame."""

import asyncio
from itertools import count
from time import monotonic
from typing import Final

from transcription_proxy import metrics
from transcription_proxy.ledger.watch import Watch
from transcription_proxy.relay.switchboard import Switchboard

SAMPLE_SECONDS: Final = 1.0
DATABASE_SAMPLES: Final = 5
"""The database is asked with each fifth sample."""


class Sampler:
    """`run` is to run in the background."""

    def __init__(self, switchboard: Switchboard, watch: Watch) -> None:
        self._switchboard = switchboard
        self._watch = watch

    async def run(self) -> None:
        """Sample until cancelled."""
        for number in count():
            due = monotonic() + SAMPLE_SECONDS
            await asyncio.sleep(SAMPLE_SECONDS)
            metrics.LOOP_LAG.observe(max(0.0, monotonic() - due))
            self.sample()
            if number % DATABASE_SAMPLES == 0:
                metrics.DATABASE_UP.set(await self._watch.is_writable())

    def sample(self) -> None:
        """Take what sessions and sockets have counted since the last sample."""
        relays = list(self._switchboard.relays.values())
        for relay in relays:
            relay.report_audio()
            if relay.session.is_live:
                metrics.DELAY.observe(relay.session.behind_seconds)
        for recording in list(self._switchboard.recordings.values()):
            recording.report_audio()
        for socket in self._switchboard.sockets:
            socket.report_frames()
        metrics.LIVE_SESSIONS.set(sum(relay.session.is_live for relay in relays))
        metrics.UNSETTLED.set(sum(relay.session.credit.unsettled for relay in relays))
        waiting = len(self._switchboard.unauthenticated)
        metrics.SOCKETS.labels("unauthenticated").set(waiting)
        metrics.SOCKETS.labels("authenticated").set(len(self._switchboard.sockets) - waiting)
