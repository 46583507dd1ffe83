"""Serves the captions on this computer as a page for OBS's browser source, with server-sent events.

Only programs on this computer reach 127.0.0.1. A website in the user's browser could, by a name that it points here, so
a request for another host than this one is refused."""

import errno
import json
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Final

from transcription_client.errors import ClientError
from transcription_client.gui import sentences
from transcription_client.gui.captions import Shown
from transcription_client.gui.look import Look

ADDRESS_TAKEN: Final = (errno.EADDRINUSE, 10048)
"""The second is Windows's WSAEADDRINUSE."""
HOST: Final = "127.0.0.1"
NAMES: Final = (HOST, "localhost")
BEAT_SECONDS: Final = 10.0
"""A comment is sent after so long without words, so that a page that was closed is noticed."""
MOST_PAGES: Final = 16
LINGER_SECONDS: Final = 5.0
"""Timeout of a page that reads nothing."""


class OverlayServer:
    """Passes what is shown to every page that is open."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._version = 0
        self._state: dict[str, Any] = {"finals": [], "interim": "", "look": asdict(Look())}
        self._server: _Server | None = None
        self.pages = 0

    @property
    def port(self) -> int | None:
        return self._server.server_port if self._server else None

    def start(self, port: int) -> None:
        """Serve on a port; 0 for any. Raise ClientError, as where another program uses the port."""
        self.stop()
        try:
            self._server = _Server(self, port)
        except OSError as error:
            taken = error.errno in ADDRESS_TAKEN
            raise ClientError(
                sentences.port_taken(port) if taken else sentences.no_port(port, str(error.strerror))
            ) from error
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="overlay").start()

    def stop(self) -> None:
        """Close the port and all pages' connections."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            self._set({})  # wakes the pages' threads, which end

    def show_captions(self, shown: Shown) -> None:
        self._set({"finals": list(shown.finals), "interim": shown.unfinished})

    def set_look(self, look: Look) -> None:
        self._set({"look": asdict(look)})

    def _set(self, part: dict[str, Any]) -> None:
        with self._changed:
            self._state = {**self._state, **part}
            self._version += 1
            self._changed.notify_all()

    def next(self, seen: int, server: "_Server") -> tuple[int, str | None]:
        """Wait for something newer than `seen`. Return its version and JSON, or None where nothing came."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen or server is not self._server, BEAT_SECONDS)
            state = json.dumps(self._state) if self._version != seen else None
            return self._version, state

    def serves(self, server: "_Server") -> bool:
        return server is self._server

    def enter_page(self, by: int) -> bool:
        """Count a page in or out. Return False where there are too many."""
        with self._changed:
            if by > 0 and self.pages >= MOST_PAGES:
                return False
            self.pages += by
            return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = sys.platform != "win32"  # on Windows it would share a port that is in use

    def __init__(self, overlay: OverlayServer, port: int) -> None:
        self.overlay = overlay
        super().__init__((HOST, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = LINGER_SECONDS

    def do_GET(self) -> None:
        if self.headers.get("Host", "").rsplit(":", 1)[0] not in NAMES:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path == "/":
            self._send_page()
        elif self.path == "/captions":
            with suppress(OSError):  # the page is gone
                self._send_captions()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: Any) -> None:
        """Keep no log: captions are nobody else's."""

    def _send_page(self) -> None:
        page = files("transcription_client.gui").joinpath("overlay.html").read_bytes()
        self._head("text/html; charset=utf-8", ("Content-Length", str(len(page))))
        self.wfile.write(page)

    def _send_captions(self) -> None:
        overlay = self.server.overlay
        if not overlay.enter_page(1):
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        try:
            self._head("text/event-stream")
            version = -1
            while overlay.serves(self.server):
                version, state = overlay.next(version, self.server)
                self.wfile.write(f"data: {state}\n\n".encode() if state is not None else b": still here\n\n")
        finally:
            overlay.enter_page(-1)

    def _head(self, kind: str, *more: tuple[str, str]) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in (("Content-Type", kind), ("Cache-Control", "no-store"), *more):
            self.send_header(name, value)
        self.end_headers()
