"""Audio on its way from the client to the upstream: what goes up now, whether to read on, and whether to settle."""

from typing import Final

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream import deepgram
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.audience import Audience
from transcription_proxy.stream.funding import Funding
from transcription_proxy.stream.phase import RUNNING, Phase
from transcription_proxy.stream.uplink import Uplink
from transcription_wire import messages as wire

EARLY_AUDIO_MS: Final = 5000
"""Audio kept before `ready`."""


class Flow:
    """Keeps nothing of its own: it weighs what the client, the upstream and the credit of a session allow."""

    def __init__(
        self,
        actions: list[ev.Action],
        client: Audience,
        upstream: Uplink,
        funding: Funding,
        meter: Meter,
        audio: AudioFormat,
    ) -> None:
        self._actions = actions
        self._client = client
        self._upstream = upstream
        self._funding = funding
        self._meter = meter
        self._early_bytes = audio.bytes_in(EARLY_AUDIO_MS)

    def pump(self, now: float) -> bool:
        """Sends up what waits, in order, as far as upstream and grant allow. Whether the client's `stop` is reached."""
        while not self._upstream.stalled:
            match self._upstream.tape.due():
                case wire.Finalize():
                    self._upstream.send(deepgram.FINALIZE, now)
                case wire.Stop():
                    return True
                case _:
                    if not self._upstream.forward(now):
                        break
        return False

    def steer(self, phase: Phase, now: float) -> None:
        """Decides whether to read on, and whether to settle."""
        upstream = self._upstream
        upstream.bound()
        self._client.hold(self._full(phase))
        if phase not in RUNNING:
            return
        if phase is Phase.LIVE and not self._client.paused:
            self._meter.open()
        else:
            self._meter.shut()
        self._funding.need(phase is Phase.LIVE and upstream.tape.unsent > 0 and not upstream.stalled, now)
        if self._funding.wanted(now):
            self._actions.append(ev.Settle(self._funding.state(now)))

    def _full(self, phase: Phase) -> bool:
        """Whether no more of the client's audio can be taken now."""
        tape = self._upstream.tape
        match phase:
            case Phase.DIALLING:
                return tape.crowded or tape.unsent >= self._early_bytes
            case Phase.LIVE:
                return tape.waits or self._upstream.stalled
            case Phase.REDIALLING:
                return self._upstream.overfull
            case _:
                return False  # what it sends is ignored, but its leaving is seen
