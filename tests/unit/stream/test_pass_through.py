"""The session of a Deepgram client: the handshake, what passes, and how the session is metered."""

import json

import pytest

from tests.unit.stream.deepgram_client import RAW, SECOND, Played
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.listen_request import V2
from transcription_proxy.values import UpstreamConnection
from transcription_wire.codes import Reason

CLOSE_STREAM = b'{"type":"CloseStream"}'
REFUSED = b'{"err_code":"INVALID_QUERY_PARAMETER","err_msg":"No.","request_id":"1"}'
FLUX = "model=flux-general-en&encoding=linear16&sample_rate=16000"
REQUEST = "9d9d1a5e-0000-4000-8000-000000000001"


def closes(played: Played) -> list[tuple[int, bytes]]:
    return [(close.code, close.reason) for close in played.all(ev.CloseClient)]


# The handshake


def test_the_client_is_answered_only_when_the_upstream_has_answered() -> None:
    played = Played()
    assert played.done == [ev.Dial()]
    accepted, settle = played.tell(ev.UpstreamOpened("id"))
    assert accepted == ev.AcceptClient("id")
    assert isinstance(settle, ev.Settle)
    assert settle.settlement.ready


def test_a_refusal_of_the_request_reaches_the_client_as_it_came() -> None:
    played = Played()
    played.tell(ev.UpstreamRefused(400, "No.", REFUSED, "id"))
    assert (played.bill, played.closing.ready) == ((0, 0, Reason.UPSTREAM_CLOSED), False)
    refusal, finish = played.commit()
    assert isinstance(refusal, ev.RefuseClient)
    assert finish == ev.Finish()
    assert (refusal.error.status, refusal.error.body, refusal.error.request_id) == (400, REFUSED, "id")
    assert closes(played) == []


@pytest.mark.parametrize("status", [401, 402, 403, 500, 503, None])
def test_a_refusal_of_our_own_key_does_not_reach_the_client(status: int | None) -> None:
    played = Played()
    played.tell(ev.UpstreamRefused(status, "Invalid credentials.", b"{}", "id"))
    played.commit()
    (refusal,) = played.all(ev.RefuseClient)
    assert (refusal.error.status, refusal.error.code, refusal.error.body) == (502, "BAD_GATEWAY", b"")


def test_a_client_that_waits_too_long_is_refused_before_it_gives_up() -> None:
    played = Played()
    played.wait(7)
    assert played.done[1] == ev.CloseUpstream()
    assert played.wait(2)[-1] == ev.RefuseClient(played.all(ev.RefuseClient)[0].error)
    assert played.now - 1000 < 10
    assert [type(action) for action in played.commit()] == [ev.Finish]


@pytest.mark.parametrize("event", [ev.DrainBegan(), ev.DrainEnded(), ev.SessionFailed()])
def test_a_session_that_cannot_begin_is_refused(event: ev.Event) -> None:
    played = Played()
    played.tell(event)
    played.commit()
    assert played.all(ev.RefuseClient)[0].error.status in (500, 503)


def test_a_client_that_leaves_before_the_answer_costs_nothing() -> None:
    played = Played()
    played.tell(ev.ClientLost())
    assert (played.bill, played.closing.ready) == ((0, 0, Reason.CLIENT_GONE), False)
    assert played.commit() == [ev.Finish()]


# Frames


def test_frames_pass_unchanged_and_in_order() -> None:
    played = Played().live()
    assert played.send(1) == SECOND
    assert played.ask("KeepAlive") == [ev.SendUpstream(b'{"type": "KeepAlive"}')]
    assert played.tell(ev.ClientSentText(b"no json")) == [ev.SendUpstream(b"no json")]
    text = b'{"type":"Whatever", "x": 1}'
    assert played.tell(ev.UpstreamSentText(text)) == [ev.SendClientText(text)]


def test_words_are_shown_on_the_pages_that_watch() -> None:
    played = Played().live()
    played.send(1)
    sent, shown = played.hear(1)
    assert isinstance(sent, ev.SendClientText)
    assert isinstance(shown, ev.ShowCaption)
    assert shown.transcript.text == "words"


def test_frames_wait_for_an_upstream_that_does_not_read() -> None:
    played = Played().live()
    assert played.tell(ev.UpstreamStalled()) == [ev.PauseClient()]
    assert played.send(1) == 0
    assert played.ask("Finalize") == []
    audio, text, resumed = played.tell(ev.UpstreamRecovered())
    assert audio == ev.SendAudio(bytes(SECOND))
    assert text == ev.SendUpstream(b'{"type": "Finalize"}')
    assert resumed == ev.ResumeClient()


