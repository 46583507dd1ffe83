"""How the session of a Deepgram client ends, whoever ends it."""

from typing import Any

import pytest

from tests.unit.stream.deepgram_client import ID, SECOND, Played
from transcription_proxy.stream import events as ev
from transcription_wire.codes import Reason

CLOSE_STREAM = b'{"type":"CloseStream"}'
REFUSED = b'{"err_code":"INVALID_QUERY_PARAMETER","err_msg":"No.","request_id":"1"}'
FLUX = "model=flux-general-en&encoding=linear16&sample_rate=16000"


def closes(played: Played) -> list[tuple[int, bytes]]:
    return [(close.code, close.reason) for close in played.all(ev.CloseClient)]


# The end


def test_the_close_of_the_upstream_reaches_the_client_after_the_bill() -> None:
    played = Played().live()
    played.send(3)
    played.ask("CloseStream")
    played.hear(3)
    played.say("Metadata", duration=3.0)
    assert played.all(ev.Close) == []
    played.tell(ev.UpstreamLost(1000, b""))
    assert played.bill == (3, 3000, Reason.CLIENT_STOP)
    assert closes(played) == []
    assert played.commit() == [ev.CloseClient(1000, b""), ev.Finish()]


@pytest.mark.parametrize("close", [(1011, b"NET-0001"), (1008, b"DATA-0000"), (0, b""), (4321, b"odd")])
def test_a_close_of_the_upstream_passes_as_it_came(close: tuple[int, bytes]) -> None:
    played = Played().live()
    played.tell(ev.UpstreamLost(*close))
    played.commit()
    assert closes(played) == [close]
    assert played.closing.reason is Reason.UPSTREAM_CLOSED


def test_an_upstream_that_vanishes_is_an_error_for_the_client() -> None:
    played = Played().live()
    played.tell(ev.UpstreamLost())
    played.commit()
    assert closes(played) == [(1011, b"")]


@pytest.mark.parametrize("has_metadata", [True, False])
def test_after_close_stream_the_client_is_closed_normally_in_any_case(has_metadata: bool) -> None:
    played = Played().live()
    played.send(1)
    played.ask("CloseStream")
    if has_metadata:
        played.say("Metadata", duration=1.0)
    played.wait(6)
    assert played.all(ev.CloseUpstream) == [ev.CloseUpstream()]
    played.commit()
    assert closes(played) == [(1000, b"")]


def test_an_empty_frame_is_relayed_and_ends_the_stream() -> None:
    played = Played().live()
    played.send(1)
    assert played.tell(ev.AudioArrived(b""))[0] == ev.SendAudio(b"")
    assert played.send(1) == 0
    played.tell(ev.UpstreamLost(1000))
    assert played.bill == (1, 1000, Reason.CLIENT_STOP)


def test_nothing_passes_after_close_stream() -> None:
    played = Played().live()
    played.ask("CloseStream")
    assert played.send(1) == 0
    assert played.ask("KeepAlive") == []
    assert played.session.credit.forwarded == 0


def test_words_after_close_stream_are_waited_for() -> None:
    played = Played().live()
    played.send(7)
    played.ask("CloseStream")
    for second in range(1, 6):
        played.wait(4)
        played.hear(second, duration=1)
        assert played.all(ev.Close) == []
    played.wait(20)
    assert played.closing.reason is Reason.CLIENT_STOP


def test_a_client_that_leaves_is_billed_what_the_upstream_reports() -> None:
    played = Played().live()
    played.send(3)
    assert played.tell(ev.ClientLost(4000, b"bye"))[0] == ev.SendUpstream(CLOSE_STREAM)
    assert played.hear(2) != []
    assert played.all(ev.SendClientText) == []
    played.say("Metadata", duration=2.0)
    assert played.all(ev.CloseUpstream) == [ev.CloseUpstream(4000, b"bye")]
    assert played.bill == (2, 2000, Reason.CLIENT_GONE)
    assert played.commit() == [ev.Finish()]


def test_without_credit_the_last_words_come_and_the_close_is_normal() -> None:
    played = Played(grant=2).live()
    played.send(1.5)
    played.answer()
    played.send(5)
    played.answer()
    played.answer()
    assert played.all(ev.SendUpstream) == [ev.SendUpstream(CLOSE_STREAM)]
    assert played.session.credit.forwarded == 2 * SECOND
    assert isinstance(played.hear(2)[0], ev.SendClientText)
    played.say("Metadata", duration=2.0)
    assert played.bill == (2, 2000, Reason.INSUFFICIENT_CREDITS)
    played.commit()
    assert closes(played) == [(1000, b"You ran out of minutes, so captions stopped. Buy more to continue.")]


