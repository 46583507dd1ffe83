"""The client of a session: the messages for it, whether it is connected and reads, and whether we read from it."""

import json
from typing import Any

import pytest

from transcription_proxy.stream import events as ev
from transcription_proxy.stream.client import SessionClient
from transcription_wire import messages as wire
from transcription_wire.codes import Reason


class ClientHarness:
    """A client that connected at 100 s with 1000 s of credit, and the actions for it."""

    def __init__(self, remaining: int = 1000) -> None:
        self.actions: list[ev.Action] = []
        self.client = SessionClient(self.actions, remaining, 100.0)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(wire.encode(action.message)) for action in self.actions if isinstance(action, ev.SendClient)]


END = wire.SessionEnd(3, 2.5, Reason.CLIENT_STOP)


def words(text: str, *, is_final: bool) -> wire.Transcript:
    return wire.Transcript(text, is_final, confidence=None, start=0.0, duration=1.0, speech_final=False)


# Messages


def test_a_message_is_sent_as_json() -> None:
    harness = ClientHarness()
    harness.client.send(wire.UpstreamStatus("reconnecting"))
    assert harness.sent == [{"type": "status", "upstream": "reconnecting"}]


def test_interim_words_are_dropped_while_the_client_does_not_read() -> None:
    harness = ClientHarness()
    interim, final = words("He", is_final=False), words("Hello", is_final=True)
    harness.client.record_stall(1.0)
    for message in (interim, final, END):
        harness.client.send(message)
    assert harness.actions == [ev.SendClient(final), ev.SendClient(END)]
    harness.client.record_stall(None)
    harness.client.send(interim)
    assert harness.actions[2:] == [ev.SendClient(interim)]


@pytest.mark.parametrize("how", ["is_gone", "is_closed"])
def test_a_client_that_is_gone_or_closed_gets_no_message(how: str) -> None:
    harness = ClientHarness()
    setattr(harness.client, how, True)
    harness.client.send(END)
    harness.client.send(words("late", is_final=True))
    harness.client.record_balance(5)
    harness.client.send_ready("s")
    assert harness.actions == []


def test_ready_has_the_balance() -> None:
    harness = ClientHarness()
    harness.client.send_ready("session-1")
    assert harness.sent == [{"type": "ready", "session_id": "session-1", "seconds_remaining": 1000}]


def test_a_client_is_warned_at_once_where_little_is_left() -> None:
    harness = ClientHarness(remaining=50)
    harness.client.send_ready("session-1")
    assert [message["type"] for message in harness.sent] == ["ready", "credits_low"]
    harness.client.record_balance(49)
    assert len(harness.sent) == 2


def test_a_client_is_warned_when_what_is_left_falls_through_a_mark() -> None:
    harness = ClientHarness()
    for seconds in (700, 600, 599, 300, 299, 59):
        harness.client.record_balance(seconds)
    assert [message["seconds_remaining"] for message in harness.sent] == [599, 299, 59]


def test_ninety_nine_bad_messages_are_answered_and_the_hundredth_is_too_many() -> None:
    harness = ClientHarness()
    assert [harness.client.answer_bad_message("what is that") for _ in range(100)] == [True] * 99 + [False]
    assert harness.sent == [{"type": "error", "code": "bad_message", "message": "what is that"}] * 99


# Reading


def test_reading_is_paused_and_resumed_once_for_each_change() -> None:
    harness = ClientHarness()
    for hold in (False, True, True, False, False, True):
        harness.client.set_paused(hold)
    assert harness.actions == [ev.PauseClient(), ev.ResumeClient(), ev.PauseClient()]
    assert harness.client.is_paused


def test_a_client_may_stall_for_ten_seconds() -> None:
    client = ClientHarness().client
    assert client.too_slow_at is None
    client.record_stall(105.0)
    assert client.too_slow_at == 115.0
    client.record_stall(None)
    assert client.too_slow_at is None


# Whether it is there


def test_a_client_is_pinged_after_ten_quiet_seconds_and_gone_after_ten_more() -> None:
    harness = ClientHarness()
    assert harness.client.check_heartbeat(0.0, 109.9)
    assert harness.actions == []
    assert harness.client.check_heartbeat(0.0, 110.0)
    assert harness.actions == [ev.PingClient()]
    assert not harness.client.check_heartbeat(0.0, 120.0)
    assert harness.actions == [ev.PingClient(), ev.CloseClient(1011)]
    assert harness.client.is_gone


def test_a_client_that_was_found_dead_is_not_closed_again() -> None:
    harness = ClientHarness()
    harness.client.check_heartbeat(0.0, 110.0)
    harness.client.check_heartbeat(0.0, 120.0)
    harness.client.close(1000)
    assert harness.actions == [ev.PingClient(), ev.CloseClient(1011)]


def test_a_client_that_is_paused_is_not_taken_for_dead() -> None:
    harness = ClientHarness()
    harness.client.set_paused(True)
    for now in (110.0, 120.0, 130.0):
        assert harness.client.check_heartbeat(0.0, now)
    assert harness.actions == [ev.PauseClient()]
    harness.client.set_paused(False)
    assert harness.client.check_heartbeat(0.0, 140.0)
    assert harness.actions[-1] == ev.PingClient()


# The end


def test_a_client_is_closed_once() -> None:
    harness = ClientHarness()
    harness.client.send(END)
    harness.client.close(1012)
    harness.client.close(1000)
    harness.client.send(END)
    assert harness.actions[1:] == [ev.CloseClient(1012)]
    assert harness.client.is_closed


def test_a_client_that_is_gone_is_not_sent_a_close() -> None:
    harness = ClientHarness()
    harness.client.is_gone = True
    harness.client.close(1000)
    assert harness.actions == []
    assert harness.client.is_closed
