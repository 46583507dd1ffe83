"""The socket to the upstream: dials it, and reports what it sends as events of a session."""

import asyncio
import logging
import re
import ssl
from collections.abc import Callable
from typing import Final

import msgspec
import structlog
from picows import WSCloseCode, WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect
from python_socks import ProxyError

from transcription_proxy.relay.close_frames import received_close, send_close
from transcription_proxy.relay.fragments import Fragments, Oversize
from transcription_proxy.stream import events as ev

HANDSHAKE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 0.25
"""Seconds between tries while nothing answers."""
READ_BUFFER_BYTES: Final = 2048
MAX_MESSAGE_BYTES: Final = 1 << 20
MAX_DETAIL_CHARACTERS: Final = 300
MAX_BODY_BYTES: Final = 16 * 1024
"""Bytes of an error's body that are relayed."""
TEXT: Final = WSMsgType.TEXT
_picows_log = logging.LoggerAdapter(logging.getLogger("picows"))  # picows copies a plain Logger for each socket
log = structlog.get_logger()


class DialFailed(Exception):
    """The upstream answered the handshake with `status` and a sentence, or was not reached (`status` None)."""

    def __init__(self, status: int | None, detail: str, body: bytes = b"", request_id: str | None = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.body = body
        self.request_id = request_id


class Upstream(WSListener):
    """One upstream socket. It queues its events until `start_reporting`, and reports none after `close`."""

    def __init__(self, report: Callable[[ev.Event], None]) -> None:
        self._report_to = report
        self._early_events: list[ev.Event] = []
        self._report: Callable[[ev.Event], None] | None = self._early_events.append
        self._fragments = Fragments(MAX_MESSAGE_BYTES)
        self._transport: WSTransport | None = None
        self.request_id: str | None = None
        """The upstream's id for the request."""

    def start_reporting(self) -> None:
        """Report the queued events now, and later ones as they come. To be called after UpstreamOpened is handled."""
        if self._report is not None:
            self._report = self._report_to
        for event in self._early_events:
            if self._report is not None:
                self._report(event)
        self._early_events.clear()

    @property
    def is_open(self) -> bool:
        """Whether the upstream answered the handshake with 101."""
        return self._transport is not None

    @property
    def send(self) -> Callable[[WSMsgType, bytes | memoryview], None]:
        """The open socket's send function, for frames that the session admits. Raises ConnectionError."""
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

    def close(self, code: int = 1000, reason: bytes = b"") -> None:
        """Close the socket, and report no more events. `code`: 0 for a close frame without a code."""
        self._report = None
        if self._transport is not None:
            send_close(self._transport, code, reason)
            self._transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.request_id = transport.response.headers.get("dg-request-id")
        transport.request.headers.clear()  # picows keeps both for the connection's life
        transport.response.headers.clear()
        if self._report is None:  # closed while it was being opened
            self.close()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._report is None:
            return
        if frame.msg_type == TEXT and frame.fin and frame.payload_size <= MAX_MESSAGE_BYTES:
            self._report(ev.UpstreamSentText(frame.get_payload_as_bytes()))
            return
        match frame.msg_type:
            case WSMsgType.TEXT | WSMsgType.BINARY | WSMsgType.CONTINUATION:
                self._message(frame)
            case WSMsgType.PONG:
                self._report(ev.UpstreamPonged())
            case WSMsgType.CLOSE:
                transport.send_close(WSCloseCode.OK)
                transport.disconnect()

    def _message(self, frame: WSFrame) -> None:
        try:
            message = self._fragments.add(frame)
        except Oversize:
            return
        if message is not None and message.is_text and self._report is not None:
            self._report(ev.UpstreamSentText(message.data))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        asyncio.get_running_loop().create_task(_absorb(transport))
        if self._report is not None:
            self._report(ev.UpstreamLost(*received_close(transport)))

    def pause_writing(self) -> None:
        if self._report is not None:
            self._report(ev.UpstreamStalled())

    def resume_writing(self) -> None:
        if self._report is not None:
            self._report(ev.UpstreamRecovered())


async def _absorb(transport: WSTransport) -> None:
    """Retrieve the exception that picows stored in a future; otherwise asyncio logs it."""
    try:
        await transport.wait_disconnected()
    except WSError as error:
        log.warning("upstream_protocol_error", error=type(error).__name__)
    except Exception:
        log.exception("upstream_failed")


class Dialler:
    """Opens upstream sockets."""

    def __init__(self, key: str | None, patience: float, proxy: str | None = None) -> None:
        """`patience`: seconds to try again while nothing answers. `key`: the API key, None to send none."""
        self._proxy = proxy
        self._headers = {"Authorization": f"Token {key}"} if key else {}
        self._patience = patience
        self._ssl = ssl.create_default_context()  # shared: saves 42 KiB a stream
        # OpenSSL uses the socket itself. By default aiofastnet puts two buffers of 257 KiB between them, which took
        # 25 KiB of each stream, and more as the heap aged. An option that it has for tests; kTLS uses the same path.
        self._ssl._aiofastnet_force_socket_bio = True  # type: ignore[attr-defined]

    async def dial(self, url: str, report: Callable[[ev.Event], None]) -> Upstream:
        """Return an open upstream, on which to call `start_reporting`. Raises DialFailed."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience
        while True:
            try:
                return await self._dial_once(url, report)
            except DialFailed as failure:
                if failure.status is not None or loop.time() >= give_up_at:
                    raise
            await asyncio.sleep(RETRY_SECONDS)

    async def _dial_once(self, url: str, report: Callable[[ev.Event], None]) -> Upstream:
        upstream = Upstream(report)
        opened = False
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await ws_connect(
                    lambda: upstream,
                    url,
                    ssl_context=self._ssl,
                    logger_name=_picows_log,
                    websocket_handshake_timeout=HANDSHAKE_SECONDS,
                    max_redirects=0,
                    max_frame_size=4 * MAX_MESSAGE_BYTES,
                    extra_headers=self._headers,
                    proxy=self._proxy,
                    read_buffer_init_size=READ_BUFFER_BYTES,
                )
            if not upstream.is_open:  # picows also returns if the peer closes during the handshake
                raise DialFailed(None, "closed during the handshake")
            opened = True
        except WSHandshakeError as error:
            raise _refusal(error) from None
        except (OSError, TimeoutError, WSError, EOFError, ValueError) as error:  # ValueError: an answer that is no HTTP
            raise DialFailed(None, type(error).__name__) from None
        except ProxyError as error:
            raise DialFailed(None, f"the proxy refused: {error}") from None
        finally:
            if not opened:
                upstream.close()
        return upstream


class _ErrorBody(msgspec.Struct):
    err_msg: str = ""
    message: str = ""


def _refusal(error: WSHandshakeError) -> DialFailed:
    if error.response is None or int(error.response.status) == 101:
        return DialFailed(None, type(error).__name__)
    body = error.raw_body or b""
    detail = error.response.headers.get("dg-error") or _body_detail(body)
    return DialFailed(
        int(error.response.status),
        re.sub(r"[^\x20-\x7e]+", " ", detail)[:MAX_DETAIL_CHARACTERS].strip(),
        body[:MAX_BODY_BYTES],
        error.response.headers.get("dg-request-id"),
    )


def _body_detail(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return answer.err_msg or answer.message