def test_frames_wait_while_a_settle_is_due_and_nothing_more_is_read() -> None:
    played = Played(grant=12).live()
    for _ in range(5):
        assert played.send(1)
    assert played.send(1) == 0  # half of the grant
    assert len(played.all(ev.Settle)) == 1
    assert played.all(ev.SendAudio) == [ev.SendAudio(bytes(SECOND))]


def test_a_frame_that_the_grant_covers_in_part_is_cut_at_a_sample() -> None:
    played = Played(grant=2).live()
    played.send(1.5)
    played.answer()
    played.send(1)
    assert [len(sent.data) for sent in played.all(ev.SendAudio)][-1] == SECOND // 2
    assert played.session.credit.forwarded == 2 * SECOND


# Configure


def test_keyterms_in_mid_stream_are_charged_from_there_on() -> None:
    played = Played(grant=100).live()
    played.send(4)
    assert len(played.ask("Configure", keyterms=["heliotrope"])) == 1
    played.send(3)
    played.say("ConfigureSuccess", keyterms=["heliotrope"])
    played.hear(7)
    played.ask("CloseStream")
    played.say("Metadata", duration=7.0)
    played.tell(ev.UpstreamLost(1000))
    assert played.bill == (8, 7000, Reason.CLIENT_STOP)  # 4 s at 1 and 3 s at 1.22: 7.66, rounded once


def test_keyterms_that_the_upstream_refuses_are_not_charged_after_that() -> None:
    played = Played(grant=100).live()
    played.ask("Configure", keyterms=["heliotrope"])
    played.say("ConfigureFailure")
    played.send(5)
    assert played.session.credit.total == 5


def test_keyterms_that_end_are_charged_until_the_upstream_says_so() -> None:
    played = Played(RAW + "&keyterm=a", grant=100).live()
    played.send(5)
    played.ask("Configure", keyterms=[])
    assert played.session.credit.total == 7  # 6.1
    played.say("ConfigureSuccess", keyterms=[])
    played.send(2)
    assert played.session.credit.total == 9  # 8.1
    played.ask("Configure", features={"numerals": True})
    played.say("ConfigureSuccess")
    played.send(0.5)
    assert played.session.credit.total == 9  # 8.6


def test_a_configure_that_would_silence_the_upstream_is_answered_by_us() -> None:
    played = Played().live()
    (answer,) = played.ask("Configure", keyterms=["antidisestablishmentarianism"] * 100)
    assert isinstance(answer, ev.SendClientText)
    message = json.loads(answer.text)
    assert (message["type"], message["code"]) == ("ConfigureFailure", "CONFIGURE_KEYTERM_LIMIT_EXCEEDED")
    assert message["request_id"] == "9d9d1a5e-0000-4000-8000-000000000001"


# Audio that bytes do not measure


def test_compressed_audio_counts_as_it_arrives_and_is_billed_as_reported() -> None:
    played = Played("model=nova-3", grant=45).live()
    for _ in range(40):
        assert played.session.admit(100, played.now) is False
        assert played.tell(ev.AudioArrived(b"opus"))[0] == ev.SendAudio(b"opus")
        played.wait(0.1)
    assert 3 <= played.session.credit.total <= 4
    played.hear(3.5)
    played.ask("CloseStream")
    played.say("Metadata", duration=3.95)
    played.tell(ev.UpstreamLost(1000))
    assert played.bill == (4, 3950, Reason.CLIENT_STOP)
    assert played.session.forwarded_bytes == 40 * len(b"opus")
    [connection] = played.closing.connections
    assert (connection.request_id, connection.reported_ms, connection.heard_ms) == (REQUEST, 3950, 3500)
    assert 3000 <= (connection.sent_ms or 0) <= 4000


def at_once(grant: int) -> Played:
    """A file of a minute that was sent whole: the upstream has closed, and the grant is used up."""
    played = Played("model=nova-3", grant=grant).live()
    played.tell(ev.AudioArrived(b"file"))
    played.hear(8)
    assert played.session.credit.total == min(8, grant)
    played.ask("CloseStream")
    played.hear(60)
    played.say("Metadata", duration=60.0)
    played.tell(ev.UpstreamLost(1000))
    return played


def test_a_compressed_file_at_once_is_billed_whole_as_far_as_there_is_credit() -> None:
    played = at_once(10)
    played.answer(10)  # to the settle that was under way
    assert not played.all(ev.Close)
    played.answer(45)
    played.answer(80)
    assert played.bill == (60, 60_000, Reason.CLIENT_STOP)
    played.commit()
    assert closes(played) == [(1000, b"")]


