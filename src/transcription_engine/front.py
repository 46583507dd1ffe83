"""Gives each connection to the HTTP server or to the WebSocket server, by its first bytes."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

METHOD: Final = b"POST"
FIRST_BYTES_SECONDS: Final = 10.0


class Front(asyncio.Protocol):
    """`websocket`, `http`: make the protocol of a connection once its first bytes are there."""

    def __init__(self, websocket: Callable[[], Any], http: Callable[[], asyncio.Protocol]) -> None:
        self._websocket = websocket
        self._http = http
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without its type
        self._timer = asyncio.get_running_loop().call_later(FIRST_BYTES_SECONDS, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if len(self._data) < len(METHOD):
            return
        self._timer.cancel()
        protocol = self._http() if self._data.startswith(METHOD) else self._websocket()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()


def http(app: Any) -> Callable[[], asyncio.Protocol]:
    """Return a function that makes the protocol of an HTTP connection to an ASGI application."""
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False)
    config.load()
    state = ServerState()
    return lambda: HttpToolsProtocol(config, state, {})
