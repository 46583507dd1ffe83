"""A webhook endpoint: an HTTP server that gives the answers that a test names, and keeps what it receives."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

HANG_UP = 0
"""In the place of a status: close the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Delivery:
    payload: bytes
    signature: str
    event: dict[str, Any]


class Receiver:
    """`answers`: for each type of event the statuses of the first deliveries; 200 after that."""

    def __init__(self, port: int = 0) -> None:
        self.answers: dict[str, list[int]] = defaultdict(list)
        self.came: list[Delivery] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/stripe"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, payload: bytes, signature: str) -> int:
        delivery = Delivery(payload, signature, json.loads(payload))
        with self._changed:
            self.came.append(delivery)
            planned = self.answers[delivery.event["type"]]
            status = planned.pop(0) if planned else 200
            self._changed.notify_all()
        return status

    def until(self, condition: Callable[[], bool], within: float = 20) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, within), self.types()

    def of(self, kind: str) -> list[Delivery]:
        return [one for one in self.came if one.event["type"] == kind]

    def types(self) -> list[str]:
        return [one.event["type"] for one in self.came]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take(payload, self.headers["Stripe-Signature"])
            if status == HANG_UP:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
