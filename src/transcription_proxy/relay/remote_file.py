"""Fetches a recording from a URL that a client names, but never from an address inside our own network.

The check is in the connection itself: a name is resolved once, and the address that was checked is the one that is
dialled. So it holds for every redirect, and for a name whose address changes in between."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

import httpcore
import httpx
import structlog
from httpcore import AsyncNetworkStream

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal

MAX_REDIRECTS: Final = 5
TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Seconds: to connect, and between two pieces of the file."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that stand for IPv4 ones (RFC 6052)."""
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[Address]]]
log = structlog.get_logger(__name__)


class Forbidden(httpcore.ConnectError):
    """A name leads to an address that may not be fetched from."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An open download. `size`: its bytes, None if the server does not say."""

    chunks: AsyncIterator[bytes]
    size: int | None


def is_public(address: Address) -> bool:
    """Return whether an address is on the public internet, and does not stand for another one."""
    if isinstance(address, IPv6Address):
        other = address.ipv4_mapped or address.sixtofour or address.teredo
        if other is not None or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a name. Raise OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]


class RemoteFiles:
    """`resolve`, `is_allowed`: how names become addresses, and which of them may be dialled."""

    def __init__(self, resolve: Resolve = resolve, is_allowed: Callable[[Address], bool] = is_public) -> None:
        self._backend = _CheckedBackend(resolve, is_allowed)
        self._tls = httpx.create_ssl_context(trust_env=False)  # shared: making one blocks the event loop for 30 ms

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[RemoteFile]:
        """Begin to download a file. Raise Refusal bad_url, also while the chunks are read."""
        async with httpx.AsyncClient(
            transport=_Transport(self._backend, self._tls),
            timeout=TIMEOUT,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            trust_env=False,
            headers={"Accept-Encoding": "identity"},
        ) as client:
            try:
                async with client.stream("GET", url) as response:
                    if response.status_code != 200:
                        raise _unreadable(sentences.url_answered(response.status_code))
                    yield RemoteFile(_chunks(response), _size(response))
            except Forbidden:
                raise _unreadable(sentences.URL_NOT_PUBLIC) from None
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                if isinstance(error.__cause__, Forbidden):
                    raise _unreadable(sentences.URL_NOT_PUBLIC) from None
                log.info("recording_url_failed", error=type(error).__name__)
                raise _unreadable(sentences.URL_UNREADABLE) from None


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx.HTTPError as error:
        log.info("recording_url_failed", error=type(error).__name__)
        raise _unreadable(sentences.URL_UNREADABLE) from None


def _size(response: httpx.Response) -> int | None:
    length = response.headers.get("content-length", "")
    return int(length) if length.isdigit() and "content-encoding" not in response.headers else None


def _unreadable(message: str) -> Refusal:
    return Refusal("bad_url", message)


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Dials checked addresses only."""

    def __init__(self, resolve: Resolve, is_allowed: Callable[[Address], bool]) -> None:
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise httpcore.ConnectError(type(error).__name__) from error
        if not addresses or not all(map(self._is_allowed, addresses)):
            raise Forbidden(host)
        return await self._inner.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport with another network backend, which its constructor does not take."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=backend)
