"""Captions straight from Deepgram, with the user's own key. Deepgram bills the user; the service is not involved."""

import asyncio
import json
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import websockets

from transcription_client.connection import SocketConnection, connect
from transcription_client.engine import sentences
from transcription_client.engine.providers import OnMessage
from transcription_client.engine.settings import Settings
from transcription_client.errors import ClientError, Unreachable
from transcription_client.net import proxy_for, unreachable
from transcription_client.redial import Ended
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

KEEPALIVE_SECONDS: Final = 4.0
"""Pause of audio after which a KeepAlive is sent: Deepgram closes after 10 s without (deepgram 1.4)."""
NAMES: Final = {wire.Finalize: "Finalize", wire.Stop: "CloseStream", wire.Keepalive: "KeepAlive"}


class _Alternative(msgspec.Struct):
    transcript: str = ""
    confidence: float | None = None


class _Channel(msgspec.Struct):
    alternatives: list[_Alternative]


class _Results(msgspec.Struct, tag="Results"):
    channel: _Channel
    start: float
    duration: float
    is_final: bool = False
    speech_final: bool = False


class _Metadata(msgspec.Struct, tag="Metadata"):
    """The last message before the close."""


_decoder: Final = msgspec.json.Decoder(_Results | _Metadata)


class Byok:
    """Deepgram as a provider of captions."""

    connecting = sentences.CONNECTING
    live = sentences.LIVE

    def __init__(self, settings: Settings) -> None:
        self._address = settings.deepgram_url
        self._url = f"{settings.deepgram_url}/v1/listen?{query(settings.session)}"
        self._headers = {"Authorization": f"Token {settings.byok_api_key}"}

    async def connect(self, on_message: OnMessage) -> "DeepgramConnection":
        try:
            socket = await connect(self._url, proxy_for(self._address), self._headers)
        except websockets.InvalidStatus as error:
            raise _refusal(error) from error
        except (OSError, websockets.WebSocketException) as error:
            raise unreachable(self._address, error) from error
        return DeepgramConnection(socket, on_message)

    async def maintain(self) -> None:
        """Deepgram's keys need no renewal."""

    async def close(self) -> None:
        """Nothing is left to do."""


class DeepgramConnection(SocketConnection):
    """A connection to Deepgram that speaks as the service does."""

    def __init__(self, socket: websockets.ClientConnection, on_message: OnMessage) -> None:
        super().__init__(socket)
        self._on_message = on_message
        self._stopped = False
        self._metadata = False
        self._sent = False
        """Whether anything was sent since the last look."""
        self._keeping_alive = asyncio.create_task(self._keep_alive())

    async def send_audio(self, sound: bytes) -> bool:
        self._sent = True
        return await super().send_audio(sound)

    async def send_message(self, message: wire.ClientMessage) -> bool:
        self._stopped |= isinstance(message, wire.Stop)
        return await self._send(json.dumps({"type": NAMES[type(message)]}))

    async def close(self) -> Ended:
        self._keeping_alive.cancel()
        return await super().close()

    def abort(self) -> None:
        self._keeping_alive.cancel()
        super().abort()

    def _ended(self) -> Ended:
        finished = self._stopped and self._metadata
        return Ended(ready=True, reason=Reason.CLIENT_STOP if finished else None)

    def _take(self, text: str) -> None:
        try:
            message = _decoder.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return  # a message that this client has no use for
        match message:
            case _Metadata():
                self._metadata = True
            case _Results():
                self._on_message(_transcript(message))

    async def _keep_alive(self) -> None:
        while not self.listening.done():
            self._sent = False
            await asyncio.wait((self.listening,), timeout=KEEPALIVE_SECONDS)
            if not self._sent and not self._stopped:
                await self.send_message(wire.Keepalive())


def query(session: dict[str, Any]) -> str:
    """Return the options of a session as Deepgram has them: booleans in lower case, a list as a repeated key."""
    pairs = [(key, each) for key, value in session.items() for each in (value if isinstance(value, list) else [value])]
    return urlencode([(key, str(each).lower() if isinstance(each, bool) else each) for key, each in pairs])


def _transcript(results: _Results) -> wire.Transcript:
    best = results.channel.alternatives[0] if results.channel.alternatives else _Alternative()
    return wire.Transcript(
        best.transcript, results.is_final, best.confidence, results.start, results.duration, results.speech_final
    )


def _refusal(error: websockets.InvalidStatus) -> ClientError:
    """Return the error for a refused handshake (deepgram 1.3)."""
    status = error.response.status_code
    if status in (401, 403):
        return ClientError(sentences.KEY_REFUSED)
    if status == 402:
        return ClientError(sentences.DEEPGRAM_UNPAID)
    if status == 429:
        return Unreachable(sentences.DEEPGRAM_BUSY)
    detail = error.response.headers.get("dg-error", "").rstrip(".")
    kind = Unreachable if status >= 500 else ClientError
    return kind(sentences.deepgram_refused(status, detail))