def test_a_compressed_file_at_once_is_billed_no_more_than_there_is_credit() -> None:
    played = at_once(10)
    played.answer(10)
    played.answer(30)
    assert not played.all(ev.Close)
    played.answer(30)
    assert played.bill == (30, 30_000, Reason.CLIENT_STOP)


@pytest.mark.parametrize("failure", [None, ev.SettleFailed()])
def test_a_bill_does_not_wait_long_for_the_ledger(failure: ev.Event | None) -> None:
    played = at_once(10)
    if failure:
        played.tell(failure)
    assert not played.all(ev.Close)
    played.wait(2.5)
    assert played.bill == (10, 10_000, Reason.CLIENT_STOP)


def test_a_session_that_is_gone_from_the_ledger_asks_for_no_more() -> None:
    played = at_once(10)
    played.answer(gone=True)
    assert played.bill == (10, 10_000, Reason.CLIENT_STOP)


def test_a_bill_of_raw_audio_never_waits() -> None:
    played = Played(grant=10).live()
    played.send(5)
    played.ask("CloseStream")
    played.say("Metadata", duration=60.0)
    played.tell(ev.UpstreamLost(1000))
    assert played.bill == (5, 5000, Reason.CLIENT_STOP)


def test_audio_heard_beyond_the_grant_is_counted_when_the_grant_grows() -> None:
    played = Played("model=nova-3", grant=10).live()
    played.tell(ev.AudioArrived(b"file"))
    played.hear(30)
    assert played.session.credit.total == 10
    played.answer(25)
    assert played.session.credit.total == 25


def shown(actions: list[ev.Action]) -> list[str]:
    """Return the texts of the Results that the client gets."""
    sent = [json.loads(action.text) for action in actions if isinstance(action, ev.SendClientText)]
    return [each["channel"]["alternatives"][0]["transcript"] for each in sent if each["type"] == "Results"]


def test_words_that_are_not_paid_wait_for_the_grant_and_keep_their_order() -> None:
    played = Played("model=nova-3", grant=10).live()
    played.tell(ev.AudioArrived(b"file"))
    assert shown(played.hear(12, "first", 12)) == ["first"]  # it begins within the grant
    assert shown(played.hear(20, "second", 8)) == []
    played.say("SpeechStarted", timestamp=19.0)
    assert len(played.all(ev.SendClientText)) == 1
    played.answer(45)
    assert shown(played.done) == ["first", "second"]
    assert json.loads(played.all(ev.SendClientText)[-1].text)["type"] == "SpeechStarted"


def test_words_that_nobody_pays_for_are_not_shown_and_metadata_is() -> None:
    played = Played("model=nova-3", grant=10).live()
    played.tell(ev.AudioArrived(b"file"))
    played.hear(12, "first", 12)
    played.hear(20, "second", 8)
    played.answer(10)
    played.answer(10)
    assert played.all(ev.SendUpstream) == [ev.SendUpstream(CLOSE_STREAM)]
    played.hear(30, "third", 10)
    played.answer(10)
    played.say("Metadata", duration=60.0)
    assert shown(played.done) == ["first"]
    assert [caption.transcript.text for caption in played.all(ev.ShowCaption)] == ["first"]
    assert json.loads(played.all(ev.SendClientText)[-1].text)["type"] == "Metadata"
    played.tell(ev.UpstreamLost(1000))
    assert played.bill == (10, 10_000, Reason.INSUFFICIENT_CREDITS)
    played.commit()
    assert [code for code, _ in closes(played)] == [1000]


def test_compressed_audio_waits_when_the_grant_is_used_up() -> None:
    played = Played("model=nova-3", grant=5).live()
    played.tell(ev.AudioArrived(b"file"))
    played.hear(6)
    played.answer()
    assert played.tell(ev.AudioArrived(b"more")) != [ev.SendAudio(b"more")]
    played.answer()
    assert played.all(ev.SendUpstream) == [ev.SendUpstream(CLOSE_STREAM)]


# Flux


def test_flux_is_metered_by_bytes_and_by_its_turns() -> None:
    played = Played(FLUX, path=V2, grant=100).live()
    played.send(10)
    played.say("TurnInfo", event="EndOfTurn", audio_window_start=0.0, audio_window_end=3.0, transcript="hi")
    assert played.all(ev.ShowCaption)[0].transcript.is_final
    played.ask("CloseStream")
    played.tell(ev.UpstreamLost(0))
    assert played.closing.connections == (UpstreamConnection(REQUEST, 0, 10_000, heard_ms=3000),)
    assert played.session.forwarded_bytes == 320_000
    assert played.closing.audio_ms == 8000  # five silent seconds after the last turn, at most
    played.commit()
    assert closes(played) == [(0, b"")]