@pytest.mark.parametrize(
    ("ending", "code"),
    [(Reason.SIGNED_OUT, 1000), (Reason.ENDED_BY_USER, 1000), (Reason.ENDED_BY_OPERATOR, 1000)],
)
def test_a_session_that_is_ended_from_outside_is_closed_so_that_no_client_comes_back(ending: Reason, code: int) -> None:
    played = Played().live()
    played.tell(ev.RowChanged())
    played.answer(ending=ending)
    assert played.all(ev.SendUpstream) == [ev.SendUpstream(CLOSE_STREAM)]
    played.tell(ev.UpstreamLost(1000))
    played.commit()
    assert played.closing.reason is ending
    assert [close for close, _ in closes(played)] == [code]


def test_a_session_that_the_ledger_ended_is_closed_at_once() -> None:
    played = Played().live()
    played.tell(ev.RowChanged())
    played.answer(gone=True)
    assert played.closing.reason is Reason.LEASE_EXPIRED


def test_at_a_restart_the_last_words_come_and_the_client_may_come_back() -> None:
    played = Played().live()
    played.tell(ev.DrainBegan())
    assert played.done == []
    played.tell(ev.DrainEnded())
    played.say("Metadata", duration=0.0)
    played.commit()
    assert [code for code, _ in closes(played)] == [1012]


def test_a_client_without_audio_is_ended_at_last_whatever_it_says() -> None:
    played = Played(idle=60).live()
    for _ in range(25):
        played.ask("KeepAlive")
        played.tell(ev.UpstreamPonged())
        for settle in played.all(ev.Settle)[-1:]:
            played.tell(ev.SettleFailed()) if settle.settlement.number < 0 else played.answer()
        played.wait(3)
    played.wait(10)
    assert played.closing.reason is Reason.IDLE


def test_an_upstream_that_takes_audio_and_says_nothing_is_given_up() -> None:
    played = Played(grant=100).live()
    for _ in range(16):
        played.send(1)
        played.wait(1)
        if played.session.credit.is_settling:
            played.answer()
        played.tell(ev.ClientPonged(), ev.UpstreamPonged())
    played.wait(1)
    assert played.bill == (5, 5000, Reason.UPSTREAM_CLOSED)
    played.commit()
    assert [code for code, _ in closes(played)] == [1011]


def test_an_upstream_that_answers_no_ping_is_given_up() -> None:
    played = Played().live()
    for _ in range(5):
        played.ask("KeepAlive")
        played.wait(5)
    assert played.all(ev.PingUpstream) != []
    assert played.closing.reason is Reason.UPSTREAM_CLOSED


def test_a_client_that_does_not_read_is_ended() -> None:
    played = Played().live()
    played.tell(ev.ClientStalled())
    played.wait(10)
    assert played.all(ev.SendUpstream) == [ev.SendUpstream(CLOSE_STREAM)]
    played.tell(ev.UpstreamLost(1000))
    assert played.closing.reason is Reason.TOO_SLOW


def test_a_client_that_breaks_the_protocol_is_ended() -> None:
    played = Played().live()
    played.tell(ev.ClientBrokeProtocol(Any))  # type: ignore[arg-type]
    played.tell(ev.UpstreamLost(1000))
    assert played.closing.reason is Reason.BAD_MESSAGES


def test_a_ledger_that_does_not_answer_is_not_waited_for() -> None:
    played = Played().live()
    played.tell(ev.UpstreamLost(1000))
    assert played.wait(2) == [ev.CloseClient(1000, b"")]
    assert played.commit() == [ev.Finish()]
    assert played.tell(ev.TimePassed()) == []
    assert played.session.id == ID


# A file that was sent faster than the upstream hears it


def hearing_on(played: Played, seconds: int) -> None:
    """Let the upstream send words every two seconds."""
    for heard in range(2, seconds, 2):
        played.wait(2)
        if played.session.credit.is_settling:
            played.answer(60)
        played.hear(min(heard / 20, 9))


def test_a_client_that_waits_gets_all_words_however_long_they_take() -> None:
    played = Played(grant=60).live()
    played.send(9)
    played.ask("CloseStream")
    hearing_on(played, 120)
    assert not played.all(ev.Close)
    assert len(played.all(ev.Settle)) >= 10  # the lease is renewed
    played.say("Metadata", duration=9.0)
    played.tell(ev.UpstreamLost(1000))
    assert played.bill == (9, 9000, Reason.CLIENT_STOP)


@pytest.mark.parametrize("event", [ev.ClientLost(), ev.DrainEnded()])
def test_nobody_waits_long_for_words_of_a_client_that_left_or_of_a_service_that_stops(event: ev.Event) -> None:
    played = Played(grant=60).live()
    played.send(9)
    played.ask("CloseStream")
    played.tell(event)
    hearing_on(played, 60)
    assert played.closing.reason is Reason.CLIENT_STOP


def test_an_upstream_that_falls_silent_after_close_stream_is_not_waited_for() -> None:
    played = Played(grant=60).live()
    played.send(9)
    played.ask("CloseStream")
    hearing_on(played, 10)
    played.wait(6)
    assert played.bill == (6, 5400, Reason.CLIENT_STOP)
