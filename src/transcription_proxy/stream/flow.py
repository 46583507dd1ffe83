"""Flow control of one session: what is sent upstream now, whether to read from the client, and whether to settle."""

from typing import Final

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream import deepgram
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.funding import Funding
from transcription_proxy.stream.phase import RUNNING, Phase
from transcription_proxy.stream.uplink import Uplink
from transcription_wire import messages as wire

EARLY_AUDIO_MS: Final = 5000
"""Milliseconds of audio buffered before `ready`."""


class Flow:
    """Decides from the state of the client, the upstream and the credit; has no state of its own."""

    def __init__(
        self,
        actions: list[ev.Action],
        client: SessionClient,
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

    def send_pending(self, now: float) -> bool:
        """Send what is buffered, in order, as far as upstream and grant allow. Return whether `stop` is reached."""
        while not self._upstream.is_stalled:
            match self._upstream.buffer.pop_request():
                case wire.Finalize():
                    self._upstream.send_text(deepgram.FINALIZE, now)
                case wire.Stop():
                    return True
                case _:
                    if not self._upstream.forward(now):
                        break
        return False

    def regulate(self, phase: Phase, now: float) -> None:
        """Pause or resume the client, open or shut the meter, and settle if it is time."""
        upstream = self._upstream
        upstream.trim()
        self._client.set_paused(self._is_full(phase))
        if phase not in RUNNING:
            return
        if phase is Phase.LIVE and not self._client.is_paused:
            self._meter.open()
        else:
            self._meter.shut()
        self._funding.record_need(phase is Phase.LIVE and upstream.buffer.unsent > 0 and not upstream.is_stalled, now)
        if self._funding.needs_settle(now):
            self._actions.append(ev.Settle(self._funding.next_settlement(now)))

    def _is_full(self, phase: Phase) -> bool:
        """Return whether no more audio can be buffered now."""
        tape = self._upstream.buffer
        match phase:
            case Phase.DIALLING:
                return tape.has_too_many_requests or tape.unsent >= self._early_bytes
            case Phase.LIVE:
                return tape.has_pending or self._upstream.is_stalled
            case Phase.REDIALLING:
                return self._upstream.is_full
            case _:
                return False  # input is ignored, but a disconnect must be noticed
