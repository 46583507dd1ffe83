"""A session's life: what the client hears, what goes up, what wakes it, and every way it ends."""

from collections.abc import Callable

import pytest

from tests.unit.stream.driver import (
    CLOSE_STREAM,
    ID,
    SECOND,
    SessionDriver,
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


def test_the_session_dials_first_and_is_ready_when_the_upstream_is_open() -> None:
    driver = SessionDriver(remaining=700)
    assert driver.actions == [ev.Dial()]
    assert messages(driver.open_upstream("request-1"))[0] == {
        "type": "ready", "session_id": str(ID), "seconds_remaining": 700,
    }  # fmt: skip


def test_early_audio_waits_for_ready_and_is_sent_in_order() -> None:
    driver = SessionDriver()
    for number in range(10):
        driver.frame(bytes([number]) * 3200)
    assert not driver.sent
    driver.open_upstream()
    assert driver.sent == b"".join(bytes([number]) * 3200 for number in range(10))


def test_reading_pauses_at_5_s_of_early_audio_and_resumes_with_ready() -> None:
    driver = SessionDriver()
    driver.frame(bytes(5 * SECOND - 2))
    assert not driver.paused
    driver.frame(bytes(2))
    assert driver.paused
    driver.open_upstream()
    assert not driver.paused
    assert len(driver.sent) == 5 * SECOND


def test_a_flood_of_tiny_early_messages_pauses_reading() -> None:
    driver = SessionDriver()
    for _ in range(200):
        driver.frame(b"\1\2")
        driver.client_sends("finalize")
    assert driver.paused
    driver.open_upstream()
    assert driver.sent == b"\1\2" * 200
    assert driver.texts == ["Finalize"] * 200
    assert not driver.paused


def test_early_audio_is_sent_in_pieces_that_any_server_takes() -> None:
    driver = SessionDriver(config={"encoding": "linear32", "sample_rate": 48000, "channels": 8})
    for _ in range(100):
        driver.frame(bytes(76_800))
    driver.open_upstream()
    assert len(driver.sent) == 7_680_000
    assert max(len(action.data) for action in driver.every(ev.SendAudio)) <= 1 << 20


def test_finalize_and_stop_before_ready_take_effect_after_it_in_order_with_the_audio() -> None:
    driver = SessionDriver()
    driver.frame(b"ab")
    driver.client_sends("finalize")
    driver.frame(b"cd")
    driver.client_sends("stop")
    assert driver.frame(b"ef") == []
    assert driver.client_sends("finalize") == []
    up = [action for action in driver.open_upstream() if isinstance(action, ev.SendAudio | ev.SendUpstream)]
    finalize = ev.SendUpstream(b'{"type":"Finalize"}')
    assert up == [ev.SendAudio(b"ab"), finalize, ev.SendAudio(b"cd"), ev.SendUpstream(CLOSE_STREAM)]
    assert driver.ending() == ("client_stop", 1000, None)


def test_finalize_said_twice_in_a_row_is_one() -> None:
    driver = SessionDriver()
    driver.client_sends("finalize")
    driver.client_sends("finalize")
    driver.open_upstream()
    assert driver.texts == ["Finalize"]


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
    driver = SessionDriver()
    driver.frame()
    driver.handle(ev.UpstreamRefused(status, detail))
    (error,) = driver.messages
    assert error["code"] == code
    assert ("bad key" in error["message"]) is False
    closing = driver.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.ready) == (0, 0, False)
    assert driver.every(ev.CloseClient) == []
    driver.commit()
    assert driver.only(ev.CloseClient).code == close
    assert driver.messages_of("session_end") == []
    assert driver.session.phase is Phase.OVER


def test_a_client_that_leaves_while_it_is_dialled_stops_the_dialling() -> None:
    driver = SessionDriver()
    done = driver.handle(ev.ClientLost())
    assert done == [ev.CloseUpstream(), ev.Close(driver.only(ev.Close).closing)]
    assert driver.only(ev.Close).closing.reason is Reason.CLIENT_GONE
    assert driver.open_upstream() == []
    assert driver.commit() == [ev.Finish()]


def test_a_drain_while_it_is_dialled_says_come_back() -> None:
    driver = SessionDriver()
    done = driver.handle(ev.DrainEnded())
    assert [message["code"] for message in messages(done)] == ["service_unavailable"]
    assert driver.only(ev.Close).closing.ready is False
    driver.commit()
    assert driver.only(ev.CloseClient).code == 1013
    assert driver.messages_of("session_end") == []


