"""The page for OBS: served to this computer only, always with the latest captions, and gone when it is stopped."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from transcription_client.errors import ClientError
from transcription_client.gui.captions import Shown
from transcription_client.gui.look import Look
from transcription_client.gui.overlay_server import MOST_PAGES, OverlayServer


@pytest.fixture
def overlay() -> Iterator[OverlayServer]:
    server = OverlayServer()
    server.start(0)
    yield server
    server.stop()


class Page:
    """A browser source: reads one event after another."""

    def __init__(self, overlay: OverlayServer) -> None:
        assert overlay.port is not None
        self._connection = http.client.HTTPConnection("127.0.0.1", overlay.port, timeout=10)
        self._connection.request("GET", "/captions")
        self._response = self._connection.getresponse()
        self.status = self._response.status

    def next(self) -> Any:
        while not (line := self._response.readline()).startswith(b"data: "):
            assert line
        return json.loads(line.removeprefix(b"data: "))

    def close(self) -> None:
        self._response.close()
        self._connection.close()


def get(overlay: OverlayServer, path: str, **headers: str) -> tuple[int, bytes, Any]:
    assert overlay.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", overlay.port, timeout=10)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body, response.headers


def test_the_page_needs_nothing_from_elsewhere(overlay: OverlayServer) -> None:
    status, body, headers = get(overlay, "/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"EventSource" in body
    assert b"http://" not in body
    assert b"https://" not in body


def test_a_page_gets_what_is_shown_now_and_then_each_change(overlay: OverlayServer) -> None:
    overlay.show_captions(Shown(("Hello.",), "and then"))
    overlay.set_look(Look(size=48))
    page = Page(overlay)
    first = page.next()
    assert (first["finals"], first["interim"], first["look"]["size"]) == (["Hello."], "and then\u2026", 48)
    overlay.show_captions(Shown(("Hello.", "And <b>then</b>.")))
    assert page.next()["finals"] == ["Hello.", "And <b>then</b>."]
    page.close()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8787", "", "127.0.0.1.evil.example"])
def test_a_website_that_points_its_name_here_is_refused(overlay: OverlayServer, host: str) -> None:
    for path in ("/", "/captions"):
        assert get(overlay, path, Host=host)[0] == 403


def test_localhost_is_this_computer(overlay: OverlayServer) -> None:
    assert get(overlay, "/", Host=f"localhost:{overlay.port}")[0] == 200


def test_other_paths_are_not_there(overlay: OverlayServer) -> None:
    assert get(overlay, "/../config.yaml")[0] == 404


def test_a_port_that_is_used_is_said(overlay: OverlayServer) -> None:
    assert overlay.port is not None
    second = OverlayServer()
    with pytest.raises(ClientError, match=f"Port {overlay.port} is used by another program. Choose another port"):
        second.start(overlay.port)
    assert second.port is None


def test_stopping_closes_the_pages_and_frees_the_port(overlay: OverlayServer) -> None:
    page = Page(overlay)
    page.next()
    port = overlay.port
    overlay.stop()
    page._response.read()  # to the end of the connection
    assert overlay.port is None
    overlay.start(port or 0)
    assert overlay.port == port


def test_pages_are_limited_and_a_closed_one_makes_room(overlay: OverlayServer) -> None:
    pages = [Page(overlay) for _ in range(MOST_PAGES)]
    for page in pages:
        page.next()
    assert Page(overlay).status == 503
    pages.pop().close()
    while overlay.pages == MOST_PAGES:
        overlay.show_captions(Shown(("more",)))
    assert Page(overlay).status == 200
    for page in pages:
        page.close()


def test_a_client_that_says_nothing_holds_nothing_up(overlay: OverlayServer) -> None:
    with socket.create_connection(("127.0.0.1", overlay.port or 0)):
        assert get(overlay, "/")[0] == 200
