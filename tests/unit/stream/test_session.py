"""A session's life: what the client hears, what goes up, what wakes it, and every way it ends."""

from collections.abc import Callable

import pytest

from tests.unit.stream.stage import (
    CLOSE_STREAM,
    ID,
    SECOND,
    Stage,
    live,
    messages,
    metadata,
    results,
    texts,
)
from transcription_proxy.stream import endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.values import Closed, Settlement
from transcription_wire.codes import Reason

# Before `ready`


def test_it_dials_first_and_is_ready_when_the_upstream_is_open() -> None:
    stage = Stage(remaining=700)
    assert stage.actions == [ev.Dial()]
    assert messages(stage.open("request-1"))[0] == {
        "type": "ready", "session_id": str(ID), "seconds_remaining": 700,
    }  # fmt: skip


def test_early_audio_waits_for_ready_and_goes_up_in_order() -> None:
    stage = Stage()
    for number in range(10):
        stage.frame(bytes([number]) * 3200)
    assert not stage.sent
    stage.open()
    assert stage.sent == b"".join(bytes([number]) * 3200 for number in range(10))


def test_reading_pauses_at_5_s_of_early_audio_and_resumes_with_ready() -> None:
    stage = Stage()
    stage.frame(bytes(5 * SECOND - 2))
    assert not stage.paused
    stage.frame(bytes(2))
    assert stage.paused
    stage.open()
    assert not stage.paused
    assert len(stage.sent) == 5 * SECOND


def test_a_flood_of_tiny_early_messages_pauses_reading() -> None:
    stage = Stage()
    for _ in range(200):
        stage.frame(b"\1\2")
        stage.say("finalize")
    assert stage.paused
    stage.open()
    assert stage.sent == b"\1\2" * 200
    assert stage.texts == ["Finalize"] * 200
    assert not stage.paused


def test_early_audio_goes_up_in_pieces_that_any_server_takes() -> None:
    stage = Stage(config={"encoding": "linear32", "sample_rate": 48000, "channels": 8})
    for _ in range(100):
        stage.frame(bytes(76_800))
    stage.open()
    assert len(stage.sent) == 7_680_000
    assert max(len(action.data) for action in stage.every(ev.SendAudio)) <= 1 << 20


def test_finalize_and_stop_before_ready_take_effect_after_it_in_order_with_the_audio() -> None:
    stage = Stage()
    stage.frame(b"ab")
    stage.say("finalize")
    stage.frame(b"cd")
    stage.say("stop")
    assert stage.frame(b"ef") == []
    assert stage.say("finalize") == []
    up = [action for action in stage.open() if isinstance(action, ev.SendAudio | ev.SendUpstream)]
    finalize = ev.SendUpstream(b'{"type":"Finalize"}')
    assert up == [ev.SendAudio(b"ab"), finalize, ev.SendAudio(b"cd"), ev.SendUpstream(CLOSE_STREAM)]
    assert stage.ending() == ("client_stop", 1000, None)


def test_finalize_said_twice_in_a_row_is_one() -> None:
    stage = Stage()
    stage.say("finalize")
    stage.say("finalize")
    stage.open()
    assert stage.texts == ["Finalize"]


@pytest.mark.parametrize(
    ("status", "detail", "code", "close"),
    [
        (400, "No such model", "invalid_config", 4400),
        (400, "", "invalid_config", 4400),
        (429, "", "busy", 1013),
        (401, "bad key", "upstream_unavailable", 1011),
        (402, "pay", "upstream_unavailable", 1011),
        (503, "", "upstream_unavailable", 1011),
        (None, "", "upstream_unavailable", 1011),
    ],
)
def test_a_refusal_by_the_upstream_ends_it_before_it_began(
    status: int | None, detail: str, code: str, close: int
) -> None:
    stage = Stage()
    stage.frame()
    stage.tell(ev.UpstreamRefused(status, detail))
    (error,) = stage.messages
    assert error["code"] == code
    assert ("bad key" in error["message"]) is False
    closing = stage.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.ready) == (0, 0, False)
    assert stage.every(ev.CloseClient) == []
    stage.commit()
    assert stage.only(ev.CloseClient).code == close
    assert stage.told("session_end") == []
    assert stage.session.phase is Phase.OVER


