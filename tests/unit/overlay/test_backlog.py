"""What a backlog replaces, and what it drops."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.overlay.backlog import Backlog


def backlog(most: int, *items: tuple[str, str, bool]) -> Backlog[str]:
    made: Backlog[str] = Backlog(most)
    for key, item, interim in items:
        made.add(key, item, interim)
    return made


def test_items_are_taken_once_oldest_first() -> None:
    waiting = backlog(9, ("a", "1", False), ("b", "2", False), ("a", "3", False))
    assert bool(waiting)
    assert (waiting.take(2), waiting.take(2), waiting.take(2)) == (["1", "2"], ["3"], [])
    assert not waiting


def test_the_next_item_of_its_key_replaces_an_interim_one() -> None:
    waiting = backlog(9, ("a", "i", True), ("b", "x", False), ("a", "in", True), ("a", "in.", False), ("a", "j", True))
    assert waiting.take(9) == ["in.", "x", "j"]


def test_an_interim_item_that_was_taken_is_not_replaced() -> None:
    waiting = backlog(9, ("a", "i", True))
    assert waiting.take(9) == ["i"]
    waiting.add("a", "in.", False)
    assert waiting.take(9) == ["in."]


def test_one_item_too_many_drops_the_oldest() -> None:
    waiting = backlog(2, ("a", "1", True), ("b", "2", False), ("c", "3", False))
    waiting.add("a", "4", False)
    assert waiting.take(9) == ["3", "4"]


class Plain:
    """A backlog made of a list."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: list[tuple[str, int, bool]] = []

    def add(self, item: tuple[str, int, bool]) -> None:
        last = max((place for place, waits in enumerate(self._items) if waits[0] == item[0]), default=None)
        if last is not None and self._items[last][2]:
            self._items[last] = item
        else:
            self._items = [*self._items, item][-self._most :]

    def take(self, most: int) -> list[tuple[str, int, bool]]:
        taken, self._items = self._items[:most], self._items[most:]
        return taken


@given(
    st.lists(st.one_of(st.tuples(st.sampled_from("abc"), st.booleans()), st.integers(0, 4)), max_size=60),
    st.integers(1, 6),
)
def test_a_backlog_holds_what_a_list_would(steps: list[Any], most: int) -> None:
    waiting: Backlog[tuple[str, int, bool]] = Backlog(most)
    plain = Plain(most)
    for number, step in enumerate([*steps, most]):
        if isinstance(step, int):
            assert waiting.take(step) == plain.take(step)
        else:
            item = (step[0], number, step[1])
            waiting.add(item[0], item, interim=item[2])
            plain.add(item)
    assert not waiting
