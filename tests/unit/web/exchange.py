"""One HTTP exchange with an ASGI application, message by message: what the server would do, without a server."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Exchange:
    """What was asked, what was answered, and how many messages of the request were taken."""

    sent: list[Message] = field(default_factory=list)
    taken: int = 0

    @property
    def status(self) -> int:
        (start,) = [message for message in self.sent if message["type"] == "http.response.start"]
        status: int = start["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def complete(self) -> bool:
        """Whether the last message says that there is no more, and only that one."""
        return [message.get("more_body", False) for message in self.sent[1:]] == [True] * (len(self.sent) - 2) + [False]

    @property
    def error(self) -> str:
        """The code in the body."""
        code: str = json.loads(self.body)["error"]["code"]
        return code


def http(path: str = "/", method: str = "GET", headers: Mapping[str, str] | None = None, **more: Any) -> Scope:
    listed = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return {"type": "http", "method": method, "path": path, "headers": listed, "state": {}, **more}


def pieces(*bodies: bytes) -> list[Message]:
    """A request's body in so many messages."""
    return [
        {"type": "http.request", "body": body, "more_body": number < len(bodies)}
        for number, body in enumerate(bodies, 1)
    ]


async def exchange(
    app: ASGIApp,
    scope: Scope,
    request: Iterable[Message] = (),
    then: Callable[[], Awaitable[Message]] | None = None,
) -> Exchange:
    """Runs `app` on the messages of `request`; `then` gives those that come after them."""
    done = Exchange()
    waiting = iter(request)

    async def receive() -> Message:
        message = next(waiting, None)
        if message is None:
            assert then is not None, "read beyond the end of the request"
            return await then()
        done.taken += 1
        return message

    async def send(message: Message) -> None:
        done.sent.append(message)

    await app(scope, receive, send)
    return done


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with the body that it was sent."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
