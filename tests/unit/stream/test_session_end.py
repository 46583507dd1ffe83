"""Every way a session ends, its bill, and its last messages."""

from collections.abc import Callable

import pytest

from tests.unit.stream.driver import (
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
