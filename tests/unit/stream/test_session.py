"""A session's life: what the client hears, and what is sent upstream."""

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
    assert [action.optional for action in done if isinstance(action, ev.SendClient)] == [False, True]


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
