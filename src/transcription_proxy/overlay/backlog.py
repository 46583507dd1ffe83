"""A bounded queue in which an item replaces an interim one of the same key. Values only."""

from collections.abc import Hashable
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    """Items that wait to be sent, oldest first. Beyond `most` items the oldest is dropped."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: dict[int, T] = {}
        self._interim: dict[Hashable, int] = {}
        """The number of each key's interim item."""
        self._number = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, key: Hashable, item: T, interim: bool) -> None:
        """Append an item, or put it in the place of an interim one of its key that still waits."""
        number = self._interim.pop(key, None)
        if number not in self._items:
            number = self._number = self._number + 1
        self._items[number] = item
        if interim:
            self._interim[key] = number
        if len(self._items) > self._most:
            del self._items[next(iter(self._items))]

    def take(self, most: int) -> list[T]:
        """Remove and return the oldest items, `most` at most."""
        numbers = list(islice(self._items, most))
        taken = [self._items.pop(number) for number in numbers]
        self._interim = {key: number for key, number in self._interim.items() if number in self._items}
        return taken
