"""The verdict: holds what was billed, heard and said against the rules of docs/protocol.md and docs/money.md. Pure.

All tolerances are the rules' own. Times are seconds of one monotonic clock."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tests.chaos.causes import NOTICED, explained, without_database
from tests.chaos.ears import Heard
from tests.chaos.evidence import Evidence, Row, Told, Violation, Words
from transcription_wire.codes import CLOSE_CODES, REASON_CLOSE_CODES, ErrorCode, Reason

WORD_MS: Final = 500
"""The stand-in hears a word in each."""
ROUNDING: Final = Fraction(1)
"""Seconds of audio: "within a second a session"."""
LOST_UPSTREAM: Final = Fraction(5)
"""Seconds more where the upstream was lost: what went up is billed, whether or not it arrived (money 4, 7)."""
CRASH: Final = Fraction(10)
"""Seconds of audio that may go unbilled after a crash (money 21)."""
HOLD: Final = Fraction(45)
"""Seconds of audio that are held at most: after a crash while the database was away (money 10)."""
REPLAY_MS: Final = 30_000
"""Audio kept for another upstream: what is older than that may be lost with the upstream."""
PRESUMED_GONE: Final = 1011
"""Close code for a client that answered no ping; it is told no more."""
OUT_OF_REACH: Final = frozenset({"deaf", "hit"})
"""What is done to a client so that it is not reached: it does not read, or its network was meddled with."""
LATE: Final = 30.0
"""Seconds for which such a client may not hear of an end that is on its way: no longer is it out of reach."""
QUIET_WITHIN: Final = 90.0
"""Seconds after the last fault in which no lease and no hold is left (money 21)."""


def judge(evidence: Evidence) -> list[Violation]:
    """All violations."""
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
    """One session and all that is known of it."""

    evidence: Evidence
    session: str
    told: Told | None
    row: Row | None
    heard: Heard | None

    def violations(self) -> Iterator[Violation]:
        if self.heard is not None:
            for strange in self.heard.strange:
                yield self._violation("the client's audio, byte for byte and in order", strange)
            if self.told is not None and not self.heard.streams <= {self.told.stream}:
                yield self._violation(f"the audio of client {self.told.stream} only", f"that of {self.heard.streams}")
        if self.row is None:
            yield from self._unlisted()
        elif self.row.status != "active":  # one that is active is among what is left
            yield from self._bill(self.row)
            yield from self._cause(self.row)
            yield from self._receipt(self.row)
        if self.told is not None:
            yield from _words(self.told)
            yield from self._whole(self.told)

    def _violation(self, expected: str, found: str) -> Violation:
        return Violation(f"session {self.session}", expected, found)

    @property
    def _seconds(self) -> Fraction:
        return self.heard.seconds if self.heard else Fraction(0)

    @property
    def _cost(self) -> Fraction:
        return self.heard.cost if self.heard else Fraction(1)

    @property
    def _when(self) -> tuple[float, float]:
        """Between these times it ended: a client that got no close does not know when."""
        if self.told is None:
            return float("-inf"), float("inf")
        return self.told.ended, self.told.ended + (NOTICED if self.told.code is None else 0)

    @property
    def _crash_costs(self) -> Fraction:
        """Seconds of audio that a crash may leave unbilled."""
        return HOLD if without_database(self.evidence.causes, *self._when) else CRASH

    @property
    def _died(self) -> bool:
        """Whether its process may have died. What it left is ended when the program starts again, not by its lease."""
        return explained("crash", self.evidence.causes, *self._when)

    def _explained(self, reason: str) -> bool:
        causes = self.evidence.causes
        if reason == Reason.LEASE_EXPIRED and without_database(causes, *self._when):
            return True  # the next process could not end it at once
        earliest, latest = self._when
        return explained(reason, causes, _under_way(self.told) if self.told else earliest, latest)

    def _unlisted(self) -> Iterator[Violation]:
        """It never became ready, or its process died before it could note that it did."""
        if self.told is not None and not self._died:
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
        if self.heard is None:
            return self._cost * ROUNDING
        most = self._seconds + self.heard.gaps + ROUNDING
        if not self.heard.complete:  # else the last one heard all that others did not
            most += LOST_UPSTREAM
            if self.told is not None and explained("undelivered", self.evidence.causes, *self._when):
                most = max(most, Fraction(self.told.sent, self.told.bytes_per_second) + ROUNDING)
        return self._cost * most

    def _abandoned(self, row: Row) -> bool:
        """Its process died: it was ended without its relay, by the reaper or by the next process."""
        told_so = self.told is not None and self.told.end is not None and not self.told.end.get("pending")
        return row.reason == Reason.LEASE_EXPIRED or (row.reason == Reason.SERVICE_RESTART and not told_so)

    def _least(self, row: Row) -> Fraction:
        seconds = self._seconds
        if self._abandoned(row):
            seconds -= self._crash_costs
        else:  # money 7
            known = Fraction(self.told.results_ms, 1000) if self.told else Fraction(0)
            seconds = min(seconds, known + LOST_UPSTREAM)
        return max(Fraction(0), self._cost * (seconds - ROUNDING))

    def _how(self, row: Row) -> str:
        connections = self.heard.connections if self.heard else 0
        complete = "closed properly" if self.heard and self.heard.complete else "not closed properly"
        return f"{row.reason}, {connections} upstream connections, the last {complete}"

    def _cause(self, row: Row) -> Iterator[Violation]:
        """Every end has a reason, and something that brought it about."""
        told = self.told
        known = row.reason in {reason.value for reason in Reason}
        if not known or row.reason is None:
            yield self._violation("a reason", f"{row.reason}")
            return
        by_itself = {
            Reason.CLIENT_STOP: told is None or told.stopped,
            Reason.CLIENT_GONE: told is None or bool(told.doings & {"vanished", "gave_up", "hit"}),
            Reason.REPLACED: any(attempt.replaces == self.session for attempt in self.evidence.told),
            Reason.INSUFFICIENT_CREDITS: row.user in self.evidence.poor,
            Reason.BAD_MESSAGES: told is None or "flooded" in told.doings,
            Reason.TOO_SLOW: told is None or bool(told.doings & OUT_OF_REACH),
        }
        if not by_itself.get(Reason(row.reason), False) and not self._explained(row.reason):
            yield self._violation("something that explains its end", f"{row.reason}, at {self._when[0]:.1f} s")

    def _receipt(self, row: Row) -> Iterator[Violation]:
        """What the client was told is what the ledger holds."""
        end = self.told.end if self.told else None
        if end is None or (end.get("pending") and self._abandoned(row)):
            return
        said, holds = (end["reason"], end["seconds_used"]), (row.reason, row.seconds_used)
        if said != holds or abs(end["audio_seconds"] - (row.audio_seconds or 0)) > 0.051:
            yield self._violation(f"a session_end that says what the ledger holds, {row}", f"{dict(end)}")

    def _whole(self, told: Told) -> Iterator[Violation]:
        """A client that stopped, and whose upstream was there to the end, was heard and answered to the end."""
        heard = self.heard
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


def _words(told: Told) -> Iterator[Violation]:
    """No final text twice; none left out but what was older than the replay when its upstream was lost."""
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


def _answered(evidence: Evidence, told: Told) -> Iterator[Violation]:
    """Every client had a reason, with the close code that goes with it, or the way to it was broken."""
    who = f"session {told.session}" if told.session else f"client {told.stream} of {told.user}"
    for strange in told.protocol:
        yield Violation(who, "the contract's messages", strange)
    if told.doings & {"vanished"}:
        return
    if told.code is None or (told.code == PRESUMED_GONE and not told.errors):
        if not _excused(evidence, told):
            yield Violation(who, "a reason before the connection ended", f"none, at {told.ended:.1f} s; {told.doings}")
        return
    if told.end is None and not told.errors:
        yield Violation(who, "a reason with the close", f"close {told.code} alone")
        return
    codes = set(_codes(told))
    if told.code not in codes:
        yield Violation(who, f"close {codes} after {told.errors} {told.end}", f"{told.code}")
    if told.session is None or told.end is None:
        yield from _refused(evidence, told, who)


def _under_way(told: Told) -> float:
    """Since when what a client heard at last may have been on its way to it."""
    return told.ended - (LATE if told.doings & OUT_OF_REACH else 0)


def _excused(evidence: Evidence, told: Told) -> bool:
    """Whether it is clear why a client was told nothing."""
    if told.doings & OUT_OF_REACH:
        return True
    if told.session is None:
        return explained("unreached", evidence.causes, told.silent_since, told.ended)
    if "gave_up" in told.doings or told.code is not None:
        return explained("silence", evidence.causes, told.silent_since, told.ended)
    return explained("broken", evidence.causes, told.ended, told.ended)


def _codes(told: Told) -> Iterator[int]:
    if told.errors:
        yield from (CLOSE_CODES[ErrorCode(error)] for error in told.errors[-1:])
    if told.end is not None and (not told.errors or told.errors[-1] == ErrorCode.BAD_MESSAGE):
        yield REASON_CLOSE_CODES[Reason(told.end["reason"])]


def _refused(evidence: Evidence, told: Told, who: str) -> Iterator[Violation]:
    """No session: there was something in its way."""
    last = told.errors[-1]
    if last == ErrorCode.INSUFFICIENT_CREDITS and told.user in evidence.poor:
        return
    if last == ErrorCode.TOO_MANY_CONNECTIONS and _ghosts(evidence.told, told):
        return
    if not explained(last, evidence.causes, _under_way(told), told.ended):
        yield Violation(who, "something that explains the refusal", f"{last}, at {told.ended:.1f} s")


def _ghosts(attempts: Iterable[Told], told: Told) -> bool:
    """Whether the user had lost a connection whose session it could not name, or that was not yet ended."""
    return any(
        other.user == told.user and other is not told and other.end is None
        and other.began < told.ended and other.ended > told.began - QUIET_WITHIN
        for other in attempts
    )  # fmt: skip
