"""Calls the service over HTTP: login, tokens, balance, receipts."""

import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec
import websockets

from transcription_client.errors import ClientError, Unreachable
from transcription_client.store import Login, Store
from transcription_wire.proxies import UnusableProxy, choose

HTTP_SECONDS: Final = 15.0
"""Timeout of a request."""
SUGGESTION_SECONDS: Final = 3.0
"""Timeout of a request whose answer is not necessary."""
RENEW_BEFORE_SECONDS: Final = 60.0
"""How long before it expires a token is renewed."""
NOT_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""OpenSSL's reasons where the server doesn't speak TLS."""
NOT_OURS: Final = "isn't a caption service. Check the address"
T = TypeVar("T")


class Balance(msgspec.Struct):
    seconds_remaining: int
    minutes_remaining: int
    seconds_held: int
    seconds_frozen: int
    low_at_seconds: int | msgspec.UnsetType = msgspec.UNSET
    """The service calls a balance below this low; unset where the service is older."""


class Receipt(msgspec.Struct):
    """A session as the service lists it."""

    id: str
    status: str
    seconds_used: int
    audio_seconds: float | None = None
    reason: str | None = None


class _Usage(msgspec.Struct):
    sessions: list[Receipt]


class _Defaults(msgspec.Struct):
    model: str | None = None


class _Options(msgspec.Struct):
    default: _Defaults


class _Tokens(msgspec.Struct):
    token: str
    refresh_token: str
    expires_in: float

    @property
    def expires_at(self) -> float:
        return time.time() + self.expires_in


class _User(msgspec.Struct):
    email: str


class _LoginBody(_Tokens):
    user: _User


class _ErrorDetail(msgspec.Struct):
    message: str


class _ErrorBody(msgspec.Struct):
    error: _ErrorDetail


class Api:
    """The HTTP side of one server."""

    def __init__(self, server: str, within: float = HTTP_SECONDS) -> None:
        self.server = _address(server)
        self._within = within

    def enter(self, email: str, password: str, *, register: bool) -> Login:
        """Log in, or create an account. Raise ClientError."""
        path = "/auth/register" if register else "/auth/login"
        answer = self._call("POST", path, _LoginBody, json={"email": email, "password": password})
        return Login(self.server, answer.user.email, answer.token, answer.refresh_token, answer.expires_at)

    def renew(self, login: Login) -> Login:
        answer = self._call("POST", "/auth/refresh", _Tokens, json={"refresh_token": login.refresh_token})
        return replace(login, token=answer.token, refresh_token=answer.refresh_token, expires_at=answer.expires_at)

    def leave(self, login: Login) -> None:
        self._call("POST", "/auth/logout", None, json={"refresh_token": login.refresh_token})

    def balance(self, token: str) -> Balance:
        return self._call("GET", "/billing/balance", Balance, headers=_bearer(token))

    def receipts(self, token: str) -> list[Receipt]:
        """Return the last ten sessions, live ones included. Raise ClientError."""
        return self._call("GET", "/account/usage", _Usage, headers=_bearer(token)).sessions

    def preferred_model(self) -> str | None:
        """Return the model that the service suggests, None where it suggests none or does not answer soon."""
        try:
            return Api(self.server, SUGGESTION_SECONDS)._call("GET", "/captions/options", _Options).default.model
        except ClientError:
            return None  # the session shows what is wrong

    def _call(self, method: str, path: str, expected: type[T] | None, **request: Any) -> T:
        response = request_from(self.server, method, path, self._within, **request)
        if response.is_server_error:
            raise Unreachable(_complaint(response) or f"{self.server} {NOT_OURS} (status {response.status_code}).")
        if response.is_error:
            raise ClientError(_complaint(response) or f"{self.server} {NOT_OURS} (status {response.status_code}).")
        if response.headers.get("Location", "").startswith("https:") and self.server.startswith("http:"):
            raise ClientError(f"{self.server} uses https. Write {secure(self.server)} instead.")
        try:
            return msgspec.json.decode(response.content or b"null", type=expected)
        except ValueError as error:  # a DecodeError is one
            raise ClientError(f"{self.server} {NOT_OURS}.") from error


def with_model(config: dict[str, Any], server: str) -> dict[str, Any]:
    """Return the options of a session with the model that the service suggests, if they name none.

    `keywords` is for nova-2 only, which the service uses unless it is told otherwise."""
    if "model" in config or "keywords" in config:
        return config
    model = Api(server).preferred_model()
    return config if model is None else {"model": model, **config}


def request_from(server: str, method: str, path: str, within: float = HTTP_SECONDS, **request: Any) -> httpx.Response:
    """Return a server's answer, whatever its status. Raise ClientError where there is none."""
    proxy = proxy_for(server)
    try:
        transport = httpx.HTTPTransport(proxy=proxy)  # with a transport, httpx ignores the proxies of the environment
        with httpx.Client(transport=transport, timeout=within) as client:
            return client.request(method, server + path, **request)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise unreachable(server, error) from error


