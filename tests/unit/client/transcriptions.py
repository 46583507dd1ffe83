"""What tests of a transcription share: audio sources, a display that records, scripts of a service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from tests.unit.client.servers import Script, Socket
from transcription_client.core import Format
from transcription_client.errors import ClientError
from transcription_client.flow import Source
from transcription_client.net import Receipt
from transcription_client.redial import Redial
from transcription_client.store import Login
from transcription_client.transcription import Transcription
from transcription_wire import messages as wire

LOGIN = Login("", "me@example.com", "a-token", "a-refresh-token", 0.0)
CONFIG = {"model": "nova-2", "language": "en-US"}
AUDIO = Format("mulaw", 8000)
SECOND = AUDIO.bytes_per_second


class Display:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.messages: list[wire.ServerMessage] = []
        self.texts: list[str] = []
        self.repeated: list[wire.ServerMessage] = []
        self.reasons: list[str] = []
        self.overcame = 0
        self.gaps = 0.0
        self.lates: list[float] = []
        self.receipts: list[Receipt] = []
        self.balance: int | None = None

    def show(self, message: wire.ServerMessage, text: str, *, repeated: bool = False) -> None:
        self.messages.append(message)
        self.texts.append(text)
        if repeated:
            self.repeated.append(message)

    def show_reconnecting(self, why: str, tries: int) -> None:
        self.reasons.append(why)

    def clear_errors(self) -> None:
        self.overcame += 1

    def show_delay(self, seconds: float) -> None:
        self.lates.append(seconds)

    def show_gap(self, seconds: float) -> None:
        self.gaps += seconds

    def show_receipt(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)

    def show_balance(self, seconds: int) -> None:
        self.balance = seconds

    @property
    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.messages]


def speech(*frames: bytes) -> Source:
    async def sound() -> AsyncIterator[bytes]:
        for frame in frames:
            yield frame

    return Source(sound(), AUDIO)


def microphone() -> Source:
    """It never ends."""

    async def sound() -> AsyncIterator[bytes]:
        while True:
            yield b"sound"
            await asyncio.sleep(0.001)

    return Source(sound(), AUDIO)


def quick(within: float = 10.0) -> Redial:
    return Redial(within, pauses=(0.01,), last_try=within)


def no_other_token(login: Login) -> Login:
    raise ClientError("There is no other one.")


async def run(
    server: str,
    source: Source,
    display: Display,
    interrupted: asyncio.Event | None = None,
    redial: Redial | None = None,
    renew: Callable[[Login], Login] = no_other_token,
) -> bool:
    async with asyncio.timeout(20):
        return await Transcription(
            replace(LOGIN, server=server),
            renew,
            CONFIG,
            display,
            interrupted or asyncio.Event(),
            redial or quick(),
        ).run(source)


async def finishes(socket: Socket) -> None:
    """A session in which all goes well."""
    await socket.ready("another-session")
    await socket.until("stop")
    await socket.end()


def sound(seconds: float, first: float = 0) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in range(round(first * 2000), round((first + seconds) * 2000)))


def cut_after(nbytes: int, final: float = 0.0) -> Script:
    """A session that is lost when it has heard so much; its words were final up to there, seconds."""

    async def script(socket: Socket) -> None:
        await socket.ready("first-session")
        await socket.hears(nbytes)
        if final:
            await socket.final("final words", 0.0, final)
        socket.vanish()

    return script
