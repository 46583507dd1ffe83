"""A caption socket whose messages come from the test."""

import asyncio
import json
from typing import Any

from playwright.async_api import WebSocketRoute

from tests.browser.visitor import Visitor


class Scripted:
    """A page's caption socket that a test answers in place of the service."""

    def __init__(self) -> None:
        self.answers = True
        """Whether it answers a keepalive that asks for it."""
        self.opens = True
        """Whether it opens a session when it is asked to."""
        self._socket: WebSocketRoute
        self._open = asyncio.Event()

    @classmethod
    async def of(cls, visitor: Visitor) -> "Scripted":
        self = cls()
        await visitor.page.route_web_socket("**/ws/transcribe", self._meet)
        return self

    def says(self, kind: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"type": kind, **fields}))

    def words(self, text: str, start: float, *, final: bool) -> None:
        times = {"start": start, "duration": 1.0}
        self.says("transcript", text=text, is_final=final, confidence=None, speech_final=final, **times)

    async def begun(self) -> None:
        await asyncio.wait_for(self._open.wait(), 10)

    async def close(self, code: int) -> None:
        await self._socket.close(code=code)

    def _meet(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.on_message(self._heard)

    def _heard(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            return
        match json.loads(message):
            case {"type": "auth"} if self.opens:
                self.says("ready", session_id="1", seconds_remaining=3600)
                self._open.set()
            case {"type": "keepalive", "answer": True} if self.answers:
                self.says("alive")
            case {"type": "stop"}:
                self.says("session_end", seconds_used=10, audio_seconds=9.2, reason="client_stop")
                asyncio.ensure_future(self._socket.close(code=1000))  # noqa: RUF006 - the page waits for it