def test_a_client_that_leaves_while_it_is_dialled_stops_the_dialling() -> None:
    stage = Stage()
    done = stage.tell(ev.ClientLost())
    assert done == [ev.HangUp(), ev.Close(stage.only(ev.Close).closing)]
    assert stage.only(ev.Close).closing.reason is Reason.CLIENT_GONE
    assert stage.open() == []
    assert stage.commit() == [ev.Finish()]


def test_a_drain_while_it_is_dialled_says_come_back() -> None:
    stage = Stage()
    done = stage.tell(ev.Drained())
    assert [message["code"] for message in messages(done)] == ["service_unavailable"]
    assert stage.only(ev.Close).closing.ready is False
    stage.commit()
    assert stage.only(ev.CloseClient).code == 1013
    assert stage.told("session_end") == []


def test_an_upstream_that_speaks_before_it_is_open_is_not_heard() -> None:
    stage = Stage()
    assert stage.tell(results("too soon")) == []
    assert stage.tell(metadata(0.0)) == []
    stage.open()
    assert stage.messages[0]["type"] == "ready"


def test_an_upstream_lost_before_it_is_open_ends_it_without_session_end() -> None:
    stage = Stage()
    stage.tell(ev.UpstreamLost(1011))
    assert stage.told("error")[0]["code"] == "upstream_closed"
    assert stage.open() == []
    stage.commit()
    assert stage.told("session_end") == []


# Words


def test_words_reach_the_client_as_they_come() -> None:
    stage = live()
    done = stage.tell(results("hello", 0.0, 1.5, is_final=True), results("wor", 1.5, 0.5), results(""))
    assert [message["text"] for message in messages(done)] == ["hello", "wor"]
    assert [action.optional for action in done if isinstance(action, ev.SendClient)] == [False, True]


def test_own_silence_is_taken_off_all_times() -> None:
    stage = live()
    stage.wait(4)
    stage.frame()
    word = {"word": "hi", "start": 0.2, "end": 0.5}
    alternatives = {"alternatives": [{"transcript": "hi", "confidence": 1.0, "words": [word]}]}
    done = stage.tell(
        results("", 0.05, 0.45, channel=alternatives),
        ev.UpstreamSpoke(b'{"type":"SpeechStarted","timestamp":0.3}'),
        ev.UpstreamSpoke(b'{"type":"UtteranceEnd","last_word_end":0.5}'),
    )
    transcript, started, ended = messages(done)
    assert (transcript["start"], transcript["duration"]) == (0.0, 0.4)
    assert transcript["words"] == [{"word": "hi", "start": 0.1, "end": 0.4}]
    assert (started["start"], ended["last_word_end"]) == (0.2, 0.4)


def test_the_last_words_come_before_session_end() -> None:
    stage = live()
    stage.stream(1)
    stage.say("stop")
    stage.tell(results("bye", 0.0, 1.0, is_final=True), metadata(1.0, "request-2"))
    assert stage.only(ev.Close).closing.request_id == "request-2"
    stage.commit()
    assert [message["type"] for message in stage.messages][-2:] == ["transcript", "session_end"]


# Keeping it alive


def test_a_keepalive_goes_up_after_each_4_s_without_audio() -> None:
    stage = live()
    stage.stream(1)
    assert texts(stage.wait(3.9)) == []
    assert texts(stage.wait(0.1)) == ["KeepAlive"]
    assert texts(stage.wait(3.9)) == []
    assert texts(stage.wait(0.1)) == ["KeepAlive"]
    stage.frame()
    assert texts(stage.wait(3.9)) == []


