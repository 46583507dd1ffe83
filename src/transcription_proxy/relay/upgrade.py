"""A WebSocket handshake that waits for its answer: 101 with the socket that serves it, or an HTTP error."""

from collections.abc import Callable, Mapping

from transcription_proxy.relay.request_head import Headers, HttpRefusal
from transcription_proxy.relay.server_socket import ServerSocket

Accept = Callable[[ServerSocket, Mapping[str, str]], None]
"""Answers with 101, these headers among others, and hands the connection to the socket."""


class Upgrade:
    """Answered once. An answer to a client that is gone has no effect."""

    def __init__(
        self,
        target: bytes,
        headers: Headers,
        address: str,
        accept: Accept,
        refuse: Callable[[HttpRefusal], None],
    ) -> None:
        """`target`: path and query, which are ASCII. `address`: the client's, as it counts against limits."""
        path, _, query = target.partition(b"?")
        self.path = path.decode()
        self.query = query.decode()
        self.headers = headers
        self.address = address
        self.accept = accept
        self.refuse = refuse
        self.on_lost: Callable[[], None] = lambda: None
        """Called if the client leaves before it has its answer."""
