"""One account's live captions in this process: the pages that show them, and the workers that have more pages."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

from transcription_proxy.overlay import messages
from transcription_proxy.overlay.backlog import Backlog
from transcription_proxy.overlay.messages import Clear, Line, Shown
from transcription_wire import messages as wire

MAX_PENDING_LINES: Final = 100
"""Lines kept for a page that does not read."""


class Subscription:
    """The lines for one page. `key_version`: the version of the key that the page came with."""

    def __init__(self, key_version: int) -> None:
        self.key_version = key_version
        self.is_ended = False
        self.is_key_void = False
        """Whether it ended because its key is void."""
        self._pending: Backlog[Shown] = Backlog(MAX_PENDING_LINES)
        self._changed = asyncio.Event()

    def push(self, shown: Shown) -> None:
        """Add a line or an end."""
        self._pending.add(replacement_key(shown), shown, is_interim(shown))
        self._changed.set()

    def end(self, is_key_void: bool = False) -> None:
        """End the subscription. The page still gets what is pending, unless its key is void."""
        self.is_ended, self.is_key_void = True, is_key_void
        if is_key_void:
            self._pending.take(MAX_PENDING_LINES)
        self._changed.set()

    async def next(self) -> list[Shown]:
        """Wait for lines and return all of them; return none when the subscription has ended."""
        while not self._pending and not self.is_ended:
            self._changed.clear()
            await self._changed.wait()
        return self._pending.take(MAX_PENDING_LINES)


class Feed:
    """One account's feed. Sessions look at `is_watched` before they publish, and at nothing else."""

    def __init__(self, user_id: UUID, forward: Callable[["Feed", Shown], None]) -> None:
        """`forward`: sends what is shown to the workers in `elsewhere`."""
        self.user_id = user_id
        self.is_watched = False
        self.subscriptions: set[Subscription] = set()
        self.elsewhere: dict[UUID, tuple[int, float]] = {}
        """By the life of each other worker with pages: how many, and until when to believe it."""
        self._forward = forward

    def publish(self, session_id: UUID, transcript: wire.Transcript) -> None:
        """Show words that the session's client is sent."""
        self.show(messages.line(str(session_id), transcript))

    def clear(self, session_id: UUID) -> None:
        """Remove the session's words: it has ended."""
        self.show(Clear(str(session_id)))

    def show(self, shown: Shown) -> None:
        """Show a line or an end on all pages."""
        self.show_here(shown)
        if self.elsewhere:
            self._forward(self, shown)

    def show_here(self, shown: Shown) -> None:
        """Show a line or an end on the pages of this process."""
        for subscription in self.subscriptions:
            subscription.push(shown)

    @property
    def page_count(self) -> int:
        """How many pages are open at all workers, as far as this one knows."""
        return len(self.subscriptions) + sum(count for count, _ in self.elsewhere.values())


def replacement_key(shown: Shown) -> tuple[str, object]:
    """Return what an interim line and the line that replaces it have in common."""
    return shown.session, shown.channel if isinstance(shown, Line) else None


def is_interim(shown: Shown) -> bool:
    return isinstance(shown, Line) and not shown.is_final
