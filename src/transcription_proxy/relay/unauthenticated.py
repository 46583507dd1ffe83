"""The sockets that have not authenticated yet. Too many of one address never shut out another address."""

from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

MAX_UNAUTHENTICATED: Final = 1000
"""Sockets of a process that may be open without being authenticated."""
S = TypeVar("S", bound=Hashable)


class Unauthenticated(Generic[S]):
    """Sockets by the address of their client, the oldest first."""

    def __init__(self, most: int = MAX_UNAUTHENTICATED) -> None:
        self._most = most
        self._by_address: dict[str, dict[S, None]] = {}
        self._addresses: dict[S, str] = {}

    def add(self, socket: S, address: str) -> S | None:
        """Add a socket. Return the one that must go, if there are too many: the oldest of the address with the most."""
        self._by_address.setdefault(address, {})[socket] = None
        self._addresses[socket] = address
        if len(self._addresses) <= self._most:
            return None
        busiest = max(self._by_address, key=lambda address: len(self._by_address[address]))
        oldest = next(iter(self._by_address[busiest]))
        self.discard(oldest)
        return oldest

    def discard(self, socket: S) -> None:
        """Remove a socket that has authenticated, or is gone."""
        address = self._addresses.pop(socket, None)
        if address is not None:
            del self._by_address[address][socket]
            if not self._by_address[address]:
                del self._by_address[address]

    def __iter__(self) -> Iterator[S]:
        return iter(self._addresses)

    def __len__(self) -> int:
        return len(self._addresses)
