"""A caption app, made from docs/protocol.md alone: it streams in real time, comes back when dropped, and notes it all."""

import asyncio
import contextlib
import json
import random
import re
import time
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.chaos.audio import audio
from tests.chaos.evidence import Told, Words
from tests.e2e.client import User

TALKATIVE: Final = "talkative"
"""Names a session that is told 50 interim texts a second: one that does not read them is too slow soon."""
CONFIGS: Final[list[dict[str, Any]]] = [
    {},
    {"keywords": TALKATIVE},
    {"model": "nova-3", "interim_results": False},
    {"diarize": True},
    {"channels": 2, "multichannel": True},
    {"channels": 2},
    {"model": "nova-3", "language": "multi", "keyterm": ["heliotrope", "violet"]},
    {"sample_rate": 48000},
]
FRAMES_MS: Final = (20, 50, 100, 100, 250)
PATIENCE: Final = 30.0
"""Seconds without a word from the service, while it is given audio, after which the app takes it for dead."""
LAST_WORDS_WITHIN: Final = 60.0
"""Seconds after `stop`: the redials of a lost upstream, the last words, the ledger."""
BACK_OFF: Final = 2.0
"""Times as long a pause after an attempt that led to nothing."""
BABBLE: Final = ("{", '{"type":"no such thing"}', '{"type":"auth","token":"again"}', "[]", '{"type":17}')


class Streamer:
    """One app of one user."""

    def __init__(self, url: str, user: User, luck: random.Random) -> None:
        self._url, self._user, self._luck = url, user, luck
        self._replaces: str | None = None
        self.take: Take | None = None

    @property
    def email(self) -> str:
        return self._user.email

    async def run(self, over: asyncio.Event, told: list[Told]) -> None:
        """Session after session until `over` is set; each attempt is added to `told`."""
        while not over.is_set():
            attempt = Told(self.email, len(told), time.monotonic(), replaces=self._replaces)
            told.append(attempt)
            self.take = Take(attempt, self._luck, over)
            await self.take.run(self._url, self._user.token)
            attempt.ended = time.monotonic()
            self.take = None
            self._replaces = None if attempt.end is not None else attempt.session or self._replaces
            pause = self._luck.uniform(0.2, 2) * (1 if attempt.session else BACK_OFF)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), pause)


class Take:
    """One session, or the attempt to have one."""

    def __init__(self, told: Told, luck: random.Random, over: asyncio.Event) -> None:
        self.told = told
        self._luck, self._over = luck, over
        config = luck.choice(CONFIGS)
        self._config = config
        told.bytes_per_second = 2 * config.get("channels", 1) * config.get("sample_rate", 16000)
        self._frame = told.bytes_per_second * luck.choice(FRAMES_MS) // 1000
        self._lasts = luck.uniform(8, 60)
        self._muted_until = time.monotonic() + (6 if luck.random() < 0.15 else 0)
        self._waits = luck.random() < 0.5
        self._socket: ClientConnection | None = None
        told.silent_since = told.began
        self._patient_since = 0.0
        self._ready = asyncio.Event()
        self._bytewise = 0

    @property
    def port(self) -> int | None:
        """Of its end of the connection."""
        name = None if self._socket is None else self._socket.transport.get_extra_info("sockname")
        return None if name is None else int(name[1])

    @property
    def live(self) -> bool:
        return self._ready.is_set() and self.told.code is None

    @property
    def talkative(self) -> bool:
        return self._config.get("keywords") == TALKATIVE

    # What may be done to it

    def vanish(self) -> None:
        """The app crashes."""
        self.told.doings.add("vanished")
        self._abort()

    def mute(self, seconds: float) -> None:
        self._muted_until = time.monotonic() + seconds

    def drip(self, nbytes: int) -> None:
        """So much of its audio goes in frames of one byte."""
        self._bytewise = nbytes

    async def babble(self, messages: int) -> None:
        """Messages that are none of the protocol. A hundred are too many."""
        if messages >= 100:
            self.told.doings.add("flooded")
        for number in range(messages):
            await self._say(BABBLE[number % len(BABBLE)])

    async def finalize(self) -> None:
        await self._say('{"type":"finalize"}')

    # What it does by itself

    async def run(self, url: str, token: str) -> None:
        try:
            self._socket = await connect(
                f"{url}/ws/transcribe",
                proxy=None,
                max_size=None,
                ping_interval=None,
                open_timeout=PATIENCE,
                close_timeout=1,
            )
        except (OSError, TimeoutError, InvalidHandshake, EOFError):
            return
        self._patient_since = time.monotonic()
        auth = {"type": "auth", "token": token, "config": self._config}
        await self._say(json.dumps(auth | ({"replaces": self.told.replaces} if self.told.replaces else {})))
        reading = asyncio.create_task(self._read())
        others = [asyncio.create_task(self._stream()), asyncio.create_task(self._watch())]
        try:
            await reading
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            self._abort()

    def _abort(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()

    async def _say(self, text: str | bytes) -> bool:
        assert self._socket is not None
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(text)
            return True
        return False

    async def _stream(self) -> None:
        """Audio in real time; what could not be sent is not made up for without end."""
        if self._waits:
            await self._ready.wait()
        begun = due = time.monotonic()
        while not self._over.is_set() and time.monotonic() - begun < self._lasts:
            due = max(due, time.monotonic() - 2) + self._frame / self.told.bytes_per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() >= self._muted_until and not await self._send(self._frame):
                return
        await self._ready.wait()
        self.told.stopped = True
        await self._say('{"type":"stop"}')

    async def _send(self, nbytes: int) -> bool:
        piece = audio(self.told.stream, self.told.sent, nbytes)
        size = 1 if self._bytewise > 0 else nbytes
        self._bytewise -= nbytes
        for begin in range(0, nbytes, size):
            if not await self._say(piece[begin : begin + size]):
                return False
            self.told.sent += size
        return True

    async def _watch(self) -> None:
        """An app that is told nothing for too long does not wait for ever."""
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            if now < self._muted_until:
                self._patient_since = now
            if now - self._patient_since > (LAST_WORDS_WITHIN if self.told.stopped else PATIENCE):
                self.told.doings.add("gave_up")
                self._abort()
                return

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            while True:
                message = json.loads(await self._socket.recv())
                self._patient_since = self.told.silent_since = time.monotonic()
                self._take_in(message)
        except ConnectionClosed as closed:
            self.told.code = closed.rcvd.code if closed.rcvd else None

    def _take_in(self, message: dict[str, Any]) -> None:
        told = self.told
        if told.end is not None:
            told.protocol.append(f"{message['type']} after session_end")
        match message["type"]:
            case "ready":
                told.session = message["session_id"]
                self._ready.set()
            case "error":
                told.errors.append(message["code"])
            case "session_end":
                told.end = message
            case "transcript":
                told.results_ms = max(told.results_ms, round(1000 * (message["start"] + message["duration"])))
                if message["is_final"] and message["text"]:  # without text, it withdraws an interim
                    self._final(message)
            case "status" | "usage" | "credits_low" | "warning":
                pass
            case other:
                told.protocol.append(f"a message of type {other}")

    def _final(self, message: dict[str, Any]) -> None:
        numbers = [int(number) for number in re.findall(r"(\d+)(?: |$)", message["text"])]
        if not numbers or numbers != list(range(numbers[0], numbers[-1] + 1)):
            self.told.protocol.append(f"a final with the words {numbers}")
            return
        channel = message.get("channel", [0])[0]
        sent_ms = self.told.sent * 1000 // self.told.bytes_per_second
        self.told.finals.append(Words(channel, numbers[0], numbers[-1], sent_ms))
