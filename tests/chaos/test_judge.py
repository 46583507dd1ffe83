"""The judge finds nothing wrong with what the rules allow, and everything that they do not."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.chaos.causes import NOTICED, Cause
from tests.chaos.evidence import Attempt, Evidence, Row, Words
from tests.chaos.judge import QUIET_WITHIN, judge
from tests.chaos.recorder import ReceivedAudio

SECOND = 32_000
END = {"seconds_used": 20, "audio_seconds": 20.0, "reason": "client_stop"}


def told(**changes: Any) -> Attempt:
    finals = [Words(0, first, first + 3, 500 * first + 2500) for first in range(0, 40, 4)]
    said = Attempt("ann", 1, 10.0, 40.0, 39.0, "s1", stopped=True, sent=20 * SECOND, finals=finals, results_ms=20_000)
    said.end, said.code = END, 1000
    for name, value in changes.items():
        setattr(said, name, value)
    return said


def heard(seconds: float = 20, **changes: Any) -> ReceivedAudio:
    ear = ReceivedAudio("s1", SECOND, Fraction(1), connections=1, streams={1}, complete=True)
    ear.spans.add(0, round(seconds * SECOND))
    for name, value in changes.items():
        setattr(ear, name, value)
    return ear


def row(**changes: Any) -> Row:
    return replace(Row("s1", "ann", "completed", "client_stop", 20, 20.0), **changes)


def evidence(
    said: Attempt | None = None, ear: ReceivedAudio | None = None, entry: Row | None = None, **changes: Any
) -> Evidence:
    usual: dict[str, Any] = {
        "told": [said or told()],
        "heard": {"s1": ear or heard()},
        "rows": [entry or row()],
        "causes": (),
        "poor": frozenset({"bob"}),
        "audit": (),
        "left": (),
        "quiet_after": 5.0,
        "log": (),
    }
    return Evidence(**{**usual, **changes})


def cause(kind: str, begin: float = 35.0, end: float = 36.0) -> tuple[Cause, ...]:
    return (Cause(kind, begin, end),)


def ended(reason: str, code: int | None, *errors: str, used: int = 20, **changes: Any) -> Attempt:
    """A client whose session ended with that reason."""
    end = {"seconds_used": used, "audio_seconds": 20.0, "reason": reason}
    return told(**{"end": end, "code": code, "errors": list(errors), "stopped": False, **changes})


def dropped(**changes: Any) -> Attempt:
    """A client whose connection ended without a word."""
    return told(**{"end": None, "code": None, "stopped": False, **changes})


def refused(error: str, code: int, user: str = "ann", **changes: Any) -> Attempt:
    """A client that got no session."""
    return Attempt(user, 2, 60.0, 61.0, 60.0, errors=[error], code=code, **changes)


def also(*others: Attempt, **changes: Any) -> Evidence:
    """A good session, and others of whom no more is known."""
    return evidence(**{"told": [told(), *others], **changes})


def billed(used: int, **changes: Any) -> Evidence:
    """The client was told the same."""
    end = {"seconds_used": used, "audio_seconds": 20.0, "reason": "client_stop"}
    return evidence(**{"said": told(end=end), "entry": row(seconds_used=used), **changes})


def abandoned(used: int, *causes: Cause, reason: str = "service_restart", **changes: Any) -> Evidence:
    """Its process died."""
    entry = row(status="terminated", reason=reason, seconds_used=used)
    return evidence(**{"said": dropped(), "entry": entry, "causes": causes, **changes})


def gone_wrong(reason: str, code: int, *errors: str, causes: tuple[Cause, ...] = (), **changes: Any) -> Evidence:
    """The service ended it."""
    entry = row(status="terminated", reason=reason, seconds_used=changes.get("used", 20))
    return evidence(ended(reason, code, *errors, **changes), entry=entry, causes=causes)


LOST = heard(15, connections=2, complete=False)
TWO_HEARD = heard(8, connections=2)
TWO_HEARD.spans.add(10 * SECOND, 20 * SECOND)
KILLED = Cause("worker_killed", 35.0, 36.0)
AWAY = Cause("db_unreachable", 20.0, 30.0)
STALL = cause("up_stalled")
TWICE = [Words(0, 0, 3, 2500), Words(0, 3, 7, 4500)]
GAP = [Words(0, 0, 3, 2500), Words(0, 6, 9, 5500)]

FINE: dict[str, Evidence] = {
    "as it should be": evidence(),
    "a second more": billed(21),
    "a second less": billed(19),
    "5 s that went to a lost upstream": evidence(ear=LOST),
    "all that went to an upstream which was frozen to the end": evidence(
        ear=heard(8, complete=False), causes=cause("up_frozen")
    ),
    "2 s that one upstream never got, and that were too old for the next": evidence(ear=TWO_HEARD),
    "10 s less after a crash": abandoned(9, KILLED),
    "the hold, after a crash while the database was away": abandoned(0, KILLED, AWAY),
    "a lease that ran out, for the next process had no database": abandoned(0, KILLED, AWAY, reason="lease_expired"),
    "5 s after the last words of an upstream that fell silent": gone_wrong(
        "upstream_closed", 1011, "upstream_closed", used=10, results_ms=6000, causes=STALL
    ),
    "a client that vanished": evidence(
        dropped(actions={"vanished"}), entry=row(reason="client_gone", status="completed")
    ),
    "a client whose connection was cut": evidence(
        dropped(actions={"hit"}), entry=row(reason="client_gone", status="completed"), causes=cause("net_cut")
    ),
    "a client that answered no ping": evidence(
        dropped(code=1011, actions={"hit"}),
        entry=row(reason="client_gone", status="completed"),
        causes=cause("net_frozen", 10.0, 40.0),
    ),
    "a client that was replaced": evidence(
        told=[dropped(actions={"vanished"}), dropped(session=None, replaces="s1", actions={"vanished"})],
        rows=[row(reason="replaced")],
    ),
    "a client that could not connect": also(
        Attempt("ann", 2, 50.0, 51.0, 50.0), causes=cause("net_refuses", 50.0, 53.0)
    ),
    "a client that a suspended worker told nothing": evidence(
        dropped(actions={"gave_up"}, silent_since=10.0),
        entry=row(status="terminated", reason="lease_expired", seconds_used=9),
        causes=cause("worker_paused", 10.0, 80.0),
    ),
    "no credit, for a poor user": evidence(
        ended("insufficient_credits", 4402, "insufficient_credits", user="bob"),
        entry=row(user="bob", reason="insufficient_credits"),
    ),
    "no credit at once, for a poor user": also(refused("insufficient_credits", 4402, user="bob")),
    "last words that a suspended worker had no time for": evidence(
        told(finals=[Words(0, 0, 35, 20_000)]), causes=cause("worker_paused")
    ),
    "a client that said nothing": evidence(
        told(sent=0, finals=[], end={"seconds_used": 0, "audio_seconds": 0.0, "reason": "client_stop"}),
        entry=row(seconds_used=0, audio_seconds=0.0),
        heard={},
    ),
    "a session that its client never learned of": evidence(told=[], entry=row(reason="client_gone")),
    "a crash that its client never learned of": abandoned(9, KILLED, told=[]),
    "a bad message before a proper end": evidence(told(errors=["bad_message"])),
    "a hundred of them": gone_wrong("bad_messages", 1008, "bad_message", actions={"flooded"}),
    "refused long before the client, whose network was frozen, could hear of it": also(
        refused("service_unavailable", 1013, actions={"hit"}), causes=cause("db_cut", 30.0, 30.0)
    ),
    "refused, for the database was away": also(
        refused("service_unavailable", 1013), causes=cause("db_cut", 50.0, 50.0)
    ),
    "refused, for its ghost was not known yet": also(
        dropped(user="ann", session=None, began=30.0, ended=59.0, actions={"vanished"}),
        refused("too_many_connections", 4429),
    ),
    "a bill to come that a crash made less": abandoned(
        12, KILLED, AWAY, said=ended("database_away", 1013, "service_unavailable", end={**END, "pending": True})
    ),
    "a gap that was older than the replay": evidence(told(finals=[Words(0, 0, 3, 2500), Words(0, 6, 39, 33_000)])),
    "channels of their own": evidence(
        told(finals=[Words(channel, first, first + 3, 30_000) for first in range(0, 40, 4) for channel in (0, 1)])
    ),
    "a session that was never listed, for its process died": evidence(
        dropped(), ear=heard(9), rows=(), causes=(KILLED,)
    ),
}


@pytest.mark.parametrize("fine", FINE.values(), ids=FINE)
def test_valid_evidence_has_no_violations(fine: Evidence) -> None:
    assert judge(fine) == []


WRONG: dict[str, tuple[Evidence, str]] = {
    "two seconds more": (billed(22), "19.00 to 21.00 credits billed"),
    "two seconds less": (billed(18), "19.00 to 21.00 credits billed"),
    "a ledger row that was doctored": (evidence(entry=row(seconds_used=25)), "credits billed"),
    "a count of the upstream's that was doctored": (evidence(ear=heard(17)), "credits billed"),
    "more than 5 s that a lost upstream never heard": (evidence(ear=heard(13, complete=False)), "credits billed"),
    "the same though another was frozen before": (
        evidence(ear=heard(13, complete=False), causes=cause("up_frozen", 1.0, 16.0)),
        "credits billed",
    ),
    "more than a client sent to an upstream that was frozen": (
        billed(22, ear=heard(8, complete=False), causes=cause("up_frozen")),
        "credits billed",
    ),
    "more than was sent to two upstreams": (billed(22, ear=TWO_HEARD), "credits billed"),
    "more than 10 s less after a crash": (abandoned(8, KILLED), "credits billed"),
    "a hold's worth where the database was there": (
        abandoned(0, KILLED, Cause("db_unreachable", 0.0, 1.0)),
        "credits billed",
    ),
    "a crash that never was": (abandoned(20), "something that explains its end"),
    "a lease that had to run out though the program was started again": (
        abandoned(20, KILLED, reason="lease_expired"),
        "explains its end",
    ),
    "more for a replay": (billed(22, ear=heard(connections=2)), "19.00 to 21.00 credits billed"),
    "a crash long ago": (abandoned(20, Cause("worker_killed", 0.0, 20.0)), "explains its end"),
    "a crash later": (abandoned(20, Cause("worker_killed", 43.0 + NOTICED, 99.0)), "something that explains its end"),
    "one channel billed of two": (evidence(ear=heard(cost=Fraction(2))), "x 2"),
    "an end for no reason": (gone_wrong("upstream_closed", 1011, "upstream_closed"), "explains its end"),
    "an end that nothing may bring about": (gone_wrong("internal", 1011, "internal", causes=STALL), "explains its end"),
    "an unheard-of reason": (evidence(entry=row(reason="tired")), "a reason"),
    "no reason": (evidence(entry=row(reason=None)), "a reason"),
    "a client that stopped and is said to be gone": (evidence(entry=row(reason="client_gone")), "explains its end"),
    "no credit, for a rich user": (
        gone_wrong("insufficient_credits", 4402, "insufficient_credits"),
        "explains its end",
    ),
    "a receipt that the ledger does not hold": (
        evidence(told(end={**END, "seconds_used": 19})),
        "what the ledger holds",
    ),
    "a length that the ledger does not hold": (evidence(entry=row(audio_seconds=20.2)), "what the ledger holds"),
    "no words at all": (evidence(told(finals=[])), "the last words"),
    "a reason that the ledger does not hold": (evidence(told(end={**END, "reason": "idle"})), "what the ledger holds"),
    "a text twice": (evidence(told(finals=TWICE)), "no final text twice"),
    "a text left out": (evidence(told(finals=GAP)), "no gap"),
    "the first text left out": (evidence(told(finals=[Words(0, 2, 39, 3000)])), "no gap"),
    "the last words left out": (evidence(told(finals=[Words(0, 0, 35, 20_000)])), "the last words"),
    "audio of a client that stopped left out": (evidence(told(sent=21 * SECOND)), "bytes heard"),
    "a connection that ended without a word": (evidence(dropped(actions={"gave_up"}), causes=STALL), "a reason before"),
    "a session that fell silent": (
        evidence(dropped(actions={"gave_up"}), entry=row(reason="client_gone"), causes=cause("net_frozen")),
        "a reason before",
    ),
    "a connection that broke while others were cut": (evidence(dropped(), causes=cause("net_cut")), "a reason before"),
    "a close without a word": (also(Attempt("ann", 2, 50.0, 51.0, 50.0, code=1011), causes=STALL), "a reason before"),
    "another close without a word": (also(Attempt("ann", 2, 50.0, 51.0, 50.0, code=1000)), "a reason with the close"),
    "another close code": (evidence(told(code=1001)), "close {1000}"),
    "another close code after an error": (
        gone_wrong("upstream_closed", 1000, "upstream_closed", causes=STALL),
        "close {1011}",
    ),
    "a refusal that nothing explains": (also(refused("busy", 1013), causes=STALL), "explains the refusal"),
    "a refusal long after what would explain it": (
        also(refused("service_unavailable", 1013), causes=cause("db_cut", 30.0, 30.0)),
        "explains the refusal",
    ),
    "a refusal for a ghost that is none": (also(refused("too_many_connections", 4429)), "explains the refusal"),
    "a message that the contract does not know": (
        evidence(told(protocol=["a message of type x"])),
        "contract's messages",
    ),
    "another client's audio": (evidence(ear=heard(streams={1, 2})), "the audio of client 1 only"),
    "other audio": (evidence(ear=heard(strange=["other bytes"])), "byte for byte"),
    "a session that is not in the ledger": (evidence(rows=()), "a row in the ledger"),
    "much audio of a session that is not listed": (
        evidence(dropped(), rows=(), causes=(KILLED,)),
        "hardly any audio",
    ),
    "a session billed that nobody heard": (also(rows=[row(), row(session="s2")]), "credits billed"),
    "a client said to be slow that was not": (
        gone_wrong("too_slow", 1008, causes=(Cause("db_cut", 30.0, 30.0),)),
        "explains its end",
    ),
    "books that are wrong": (evidence(audit=["balance 7, sum of rows 8"]), "books that are right"),
    "a hold that is left": (evidence(left=["ann"]), "no lease or hold left"),
    "a hold that is left for too long": (evidence(quiet_after=QUIET_WITHIN + 1), "none left after"),
    "a traceback": (evidence(log=["Traceback"]), "nothing broken"),
}


@pytest.mark.parametrize(("wrong", "expected"), WRONG.values(), ids=WRONG)
def test_each_violation_is_found(wrong: Evidence, expected: str) -> None:
    assert [violation for violation in judge(wrong) if expected in str(violation)]


def test_a_session_that_is_still_live_is_found_once() -> None:
    assert len(judge(evidence(entry=row(status="active", reason=None, seconds_used=8), left=["s1"]))) == 1


def test_a_violation_names_session_expectation_and_finding() -> None:
    (violation,) = judge(evidence(entry=row(seconds_used=25), said=dropped(actions={"vanished"}, stopped=True)))
    assert str(violation) == (
        "session s1: expected 19.00 to 21.00 credits billed for 20.00 s heard x 1 "
        "(client_stop, 1 upstream connections, the last closed properly); found 25"
    )


def test_times_can_be_relative_to_another_moment() -> None:
    assert Cause("db_cut", 105.0, 107.5).since(100.0) == Cause("db_cut", 5.0, 7.5)
