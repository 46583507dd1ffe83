"""The credit of one session: which bytes its grant covers, when it settles, and how long it waits for more (money 1-5,
11-14, 16, 20).

`admit` runs for every audio frame, everything else a few times a minute."""

from typing import Final

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.credits import Tariff
from transcription_proxy.values import Opened, Settled, Settlement

SETTLE_AUDIO_SECONDS: Final = 8
"""Seconds of unsettled audio at which a settle is due (money 12). While settles fail, no more than this passes `admit`
in a row."""
PAUSE_AUDIO_SECONDS: Final = 10
"""Seconds of unsettled audio at which nothing more is forwarded, unless settles fail (money 12)."""
GRANT_SECONDS: Final = 45.0
"""Seconds that a grant is valid, from when the last successful settle was sent."""
SETTLE_INTERVAL_SECONDS: Final = 10.0
"""Seconds between settles, at most."""
RETRY_SECONDS: Final = 1.0
"""Seconds before a failed settle is repeated."""
CREDIT_RETRY_SECONDS: Final = 0.5
"""Seconds between settles while all credit is in the holds of the user's other sessions."""
CREDIT_WAIT_SECONDS: Final = 10.0
"""Seconds that audio waits for credit, or for the database, before the session ends."""
MUTED_HOLD_SECONDS: Final = 5.0
"""Seconds without audio after which a session releases its hold."""