def test_messages_of_an_upstream_before_it_is_open_are_ignored() -> None:
    driver = SessionDriver()
    assert driver.handle(results("too soon")) == []
    assert driver.handle(metadata(0.0)) == []
    driver.open_upstream()
    assert driver.messages[0]["type"] == "ready"


def test_an_upstream_lost_before_it_is_open_ends_it_without_session_end() -> None:
    driver = SessionDriver()
    driver.handle(ev.UpstreamLost(1011))
    assert driver.messages_of("error")[0]["code"] == "upstream_closed"
    assert driver.open_upstream() == []
    driver.commit()
    assert driver.messages_of("session_end") == []


# Words


def test_words_reach_the_client_as_they_come() -> None:
    driver = live()
    done = driver.handle(results("hello", 0.0, 1.5, is_final=True), results("wor", 1.5, 0.5), results(""))
    assert [message["text"] for message in messages(done)] == ["hello", "wor"]


def test_interims_are_dropped_while_the_client_does_not_read() -> None:
    driver = live()
    driver.handle(ev.ClientStalled())
    done = driver.handle(results("hello", 0.0, 1.5, is_final=True), results("wor", 1.5, 0.5))
    assert [message["text"] for message in messages(done)] == ["hello"]
    driver.handle(ev.ClientRecovered())
    assert [message["text"] for message in messages(driver.handle(results("world", 1.5, 1.0)))] == ["world"]


def test_own_silence_is_taken_off_all_times() -> None:
    driver = live()
    driver.wait(4)
    driver.frame()
    word = {"word": "hi", "start": 0.2, "end": 0.5}
    alternatives = {"alternatives": [{"transcript": "hi", "confidence": 1.0, "words": [word]}]}
    done = driver.handle(
        results("", 0.05, 0.45, channel=alternatives),
        ev.UpstreamSentText(b'{"type":"SpeechStarted","timestamp":0.3}'),
        ev.UpstreamSentText(b'{"type":"UtteranceEnd","last_word_end":0.5}'),
    )
    transcript, started, ended = messages(done)
    assert (transcript["start"], transcript["duration"]) == (0.0, 0.4)
    assert transcript["words"] == [{"word": "hi", "start": 0.1, "end": 0.4}]
    assert (started["start"], ended["last_word_end"]) == (0.2, 0.4)


def test_the_last_words_come_before_session_end() -> None:
    driver = live()
    driver.stream(1)
    driver.client_sends("stop")
    driver.handle(results("bye", 0.0, 1.0, is_final=True), metadata(1.0, "request-2"))
    assert driver.only(ev.Close).closing.request_id == "request-2"
    driver.commit()
    assert [message["type"] for message in driver.messages][-2:] == ["transcript", "session_end"]


# Keeping it alive


def test_a_keepalive_is_sent_after_each_4_s_without_audio() -> None:
    driver = live()
    driver.stream(1)
    assert texts(driver.wait(3.9)) == []
    assert texts(driver.wait(0.1)) == ["KeepAlive"]
    assert texts(driver.wait(3.9)) == []
    assert texts(driver.wait(0.1)) == ["KeepAlive"]
    driver.frame()
    assert texts(driver.wait(3.9)) == []


