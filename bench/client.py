"""One client of the load: speaks the caption protocol with a token, and Deepgram's without."""

import asyncio
import random
import ssl
from array import array
from time import perf_counter

import msgspec
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

SAMPLES_PER_MS = 16
CONNECT_SECONDS = 30.0
READ_BUFFER_BYTES = 4096
LOUDNESS = 3000
"""Amplitude of the noise that is sent: about -25 dBFS, so that no warning of silence comes."""


class ConnectFailed(Exception):
    """A client got no `ready`, with the reason."""


class Heard(msgspec.Struct):
    """The part of a message that the load looks at. Both dialects name times alike."""

    type: str = ""
    start: float = 0.0
    duration: float = 0.0
    is_final: bool = False
    code: str = ""


_decode = msgspec.json.Decoder(Heard).decode


def noise(frame_ms: int) -> bytes:
    """Return a frame of 16-bit PCM at 16 kHz, the same in each run."""
    source = random.Random(frame_ms)
    samples = (source.randint(-LOUDNESS, LOUDNESS) for _ in range(frame_ms * SAMPLES_PER_MS))
    return array("h", samples).tobytes()


class Client(WSListener):
    """A connection with the times of its frames.

    `latencies`: seconds from sending a frame to receiving the words that cover the audio up to its end; shared by all
    clients, which append to it while it is not None.
    """

    latencies: "array[float] | None" = None

    def __init__(self, frame: bytes, token: str | None = None) -> None:
        self._frame = frame
        self._period = len(frame) / (2000 * SAMPLES_PER_MS)
        self._token = token
        self._sent_at = array("d")
        self._final_frames = 0
        self._transport: WSTransport | None = None
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.got_end = False
        """Whether the service has said `session_end`."""

    async def connect(self, url: str) -> None:
        """Connect, authenticate, and wait until the service is ready. Raise ConnectFailed."""
        context = _trusting() if url.startswith("wss:") else None
        try:
            await ws_connect(
                lambda: self,
                url,
                ssl_context=context,
                websocket_handshake_timeout=CONNECT_SECONDS,
                read_buffer_init_size=READ_BUFFER_BYTES,
            )
            await asyncio.wait_for(asyncio.shield(self.ready), CONNECT_SECONDS)
        except (OSError, WSError, TimeoutError) as error:
            self.drop()
            raise ConnectFailed(f"{type(error).__name__}: {error}") from error

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self.closed.done()

    @property
    def sent(self) -> int:
        """Frames sent so far."""
        return len(self._sent_at)

    @property
    def unfinal_bytes(self) -> int:
        """Bytes of audio that no final covers, which a service must keep to send them again."""
        return (self.sent - self._final_frames) * len(self._frame)

    def send(self) -> None:
        """Send the next frame, once the stream is ready."""
        if self._transport is not None and self.ready.done() and not self.closed.done():
            self._sent_at.append(perf_counter())
            self._transport.send(WSMsgType.BINARY, self._frame)

    def stop(self) -> None:
        """End the stream in order."""
        if self._transport is None or self.closed.done():
            return
        if self._token is None:
            self._transport.send_close(WSCloseCode.OK)
        else:
            self._transport.send(WSMsgType.TEXT, b'{"type":"stop"}')

    def drop(self) -> None:
        """Close the socket without a word."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._token is None:
            self.ready.set_result(None)
        else:
            transport.send(WSMsgType.TEXT, msgspec.json.encode({"type": "auth", "token": self._token}))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        if frame.msg_type != WSMsgType.TEXT:
            return
        now = perf_counter()
        heard = _decode(frame.get_payload_as_bytes())
        if heard.type in ("transcript", "Results"):
            frames = round((heard.start + heard.duration) / self._period)
            if self.latencies is not None and 0 < frames <= self.sent:
                self.latencies.append(now - self._sent_at[frames - 1])
            if heard.is_final:
                self._final_frames = frames
        elif heard.type == "session_end":
            self.got_end = True
        elif not self.ready.done() and heard.type == "ready":
            self.ready.set_result(None)
        elif not self.ready.done() and heard.type == "error":
            self.ready.set_exception(ConnectFailed(heard.code))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed.set_result(None)
        if not self.ready.done():
            self.ready.set_exception(ConnectFailed("closed before it was ready"))
            self.ready.exception()  # nobody may be waiting for it


def _trusting() -> ssl.SSLContext:
    """Return a context that takes any certificate: this is the stand-in's, on this machine."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def close_all(clients: list[Client], seconds: float) -> int:
    """Stop all clients and wait until they are closed. Return how many were not after `seconds`."""
    for client in clients:
        client.stop()
    waiting = [client.closed for client in clients if client.is_open]
    if not waiting:
        return 0
    _, left = await asyncio.wait(waiting, timeout=seconds)
    return len(left)
