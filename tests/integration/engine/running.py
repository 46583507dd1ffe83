"""The engine as a separate process, and a client that records its messages."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

KEY = "k3y"
RAW = "encoding=linear16&sample_rate=16000"
SECOND = 32_000
"""Bytes of linear16 at 16 kHz."""
CLOSE = '{"type":"CloseStream"}'
TIMEOUT_SECONDS = 60.0
Message = dict[str, Any]


@contextmanager
def running(*arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run the engine's command with inherited descriptors, and end it by SIGTERM unless it has ended."""
    command = [sys.executable, "-m", "transcription_engine", *arguments]
    inherited = [int(number) for name, number in env.items() if name.endswith("_FD")]
    process = subprocess.Popen(
        command, env={**os.environ, **env}, pass_fds=inherited, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
        process.terminate()
        process.wait(TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def inheriting(**env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the engine on an inherited socket, as `serve` does. Yield it and its URL. Early connections wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with running(ENGINE_FD=str(listener.fileno()), ENGINE_KEY=KEY, **env) as process:
            yield process, f"ws://127.0.0.1:{port}"


@dataclass(slots=True)
class Client:
    """One connection. A task appends to `messages`. `code` and `reason`: those of the close."""

    socket: ClientConnection
    messages: list[Message] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def request_id(self) -> str:
        assert self.socket.response is not None
        return self.socket.response.headers["dg-request-id"]

    @property
    def code(self) -> int | None:
        return self.socket.close_code

    @property
    def reason(self) -> str | None:
        return self.socket.close_reason

    @property
    def metadata(self) -> Message:
        """The last message, which must be Metadata."""
        assert [each["type"] for each in self.messages].index("Metadata") == len(self.messages) - 1
        return self.messages[-1]

    async def send(self, *frames: bytes | str) -> None:
        for frame in frames:
            await self.socket.send(frame)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition on the messages. Raise TimeoutError."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def results(self, channel: int = 0) -> list[Message]:
        return [each for each in self.messages if each["type"] == "Results" and each["channel_index"][0] == channel]

    def finals(self, channel: int = 0) -> list[Message]:
        return [results for results in self.results(channel) if results["is_final"]]

    def text(self, channel: int = 0) -> str:
        """Return the text of all finals."""
        return " ".join(filter(None, map(transcript, self.finals(channel))))

    async def read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                self.messages.append(json.loads(message))
                self._changed.set()


def transcript(results: Message) -> str:
    return str(results["channel"]["alternatives"][0]["transcript"])


def end(results: Message) -> float:
    """Return the end of Results in seconds of audio, rounded to milliseconds."""
    return round(float(results["start"] + results["duration"]), 3)


def frames(audio: bytes, size: int = SECOND // 10) -> Sequence[bytes]:
    return [audio[begin : begin + size] for begin in range(0, len(audio), size)]


@asynccontextmanager
async def connected(url: str, query: str = RAW, path: str = "/v1/listen", key: str = KEY) -> AsyncIterator[Client]:
    """Connect, and after the block read until the server closes."""
    async with connect(
        f"{url}{path}?{query}",
        additional_headers={"Authorization": f"Token {key}"},
        proxy=None,
        ping_interval=None,
        open_timeout=TIMEOUT_SECONDS,
        max_size=None,
    ) as socket:
        client = Client(socket)
        reading = asyncio.create_task(client.read())
        try:
            yield client
            await asyncio.wait_for(reading, TIMEOUT_SECONDS)
        finally:
            reading.cancel()


async def transcribe(url: str, query: str, *said: bytes | str) -> Client:
    """Send a whole stream and CloseStream, and return the client after the close."""
    async with connected(url, query) as client:
        await client.send(*said, CLOSE)
    return client
