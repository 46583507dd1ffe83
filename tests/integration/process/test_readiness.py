"""The supervisor's readiness check: /health and /ready decide, and it explains what is missing."""

import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from transcription_proxy.process import readiness


class Answers(BaseHTTPRequestHandler):
    statuses: dict[str, int]

    def do_GET(self) -> None:
        self.send_response(self.statuses[self.path])
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    Answers.statuses = {"/health": 200, "/ready": 200}
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield "127.0.0.1", server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "obstacle"),
    [
        ("", None),
        ("/health", "can't use the database"),
        ("/ready", "the database is still being prepared, or the service is shutting down"),
    ],
)
def test_a_503_of_either_path_is_an_obstacle(address: tuple[str, int], path: str, obstacle: str | None) -> None:
    Answers.statuses[path] = 503
    assert readiness.find_obstacle(address) == obstacle


def test_no_answer_is_an_obstacle() -> None:
    assert readiness.find_obstacle(("127.0.0.1", 1)) == "no worker answers"


def test_a_slow_start_is_explained_and_awaited(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "LATE_POLL_SECONDS", 0.01)
    output: queue.SimpleQueue[str] = queue.SimpleQueue()
    Answers.statuses["/health"] = 503
    readiness.watch(address, lambda: output.put("ready"), output.put)
    assert output.get(timeout=10) == "not ready after 0 s: can't use the database. See the log"
    Answers.statuses["/health"] = 200
    assert output.get(timeout=10) == "ready"  # and no second reminder within a minute