def secure(server: str) -> str:
    """Return an address with https or wss in place of http or ws."""
    scheme, _, rest = server.partition("://")
    return f"{scheme.rstrip('s')}s://{rest}"


def _address(server: str) -> str:
    """Return scheme, host and path of a server's URL, without a slash at the end. Raise ClientError."""
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ClientError(f"{server!r} isn't a valid address. Use one like https://captions.example.com.")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def proxy_for(server: str) -> str | None:
    """Return the proxy that the environment or the system names for the service. Raise ClientError."""
    if proxy_bypass(urlsplit(server).hostname or ""):
        return None
    try:
        return choose(server, getproxies())
    except UnusableProxy as error:
        raise ClientError(f"{error}.") from error


def _complaint(response: httpx.Response) -> str | None:
    try:
        return msgspec.json.decode(response.content, type=_ErrorBody).error.message
    except ValueError:
        return None


def unreachable(server: str, error: Exception) -> ClientError:
    """Return the error for a server that cannot be reached: Unreachable, unless the server itself must change."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = getattr(cause, "verify_message", "") or "not valid"
            return ClientError(f"This computer doesn't trust the certificate of {server} ({why}). Check the address.")
        if isinstance(cause, ssl.SSLError) and cause.reason in NOT_TLS:
            return ClientError(f"{server} doesn't use https. Check the address, or write http:// if it's your own.")
    detail = str(error) or type(error).__name__
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) and server.startswith("http:"):
        return Unreachable(f"{server} closed the connection ({detail}). If it uses https, write {secure(server)}.")
    kind = ClientError if _is_lasting(error) else Unreachable
    return kind(f"Can't reach {server} ({detail}). Check the address, and that the service is running.")


def _is_lasting(error: Exception) -> bool:
    """Whether another try would fail alike: a wrong address, a certificate that is not trusted, or another protocol."""
    if isinstance(error, websockets.InvalidStatus):
        return error.response.status_code < 500
    if isinstance(error, httpx.ConnectError):  # it has lost the type of its cause
        return "[SSL" in str(error)
    return isinstance(
        error,
        ssl.SSLError | httpx.InvalidURL | httpx.UnsupportedProtocol | websockets.InvalidHandshake
        | websockets.InvalidURI,
    )  # fmt: skip


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def current(store: Store) -> Login:
    """Return the saved login, renewed if its token expires soon. Raise ClientError where there is none."""
    try:
        login = fresh(store)
    except ClientError as error:
        raise ClientError(f"{error} If this keeps happening, run transcription-client login.") from error
    if login is None:
        raise ClientError("You're not logged in. Run transcription-client login.")
    return login


def fresh(store: Store) -> Login | None:
    """Return the saved login, renewed if its token expires soon, or None where there is none. Raise ClientError."""
    with store.locked():
        login = store.load()
        if login is None or login.expires_at - time.time() > RENEW_BEFORE_SECONDS:
            return login
        return _renew(store, login)


def renewed(store: Store, refused: Login) -> Login:
    """Return a login with a new token for one that was refused. Another program may have renewed it already.

    Raise ClientError."""
    with store.locked():
        kept = store.load()
        if kept is None or kept.token == refused.token:
            return _renew(store, refused)
        return kept


def _renew(store: Store, login: Login) -> Login:
    login = Api(login.server).renew(login)
    store.save(login)
    return login