def test_own_silence_is_sent_once_after_4_s_without_a_first_frame_and_costs_nothing() -> None:
    driver = live()
    driver.wait(3.9)
    assert not driver.sent
    driver.wait(16)
    assert driver.sent == bytes(SECOND // 10)
    driver.client_sends("stop")
    driver.handle(metadata(0.1))
    closing = driver.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (0, 0, 100)


def test_audio_within_4_s_makes_own_silence_needless() -> None:
    driver = live()
    driver.stream(3)
    driver.wait(30)
    assert len(driver.sent) == 3 * SECOND


def test_silence_is_in_the_encoding_of_the_session() -> None:
    driver = live(config={"encoding": "mulaw", "sample_rate": 8000})
    driver.wait(4)
    assert driver.sent == b"\xff" * 800


@pytest.mark.parametrize("spoken", [True, False])
def test_no_audio_for_idle_minutes_ends_it_keepalive_or_not(spoken: bool) -> None:
    driver = live(idle=60)
    driver.stream(1)
    for _ in range(59):
        driver.wait(1)
        if spoken:
            driver.client_sends("keepalive")
    assert driver.session.phase is Phase.LIVE
    driver.wait(1)
    assert driver.ending() == ("idle", 1000, None)


def test_a_peer_that_is_silent_for_10_s_is_pinged_and_after_10_more_it_is_gone() -> None:
    driver = live()
    driver.pongs = False
    driver.wait(9.9)
    assert not driver.every(ev.PingClient) and not driver.every(ev.PingUpstream)
    driver.wait(0.1)
    assert len(driver.every(ev.PingClient)) == len(driver.every(ev.PingUpstream)) == 1
    driver.handle(ev.UpstreamPonged())
    driver.wait(9.9)
    driver.handle(ev.UpstreamPonged())
    assert driver.session.phase is Phase.LIVE
    driver.wait(0.1)
    assert driver.session.reason is Reason.CLIENT_GONE
    assert driver.only(ev.CloseClient).code == 1011
    driver.wait(5)
    driver.commit()
    assert driver.messages_of("session_end") == []


def test_admitted_audio_is_a_sign_of_life_and_asking_for_the_deadline_changes_nothing() -> None:
    driver = live()
    driver.pongs = False
    driver.frame()
    driver.wait(1)
    assert driver.frame() == []
    heartbeat = driver.session._client.heartbeat
    before = (heartbeat.deadline, driver.session.deadline)
    assert (heartbeat.deadline, driver.session.deadline) == before
    assert heartbeat.deadline == 1010.0
    driver.wait(9.9)
    assert driver.every(ev.PingClient) == []
    driver.wait(0.1)
    assert len(driver.every(ev.PingClient)) == 1


def test_an_upstream_that_does_not_pong_is_closed() -> None:
    driver = live()
    driver.pongs = False
    driver.wait(10)
    driver.handle(ev.ClientPonged())
    driver.wait(10)
    assert driver.only(ev.CloseUpstream)
    assert CLOSE_STREAM not in [action.text for action in driver.every(ev.SendUpstream)]
    driver.handle(ev.ClientPonged())
    driver.pongs = True
    driver.cannot_dial()
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_what_a_dead_upstream_did_not_answer_is_billed_5_s_at_most() -> None:
    driver = live()
    driver.frame(bytes(SECOND))
    driver.handle(results("one", 0.0, 1.0))
    driver.pongs = False
    for _ in range(20):
        driver.wait(1)
        driver.handle(ev.ClientPonged())
        driver.frame(bytes(SECOND // 2))
    driver.pongs = True
    driver.cannot_dial()
    assert driver.session.reason is Reason.UPSTREAM_CLOSED
    assert driver.only(ev.Close).closing.audio_ms == 6000


def test_a_paused_client_is_not_taken_for_dead() -> None:
    driver = live()
    driver.handle(ev.UpstreamStalled())
    driver.pongs = False
    for _ in range(6):
        driver.wait(5)
        driver.handle(ev.UpstreamPonged())
    assert driver.session.phase is Phase.LIVE


def test_an_upstream_that_takes_15_s_of_audio_in_15_s_and_sends_nothing_is_given_up() -> None:
    driver = live()
    driver.frame(bytes(SECOND))
    driver.handle(results("hello", 0.0, 1.0))
    for _ in range(14):
        driver.wait(1)
        driver.frame(bytes(SECOND))
    assert driver.session.phase is Phase.LIVE
    driver.wait(1)
    driver.frame(bytes(SECOND))
    driver.wait(1)
    assert driver.only(ev.CloseUpstream)
    driver.cannot_dial()
    closing = driver.only(ev.Close).closing
    assert (closing.audio_ms, closing.total) == (6000, 6)
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_a_muted_session_does_not_alarm_the_watchdog() -> None:
    driver = live()
    driver.stream(1)
    driver.wait(120)
    assert driver.session.phase is Phase.LIVE


# A client that misbehaves


def test_a_bad_message_is_answered_and_the_session_goes_on() -> None:
    driver = live()
    done = driver.handle(ev.ClientSentText(b"\xff{"), ev.ClientSentText(b'{"type":"hello","secret":1}'))
    done += driver.handle(ev.ClientSentText(b'{"type":"auth","token":"t0ken"}'))
    assert [message["code"] for message in messages(done)] == ["bad_message"] * 3
    assert "t0ken" not in str(messages(done))
    assert driver.session.phase is Phase.LIVE
    assert driver.client_sends("keepalive") == []


def test_the_hundredth_bad_message_closes() -> None:
    driver = live()
    for _ in range(99):
        driver.handle(ev.ClientSentText(b"?"))
    assert driver.session.phase is Phase.LIVE
    driver.handle(ev.ClientSentText(b"?"))
    assert len(driver.messages_of("error")) == 100
    assert driver.ending() == ("bad_messages", 1008, "bad_message")


def test_a_message_too_big_closes_1009() -> None:
    driver = live()
    driver.handle(ev.ClientBrokeProtocol(endings.TOO_BIG))
    assert driver.ending() == ("bad_messages", 1009, "message_too_big")


def test_a_client_that_does_not_read_for_10_s_is_too_slow() -> None:
    driver = live()
    driver.handle(ev.ClientStalled())
    driver.wait(9)
    driver.handle(ev.ClientRecovered())
    driver.wait(30)
    assert driver.session.phase is Phase.LIVE
    driver.handle(ev.ClientStalled())
    driver.wait(10)
    assert driver.ending() == ("too_slow", 1008, None)


def test_an_empty_frame_is_nothing() -> None:
    driver = live()
    assert driver.handle(ev.AudioArrived(b"")) == []


# An upstream that does not read


def test_audio_waits_in_order_while_the_upstream_does_not_read() -> None:
    driver = live()
    driver.frame(b"ab")
    driver.handle(ev.UpstreamStalled())
    assert driver.paused
    driver.frame(b"cd")
    driver.client_sends("finalize")
    driver.frame(b"ef")
    assert driver.sent == b"ab"
    done = driver.handle(ev.UpstreamRecovered())
    assert driver.sent == b"abcdef"
    assert texts(done) == ["Finalize"]
    assert not driver.paused


# The end


@pytest.mark.parametrize(
    ("event", "reason", "close", "error"),
    [
        (ev.DrainEnded(), "service_restart", 1012, "service_restart"),
        (ev.SessionFailed(), "internal", 1011, "internal"),
        (ev.UpstreamLost(1008), "upstream_closed", 1011, "upstream_closed"),
    ],
)
def test_ends_that_come_from_outside(event: ev.Event, reason: str, close: int, error: str) -> None:
    driver = live()
    driver.stream(2)
    driver.handle(event)
    assert driver.ending() == (reason, close, error)


def test_a_stop_waits_5_s_for_metadata_and_bills_what_was_sent_without() -> None:
    driver = live()
    driver.stream(2.3)
    driver.handle(results("two", 0.0, 2.3, is_final=True))
    driver.client_sends("stop")
    driver.wait(4.9)
    assert driver.session.phase is Phase.FINISHING
    driver.wait(0.1)
    closing = driver.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (3, 2300, None)


def test_last_words_that_still_come_are_awaited_but_not_for_ever() -> None:
    driver = live(grant=100)
    driver.frame(bytes(8 * SECOND))
    driver.client_sends("stop")
    driver.wait(4)
    driver.handle(results("late", 0.0, 1.0))
    driver.wait(4.9)
    assert driver.session.phase is Phase.FINISHING
    for count in range(8):
        driver.handle(results("and later", 0.0, 1.1 + count * 0.5), results("", 0.0, 1.0))
        driver.wait(4)
    assert driver.only(ev.Close)


def test_an_upstream_that_sent_all_words_is_not_awaited_though_it_repeats_some() -> None:
    driver = live()
    driver.stream(2)
    driver.handle(results("two", 0.0, 2.0, is_final=True))
    driver.client_sends("stop")
    for _ in range(3):
        driver.wait(1.7)
        driver.handle(results("two", 0.0, 2.0))
    assert driver.session.phase is Phase.CLOSING


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
    driver = live()
    driver.stream(2.1)
    if words:
        driver.handle(results("hi", 0.0, 2.0))
    driver.client_sends("stop")
    driver.handle(metadata(reported), ev.UpstreamLost(1000))
    closing = driver.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (total, audio_ms, round(reported * 1000))


def test_own_silence_is_taken_off_metadata() -> None:
    driver = live()
    driver.wait(4)
    driver.stream(2)
    driver.client_sends("stop")
    driver.handle(metadata(2.1))
    closing = driver.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (2, 2000, 2100)


def test_metadata_that_is_followed_by_words_was_not_the_closing_one() -> None:
    driver = live()
    driver.handle(metadata(0.0))
    driver.stream(2)
    driver.handle(results("two", 0.0, 2.0, is_final=True))
    driver.client_sends("stop")
    driver.wait(5)
    assert driver.only(ev.Close).closing.total == 2


def test_metadata_of_an_upstream_that_closes_by_itself_counts() -> None:
    driver = live()
    driver.stream(2)
    driver.handle(metadata(1.5), ev.UpstreamLost(1008))
    assert driver.only(ev.Close).closing.audio_ms == 1500


def test_an_upstream_lost_while_it_finishes_does_not_wait_for_metadata() -> None:
    driver = live()
    driver.stream(1)
    driver.client_sends("stop")
    driver.handle(ev.UpstreamLost(1000))
    assert driver.only(ev.Close)
    assert driver.every(ev.CloseUpstream) == []
    assert driver.ending() == ("client_stop", 1000, None)


def test_a_client_that_leaves_is_billed_exactly_and_reported_nothing() -> None:
    driver = live()
    driver.stream(3)
    done = driver.handle(ev.ClientLost())
    assert texts(done) == ["CloseStream"]
    done += driver.handle(results("late", 0.0, 1.0), metadata(2.5))
    done += driver.commit()
    assert messages(done) == []
    closing = driver.only(ev.Close).closing
    assert (closing.reason, closing.total, closing.audio_ms) == (Reason.CLIENT_GONE, 3, 2500)
    assert driver.every(ev.CloseClient) == []


def test_the_first_reason_stays() -> None:
    driver = live()
    driver.client_sends("stop")
    driver.handle(ev.DrainEnded(), ev.ClientBrokeProtocol(endings.TOO_BIG), ev.SessionFailed())
    assert driver.ending() == ("client_stop", 1000, None)


def test_session_end_says_what_the_ledger_holds_once_it_has_committed() -> None:
    driver = live()
    driver.stream(3)
    driver.client_sends("stop")
    done = driver.handle(metadata(2.25))
    assert messages(done) == []
    done = driver.handle(ev.CloseCommitted(Closed(ID, 2, Reason.SERVICE_RESTART, 500)))
    assert messages(done) == [
        {"type": "session_end", "seconds_used": 2, "audio_seconds": 2.3, "reason": "service_restart"}
    ]
    assert done[1:] == [ev.CloseClient(1000), ev.Finish()]


def test_audio_seconds_has_one_decimal_halves_up_as_the_ledger_has_it() -> None:
    for milliseconds, shown in [(2249, 2.2), (2250, 2.3), (2350, 2.4), (2050, 2.1), (0, 0.0)]:
        driver = live()
        driver.stream(3)
        driver.client_sends("stop")
        driver.handle(metadata(milliseconds / 1000), ev.UpstreamLost(1000))
        driver.commit()
        assert driver.messages_of("session_end")[0]["audio_seconds"] == shown


def test_a_close_that_takes_10_s_is_reported_as_pending_and_not_told_twice() -> None:
    driver = live()
    driver.stream(3)
    driver.client_sends("stop")
    driver.handle(metadata(3.0))
    driver.wait(9.9)
    assert driver.messages_of("session_end") == []
    driver.wait(0.1)
    assert driver.messages_of("session_end") == [
        {"type": "session_end", "seconds_used": 3, "audio_seconds": 3.0, "reason": "client_stop", "pending": True}
    ]
    assert driver.only(ev.CloseClient).code == 1000
    assert driver.session.deadline is None
    assert driver.commit() == [ev.Finish()]
    assert driver.session.deadline is None


def test_a_session_that_is_over_ignores_events() -> None:
    driver = live()
    driver.client_sends("stop")
    driver.ending()
    assert driver.handle(ev.ClientLost(), ev.UpstreamLost(), ev.TimePassed(), ev.RowChanged()) == []
    assert driver.frame() == []


def test_frames_after_its_end_are_ignored_but_it_reads_on_to_see_the_client_leave() -> None:
    driver = live(grant=1, remaining=1)
    driver.ledger = lambda settlement: driver.granted(settlement, 1, elsewhere=1)
    driver.frame(bytes(SECOND + 2))
    assert driver.paused
    driver.handle(ev.DrainEnded())
    assert not driver.paused
    assert (
        driver.frame()
        == driver.client_sends("stop")
        == driver.handle(ev.UpstreamStalled(), ev.UpstreamRecovered())
        == []
    )


# News from outside


@pytest.mark.parametrize(
    ("reason", "close"),
    [(Reason.REPLACED, 4409), (Reason.ENDED_BY_USER, 1000), (Reason.ENDED_BY_OPERATOR, 1000)],
)
def test_a_changed_row_causes_a_settle_whose_answer_ends_the_session(reason: Reason, close: int) -> None:
    driver = live()
    driver.stream(2)

    def ending(settlement: Settlement) -> ev.Event:
        return driver.granted(settlement, 45, ending=reason)

    driver.ledger = ending
    driver.handle(ev.RowChanged())
    assert driver.ending() == (reason.value, close, None)


def test_an_account_whose_password_was_changed_is_reported_unauthorized() -> None:
    driver = live()
    driver.ledger = lambda s: driver.granted(s, 45, ending=Reason.SIGNED_OUT)
    driver.handle(ev.RowChanged())
    assert driver.ending() == ("signed_out", 4401, "unauthorized")


def test_a_blocked_account_is_reported_unauthorized() -> None:
    driver = live()
    driver.ledger = lambda s: driver.granted(s, 45, ending=Reason.ENDED_BY_OPERATOR, blocked=True)
    driver.handle(ev.RowChanged())
    assert driver.ending() == ("ended_by_operator", 4401, "unauthorized")


def test_an_overdrawn_account_is_reported_that_its_credit_is_used_up() -> None:
    driver = live()
    driver.ledger = lambda s: driver.granted(s, 45, ending=Reason.INSUFFICIENT_CREDITS)
    driver.wait(10)
    assert driver.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_row_changed_during_a_settle_causes_another_settle() -> None:
    driver = SessionDriver()
    driver.ledger = driver.silent
    driver.open_upstream()
    driver.handle(ev.RowChanged())
    assert len(driver.settlements) == 1
    driver.handle(driver.granted(driver.settlements[0], 45))
    assert len(driver.settlements) == 2


def test_a_row_changed_while_dialling_is_noticed_with_ready() -> None:
    driver = SessionDriver()
    assert driver.handle(ev.RowChanged()) == []
    driver.ledger = lambda s: driver.granted(s, 45, ending=Reason.REPLACED)
    driver.open_upstream()
    assert driver.ending() == ("replaced", 4409, None)


def test_a_session_that_the_ledger_has_ended_closes_and_says_what_the_ledger_then_holds() -> None:
    driver = live()
    driver.stream(3)
    driver.ledger = lambda s: driver.granted(s, 2, gone=True, ending=Reason.LEASE_EXPIRED)
    done = driver.handle(ev.RowChanged())
    assert texts(done) == ["CloseStream"]
    closing = driver.only(ev.Close).closing
    assert (closing.number, closing.total, closing.reason) == (3, 3, Reason.LEASE_EXPIRED)
    assert driver.messages_of("error")[0]["code"] == "internal"
    assert driver.frame() == []
    done = driver.handle(ev.CloseCommitted(Closed(ID, 2, Reason.LEASE_EXPIRED, 998)))
    (end,) = driver.messages_of("session_end")
    assert (end["seconds_used"], end["audio_seconds"], end["reason"]) == (2, 3.0, "lease_expired")
    assert done[-2:] == [ev.CloseClient(1011), ev.Finish()]


def test_gone_without_a_stored_reason_is_lease_expired() -> None:
    driver = live()
    driver.ledger = lambda s: driver.granted(s, 2, gone=True)
    driver.handle(ev.RowChanged())
    driver.commit()
    assert driver.messages_of("session_end")[0]["reason"] == "lease_expired"


@pytest.mark.parametrize("make", [SessionDriver, live])
def test_a_timer_that_rings_too_early_does_nothing(make: Callable[[], SessionDriver]) -> None:
    driver = make()
    assert driver.handle(ev.TimePassed()) == []
    driver.client_sends("stop")
    assert driver.handle(ev.TimePassed()) == []
    driver.handle(ev.ClientLost(), metadata(0.0))
    assert driver.handle(ev.TimePassed()) == []
