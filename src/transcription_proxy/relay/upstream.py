"""Our socket to the upstream: dialling it, and what comes of it as events of a session."""

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Final

import msgspec
import structlog
from picows import WSCloseCode, WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect
from python_socks import ProxyError

from transcription_proxy.relay.fragments import Fragments, Oversize
from transcription_proxy.stream import events as ev

HANDSHAKE_SECONDS: Final = 10.0
RETRY_EVERY: Final = 0.25
READ_BUFFER: Final = 4096
MAX_MESSAGE: Final = 1 << 20
MAX_DETAIL: Final = 300
TEXT: Final = WSMsgType.TEXT
log = structlog.get_logger()


class Refused(Exception):
    """The upstream could not be opened: no status when it could not be reached. `detail` is its own sentence."""

    def __init__(self, status: int | None, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


class Upstream(WSListener):
    """One upstream socket. Reports to `happen` from `begin` on until it is hung up."""

    def __init__(self, happen: Callable[[ev.Event], None]) -> None:
        self._report = happen
        self._early: list[ev.Event] = []
        self._happen: Callable[[ev.Event], None] | None = self._early.append
        self._fragments = Fragments(MAX_MESSAGE)
        self._transport: WSTransport | None = None

    def begin(self) -> None:
        """Its opening is told: what came with the answer to the handshake is reported now, and the rest as it comes."""
        if self._happen is not None:
            self._happen = self._report
        for event in self._early:
            if self._happen is not None:
                self._happen(event)
        self._early.clear()

    @property
    def is_open(self) -> bool:
        """Whether the upstream answered the handshake with 101."""
        return self._transport is not None

    @property
    def request_id(self) -> str | None:
        """The upstream's own name for the request."""
        headers = self._transport.response.headers if self._transport else {}
        return headers.get("dg-request-id")

    @property
    def send(self) -> Callable[[WSMsgType, bytes | memoryview], None]:
        """Of the open socket, for the path that every audio frame takes."""
        if self._transport is None:
            raise ConnectionError("the upstream is not open")
        return self._transport.send

    def send_audio(self, data: bytes | memoryview) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.BINARY, data)

    def send_text(self, text: bytes) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, text)

    def ping(self) -> None:
        if self._transport is not None:
            self._transport.send_ping()

    def hang_up(self) -> None:
        """Closes it. Nothing is reported any more."""
        self._happen = None
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._happen is None:  # given up while it was being opened
            self.hang_up()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._happen is None:
            return
        if frame.msg_type == TEXT and frame.fin and frame.payload_size <= MAX_MESSAGE:
            self._happen(ev.UpstreamSentText(frame.get_payload_as_bytes()))
            return
        match frame.msg_type:
            case WSMsgType.TEXT | WSMsgType.BINARY | WSMsgType.CONTINUATION:
                self._message(frame)
            case WSMsgType.PONG:
                self._happen(ev.UpstreamPonged())
            case WSMsgType.CLOSE:
                transport.send_close(WSCloseCode.OK)
                transport.disconnect()

    def _message(self, frame: WSFrame) -> None:
        try:
            message = self._fragments.add(frame)
        except Oversize:
            return
        if message is not None and message.is_text and self._happen is not None:
            self._happen(ev.UpstreamSentText(message.data))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        asyncio.get_running_loop().create_task(_absorb(transport))
        if self._happen is not None:
            handshake = transport.close_handshake
            received = handshake.recv if handshake else None
            self._happen(ev.UpstreamLost(received.code.value if received else None))

    def pause_writing(self) -> None:
        if self._happen is not None:
            self._happen(ev.UpstreamStalled())

    def resume_writing(self) -> None:
        if self._happen is not None:
            self._happen(ev.UpstreamRecovered())


async def _absorb(transport: WSTransport) -> None:
    """Take the exception that picows keeps for whoever waits; otherwise asyncio logs it."""
    try:
        await transport.wait_disconnected()
    except WSError as error:
        log.warning("upstream_broke_protocol", error=type(error).__name__)
    except Exception:
        log.exception("upstream_broke")


class Dialler:
    """Opens upstream sockets. `patience`: how long to try again while nothing answers, seconds."""

    def __init__(self, key: str | None, patience: float, proxy: str | None = None) -> None:
        self._proxy = proxy
        self._headers = {"Authorization": f"Token {key}"} if key else {}
        self._patience = patience
        self._ssl = ssl.create_default_context()  # one for all: 42 KiB less a stream

    async def dial(self, url: str, happen: Callable[[ev.Event], None]) -> Upstream:
        """An open upstream, to be told to `begin`. Raises Refused."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience
        while True:
            try:
                return await self._dial_once(url, happen)
            except Refused as refused:
                if refused.status is not None or loop.time() >= give_up_at:
                    raise
            await asyncio.sleep(RETRY_EVERY)

    async def _dial_once(self, url: str, happen: Callable[[ev.Event], None]) -> Upstream:
        upstream = Upstream(happen)
        opened = False
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await ws_connect(
                    lambda: upstream,
                    url,
                    ssl_context=self._ssl,
                    websocket_handshake_timeout=HANDSHAKE_SECONDS,
                    max_redirects=0,
                    max_frame_size=4 * MAX_MESSAGE,
                    extra_headers=self._headers,
                    proxy=self._proxy,
                    read_buffer_init_size=READ_BUFFER,
                )
            if not upstream.is_open:  # picows returns all the same when the peer closes during the handshake
                raise Refused(None, "closed during the handshake")
            opened = True
        except WSHandshakeError as error:
            raise _refusal(error) from None
        except (OSError, TimeoutError, WSError, EOFError, ValueError) as error:  # ValueError: nonsense for an answer
            raise Refused(None, type(error).__name__) from None
        except ProxyError as error:
            raise Refused(None, f"the proxy refused: {error}") from None
        finally:
            if not opened:
                upstream.hang_up()
        return upstream


class _ErrorBody(msgspec.Struct):
    err_msg: str = ""
    message: str = ""


def _refusal(error: WSHandshakeError) -> Refused:
    if error.response is None or int(error.response.status) == 101:
        return Refused(None, type(error).__name__)
    said = error.response.headers.get("dg-error") or _said(error.raw_body or b"")
    return Refused(int(error.response.status), re.sub(r"[^\x20-\x7e]+", " ", said)[:MAX_DETAIL].strip())


def _said(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return answer.err_msg or answer.message