class SessionCredit:
    """Counts forwarded bytes against a grant, and states them to the ledger in numbered settles, one at a time.

    `allowance`: bytes that may pass before there is a decision to make: up to the end of the grant, the next settle or
    the pause, whichever comes first, and 0 after `set_open(False)`, as at first. A frame within it passes `admit`;
    any other frame is buffered, and `take` says how much of it may go. Times are monotonic seconds.
    """

    __slots__ = (
        "_block",
        "_bytes_per_second",
        "_covered",
        "_id",
        "_in_need_since",
        "_is_credit_refused",
        "_is_failing",
        "_is_open",
        "_must_state_ready",
        "_released_at_bytes",
        "_settle_sent_at",
        "_stated",
        "_user_id",
        "_was_sent_in_need",
        "allowance",
        "expires",
        "forwarded",
        "grant",
        "has_row_changed",
        "last_audio",
        "number",
        "settled",
        "tariff",
    )  # fmt: skip

    def __init__(self, opened: Opened, audio: AudioFormat, micro: int, now: float) -> None:
        """`micro`: micro-credits a second for all channels billed."""
        self._id = opened.session_id
        self._user_id = opened.user_id
        self._block = audio.block
        self._bytes_per_second = audio.bytes_per_second
        self.tariff = Tariff(audio.bytes_per_second, micro)
        self.forwarded = 0
        """Bytes sent upstream, each counted once."""
        self.settled = 0
        """Forwarded bytes that the ledger has booked."""
        self._stated: int | None = None
        """Forwarded bytes when the settle under way was sent, None if none is under way."""
        self.number = 0
        """The number of the last settle."""
        self._settle_sent_at = now
        self._is_failing = False
        """Settles fail, so the whole grant may be used, beyond PAUSE_AUDIO_SECONDS."""
        self._is_open = False
        self._was_sent_in_need = False
        self._in_need_since: float | None = None
        """Since when audio waits for nothing but credit."""
        self._is_credit_refused = False
        self._released_at_bytes: int | None = None
        """Bytes forwarded when the hold was released. Until more are forwarded, the session needs no hold."""
        self._must_state_ready = False
        """The session became ready, and no settle that says so is booked yet."""
        self.has_row_changed = False
        """The session's row was changed from outside: settle soon, because the answer says how."""
        self.last_audio = now
        self.expires = now + GRANT_SECONDS
        self._set_grant(opened.grant)

    # Audio

    def admit(self, nbytes: int, now: float) -> bool:
        """Count a frame and return True if it fits the allowance; otherwise return False."""
        if nbytes > self.allowance or now >= self.expires:
            return False
        self.allowance -= nbytes
        self.forwarded += nbytes
        self.last_audio = now
        return True

    def take(self, nbytes: int, now: float) -> int:
        """Count as many of `nbytes` as the grant covers, in whole blocks (money 14), and return their number."""
        taken = max(0, min(nbytes, self._byte_limit() - self.forwarded)) if now < self.expires else 0
        if taken:
            self.forwarded += taken
            self.last_audio = now
        self._update_allowance()
        return taken

    def charge(self, nbytes: int, now: float) -> None:
        """Count audio that went upstream before its length was known, as far as the grant covers it (money 5)."""
        self.forwarded += max(0, min(nbytes, self._covered - self.forwarded))
        self.last_audio = now
        self._update_allowance()

    def has_room(self, now: float) -> bool:
        """Return whether any audio may be forwarded now."""
        return now < self.expires and self._byte_limit() - self.forwarded >= self._block

    def change_rate(self, micro: int) -> None:
        """Charge `micro` micro-credits a second for the audio from now on (money 3)."""
        self.tariff.change(self.forwarded, micro)
        self._set_grant(self.grant)

    def set_open(self, is_open: bool) -> None:
        """Let `admit` accept frames, or refuse all of them, so that they are buffered."""
        self._is_open = is_open
        self._update_allowance()

    @property
    def total(self) -> int:
        """Credits used so far, absolute (money 2)."""
        return self.tariff.credits(self.forwarded)

    @property
    def unsettled(self) -> int:
        """Credits that were used and that the ledger has not booked yet."""
        return self.total - self.tariff.credits(self.settled)

    @property
    def is_exhausted(self) -> bool:
        """Whether the grant covers not even one more block."""
        return self._covered - self.forwarded < self._block

    # When to settle, to release the hold, to give up

    def record_need(self, is_waiting: bool, now: float) -> None:
        """Record whether the session lacks credit. `is_waiting`: audio waits that could be sent if it were paid."""
        if not is_waiting or not (self.is_exhausted or now >= self.expires):
            self._in_need_since = None
            self._is_credit_refused = False
        elif self._in_need_since is None:
            self._in_need_since = now

    def needs_settle(self, now: float) -> bool:
        """Return whether to send a settle now."""
        if self.is_settling:
            return False
        if now >= self._next_settle_at:
            return True
        return not self._is_failing and (self.has_row_changed or self.forwarded >= self._settle_due_at())

    @property
    def is_settling(self) -> bool:
        """Whether a settle is under way."""
        return self._stated is not None

    @property
    def settle_at(self) -> float | None:
        """When to send the next settle, if nothing else requires one before; None while one is under way."""
        return None if self.is_settling else self._next_settle_at

    @property
    def _next_settle_at(self) -> float:
        if self._is_failing:
            return self._settle_sent_at + RETRY_SECONDS
        if self._in_need_since is not None:
            return self._settle_sent_at + (CREDIT_RETRY_SECONDS if self._is_credit_refused else 0)
        return self._settle_sent_at + SETTLE_INTERVAL_SECONDS

    @property
    def release_hold_at(self) -> float | None:
        """When a session without audio releases its hold; None if it has done so, or cannot now."""
        if self._is_hold_released or self.is_database_away or self._in_need_since is not None:
            return None
        return self.last_audio + MUTED_HOLD_SECONDS

    @property
    def give_up_at(self) -> float | None:
        """When the session ends because audio has waited for credit, or for the database, for too long."""
        return None if self._in_need_since is None else self._in_need_since + CREDIT_WAIT_SECONDS

    @property
    def is_database_away(self) -> bool:
        """Whether settles fail, or one is not answered yet: then it is not credit that is missing."""
        return self._is_failing or self.is_settling

    @property
    def _is_hold_released(self) -> bool:
        return self._released_at_bytes == self.forwarded

    # The settles

    def begin_settle(self, now: float, *, ready: bool = False, release_hold: bool = False) -> Settlement:
        """Begin the next settle and return it, to be sent at once.

        `ready`: the session became ready. `release_hold`: give the unused hold back.
        """
        self._was_sent_in_need = self._in_need_since is not None
        if release_hold:
            self._released_at_bytes = self.forwarded
        elif self._was_sent_in_need:
            self._released_at_bytes = None
        self.number += 1
        self._settle_sent_at = now
        self.has_row_changed = False
        self._must_state_ready = self._must_state_ready or ready
        self._stated = self.forwarded
        self._set_grant(self.total if release_hold else self.grant)
        is_released = self._is_hold_released
        return Settlement(
            self._id,
            self._user_id,
            self.number,
            self.total,
            extend=not is_released,
            keep=self.grant if is_released else None,
            ready=self._must_state_ready,
        )

    def record_answer(self, answer: Settled) -> bool:
        """Record that the settle under way was booked. Return False if no credit is left, in other sessions neither."""
        assert self._stated is not None
        has_grown = answer.grant > self.grant
        self.settled, self._stated = self._stated, None
        self._is_failing = self._must_state_ready = False
        self.expires = self._settle_sent_at + GRANT_SECONDS
        self._set_grant(answer.grant)
        self._is_credit_refused = self._was_sent_in_need and not has_grown
        if has_grown:
            self._in_need_since = None
        return not (self._is_credit_refused and self.is_exhausted and not answer.elsewhere)

    def record_failure(self) -> None:
        """Record that the database did not take the settle under way. The next one states its bytes again."""
        self._stated = None
        self._is_failing = True
        self._update_allowance()

    # The allowance

    def _set_grant(self, grant: int) -> None:
        self.grant = grant
        self._covered = self.tariff.covered_bytes(grant, self._block)
        self._update_allowance()

    def _settle_due_at(self) -> int:
        """Return the forwarded bytes at which a settle is due: 8 s unsettled, or half the hold (money 12)."""
        half = self.settled + max(self._block, (self._covered - self.settled) // 2)
        return min(self.settled + SETTLE_AUDIO_SECONDS * self._bytes_per_second, half)

    def _byte_limit(self) -> int:
        """Return the number of forwarded bytes not to exceed before the next answer."""
        if self._is_failing:
            return self._covered
        pause = (self.settled + PAUSE_AUDIO_SECONDS * self._bytes_per_second) // self._block * self._block
        return min(self._covered, pause)

    def _update_allowance(self) -> None:
        until = self._byte_limit()
        if self._is_failing:
            until = min(until, self.forwarded + SETTLE_AUDIO_SECONDS * self._bytes_per_second)
        elif not self.is_settling:
            until = min(until, self._settle_due_at() - 1)  # the frame that makes a settle due is not admitted
        self.allowance = max(0, until - self.forwarded) if self._is_open else 0
