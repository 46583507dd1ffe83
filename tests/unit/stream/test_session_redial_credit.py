"""Credit, settles and the bill of a session whose upstream is lost."""

from tests.unit.stream.driver import (
    ID,
    SECOND,
    SessionDriver,
    live,
    messages,
    metadata,
    noise,
    results,
    texts,
)
from tests.unit.stream.losses import closing, final, lost
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.values import Settlement
from transcription_wire.codes import Reason

# While credit is short


def short(left: int = 1) -> SessionDriver:
    """Return a driver with 3 s of audio and credit for 1 s; other sessions hold the rest."""
    driver = live(grant=1, remaining=50)
    driver.ledger = lambda settlement: driver.granted(settlement, 1, elsewhere=left)
    driver.frame(noise(3))
    assert driver.paused
    return driver


def test_a_replay_costs_no_credit_and_what_is_not_covered_still_waits() -> None:
    driver = short()
    driver.lose_upstream()
    driver.redial()
    assert driver.upstream_audio == noise(3)[:SECOND]
    assert driver.paused
    driver.ledger = driver.generous
    driver.wait(1)
    assert driver.upstream_audio == noise(3)
    driver.client_sends("stop")
    driver.lose_upstream(1000)
    assert closing(driver) == (3, 3000)


def test_the_wait_for_credit_does_not_run_out_while_there_is_no_upstream() -> None:
    driver = short()
    driver.wait(8)
    driver.lose_upstream()
    driver.dialled()
    driver.wait(15)
    driver.open_upstream()
    driver.wait(9)
    assert driver.session.phase is Phase.LIVE
    driver.wait(1)
    assert driver.session.reason is Reason.INSUFFICIENT_CREDITS


def test_credit_that_is_refused_for_good_ends_it_though_the_upstream_is_away() -> None:
    driver = live(grant=1, remaining=1)
    driver.ledger = driver.silent
    driver.frame(noise(3))
    driver.lose_upstream()
    driver.handle(driver.granted(driver.settlements[-1], 1))
    assert driver.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_grant_that_ran_out_of_time_covers_the_replay_only() -> None:
    driver = live()
    driver.frame(noise(1))
    driver.ledger = driver.failing
    for _ in range(9):
        driver.wait(4)
        driver.frame(noise(1))
    driver.lose_upstream()
    driver.dialled()
    driver.frame(noise(1))
    driver.wait(10)
    driver.open_upstream()
    assert driver.upstream_audio == noise(1) * 10
    assert driver.paused
    driver.ledger = driver.generous
    driver.wait(1)
    assert driver.upstream_audio == noise(1) * 11


# While a settle is under way


def under_way() -> SessionDriver:
    """Return a driver whose upstream is lost while 8 s of audio are being settled."""
    driver = live()
    driver.ledger = driver.silent
    driver.stream(8)
    assert len(driver.settlements) == 2
    driver.lose_upstream()
    return driver


def test_a_settle_is_answered_while_there_is_no_upstream() -> None:
    driver = under_way()
    (usage,) = messages(driver.handle(driver.granted(driver.settlements[-1], 53)))
    assert usage == {"type": "usage", "seconds_used": 8, "seconds_remaining": 992}
    driver.redial()
    driver.ledger = driver.generous
    driver.stream(8)
    assert [settlement.total for settlement in driver.settlements] == [0, 8, 16]
    assert [settlement.number for settlement in driver.settlements] == [1, 2, 3]


def test_a_settle_that_fails_meanwhile_is_tried_again_meanwhile() -> None:
    driver = under_way()
    driver.handle(ev.SettleFailed())
    driver.dialled()
    driver.ledger = driver.generous
    driver.wait(1)
    assert [settlement.total for settlement in driver.settlements] == [0, 8, 8]
    assert driver.session.phase is Phase.REDIALLING


def test_settles_go_on_while_there_is_no_upstream_and_state_what_was_sent() -> None:
    driver = lost(under_way=True)
    driver.frame(noise(5))
    driver.wait(19)
    assert [settlement.total for settlement in driver.settlements] == [0, 2]
    assert all(settlement.extend for settlement in driver.settlements)


