"""The feeds of all accounts in this process, and how lines get to the pages of other workers.

Nothing is stored, and no session waits for anything here: a line that cannot be forwarded is dropped."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.overlay import worker_messages
from transcription_proxy.overlay.backlog import Backlog
from transcription_proxy.overlay.feed import Feed, Subscription, is_interim, replacement_key
from transcription_proxy.overlay.messages import Shown
from transcription_proxy.overlay.worker_messages import Announcement, CountsWanted, Forwarded, KeyRenewed, PageCount
from transcription_wire.codes import ErrorCode

SHARED_CHANNEL: Final = "overlay"
"""The NOTIFY channel on which workers announce their pages, and accounts their renewed keys."""
ANNOUNCE_SECONDS: Final = 10.0
"""Seconds between two announcements of all pages."""
COUNT_LIFETIME_SECONDS: Final = 35.0
"""Seconds after which another worker's page count is forgotten."""
MAX_PAGES_PER_PROCESS: Final = 2000
MAX_OUTGOING_LINES: Final = 2000
"""Lines that wait to be forwarded to other workers."""
LINES_PER_TRANSACTION: Final = 200
RETRY_SECONDS: Final = 1.0
"""Pause while the database is away."""
NO_KEY_VERSION: Final = 1 << 31
"""Higher than the version of any key: for an account without a valid one."""
log = structlog.get_logger()


class Notifier(Protocol):
    """Sends notifications to all workers. Raises Unavailable."""

    async def notify(self, messages: Sequence[tuple[str, str]]) -> None: ...


class KeyVersions(Protocol):
    """The valid version of each account's key, without accounts that have none. Raises Unavailable."""

    async def versions(self, user_ids: Sequence[UUID]) -> dict[UUID, int]: ...


