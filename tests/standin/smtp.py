"""A mail server on a real socket that records mails and fails as the test wants."""

import asyncio
import base64
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Self

CERTIFICATE = Path(__file__).with_name("localhost.pem")
"""A self-signed certificate for tests only."""
PATIENCE = 30.0
HANGS = "hangs"
"""A reply that never comes."""
LEAVES = "leaves"
"""A close in place of a reply."""


@dataclass(frozen=True, slots=True)
class Mail:
    """`user`: who logged in. `raw`: as it came, without the dots of the protocol."""

    sender: str
    recipient: str
    raw: bytes
    user: str | None
    tls: bool

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)

    @property
    def text(self) -> str:
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass
class SmtpStandIn:
    """`users`: who may log in, by name. `replies`: what it says to a verb instead of what is right; "." is the end of
    a message and "" the greeting. `heard`: all commands."""

    users: dict[str, str] = field(default_factory=dict)
    smtps: bool = False
    starttls: bool = False
    replies: dict[str, str] = field(default_factory=dict)
    port: int = 0
    heard: list[str] = field(default_factory=list)
    _mails: "asyncio.Queue[Mail]" = field(default_factory=asyncio.Queue)
    _talks: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def __aenter__(self) -> Self:
        context = _tls() if self.smtps else None
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def url(self, host: str = "127.0.0.1", login: str = "") -> str:
        return f"smtp{'s' if self.smtps else ''}://{login}{host}:{self.port}"

    @property
    def verbs(self) -> list[str]:
        return [command.split()[0] for command in self.heard]

    async def mail(self) -> Mail:
        """Wait for the next mail, and return it."""
        async with asyncio.timeout(PATIENCE):
            return await self._mails.get()

    @property
    def empty(self) -> bool:
        """Return whether no unread mail has arrived."""
        return self._mails.empty()

    async def until(self, verb: str, times: int) -> None:
        """Wait until a verb was received `times` times."""
        async with asyncio.timeout(PATIENCE):
            while self.verbs.count(verb) < times:
                await asyncio.sleep(0.01)

    async def until_alone(self) -> None:
        """Wait until no client is connected."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._talks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await _Talk(self, reader, writer).run()
        finally:
            writer.close()
            self._talks.discard(task)


class _Talk:
    def __init__(self, server: SmtpStandIn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._user: str | None = None
        self._envelope: dict[str, str] = {}
        self._tls = server.smtps

    async def run(self) -> None:
        await self._say("", "220 standin")
        while True:
            command = await self._line()
            self._server.heard.append(command)
            verb, _, rest = command.partition(" ")
            match verb:
                case "EHLO":
                    await self._say(verb, self._extensions())
                case "STARTTLS":
                    if await self._say(verb, "220 go on"):
                        await self._writer.start_tls(_tls())
                        self._tls = True
                case "AUTH":
                    await self._say(verb, self._logged_in(rest))
                case "MAIL" | "RCPT":
                    self._envelope[verb] = rest.partition("<")[2].partition(">")[0]
                    await self._say(verb, "250 yes")
                case "DATA":
                    if await self._say(verb, "354 go on"):
                        await self._message()
                case "QUIT":
                    await self._say(verb, "221 bye")
                    return
                case _:
                    await self._say(verb, "502 what?")

    async def _say(self, verb: str, right: str) -> bool:
        """Whether it went as it should."""
        reply = self._server.replies.get(verb, right)
        if reply == HANGS:
            await asyncio.Event().wait()
        if reply == LEAVES:
            raise ConnectionError
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()
        return reply == right

    async def _line(self) -> str:
        return (await self._reader.readuntil(b"\r\n")).decode().removesuffix("\r\n")

    async def _message(self) -> None:
        lines = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        self._server.heard.append(".")
        refused = self._server.replies.get(".", "")[:1] in ("4", "5")
        if not refused:
            mail = Mail(self._envelope["MAIL"], self._envelope["RCPT"], b"".join(lines), self._user, self._tls)
            self._server._mails.put_nowait(mail)
        await self._say(".", "250 kept")

    def _extensions(self) -> str:
        offered = ["standin", "SIZE 1000000"]
        offered += ["STARTTLS"] if self._server.starttls and not self._tls else []
        offered += ["AUTH PLAIN"] if self._server.users else []
        return "\r\n".join(f"250{'-' if more else ' '}{each}" for each, more in _with_more(offered))

    def _logged_in(self, rest: str) -> str:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        if self._server.users.get(user) != password:
            return "535 no"
        self._user = user
        return "235 yes"


def _with_more(items: list[str]) -> list[tuple[str, bool]]:
    return [(item, number < len(items)) for number, item in enumerate(items, 1)]


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context
