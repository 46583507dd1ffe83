"""Checks what was billed, received and sent against the rules of docs/protocol.md and docs/money.md. Pure.

All tolerances come from the rules. Times are seconds of one monotonic clock."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tests.chaos.causes import NOTICED, explained, without_database
from tests.chaos.evidence import Attempt, Evidence, Row, Violation, Words
from tests.chaos.recorder import ReceivedAudio
from transcription_wire.codes import CLOSE_CODES, REASON_CLOSE_CODES, ErrorCode, Reason

WORD_MS: Final = 500
"""Seconds of audio for which the stand-in sends one word."""
ROUNDING: Final = Fraction(1)
"""Seconds of audio: "within a second a session"."""
LOST_UPSTREAM: Final = Fraction(5)
"""Seconds more where the upstream was lost: sent audio is billed, whether or not it arrived (money 4, 7)."""
CRASH: Final = Fraction(10)
"""Seconds of audio that may go unbilled after a crash (money 21)."""
HOLD: Final = Fraction(45)
"""Seconds of audio in the largest hold, unbilled after a crash while the database was away (money 10)."""
REPLAY_MS: Final = 30_000
"""Audio kept for another upstream: what is older than that may be lost with the upstream."""
PRESUMED_GONE: Final = 1011
"""The close code for a client that answered no ping. The client gets no further message."""
OUT_OF_REACH: Final = frozenset({"deaf", "hit"})
"""Actions after which messages may not reach a client: it does not read, or a fault impaired its network."""
LATE: Final = 30.0
"""Seconds for which such a client may miss the message about its end. After that, the client was reachable."""
QUIET_WITHIN: Final = 90.0
"""Seconds after the last fault in which no lease and no hold is left (money 21)."""


def judge(evidence: Evidence) -> list[Violation]:
    """Return all violations."""
    return list(_judge(evidence))


def _judge(evidence: Evidence) -> Iterator[Violation]:
    for finding in evidence.audit:
        yield Violation("ledger audit", "books that are right", finding)
    for left in evidence.left:
        yield Violation(left, f"no lease or hold left {QUIET_WITHIN:g} s after the last fault", "it is")
    if evidence.quiet_after > QUIET_WITHIN:
        yield Violation(
            "leases and holds", f"none left after {QUIET_WITHIN:g} s", f"some for {evidence.quiet_after:.0f} s"
        )
    for line in evidence.log:
        yield Violation("log", "nothing broken", line)
    told = {attempt.session: attempt for attempt in evidence.told if attempt.session}
    rows = {row.session: row for row in evidence.rows}
    for session in sorted({*told, *rows, *evidence.heard}):
        case = _Case(evidence, session, told.get(session), rows.get(session), evidence.heard.get(session))
        yield from case.violations()
    for attempt in evidence.told:
        yield from _answered(evidence, attempt)


@dataclass(frozen=True, slots=True)
class _Case:
    """One session, and everything known of it."""

    evidence: Evidence
    session: str
    attempt: Attempt | None
    row: Row | None
    received: ReceivedAudio | None

    def violations(self) -> Iterator[Violation]:
        if self.received is not None:
            for strange in self.received.strange:
                yield self._violation("the client's audio, byte for byte and in order", strange)
            if self.attempt is not None and not self.received.streams <= {self.attempt.stream}:
                yield self._violation(
                    f"the audio of client {self.attempt.stream} only", f"that of {self.received.streams}"
                )
        if self.row is None:
            yield from self._unlisted()
        elif self.row.status != "active":  # one that is active is among what is left
            yield from self._bill(self.row)
            yield from self._cause(self.row)
            yield from self._receipt(self.row)
        if self.attempt is not None:
            yield from _words(self.attempt)
            yield from self._whole(self.attempt)

    def _violation(self, expected: str, found: str) -> Violation:
        return Violation(f"session {self.session}", expected, found)

    @property
    def _seconds(self) -> Fraction:
        return self.received.seconds if self.received else Fraction(0)

    @property
    def _cost(self) -> Fraction:
        return self.received.cost if self.received else Fraction(1)

    @property
    def _when(self) -> tuple[float, float]:
        """The earliest and latest time of the end, which a client without a close does not know exactly."""
        if self.attempt is None:
            return float("-inf"), float("inf")
        return self.attempt.ended, self.attempt.ended + (NOTICED if self.attempt.code is None else 0)

    @property
    def _crash_costs(self) -> Fraction:
        """Seconds of audio that a crash may leave unbilled."""
        return HOLD if without_database(self.evidence.causes, *self._when) else CRASH

    @property
    def _died(self) -> bool:
        """Return whether the session's process may have died. A restart ends its sessions, not their leases."""
        return explained("crash", self.evidence.causes, *self._when)

    def _explained(self, reason: str) -> bool:
        causes = self.evidence.causes
        if reason == Reason.LEASE_EXPIRED and without_database(causes, *self._when):
            return True  # the next process could not end it at once
        earliest, latest = self._when
        return explained(reason, causes, _under_way(self.attempt) if self.attempt else earliest, latest)

    def _unlisted(self) -> Iterator[Violation]:
        """Return whether the session never became ready, or its process died before storing that."""
        if self.attempt is not None and not self._died:
            yield self._violation("a row in the ledger: it was ready", "none")
        if self._seconds > self._crash_costs:
            yield self._violation(
                "hardly any audio heard of a session that is not listed", f"{float(self._seconds):.1f} s"
            )

    def _bill(self, row: Row) -> Iterator[Violation]:
        least, most = self._least(row), self._most()
        if not least <= row.seconds_used <= most:
            yield self._violation(
                f"{float(least):.2f} to {float(most):.2f} credits billed for {float(self._seconds):.2f} s heard "
                f"x {float(self._cost):g} ({self._how(row)})",
                f"{row.seconds_used}",
            )

    def _most(self) -> Fraction:
        if self.received is None:
            return self._cost * ROUNDING
        most = self._seconds + self.received.gaps + ROUNDING
        if not self.received.complete:  # else the last one heard all that others did not
            most += LOST_UPSTREAM
            if self.attempt is not None and explained("undelivered", self.evidence.causes, *self._when):
                most = max(most, Fraction(self.attempt.sent, self.attempt.bytes_per_second) + ROUNDING)
        return self._cost * most

    def _abandoned(self, row: Row) -> bool:
        """Return whether the process died, so that the reaper or the next process ended the session."""
        told_so = self.attempt is not None and self.attempt.end is not None and not self.attempt.end.get("pending")
        return row.reason == Reason.LEASE_EXPIRED or (row.reason == Reason.SERVICE_RESTART and not told_so)

    def _least(self, row: Row) -> Fraction:
        seconds = self._seconds
        if self._abandoned(row):
            seconds -= self._crash_costs
        else:  # money 7
            known = Fraction(self.attempt.results_ms, 1000) if self.attempt else Fraction(0)
            seconds = min(seconds, known + LOST_UPSTREAM)
        return max(Fraction(0), self._cost * (seconds - ROUNDING))

    def _how(self, row: Row) -> str:
        connections = self.received.connections if self.received else 0
        complete = "closed properly" if self.received and self.received.complete else "not closed properly"
        return f"{row.reason}, {connections} upstream connections, the last {complete}"

    def _cause(self, row: Row) -> Iterator[Violation]:
        """Yield a violation if the end has no reason, or no cause."""
        told = self.attempt
        known = row.reason in {reason.value for reason in Reason}
        if not known or row.reason is None:
            yield self._violation("a reason", f"{row.reason}")
            return
        by_itself = {
            Reason.CLIENT_STOP: told is None or told.stopped,
            Reason.CLIENT_GONE: told is None or bool(told.actions & {"vanished", "gave_up", "hit"}),
            Reason.REPLACED: any(attempt.replaces == self.session for attempt in self.evidence.told),
            Reason.INSUFFICIENT_CREDITS: row.user in self.evidence.poor,
            Reason.BAD_MESSAGES: told is None or "flooded" in told.actions,
            Reason.TOO_SLOW: told is None or bool(told.actions & OUT_OF_REACH),
        }
        if not by_itself.get(Reason(row.reason), False) and not self._explained(row.reason):
            yield self._violation("something that explains its end", f"{row.reason}, at {self._when[0]:.1f} s")

    def _receipt(self, row: Row) -> Iterator[Violation]:
        """Yield a violation if `session_end` differs from the ledger."""
        end = self.attempt.end if self.attempt else None
        if end is None or (end.get("pending") and self._abandoned(row)):
            return
        said, holds = (end["reason"], end["seconds_used"]), (row.reason, row.seconds_used)
        if said != holds or abs(end["audio_seconds"] - (row.audio_seconds or 0)) > 0.051:
            yield self._violation(f"a session_end that says what the ledger holds, {row}", f"{dict(end)}")

    def _whole(self, told: Attempt) -> Iterator[Violation]:
        """Yield a violation if a client that sent `stop` to a healthy upstream did not get all its words."""
        heard = self.received
        if told.end is None or told.end["reason"] != Reason.CLIENT_STOP or heard is None or not heard.complete:
            return
        if explained("suspension", self.evidence.causes, *self._when):
            return  # the time for the last words may be over when it wakes
        if heard.spans.end != told.sent:
            yield self._violation(f"all {told.sent} bytes heard of a client that stopped", f"{heard.spans.end}")
        words = -(-(told.sent * 1000 // told.bytes_per_second) // WORD_MS)
        for channel in sorted({0, *(final.channel for final in told.finals)}):
            last = max((final.last for final in told.finals if final.channel == channel), default=-1)
            if last != words - 1:
                yield self._violation(f"the last words of channel {channel}, up to word {words - 1}", f"word {last}")


def _words(told: Attempt) -> Iterator[Violation]:
    """Yield a violation for a repeated final, and for a missing one that was young enough for the replay."""
    channels: dict[int, list[Words]] = defaultdict(list)
    for final in told.finals:
        channels[final.channel].append(final)
    for channel, finals in channels.items():
        expected = 0
        where = f"session {told.session}, channel {channel}"
        for final in finals:
            if final.first < expected:
                yield Violation(where, f"no final text twice: word {expected} next", f"word {final.first} again")
            elif final.first > expected and final.sent_ms - expected * WORD_MS <= REPLAY_MS:
                yield Violation(where, f"no gap: word {expected} next", f"word {final.first} after {final.sent_ms} ms")
            expected = final.last + 1


def _answered(evidence: Evidence, told: Attempt) -> Iterator[Violation]:
    """Yield a violation if a client got no reason, or the wrong close code, although its connection was fine."""
    who = f"session {told.session}" if told.session else f"client {told.stream} of {told.user}"
    for strange in told.protocol:
        yield Violation(who, "the contract's messages", strange)
    if told.actions & {"vanished"}:
        return
    if told.code is None or (told.code == PRESUMED_GONE and not told.errors):
        if not _excused(evidence, told):
            yield Violation(who, "a reason before the connection ended", f"none, at {told.ended:.1f} s; {told.actions}")
        return
    if told.end is None and not told.errors:
        yield Violation(who, "a reason with the close", f"close {told.code} alone")
        return
    codes = set(_codes(told))
    if told.code not in codes:
        yield Violation(who, f"close {codes} after {told.errors} {told.end}", f"{told.code}")
    if told.session is None or told.end is None:
        yield from _refused(evidence, told, who)


def _under_way(told: Attempt) -> float:
    """Return since when the client's last message may have been in transit."""
    return told.ended - (LATE if told.actions & OUT_OF_REACH else 0)


def _excused(evidence: Evidence, told: Attempt) -> bool:
    """Return whether a fault explains that a client got no message."""
    if told.actions & OUT_OF_REACH:
        return True
    if told.session is None:
        return explained("unreached", evidence.causes, told.silent_since, told.ended)
    if "gave_up" in told.actions or told.code is not None:
        return explained("silence", evidence.causes, told.silent_since, told.ended)
    return explained("broken", evidence.causes, told.ended, told.ended)


def _codes(told: Attempt) -> Iterator[int]:
    if told.errors:
        yield from (CLOSE_CODES[ErrorCode(error)] for error in told.errors[-1:])
    if told.end is not None and (not told.errors or told.errors[-1] == ErrorCode.BAD_MESSAGE):
        yield REASON_CLOSE_CODES[Reason(told.end["reason"])]


def _refused(evidence: Evidence, told: Attempt, who: str) -> Iterator[Violation]:
    """Yield a violation if an attempt got no session and no fault explains it."""
    last = told.errors[-1]
    if last == ErrorCode.INSUFFICIENT_CREDITS and told.user in evidence.poor:
        return
    if last == ErrorCode.TOO_MANY_CONNECTIONS and _has_lost_sessions(evidence.told, told):
        return
    if not explained(last, evidence.causes, _under_way(told), told.ended):
        yield Violation(who, "something that explains the refusal", f"{last}, at {told.ended:.1f} s")


def _has_lost_sessions(attempts: Iterable[Attempt], told: Attempt) -> bool:
    """Return whether the user had lost a connection whose session was unknown to it, or had not ended yet."""
    return any(
        other.user == told.user and other is not told and other.end is None
        and other.began < told.ended and other.ended > told.began - QUIET_WITHIN
        for other in attempts
    )  # fmt: skip