def test_a_session_that_the_ledger_has_ended_stops_dialling() -> None:
    driver = lost(under_way=True)
    driver.ledger = lambda settlement: driver.granted(settlement, 2, gone=True)
    done = driver.handle(ev.RowChanged())
    assert ev.CloseUpstream() in done
    assert texts(done) == []
    assert driver.commit()[-2:] == [ev.CloseClient(1011), ev.Finish()]
    assert driver.messages_of("session_end")[0]["reason"] == "lease_expired"


# Muted


def test_a_session_that_starts_muted_stays_up_when_its_upstream_is_lost_at_no_cost() -> None:
    driver = live()
    driver.wait(6)
    driver.lose_upstream()
    driver.redial()
    assert not driver.upstream_audio
    driver.wait(4)
    assert driver.upstream_audio == bytes(SECOND // 10)
    assert texts(driver.wait(8)) == ["KeepAlive"] * 2
    assert len(driver.upstream_audio) == SECOND // 10
    driver.client_sends("stop")
    driver.handle(metadata(0.1))
    assert closing(driver) == (0, 0)


def test_a_session_that_mutes_gets_own_silence_from_the_next_upstream_and_its_times_are_right() -> None:
    driver = live()
    driver.frame(noise(2))
    driver.handle(final("one", 0.0, 2.0))
    driver.wait(30)
    driver.lose_upstream()
    driver.redial()
    driver.wait(4)
    assert driver.upstream_audio == bytes(SECOND // 10)
    driver.frame(noise(1))
    (two,) = messages(driver.handle(final("two", 0.0, 1.1)))
    assert (two["start"], two["duration"]) == (2.0, 1.0)
    driver.client_sends("stop")
    driver.handle(metadata(1.1))
    assert closing(driver) == (3, 3000)


def test_a_muted_session_holds_nothing_while_it_is_dialled() -> None:
    driver = live()
    driver.wait(6)
    driver.lose_upstream()
    driver.dialled()
    driver.wait(15)
    driver.open_upstream()
    driver.wait(15)
    assert all((settlement.keep, settlement.total) == (0, 0) for settlement in driver.settlements[1:])


def test_a_muted_session_is_redialled_as_often_as_need_be_until_it_is_idle() -> None:
    driver = live(idle=300)
    driver.frame(noise(2))
    driver.handle(final("one", 0.0, 1.0))
    for _ in range(9):
        driver.wait(30)
        driver.lose_upstream()
        driver.redial()
    driver.wait(31)
    assert driver.ending() == ("idle", 1000, None)


def test_a_muted_session_whose_upstream_dies_every_3_s_gives_up_too() -> None:
    driver = live()
    dials = 0
    while driver.session.phase is not Phase.CLOSING:
        driver.wait(3)
        driver.lose_upstream()
        if driver.session.phase is Phase.REDIALLING:
            driver.redial()
            dials += 1
    assert dials <= 6
    assert driver.session.reason is Reason.UPSTREAM_CLOSED


# The receipt


def test_the_ledger_learns_of_the_upstream_that_was_heard_last() -> None:
    driver = live()
    driver.handle(metadata(1.0, "first"))
    driver.lose_upstream()
    driver.dialled()
    driver.open_upstream("second")
    driver.client_sends("stop")
    driver.wait(5)
    booked = driver.only(ev.Close).closing
    assert (booked.session_id, booked.request_id, booked.upstream_ms) == (ID, "second", None)


def test_every_statement_has_a_number_of_its_own_over_all_upstreams() -> None:
    driver = live()
    for _ in range(4):
        driver.stream(9)
        driver.handle(results("on", 0.0, 60.0))
        driver.lose_upstream()
        driver.redial()
    driver.client_sends("stop")
    driver.lose_upstream(1000)
    numbers = [settlement.number for settlement in driver.settlements]
    assert numbers == list(range(1, len(numbers) + 1))
    assert driver.only(ev.Close).closing.number == numbers[-1] + 1
    totals = [settlement.total for settlement in driver.settlements]
    assert totals == sorted(totals)
    assert isinstance(driver.settlements[-1], Settlement)
