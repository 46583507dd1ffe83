"""Who watches which account's captions, in this process and in others, and how lines get there.

Nothing is stored, and nothing here is waited for by a session: what cannot be passed on is dropped."""

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
from transcription_proxy.stream import overlay
from transcription_proxy.stream.overlay import Backlog, Line, Passed, Shown
from transcription_wire.codes import ErrorCode

NEWS: Final = "overlay"
"""The channel on which workers say whom they watch."""
ANNOUNCED_EVERY: Final = 10.0
ANNOUNCED_FOR: Final = 35.0
"""Seconds; after them another worker's word is forgotten."""
MOST_WATCHERS: Final = 10
"""Of an account, over all workers."""
MOST_HERE: Final = 2000
"""Watchers of one process."""
MAX_WAITING: Final = 100
"""Lines for one watcher that does not read."""
MOST_PASSING: Final = 2000
"""Lines on their way to other workers, in all."""
AT_ONCE: Final = 200
PAUSE: Final = 1.0
NEVER: Final = 1 << 31
"""Higher than the version of any key."""
log = structlog.get_logger()


class Notifier(Protocol):
    async def notify(self, messages: Sequence[tuple[str, str]]) -> None: ...


class Versions(Protocol):
    async def overlay_versions(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Which version of its key is valid, for each account that may be watched."""


class Watcher:
    """One page. `version`: of the key that it came with."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.ended = False
        self.gone = False
        """Ended, and its key is void."""
        self._waiting: Backlog[Shown] = Backlog(MAX_WAITING)
        self._news = asyncio.Event()

    def show(self, shown: Shown) -> None:
        self._waiting.add(_key(shown), shown, _interim(shown))
        self._news.set()

    def end(self, gone: bool = False) -> None:
        self.ended, self.gone = True, gone
        if gone:
            self._waiting.take(MAX_WAITING)
        self._news.set()

    async def next(self) -> list[Shown]:
        """What to show next. Nothing: it has ended."""
        while not self._waiting and not self.ended:
            self._news.clear()
            await self._news.wait()
        return self._waiting.take(MAX_WAITING)


class Stage:
    """One account's captions in this process. Those who speak look at `watched` first, and at nothing else."""

    def __init__(self, user_id: UUID, passing: Callable[["Stage", Shown], None]) -> None:
        self.user_id = user_id
        self.watched = False
        self.watchers: set[Watcher] = set()
        self.elsewhere: dict[UUID, tuple[int, float]] = {}
        """By another worker's life: how many watch there, and until when its word counts."""
        self._passing = passing

    def show(self, shown: Shown) -> None:
        for watcher in self.watchers:
            watcher.show(shown)
        if self.elsewhere:
            self._passing(self, shown)

    @property
    def count(self) -> int:
        return len(self.watchers) + sum(count for count, _ in self.elsewhere.values())


class Stages:
    """`life` names this process; its `channel` is listened to for `heard`, and NEWS for `heard_news`."""

    def __init__(
        self, life: UUID, notifier: Notifier, versions: Versions, clock: Callable[[], float] = monotonic
    ) -> None:
        self.channel = _channel(life)
        self._life = life
        self._notifier = notifier
        self._versions = versions
        self._clock = clock
        self._stages: WeakValueDictionary[UUID, Stage] = WeakValueDictionary()
        self._watched: dict[UUID, Stage] = {}
        self._passing: Backlog[tuple[Stage, Shown]] = Backlog(MOST_PASSING)
        self._here = 0
        """Watchers of this process."""
        self._due: set[UUID] = set()
        """Accounts whose number of watchers is to be announced, and whose keys are to be looked at."""
        self._asking = False
        self._to_pass = asyncio.Event()
        self._to_announce = asyncio.Event()
        self._ended = False

    def stage(self, user_id: UUID) -> Stage:
        """The same one for all sessions of the account."""
        stage = self._stages.get(user_id)
        if stage is None:
            stage = self._stages[user_id] = Stage(user_id, self._pass)
        return stage

    # Watchers of this process

    def watch(self, user_id: UUID, version: int) -> Watcher:
        """To be given back to `leave`. Raises Refusal: too_many_watchers, service_unavailable."""
        stage = self.stage(user_id)
        if self._ended:
            raise Refusal(ErrorCode.SERVICE_UNAVAILABLE, sentences.NOT_READY)
        if self._here >= MOST_HERE:
            raise Refusal(ErrorCode.SERVICE_UNAVAILABLE, sentences.TOO_MANY_PAGES)
        if stage.count >= MOST_WATCHERS:
            raise Refusal("too_many_watchers", sentences.too_many_watchers(MOST_WATCHERS))
        watcher = Watcher(version)
        stage.watchers.add(watcher)
        self._here += 1
        self._changed(stage)
        return watcher

    def leave(self, user_id: UUID, watcher: Watcher) -> None:
        stage = self.stage(user_id)
        stage.watchers.remove(watcher)
        self._here -= 1
        self._changed(stage)

    def end(self) -> None:
        """The service goes down: all watchers end, and nobody new comes in."""
        self._ended = True
        for stage in self._watched.values():
            for watcher in stage.watchers:
                watcher.end()

    def _changed(self, stage: Stage) -> None:
        self._mind(stage)
        self._due.add(stage.user_id)
        self._to_announce.set()

    def _mind(self, stage: Stage) -> None:
        """Keeps it as long as it is watched."""
        stage.watched = bool(stage.watchers or stage.elsewhere)
        if stage.watched:
            self._watched[stage.user_id] = stage
        else:
            self._watched.pop(stage.user_id, None)

    # What other processes say

    def listening(self) -> None:
        """From now on NEWS is heard: whoever watches is to say so again."""
        self._asking = True
        self._to_announce.set()

    def heard_news(self, payload: str) -> None:
        """Raises msgspec.DecodeError."""
        match overlay.decode_news(payload):
            case overlay.Watch(life, user, watchers) if life != self._life:
                stage = self.stage(user)
                stage.elsewhere.pop(life, None)
                if watchers:
                    stage.elsewhere[life] = (watchers, self._clock() + ANNOUNCED_FOR)
                self._mind(stage)
            case overlay.Ask():
                self._announce_all()
            case overlay.Renewed(user, version):
                self._drop(user, version)

    def heard(self, payload: str) -> None:
        """A line for watchers of this process. Raises msgspec.DecodeError."""
        passed = overlay.decode_passed(payload)
        stage = self._watched.get(passed.user)
        for watcher in stage.watchers if stage else ():
            watcher.show(passed.shown)

    def _drop(self, user_id: UUID, version: int) -> None:
        """Those who came with an older key."""
        stage = self._watched.get(user_id)
        for watcher in stage.watchers if stage else ():
            if watcher.version < version:
                watcher.end(gone=True)

    # What this process says

    def _pass(self, stage: Stage, shown: Shown) -> None:
        self._passing.add((stage.user_id, *_key(shown)), (stage, shown), _interim(shown))
        self._to_pass.set()

    async def pass_on(self) -> None:
        """Carries lines to other workers, for ever. While the database is away they are lost: late ones help nobody."""
        while True:
            await self._to_pass.wait()
            self._to_pass.clear()
            while self._passing:
                lines = self._passing.take(AT_ONCE)
                messages = [message for stage, shown in lines for message in self._addressed(stage, shown)]
                try:
                    await self._notifier.notify(messages)
                except Unavailable:
                    lost = len(lines) + len(self._passing.take(MOST_PASSING))
                    log.warning("overlay_lines_lost", lines=lost)
                    await asyncio.sleep(PAUSE)

    def _addressed(self, stage: Stage, shown: Shown) -> list[tuple[str, str]]:
        payload = overlay.encode(Passed(stage.user_id, shown))
        return [(_channel(life), payload) for life in stage.elsewhere]

    async def announce(self) -> None:
        """Says who is watched here, when that changes and every so often, for ever; and looks after what was missed."""
        round_at = self._clock() + ANNOUNCED_EVERY
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(round_at - self._clock()):
                    await self._to_announce.wait()
            self._to_announce.clear()
            if self._clock() >= round_at:  # also when there is always something new
                round_at = self._clock() + ANNOUNCED_EVERY
                self._announce_all()
                self._forget()
            try:
                await self._say_news()
            except Unavailable:
                await asyncio.sleep(PAUSE)
                self._to_announce.set()

    def _announce_all(self) -> None:
        self._due.update(user for user, stage in self._watched.items() if stage.watchers)
        self._to_announce.set()

    def _forget(self) -> None:
        """Workers that have not said for long that they watch."""
        now = self._clock()
        for stage in list(self._watched.values()):
            stage.elsewhere = {life: word for life, word in stage.elsewhere.items() if word[1] > now}
            self._mind(stage)

    async def _say_news(self) -> None:
        asking, due = self._asking, frozenset(self._due)
        news: list[overlay.News] = [overlay.Ask()] if asking else []
        news += [overlay.Watch(self._life, user, len(self.stage(user).watchers)) for user in due]
        if not news:
            return
        self._asking, self._due = False, set()
        try:
            await self._notifier.notify([(NEWS, overlay.encode(each)) for each in news])
            await self._check_keys(due)
        except Unavailable:
            self._asking |= asking
            self._due |= due
            raise

    async def _check_keys(self, due: Iterable[UUID]) -> None:
        """Should the news that a key is void have been missed, or have come before the watcher."""
        users = [user for user in due if self.stage(user).watchers]
        versions = await self._versions.overlay_versions(users) if users else {}
        for user in users:
            self._drop(user, versions.get(user, NEVER))


def _channel(life: UUID) -> str:
    return f"overlay_{life.hex}"


def _key(shown: Shown) -> tuple[str, object]:
    return shown.session, shown.channel if isinstance(shown, Line) else None


def _interim(shown: Shown) -> bool:
    return isinstance(shown, Line) and not shown.is_final
