"""The client of a session: what it is told, whether it is there and reads, and whether we read from it."""

import json
from typing import Any

import pytest

from transcription_proxy.stream import events as ev
from transcription_proxy.stream.audience import Audience
from transcription_wire import messages as wire
from transcription_wire.codes import Reason


class Stalls:
    """An audience, and what is to be done about it. It came at 100 s, with 1000 s of credit."""

    def __init__(self, remaining: int = 1000) -> None:
        self.actions: list[ev.Action] = []
        self.audience = Audience(self.actions, remaining, 100.0)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(action.text) for action in self.actions if isinstance(action, ev.SendClient)]


END = wire.SessionEnd(3, 2.5, Reason.CLIENT_STOP)


# What it is told


def test_a_message_is_said_in_json_and_must_arrive() -> None:
    stalls = Stalls()
    stalls.audience.say(wire.UpstreamStatus("reconnecting"))
    assert stalls.told == [{"type": "status", "upstream": "reconnecting"}]
    assert [action.optional for action in stalls.actions if isinstance(action, ev.SendClient)] == [False]


def test_what_is_passed_on_may_be_left_out_when_it_says_so() -> None:
    stalls = Stalls()
    stalls.audience.pass_on(b"interim", optional=True)
    stalls.audience.pass_on(b"final")
    assert stalls.actions == [ev.SendClient(b"interim", True), ev.SendClient(b"final", False)]


@pytest.mark.parametrize("how", ["gone", "dismissed"])
def test_nothing_is_said_to_one_that_is_gone_or_dismissed(how: str) -> None:
    stalls = Stalls()
    setattr(stalls.audience, how, True)
    stalls.audience.say(END)
    stalls.audience.pass_on(b"late")
    stalls.audience.remaining(5)
    stalls.audience.welcome("s")
    assert stalls.actions == []


def test_it_is_welcomed_with_what_is_left() -> None:
    stalls = Stalls()
    stalls.audience.welcome("session-1")
    assert stalls.told == [{"type": "ready", "session_id": "session-1", "seconds_remaining": 1000}]


def test_it_is_warned_at_once_where_little_is_left() -> None:
    stalls = Stalls(remaining=50)
    stalls.audience.welcome("session-1")
    assert [message["type"] for message in stalls.told] == ["ready", "credits_low"]
    stalls.audience.remaining(49)
    assert len(stalls.told) == 2


def test_it_is_warned_when_what_is_left_falls_through_a_mark() -> None:
    stalls = Stalls()
    for seconds in (700, 600, 599, 300, 299, 59):
        stalls.audience.remaining(seconds)
    assert [message["seconds_remaining"] for message in stalls.told] == [599, 299, 59]


def test_ninety_nine_bad_messages_are_answered_and_the_hundredth_is_too_many() -> None:
    stalls = Stalls()
    assert [stalls.audience.correct("what is that") for _ in range(100)] == [True] * 99 + [False]
    assert stalls.told == [{"type": "error", "code": "bad_message", "message": "what is that"}] * 99


# Reading


def test_reading_is_paused_and_resumed_once_for_each_change() -> None:
    stalls = Stalls()
    for hold in (False, True, True, False, False, True):
        stalls.audience.hold(hold)
    assert stalls.actions == [ev.PauseClient(), ev.ResumeClient(), ev.PauseClient()]
    assert stalls.audience.paused


def test_a_client_may_stall_for_ten_seconds() -> None:
    audience = Stalls().audience
    assert audience.too_slow_at is None
    audience.stalled(105.0)
    assert audience.too_slow_at == 115.0
    audience.stalled(None)
    assert audience.too_slow_at is None


# Whether it is there


def test_it_is_pinged_after_ten_quiet_seconds_and_gone_after_ten_more() -> None:
    stalls = Stalls()
    assert stalls.audience.check(109.9)
    assert stalls.actions == []
    assert stalls.audience.check(110.0)
    assert stalls.actions == [ev.PingClient()]
    assert not stalls.audience.check(120.0)
    assert stalls.actions == [ev.PingClient(), ev.CloseClient(1011)]
    assert stalls.audience.gone


def test_one_that_was_found_dead_is_not_closed_again() -> None:
    stalls = Stalls()
    stalls.audience.check(110.0)
    stalls.audience.check(120.0)
    stalls.audience.dismiss(1000)
    assert stalls.actions == [ev.PingClient(), ev.CloseClient(1011)]


def test_one_that_is_not_read_from_is_not_taken_for_dead() -> None:
    stalls = Stalls()
    stalls.audience.hold(True)
    for now in (110.0, 120.0, 130.0):
        assert stalls.audience.check(now)
    assert stalls.actions == [ev.PauseClient()]
    stalls.audience.hold(False)
    assert stalls.audience.check(140.0)
    assert stalls.actions[-1] == ev.PingClient()


# The end


def test_it_is_dismissed_once() -> None:
    stalls = Stalls()
    stalls.audience.say(END)
    stalls.audience.dismiss(1012)
    stalls.audience.dismiss(1000)
    stalls.audience.say(END)
    assert stalls.actions[1:] == [ev.CloseClient(1012)]
    assert stalls.audience.dismissed


def test_one_that_is_gone_is_dismissed_without_a_close() -> None:
    stalls = Stalls()
    stalls.audience.gone = True
    stalls.audience.dismiss(1000)
    assert stalls.actions == []
    assert stalls.audience.dismissed
