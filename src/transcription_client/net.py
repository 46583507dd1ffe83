"""The service over the network: accounts by HTTP, one transcription by WebSocket."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final, Literal, TypeVar
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
NOT_OURS: Final = "does not answer as this service does: check the address"
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
OnMessage = Callable[[wire.ServerMessage, str], None]
T = TypeVar("T")


class Balance(msgspec.Struct):
    seconds_remaining: int
    minutes_remaining: int
    seconds_held: int
    seconds_frozen: int


class _Tokens(msgspec.Struct):
    token: str
    refresh_token: str
    expires_in: float

    @property
    def expires_at(self) -> float:
        return time.time() + self.expires_in


class _User(msgspec.Struct):
    email: str


class _Entered(_Tokens):
    user: _User


class _Said(msgspec.Struct):
    message: str


class _Refused(msgspec.Struct):
    error: _Said


class Api:
    """The HTTP side of one server."""

    def __init__(self, server: str) -> None:
        self.server = _address(server)

    def enter(self, email: str, password: str, *, register: bool) -> Login:
        """Logs in, or makes an account."""
        path = "/auth/register" if register else "/auth/login"
        answer = self._call("POST", path, _Entered, json={"email": email, "password": password})
        return Login(self.server, answer.user.email, answer.token, answer.refresh_token, answer.expires_at)

    def renew(self, login: Login) -> Login:
        answer = self._call("POST", "/auth/refresh", _Tokens, json={"refresh_token": login.refresh_token})
        return replace(login, token=answer.token, refresh_token=answer.refresh_token, expires_at=answer.expires_at)

    def leave(self, login: Login) -> None:
        self._call("POST", "/auth/logout", None, json={"refresh_token": login.refresh_token})

    def balance(self, token: str) -> Balance:
        return self._call("GET", "/billing/balance", Balance, headers={"Authorization": f"Bearer {token}"})

    def _call(self, method: str, path: str, expected: type[T] | None, **request: Any) -> T:
        try:
            response = httpx.request(
                method, self.server + path, timeout=HTTP_SECONDS, trust_env=not _is_here(self.server), **request
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(self.server, error) from error
        if response.is_error:
            raise ClientError(_complaint(response) or f"{self.server} {NOT_OURS} (status {response.status_code}).")
        try:
            return msgspec.json.decode(response.content or b"null", type=expected)
        except ValueError as error:  # a DecodeError is one
            raise ClientError(f"{self.server} {NOT_OURS}.") from error


def _address(server: str) -> str:
    """Scheme, host and path, without a slash at the end."""
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ClientError(f"{server!r} is no address of a service: write one such as https://captions.example.com.")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _is_here(server: str) -> bool:
    """A proxy of the environment leads away from this machine."""
    return urlsplit(server).hostname in LOOPBACK


def _complaint(response: httpx.Response) -> str | None:
    try:
        return msgspec.json.decode(response.content, type=_Refused).error.message
    except ValueError:
        return None


def _unreachable(server: str, error: Exception) -> ClientError:
    said = str(error) or type(error).__name__
    return ClientError(f"{server} cannot be reached ({said}): check the address, and that the service is running.")


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
    proxy: Literal[True] | None = None if _is_here(login.server) else True
    try:
        socket = await websockets.connect(url, max_size=None, open_timeout=HTTP_SECONDS, compression=None, proxy=proxy)
    except (OSError, websockets.WebSocketException) as error:
        raise _unreachable(login.server, error) from error
    async with socket:
        return await _Session(socket, on_message).run(wire.Auth(login.token, config), audio, interrupted)


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
            sending.cancel()
            await self._send(wire.Stop())
            await asyncio.wait((listening,), timeout=END_WITHIN)
        finally:
            for task in (listening, sending, stopping):
                task.cancel()
        for task in (listening, sending):
            if task.done() and not task.cancelled():
                task.result()  # what failed was the screen, or the source of the audio
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
        if self._end is not None or self._refused:
            return self._end
        if not self._ready.is_set():
            raise ClientError("The service did not begin: try again.")
        raise ClientError("The connection was lost before the receipt: see transcription-client balance.")