def test_own_silence_goes_up_once_after_4_s_without_a_first_frame_and_costs_nothing() -> None:
    stage = live()
    stage.wait(3.9)
    assert not stage.sent
    stage.wait(16)
    assert stage.sent == bytes(SECOND // 10)
    stage.say("stop")
    stage.tell(metadata(0.1))
    closing = stage.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (0, 0, 100)


def test_audio_within_4_s_makes_own_silence_needless() -> None:
    stage = live()
    stage.stream(3)
    stage.wait(30)
    assert len(stage.sent) == 3 * SECOND


def test_silence_is_in_the_encoding_of_the_session() -> None:
    stage = live(config={"encoding": "mulaw", "sample_rate": 8000})
    stage.wait(4)
    assert stage.sent == b"\xff" * 800


@pytest.mark.parametrize("spoken", [True, False])
def test_no_audio_for_idle_minutes_ends_it_keepalive_or_not(spoken: bool) -> None:
    stage = live(idle=60)
    stage.stream(1)
    for _ in range(59):
        stage.wait(1)
        if spoken:
            stage.say("keepalive")
    assert stage.session.phase is Phase.LIVE
    stage.wait(1)
    assert stage.ending() == ("idle", 1000, None)


def test_a_peer_that_is_silent_for_10_s_is_pinged_and_after_10_more_it_is_gone() -> None:
    stage = live()
    stage.pongs = False
    stage.wait(9.9)
    assert not stage.every(ev.PingClient) and not stage.every(ev.PingUpstream)
    stage.wait(0.1)
    assert len(stage.every(ev.PingClient)) == len(stage.every(ev.PingUpstream)) == 1
    stage.tell(ev.UpstreamPonged())
    stage.wait(9.9)
    stage.tell(ev.UpstreamPonged())
    assert stage.session.phase is Phase.LIVE
    stage.wait(0.1)
    assert stage.session.reason is Reason.CLIENT_GONE
    assert stage.only(ev.CloseClient).code == 1011
    stage.wait(5)
    stage.commit()
    assert stage.told("session_end") == []


def test_an_upstream_that_does_not_pong_is_hung_up_on() -> None:
    stage = live()
    stage.pongs = False
    stage.wait(10)
    stage.tell(ev.ClientPonged())
    stage.wait(10)
    assert stage.only(ev.HangUp)
    assert CLOSE_STREAM not in [action.text for action in stage.every(ev.SendUpstream)]
    stage.tell(ev.ClientPonged())
    stage.pongs = True
    stage.cannot_dial()
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_what_a_dead_upstream_did_not_answer_is_billed_5_s_at_most() -> None:
    stage = live()
    stage.frame(bytes(SECOND))
    stage.tell(results("one", 0.0, 1.0))
    stage.pongs = False
    for _ in range(20):
        stage.wait(1)
        stage.tell(ev.ClientPonged())
        stage.frame(bytes(SECOND // 2))
    stage.pongs = True
    stage.cannot_dial()
    assert stage.session.reason is Reason.UPSTREAM_CLOSED
    assert stage.only(ev.Close).closing.audio_ms == 6000


def test_a_paused_client_is_not_taken_for_dead() -> None:
    stage = live()
    stage.tell(ev.UpstreamStalled())
    stage.pongs = False
    for _ in range(6):
        stage.wait(5)
        stage.tell(ev.UpstreamPonged())
    assert stage.session.phase is Phase.LIVE


def test_an_upstream_that_hears_15_s_in_15_s_and_says_nothing_is_given_up() -> None:
    stage = live()
    stage.frame(bytes(SECOND))
    stage.tell(results("hello", 0.0, 1.0))
    for _ in range(14):
        stage.wait(1)
        stage.frame(bytes(SECOND))
    assert stage.session.phase is Phase.LIVE
    stage.wait(1)
    stage.frame(bytes(SECOND))
    stage.wait(1)
    assert stage.only(ev.HangUp)
    stage.cannot_dial()
    closing = stage.only(ev.Close).closing
    assert (closing.audio_ms, closing.total) == (6000, 6)
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_a_muted_session_does_not_alarm_the_watchdog() -> None:
    stage = live()
    stage.stream(1)
    stage.wait(120)
    assert stage.session.phase is Phase.LIVE


# A client that misbehaves


def test_what_is_no_message_is_answered_and_the_session_goes_on() -> None:
    stage = live()
    done = stage.tell(ev.ClientSpoke(b"\xff{"), ev.ClientSpoke(b'{"type":"hello","secret":1}'))
    done += stage.tell(ev.ClientSpoke(b'{"type":"auth","token":"t0ken"}'))
    assert [message["code"] for message in messages(done)] == ["bad_message"] * 3
    assert "t0ken" not in str(messages(done))
    assert stage.session.phase is Phase.LIVE
    assert stage.say("keepalive") == []


def test_the_hundredth_bad_message_closes() -> None:
    stage = live()
    for _ in range(99):
        stage.tell(ev.ClientSpoke(b"?"))
    assert stage.session.phase is Phase.LIVE
    stage.tell(ev.ClientSpoke(b"?"))
    assert len(stage.told("error")) == 100
    assert stage.ending() == ("bad_messages", 1008, "bad_message")


def test_a_message_too_big_closes_1009() -> None:
    stage = live()
    stage.tell(ev.ClientViolated(endings.TOO_BIG))
    assert stage.ending() == ("bad_messages", 1009, "message_too_big")


def test_a_client_that_does_not_read_for_10_s_is_too_slow() -> None:
    stage = live()
    stage.tell(ev.ClientStalled())
    stage.wait(9)
    stage.tell(ev.ClientRecovered())
    stage.wait(30)
    assert stage.session.phase is Phase.LIVE
    stage.tell(ev.ClientStalled())
    stage.wait(10)
    assert stage.ending() == ("too_slow", 1008, None)


def test_an_empty_frame_is_nothing() -> None:
    stage = live()
    assert stage.tell(ev.AudioArrived(b"")) == []


# An upstream that does not read


def test_audio_waits_in_order_while_the_upstream_does_not_read() -> None:
    stage = live()
    stage.frame(b"ab")
    stage.tell(ev.UpstreamStalled())
    assert stage.paused
    stage.frame(b"cd")
    stage.say("finalize")
    stage.frame(b"ef")
    assert stage.sent == b"ab"
    done = stage.tell(ev.UpstreamRecovered())
    assert stage.sent == b"abcdef"
    assert texts(done) == ["Finalize"]
    assert not stage.paused


# The end


@pytest.mark.parametrize(
    ("event", "reason", "close", "error"),
    [
        (ev.Drained(), "service_restart", 1012, "service_restart"),
        (ev.Broke(), "internal", 1011, "internal"),
        (ev.UpstreamLost(1008), "upstream_closed", 1011, "upstream_closed"),
    ],
)
def test_ends_that_come_from_outside(event: ev.Event, reason: str, close: int, error: str) -> None:
    stage = live()
    stage.stream(2)
    stage.tell(event)
    assert stage.ending() == (reason, close, error)


def test_a_stop_waits_5_s_for_metadata_and_bills_what_was_sent_without() -> None:
    stage = live()
    stage.stream(2.3)
    stage.tell(results("two", 0.0, 2.3, is_final=True))
    stage.say("stop")
    stage.wait(4.9)
    assert stage.session.phase is Phase.FINISHING
    stage.wait(0.1)
    closing = stage.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (3, 2300, None)


def test_last_words_that_still_come_are_awaited_but_not_for_ever() -> None:
    stage = live(grant=100)
    stage.frame(bytes(8 * SECOND))
    stage.say("stop")
    stage.wait(4)
    stage.tell(results("late", 0.0, 1.0))
    stage.wait(4.9)
    assert stage.session.phase is Phase.FINISHING
    for count in range(8):
        stage.tell(results("and later", 0.0, 1.1 + count * 0.5), results("", 0.0, 1.0))
        stage.wait(4)
    assert stage.only(ev.Close)


def test_an_upstream_that_has_said_all_is_not_awaited_though_it_repeats_itself() -> None:
    stage = live()
    stage.stream(2)
    stage.tell(results("two", 0.0, 2.0, is_final=True))
    stage.say("stop")
    for _ in range(3):
        stage.wait(1.7)
        stage.tell(results("two", 0.0, 2.0))
    assert stage.session.phase is Phase.CLOSING


@pytest.mark.parametrize(
    ("reported", "words", "total", "audio_ms"),
    [
        (1.9, True, 2, 1900),
        (2.0, True, 2, 2000),
        (7.0, True, 3, 2100),
        (0.0, True, 3, 2100),
        (0.0, False, 0, 0),
        (1.0004, False, 1, 1000),
    ],
)
def test_metadata_decides_but_never_above_what_was_sent(
    reported: float, words: bool, total: int, audio_ms: int
) -> None:
    stage = live()
    stage.stream(2.1)
    if words:
        stage.tell(results("hi", 0.0, 2.0))
    stage.say("stop")
    stage.tell(metadata(reported), ev.UpstreamLost(1000))
    closing = stage.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (total, audio_ms, round(reported * 1000))


def test_own_silence_is_taken_off_metadata() -> None:
    stage = live()
    stage.wait(4)
    stage.stream(2)
    stage.say("stop")
    stage.tell(metadata(2.1))
    closing = stage.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (2, 2000, 2100)


def test_metadata_that_is_followed_by_words_was_not_the_closing_one() -> None:
    stage = live()
    stage.tell(metadata(0.0))
    stage.stream(2)
    stage.tell(results("two", 0.0, 2.0, is_final=True))
    stage.say("stop")
    stage.wait(5)
    assert stage.only(ev.Close).closing.total == 2


def test_metadata_of_an_upstream_that_closes_by_itself_counts() -> None:
    stage = live()
    stage.stream(2)
    stage.tell(metadata(1.5), ev.UpstreamLost(1008))
    assert stage.only(ev.Close).closing.audio_ms == 1500


def test_an_upstream_lost_while_it_finishes_does_not_wait_for_metadata() -> None:
    stage = live()
    stage.stream(1)
    stage.say("stop")
    stage.tell(ev.UpstreamLost(1000))
    assert stage.only(ev.Close)
    assert stage.every(ev.HangUp) == []
    assert stage.ending() == ("client_stop", 1000, None)


def test_a_client_that_leaves_is_billed_exactly_and_told_nothing() -> None:
    stage = live()
    stage.stream(3)
    done = stage.tell(ev.ClientLost())
    assert texts(done) == ["CloseStream"]
    done += stage.tell(results("late", 0.0, 1.0), metadata(2.5))
    done += stage.commit()
    assert messages(done) == []
    closing = stage.only(ev.Close).closing
    assert (closing.reason, closing.total, closing.audio_ms) == (Reason.CLIENT_GONE, 3, 2500)
    assert stage.every(ev.CloseClient) == []


def test_the_first_reason_stays() -> None:
    stage = live()
    stage.say("stop")
    stage.tell(ev.Drained(), ev.ClientViolated(endings.TOO_BIG), ev.Broke())
    assert stage.ending() == ("client_stop", 1000, None)


def test_session_end_says_what_the_ledger_holds_once_it_has_committed() -> None:
    stage = live()
    stage.stream(3)
    stage.say("stop")
    done = stage.tell(metadata(2.25))
    assert messages(done) == []
    done = stage.tell(ev.CloseCommitted(Closed(ID, 2, Reason.SERVICE_RESTART, 500)))
    assert messages(done) == [
        {"type": "session_end", "seconds_used": 2, "audio_seconds": 2.3, "reason": "service_restart"}
    ]
    assert done[1:] == [ev.CloseClient(1000), ev.Finish()]


def test_audio_seconds_has_one_decimal_halves_up_as_the_ledger_has_it() -> None:
    for milliseconds, shown in [(2249, 2.2), (2250, 2.3), (2350, 2.4), (2050, 2.1), (0, 0.0)]:
        stage = live()
        stage.stream(3)
        stage.say("stop")
        stage.tell(metadata(milliseconds / 1000), ev.UpstreamLost(1000))
        stage.commit()
        assert stage.told("session_end")[0]["audio_seconds"] == shown


def test_a_close_that_takes_10_s_is_told_as_pending_and_not_told_twice() -> None:
    stage = live()
    stage.stream(3)
    stage.say("stop")
    stage.tell(metadata(3.0))
    stage.wait(9.9)
    assert stage.told("session_end") == []
    stage.wait(0.1)
    assert stage.told("session_end") == [
        {"type": "session_end", "seconds_used": 3, "audio_seconds": 3.0, "reason": "client_stop", "pending": True}
    ]
    assert stage.only(ev.CloseClient).code == 1000
    assert stage.session.deadline is None
    assert stage.commit() == [ev.Finish()]
    assert stage.session.deadline is None


def test_nothing_happens_when_it_is_over() -> None:
    stage = live()
    stage.say("stop")
    stage.ending()
    assert stage.tell(ev.ClientLost(), ev.UpstreamLost(), ev.TimePassed(), ev.Nudged()) == []
    assert stage.frame() == []


def test_frames_after_its_end_are_ignored_but_it_reads_on_to_see_the_client_leave() -> None:
    stage = live(grant=1, remaining=1)
    stage.ledger = lambda settlement: stage.granted(settlement, 1, elsewhere=1)
    stage.frame(bytes(SECOND + 2))
    assert stage.paused
    stage.tell(ev.Drained())
    assert not stage.paused
    assert stage.frame() == stage.say("stop") == stage.tell(ev.UpstreamStalled(), ev.UpstreamRecovered()) == []


# News from outside


@pytest.mark.parametrize(
    ("reason", "close"),
    [(Reason.REPLACED, 4409), (Reason.ENDED_BY_USER, 1000), (Reason.ENDED_BY_OPERATOR, 1000)],
)
def test_a_nudge_settles_at_once_and_hears_that_it_is_to_end(reason: Reason, close: int) -> None:
    stage = live()
    stage.stream(2)

    def ending(settlement: Settlement) -> ev.Event:
        return stage.granted(settlement, 45, ending=reason)

    stage.ledger = ending
    stage.tell(ev.Nudged())
    assert stage.ending() == (reason.value, close, None)


def test_an_account_whose_password_was_changed_is_told_unauthorized() -> None:
    stage = live()
    stage.ledger = lambda s: stage.granted(s, 45, ending=Reason.SIGNED_OUT)
    stage.tell(ev.Nudged())
    assert stage.ending() == ("signed_out", 4401, "unauthorized")


def test_a_blocked_account_is_told_unauthorized() -> None:
    stage = live()
    stage.ledger = lambda s: stage.granted(s, 45, ending=Reason.ENDED_BY_OPERATOR, blocked=True)
    stage.tell(ev.Nudged())
    assert stage.ending() == ("ended_by_operator", 4401, "unauthorized")


def test_an_overdrawn_account_is_told_that_its_credit_is_used_up() -> None:
    stage = live()
    stage.ledger = lambda s: stage.granted(s, 45, ending=Reason.INSUFFICIENT_CREDITS)
    stage.wait(10)
    assert stage.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_nudge_while_a_settle_is_under_way_is_asked_again_after_it() -> None:
    stage = Stage()
    stage.ledger = stage.silent
    stage.open()
    stage.tell(ev.Nudged())
    assert len(stage.settlements) == 1
    stage.tell(stage.granted(stage.settlements[0], 45))
    assert len(stage.settlements) == 2


def test_a_nudge_while_it_is_dialled_is_heard_with_ready() -> None:
    stage = Stage()
    assert stage.tell(ev.Nudged()) == []
    stage.ledger = lambda s: stage.granted(s, 45, ending=Reason.REPLACED)
    stage.open()
    assert stage.ending() == ("replaced", 4409, None)


def test_a_session_that_the_ledger_has_ended_closes_and_says_what_the_ledger_then_holds() -> None:
    stage = live()
    stage.stream(3)
    stage.ledger = lambda s: stage.granted(s, 2, gone=True, ending=Reason.LEASE_EXPIRED)
    done = stage.tell(ev.Nudged())
    assert texts(done) == ["CloseStream"]
    closing = stage.only(ev.Close).closing
    assert (closing.number, closing.total, closing.reason) == (3, 3, Reason.LEASE_EXPIRED)
    assert stage.told("error")[0]["code"] == "internal"
    assert stage.frame() == []
    done = stage.tell(ev.CloseCommitted(Closed(ID, 2, Reason.LEASE_EXPIRED, 998)))
    (end,) = stage.told("session_end")
    assert (end["seconds_used"], end["audio_seconds"], end["reason"]) == (2, 3.0, "lease_expired")
    assert done[-2:] == [ev.CloseClient(1011), ev.Finish()]


def test_gone_without_a_stored_reason_is_lease_expired() -> None:
    stage = live()
    stage.ledger = lambda s: stage.granted(s, 2, gone=True)
    stage.tell(ev.Nudged())
    stage.commit()
    assert stage.told("session_end")[0]["reason"] == "lease_expired"


@pytest.mark.parametrize("make", [Stage, live])
def test_a_timer_that_rings_too_early_does_nothing(make: Callable[[], Stage]) -> None:
    stage = make()
    assert stage.tell(ev.TimePassed()) == []
    stage.say("stop")
    assert stage.tell(ev.TimePassed()) == []
    stage.tell(ev.ClientLost(), metadata(0.0))
    assert stage.tell(ev.TimePassed()) == []
