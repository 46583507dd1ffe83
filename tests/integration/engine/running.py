"""The engine as a process of its own, and a client that says what it likes and keeps what it hears."""

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
PATIENCE = 60.0
Message = dict[str, Any]


@contextmanager
def running(*arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """The engine's command, which inherits what its environment names; ended by SIGTERM unless it ended before."""
    command = [sys.executable, "-m", "transcription_engine", *arguments]
    inherited = [int(number) for name, number in env.items() if name.endswith("_FD")]
    process = subprocess.Popen(
        command, env={**os.environ, **env}, pass_fds=inherited, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
        process.terminate()
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def inheriting(**env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The engine on a socket of ours, as `serve` starts it, and its URL: who comes before it is ready waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with running(ENGINE_FD=str(listener.fileno()), ENGINE_KEY=KEY, **env) as process:
            yield process, f"ws://127.0.0.1:{port}"


@dataclass(slots=True)
class Talk:
    """One connection. `messages` grows by itself; `code` and `reason` are those of the close."""

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
        """The last message of all."""
        assert [each["type"] for each in self.messages].index("Metadata") == len(self.messages) - 1
        return self.messages[-1]

    async def send(self, *frames: bytes | str) -> None:
        for frame in frames:
            await self.socket.send(frame)

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits for something about the messages. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def results(self, channel: int = 0) -> list[Message]:
        return [each for each in self.messages if each["type"] == "Results" and each["channel_index"][0] == channel]

    def finals(self, channel: int = 0) -> list[Message]:
        return [results for results in self.results(channel) if results["is_final"]]

    def text(self, channel: int = 0) -> str:
        """All finals as one."""
        return " ".join(filter(None, map(transcript, self.finals(channel))))

    async def read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                self.messages.append(json.loads(message))
                self._changed.set()


def transcript(results: Message) -> str:
    return str(results["channel"]["alternatives"][0]["transcript"])


def end(results: Message) -> float:
    """In seconds of audio; times are told in milliseconds."""
    return round(float(results["start"] + results["duration"]), 3)


def frames(audio: bytes, size: int = SECOND // 10) -> Sequence[bytes]:
    return [audio[begin : begin + size] for begin in range(0, len(audio), size)]


@asynccontextmanager
async def talking(url: str, query: str = RAW, path: str = "/v1/listen", key: str = KEY) -> AsyncIterator[Talk]:
    """A connection; on leaving it is read to its end, which is the server's to make."""
    async with connect(
        f"{url}{path}?{query}",
        additional_headers={"Authorization": f"Token {key}"},
        proxy=None,
        ping_interval=None,
        open_timeout=PATIENCE,
        max_size=None,
    ) as socket:
        talk = Talk(socket)
        reading = asyncio.create_task(talk.read())
        try:
            yield talk
            await asyncio.wait_for(reading, PATIENCE)
        finally:
            reading.cancel()


async def told(url: str, query: str, *said: bytes | str) -> Talk:
    """A whole stream: says all of it, then CloseStream."""
    async with talking(url, query) as talk:
        await talk.send(*said, CLOSE)
    return talk
