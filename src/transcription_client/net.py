"""The service over the network: accounts by HTTP, one transcription by WebSocket."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
import websockets

from transcription_client.errors import ClientError
from transcription_client.store import Login, Store
from transcription_wire import messages as wire

HTTP_SECONDS: Final = 15.0
RENEW_BEFORE: Final = 60.0
READY_WITHIN: Final = 30.0
END_WITHIN: Final = 30.0
"""For the last words, the receipt and the close, after `stop`, seconds."""
OnMessage = Callable[[wire.ServerMessage, str], None]


class Api:
    """The HTTP side of one server."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ClientError(f"{server!r} is no address of a service: it starts with http:// or https://.")
        self.server = server.rstrip("/")

    def enter(self, email: str, password: str, *, register: bool) -> Login:
        """Logs in, or makes an account."""
        answer = self._call("POST", "/auth/register" if register else "/auth/login", json=_credentials(email, password))
        return Login(self.server, answer["user"]["email"], *_tokens(answer))

    def renew(self, login: Login) -> Login:
        answer = self._call("POST", "/auth/refresh", json={"refresh_token": login.refresh_token})
        token, refresh_token, expires_at = _tokens(answer)
        return replace(login, token=token, refresh_token=refresh_token, expires_at=expires_at)

    def leave(self, login: Login) -> None:
        self._call("POST", "/auth/logout", json={"refresh_token": login.refresh_token})

    def balance(self, token: str) -> dict[str, Any]:
        return self._call("GET", "/billing/balance", headers={"Authorization": f"Bearer {token}"})

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            response = httpx.request(method, self.server + path, timeout=HTTP_SECONDS, **request)
            answer: dict[str, Any] = response.json() if response.content else {}
        except httpx.HTTPError as error:
            raise ClientError(f"{self.server} cannot be reached ({_said(error)}): is the service running?") from error
        except ValueError as error:
            raise ClientError(f"{self.server} does not answer as this service does: check the address.") from error
        if response.is_error:
            message = answer.get("error", {}).get("message") if isinstance(answer.get("error"), dict) else None
            raise ClientError(message or f"The service answered with status {response.status_code}.")
        return answer


def current(store: Store) -> Login:
    """The login, with a token that is good for a while. Raises ClientError when one has to log in."""
    with store.locked():
        login = store.load()
        if login is None:
            raise ClientError("Nobody is logged in: run transcription-client login.")
        if login.expires_at - time.time() > RENEW_BEFORE:
            return login
        try:
            login = Api(login.server).renew(login)
        except ClientError as error:
            raise ClientError(f"{error} If that goes on, log in again: transcription-client login.") from error
        store.save(login)
        return login


async def transcribe(
    login: Login, config: dict[str, Any], audio: AsyncIterator[bytes], interrupted: asyncio.Event, on_message: OnMessage
) -> wire.SessionEnd | None:
    """Sends the audio, reports every message, and returns the receipt; None when an error that was reported is all.

    Raises ClientError when the service cannot be reached or is lost."""
    url = "ws" + login.server.removeprefix("http") + "/ws/transcribe"
    try:
        async with websockets.connect(url, max_size=None, open_timeout=HTTP_SECONDS, compression=None) as socket:
            return await _Session(socket, on_message).run(wire.Auth(login.token, config), audio, interrupted)
    except (OSError, websockets.InvalidHandshake, TimeoutError) as error:
        raise ClientError(f"{login.server} cannot be reached ({_said(error)}): is the service running?") from error


class _Session:
    def __init__(self, socket: websockets.ClientConnection, on_message: OnMessage) -> None:
        self._socket = socket
        self._on_message = on_message
        self._ready = asyncio.Event()
        self._refused = False
        self._end: wire.SessionEnd | None = None

    async def run(
        self, auth: wire.Auth, audio: AsyncIterator[bytes], interrupted: asyncio.Event
    ) -> wire.SessionEnd | None:
        await self._send(auth)
        listening = asyncio.create_task(self._listen())
        sending = asyncio.create_task(self._speak(audio))
        stopping = asyncio.create_task(interrupted.wait())
        try:
            await asyncio.wait((listening, sending, stopping), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()  # an error of the audio's source
            sending.cancel()
            if not listening.done():
                await self._send(wire.Stop())
                await asyncio.wait((listening,), timeout=END_WITHIN)
        finally:
            for task in (listening, sending, stopping):
                task.cancel()
        return self._outcome()

    async def _listen(self) -> None:
        try:
            async for text in self._socket:
                self._take(text if isinstance(text, str) else text.decode(errors="replace"))
        except websockets.ConnectionClosed:
            return

    def _take(self, text: str) -> None:
        try:
            message = wire.decode_server(text)
        except msgspec.DecodeError:
            return  # of a newer server
        match message:
            case wire.Ready():
                self._ready.set()
            case wire.Error(code="bad_message"):
                pass
            case wire.Error():
                self._refused = True
            case wire.SessionEnd():
                self._end = message
        self._on_message(message, text)

    async def _speak(self, audio: AsyncIterator[bytes]) -> None:
        try:
            await asyncio.wait_for(self._ready.wait(), READY_WITHIN)
            async for frame in audio:
                await self._socket.send(frame)
        except (websockets.ConnectionClosed, TimeoutError):
            return  # the listener knows why

    async def _send(self, message: wire.ClientMessage) -> None:
        try:
            await self._socket.send(wire.encode(message).decode())
        except websockets.ConnectionClosed:
            return

    def _outcome(self) -> wire.SessionEnd | None:
        if self._end is None and not self._refused:
            raise ClientError("The connection was lost before the receipt: see transcription-client balance.")
        return self._end


def _credentials(email: str, password: str) -> dict[str, str]:
    return {"email": email, "password": password}


def _tokens(answer: dict[str, Any]) -> tuple[str, str, float]:
    return answer["token"], answer["refresh_token"], time.time() + answer["expires_in"]


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
