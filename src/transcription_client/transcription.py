"""One transcription: a session, and after one that was lost another one, until all of the sound is captioned."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from transcription_client import net
from transcription_client.errors import ClientError
from transcription_client.flow import Flow, Source
from transcription_client.line import Line
from transcription_client.redial import Ended, Redial, Step, next_step, owes_words
from transcription_client.store import Login
from transcription_wire import messages as wire
from transcription_wire.lengths import exactly

OPENS_WITHIN: Final = 45.0
"""For the first session: to connect, and for the service to reach its engine, seconds."""
END_WITHIN: Final = 30.0
"""For the last words, the receipt and the close, after `stop`, seconds."""
LOOK_UP_WITHIN: Final = 10.0
"""For the receipts of sessions that were lost; the service ends them within 5 s, seconds."""
LOOK_EVERY: Final = 0.5


class Audience(Protocol):
    """Who is to see it."""

    def show(self, message: wire.ServerMessage, text: str, *, repeated: bool = False) -> None:
        """A message, and how it came. `repeated`: its words were shown before."""

    def away(self, why: str, tries: int) -> None:
        """The connection is lost, and sought."""

    def overcome(self) -> None:
        """Errors that were shown are none any more."""

    def late(self, seconds: float) -> None:
        """The connection delays the words by so much, by nothing to speak of when 0."""

    def gap(self, seconds: float) -> None:
        """So much sound is lost."""

    def found(self, receipt: net.Receipt) -> None:
        """Of a session that was lost."""

    def left(self, seconds: int) -> None:
        """What the balance is by now."""


class Transcription:
    """`renew`: another login in the place of one whose token was refused; raises ClientError. `keep` gets final words,
    with where they begin and end in all of the sound, seconds."""

    def __init__(
        self,
        login: Login,
        renew: Callable[[Login], Login],
        config: dict[str, Any],
        audience: Audience,
        interrupted: asyncio.Event,
        redial: Redial | None = None,
        keep: Callable[[float, float, str], None] = lambda start, end, text: None,
    ) -> None:
        self._login = login
        self._renew = renew
        self._config = config
        self._audience = audience
        self._interrupted = interrupted
        self._keep = keep
        self._redial = redial or Redial()
        self._flow: Flow
        self._session_id: str | None = None
        """Of the last session there was."""
        self._lost: set[str] = set()
        """Sessions whose receipt did not come."""
        self._opening: asyncio.Timeout | None = None
        self._renewed = False
        self._captioned = False

    async def run(self, source: Source) -> bool:
        """Until all is captioned, or no session can do so; whether all is. Raises ClientError."""
        self._flow = Flow(source, self._audience.gap)
        heeding = asyncio.create_task(self._heed())
        try:
            fault = await self._until_captioned()
        finally:
            heeding.cancel()
            source_fault = await self._flow.close()
        await self._find_receipts()
        failure = fault or source_fault
        if failure is not None:
            raise failure
        if self._captioned and self._session_id in self._lost:
            raise ClientError("The connection was lost before the receipt. Run transcription-client balance.")
        return self._captioned and not self._flow.gaps

    async def _heed(self) -> None:
        """After an interruption no more sound is taken, and no connection is sought that was lost."""
        await self._interrupted.wait()
        self._flow.stop()
        if self._opening is not None and self._began and not self._opening.expired():
            self._opening.reschedule(asyncio.get_running_loop().time())

    @property
    def _began(self) -> bool:
        return self._session_id is not None

    async def _until_captioned(self) -> ClientError | None:
        """One session after another; why the last one was not enough, where the service has not said so itself."""
        while True:
            ended = await self._attempt()
            if ended.ready and ended.reason is None and self._session_id is not None:
                self._lost.add(self._session_id)
            self._flow.rewind()
            match next_step(ended, began=self._began, renewed=self._renewed, rest=self._flow.rest):
                case Step.STOP:
                    return self._outcome(ended)
                case Step.RENEW:
                    if not await self._renew_token():
                        return self._outcome(ended)
                case Step.REDIAL:
                    if not await self._pause(ended):
                        return self._gave_up(ended)

    def _outcome(self, ended: Ended) -> ClientError | None:
        self._captioned = ended.reason == "client_stop" or (self._began and not owes_words(self._flow.rest))
        if self._began or ended.error is not None:
            return None
        return ended.fault or ClientError("The service didn't start the session. Try again.")

    async def _renew_token(self) -> bool:
        self._renewed = True
        try:
            self._login = await asyncio.to_thread(self._renew, self._login)
        except ClientError:
            return False  # what the service said of the old one is told
        self._audience.overcome()
        return True

    async def _pause(self, ended: Ended) -> bool:
        """Waits before the next try. False: no more are to be made."""
        seconds = self._redial.lost(time.monotonic(), random.random())  # noqa: S311 - it only spreads the tries
        if seconds is None or self._interrupted.is_set():
            return False
        self._audience.overcome()
        self._audience.away(ended.why, self._redial.tries)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._interrupted.wait()
        return not self._interrupted.is_set()

    def _gave_up(self, ended: Ended) -> ClientError:
        rest = f"{ended.why} The last {exactly(self._flow.kept)} of audio have no captions."
        if self._interrupted.is_set():
            return ClientError(f"Stopped while reconnecting. {rest}")
        return ClientError(f"Couldn't reconnect within {exactly(self._redial.within)}. {rest} Run the command again.")

    async def _attempt(self) -> Ended:
        """One connection, from its beginning to its end."""
        patience = self._redial.patience(time.monotonic()) if self._began else OPENS_WITHIN
        line: Line | None = None
        try:
            async with asyncio.timeout(patience) as self._opening:
                line = await Line.dial(self._login.server, self._take)
                ready = await line.begin(wire.Auth(self._login.token, self._config, self._session_id))
            self._opening = None
            if ready:
                await self._converse(line)
        except ClientError as error:
            return Ended(fault=error)
        except TimeoutError:
            pass  # the service does not answer
        finally:
            self._opening = None
            ended = Ended() if line is None else await line.hang_up()
        return ended

    async def _converse(self, line: Line) -> None:
        speaking = asyncio.create_task(self._flow.speak(line))
        watching = asyncio.create_task(line.watch(self._audience.late))
        try:
            await asyncio.wait((speaking, line.listening), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((line.listening,), timeout=END_WITHIN)
        finally:
            for task in (speaking, watching):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _take(self, message: wire.ServerMessage, text: str) -> None:
        repeated = False
        match message:
            case wire.Ready(session_id=session_id):
                self._session_id, self._renewed = session_id, False
                self._redial.ready(time.monotonic())
                self._flow.begin(time.monotonic())
            case wire.Transcript(is_final=is_final):
                begin, end = self._flow.span(message)
                repeated = not self._flow.hear(message)
                if is_final and not repeated:
                    self._redial.proved()
                    self._keep(begin, end, message.text)
        self._audience.show(message, text, repeated=repeated)

    async def _find_receipts(self) -> None:
        """Asks for those that were lost, until the service has them all."""
        if not self._lost:
            return
        api, token = net.Api(self._login.server, within=LOOK_UP_WITHIN / 2), self._login.token
        give_up_at = time.monotonic() + LOOK_UP_WITHIN
        with suppress(ClientError):
            while True:
                for receipt in await asyncio.to_thread(api.receipts, token):
                    if receipt.id in self._lost and receipt.status != "active":
                        self._lost.discard(receipt.id)
                        self._audience.found(receipt)
                if not self._lost or time.monotonic() > give_up_at:
                    break
                await asyncio.sleep(LOOK_EVERY)
            self._audience.left((await asyncio.to_thread(api.balance, token)).seconds_remaining)