class Feeds:
    """`life` names this process. `own_channel` is to be listened to for `receive_line`, and SHARED_CHANNEL for
    `receive_announcement`; `announce` and `forward` are to run in the background."""

    def __init__(
        self, life: UUID, notifier: Notifier, keys: KeyVersions, clock: Callable[[], float] = monotonic
    ) -> None:
        self.own_channel = _channel(life)
        self._life = life
        self._notifier = notifier
        self._keys = keys
        self._clock = clock
        self._feeds: WeakValueDictionary[UUID, Feed] = WeakValueDictionary()
        self._watched: dict[UUID, Feed] = {}
        """The feeds with pages, here or elsewhere. Others are kept only by their sessions."""
        self._outgoing: Backlog[tuple[Feed, Shown]] = Backlog(MAX_OUTGOING_LINES)
        self._page_count = 0
        """Pages of this process."""
        self._due: set[UUID] = set()
        """Accounts whose page count is to be announced, and whose keys are to be checked."""
        self._are_counts_wanted = False
        self._has_outgoing = asyncio.Event()
        self._has_due = asyncio.Event()
        self._is_ended = False

    def feed(self, user_id: UUID) -> Feed:
        """Return an account's feed, the same for all of its sessions and pages."""
        feed = self._feeds.get(user_id)
        if feed is None:
            feed = self._feeds[user_id] = Feed(user_id, self._enqueue)
        return feed

    # Pages of this process

    def subscribe(self, user_id: UUID, key_version: int) -> Subscription:
        """Return a new page's subscription, to be passed to `unsubscribe` when the page is gone.

        seats.py limits the pages of an account. Raises Refusal service_unavailable."""
        feed = self.feed(user_id)
        if self._is_ended:
            raise Refusal(ErrorCode.SERVICE_UNAVAILABLE, sentences.NOT_READY)
        if self._page_count >= MAX_PAGES_PER_PROCESS:
            raise Refusal(ErrorCode.SERVICE_UNAVAILABLE, sentences.TOO_MANY_PAGES)
        subscription = Subscription(key_version)
        feed.subscriptions.add(subscription)
        self._page_count += 1
        self._record_pages(feed)
        return subscription

    def unsubscribe(self, user_id: UUID, subscription: Subscription) -> None:
        """Remove a page."""
        feed = self.feed(user_id)
        feed.subscriptions.remove(subscription)
        self._page_count -= 1
        self._record_pages(feed)

    def end(self) -> None:
        """End all subscriptions, and refuse new ones: the service shuts down."""
        self._is_ended = True
        for feed in self._watched.values():
            for subscription in feed.subscriptions:
                subscription.end()

    def _record_pages(self, feed: Feed) -> None:
        self._update_watched(feed)
        self._due.add(feed.user_id)
        self._has_due.set()

    def _update_watched(self, feed: Feed) -> None:
        feed.is_watched = bool(feed.subscriptions or feed.elsewhere)
        if feed.is_watched:
            self._watched[feed.user_id] = feed
        else:
            self._watched.pop(feed.user_id, None)

    # Messages from other workers

    def request_counts(self) -> None:
        """Have all workers announce their pages. To be called whenever this process begins to listen."""
        self._are_counts_wanted = True
        self._has_due.set()

    def receive_announcement(self, payload: str) -> None:
        """Handle a notification of SHARED_CHANNEL. Raises msgspec.DecodeError."""
        match worker_messages.decode_announcement(payload):
            case PageCount(life, user, pages) if life != self._life:
                feed = self.feed(user)
                feed.elsewhere.pop(life, None)
                if pages:
                    feed.elsewhere[life] = (pages, self._clock() + COUNT_LIFETIME_SECONDS)
                self._update_watched(feed)
            case CountsWanted():
                self._announce_all()
            case KeyRenewed(user, version):
                self._end_outdated(user, version)

    def receive_line(self, payload: str) -> None:
        """Handle a notification of `own_channel`: show a line of another worker. Raises msgspec.DecodeError."""
        forwarded = worker_messages.decode_forwarded(payload)
        feed = self._watched.get(forwarded.user)
        if feed is not None:
            feed.show_here(forwarded.shown)

    def _end_outdated(self, user_id: UUID, version: int) -> None:
        """End the account's subscriptions whose key is older than `version`."""
        feed = self._watched.get(user_id)
        for subscription in feed.subscriptions if feed else ():
            if subscription.key_version < version:
                subscription.end(is_key_void=True)

    # Messages to other workers

    def _enqueue(self, feed: Feed, shown: Shown) -> None:
        self._outgoing.add((feed.user_id, *replacement_key(shown)), (feed, shown), is_interim(shown))
        self._has_outgoing.set()

    async def forward(self) -> None:
        """Forward lines to other workers until cancelled. While the database is away they are dropped, not delayed."""
        while True:
            await self._has_outgoing.wait()
            self._has_outgoing.clear()
            while self._outgoing:
                lines = self._outgoing.take(LINES_PER_TRANSACTION)
                try:
                    await self._notifier.notify([each for feed, shown in lines for each in _addressed(feed, shown)])
                except Unavailable:
                    lost = len(lines) + len(self._outgoing.take(MAX_OUTGOING_LINES))
                    log.warning("overlay_lines_lost", lines=lost)
                    await asyncio.sleep(RETRY_SECONDS)

    async def announce(self) -> None:
        """Announce the page counts of this process until cancelled: when they change, and every ANNOUNCE_SECONDS.

        Each time check the pages' keys, and every ANNOUNCE_SECONDS forget workers that announce nothing."""
        round_at = self._clock() + ANNOUNCE_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(round_at - self._clock()):
                    await self._has_due.wait()
            self._has_due.clear()
            if self._clock() >= round_at:  # counts that change all the time must not delay this
                round_at = self._clock() + ANNOUNCE_SECONDS
                self._announce_all()
                self._forget_silent_workers()
            try:
                await self._send_announcements()
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
                self._has_due.set()

    def _announce_all(self) -> None:
        self._due.update(user for user, feed in self._watched.items() if feed.subscriptions)
        self._has_due.set()

    def _forget_silent_workers(self) -> None:
        now = self._clock()
        for feed in list(self._watched.values()):
            feed.elsewhere = {life: count for life, count in feed.elsewhere.items() if count[1] > now}
            self._update_watched(feed)

    async def _send_announcements(self) -> None:
        are_wanted, due = self._are_counts_wanted, frozenset(self._due)
        announcements: list[Announcement] = [CountsWanted()] if are_wanted else []
        announcements += [PageCount(self._life, user, len(self.feed(user).subscriptions)) for user in due]
        if not announcements:
            return
        self._are_counts_wanted, self._due = False, set()
        try:
            await self._notifier.notify([(SHARED_CHANNEL, worker_messages.encode(each)) for each in announcements])
            await self._check_keys(due)
        except Unavailable:
            self._are_counts_wanted |= are_wanted
            self._due |= due
            raise

    async def _check_keys(self, due: Iterable[UUID]) -> None:
        """End pages whose key is void: KeyRenewed may have been lost, or have come before the page."""
        users = [user for user in due if self.feed(user).subscriptions]
        versions = await self._keys.versions(users) if users else {}
        for user in users:
            self._end_outdated(user, versions.get(user, NO_KEY_VERSION))


def _channel(life: UUID) -> str:
    return f"overlay_{life.hex}"


def _addressed(feed: Feed, shown: Shown) -> list[tuple[str, str]]:
    """Return channel and payload for each worker that has pages of the feed."""
    payload = worker_messages.encode(Forwarded(feed.user_id, shown))
    return [(_channel(life), payload) for life in feed.elsewhere]
