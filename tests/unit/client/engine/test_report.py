"""Messages and states, as the app is told of them."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.client.engine.app import App
from transcription_client.engine import sentences
from transcription_client.engine.callbacks import Callbacks
from transcription_client.engine.report import Report
from transcription_client.engine.values import EngineStatus
from transcription_wire import messages as wire


class Told(App):
    """An app with a report; `done` is called before looking at what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.callbacks = Callbacks()
        self.report = Report(self.callbacks, self.on_transcript, self.on_status)

    def done(self) -> None:
        self.callbacks.close(10)


def words(text: str, *, is_final: bool = True, **more: Any) -> wire.Transcript:
    return wire.Transcript(text, is_final, more.get("confidence"), 1.0, 2.0, speech_final=False)


def test_words_become_a_result() -> None:
    told = Told()
    told.report.take(words("hello", confidence=0.5), 41.0)
    told.done()
    (result,) = told.results
    assert (result.text, result.is_final, result.confidence) == ("hello", True, 0.5)
    assert (result.start, result.duration) == (41.0, 2.0)
    assert result.timestamp == told.report.began_at + timedelta(seconds=41)
    assert result.timestamp.tzinfo is not None


def test_words_that_were_told_before_are_not_repeated() -> None:
    told = Told()
    told.report.take(words("hello"), 1.0, repeated=True)
    told.done()
    assert told.results == []


def test_an_empty_final_is_told_only_where_it_withdraws_interim_words() -> None:
    told = Told()
    for message in (words(""), words("hel", is_final=False), words(""), words(""), words("", is_final=False)):
        told.report.take(message, 1.0)
    told.done()
    assert [(result.text, result.is_final) for result in told.results] == [("hel", False), ("", True)]


def test_control_characters_of_a_server_do_not_reach_the_app() -> None:
    told = Told()
    told.report.take(words("a\x1b[2Jb\n"), 1.0)
    told.done()
    assert told.results[0].text == "a [2Jb"


def test_a_state_is_told_once() -> None:
    told = Told()
    for _ in range(3):
        told.report.enter("live", "Captions are live.")
    told.done()
    assert told.statuses == [EngineStatus("live", "Captions are live.")]


def test_the_balance_comes_with_every_status() -> None:
    told = Told()
    told.report.enter("connecting", "Connecting...")
    told.report.take(wire.Ready("id", 600))
    told.report.enter("live", "Captions are live.")
    told.report.take(wire.Usage(5, 595))
    told.report.take(wire.SessionEnd(7, 6.2, "client_stop"))
    told.report.enter("ended", "Done.", reason="client_stop")
    told.done()
    assert [status.seconds_remaining for status in told.statuses] == [None, 600, 600, 595, 593, 593]
    assert told.statuses[-1] == EngineStatus("ended", "Done.", 593, "client_stop")


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        (False, "1 min left. Captions stop at zero."),
        (True, "1 min left. Then captions continue on this computer."),
    ],
)
def test_low_credit_is_told_in_the_message(fallback: bool, message: str) -> None:
    told = Told()
    told.report.has_fallback = fallback
    told.report.enter("live", sentences.LIVE)
    told.report.take(wire.CreditsLow(60))
    told.done()
    assert told.statuses[-1] == EngineStatus("live", message, 60)


def test_an_engine_that_is_lost_behind_the_service_is_told() -> None:
    told = Told()
    told.report.enter("live", sentences.LIVE)
    told.report.take(wire.UpstreamStatus("reconnecting"))
    told.report.take(wire.UpstreamStatus("connected"))
    told.done()
    assert told.states == ["live", "reconnecting", "live"]


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (wire.Warning("too_quiet", "Your audio is very quiet."), "Your audio is very quiet."),
        (wire.Warning("behind", "Late.", 7.9), "Captions are 7 s behind."),
        (wire.Error("bad_message", "The service didn't understand."), "The service didn't understand."),
    ],
)
def test_warnings_leave_the_state_as_it_is(message: wire.ServerMessage, sentence: str) -> None:
    told = Told()
    told.report.enter("live", sentences.LIVE)
    told.report.take(message)
    told.done()
    assert told.statuses[-1] == EngineStatus("live", sentence)


def test_a_problem_of_the_microphone_is_told_until_it_is_solved() -> None:
    told = Told()
    told.report.problem(sentences.NO_MICROPHONE)
    told.report.enter("live", sentences.LIVE)
    told.report.problem("")
    told.done()
    assert told.messages == [sentences.LIVE, sentences.NO_MICROPHONE, sentences.LIVE]


def test_a_solved_problem_does_not_take_back_what_was_told_since() -> None:
    told = Told()
    told.report.enter("live", sentences.LIVE)
    told.report.problem(sentences.UNPLUGGED)
    told.report.take(wire.CreditsLow(60))
    told.report.problem("")
    told.done()
    assert told.messages[-1] == sentences.low(60, fallback=False)


def test_after_the_end_nothing_is_noted() -> None:
    told = Told()
    told.report.enter("ended", "Done.", reason="client_stop")
    told.report.problem(sentences.UNPLUGGED)
    told.report.note("Something.")
    told.done()
    assert told.messages == ["Done."]


def test_an_app_that_wants_no_statuses_gets_none() -> None:
    app, callbacks = App(), Callbacks()
    report = Report(callbacks, app.on_transcript, None)
    report.enter("live", sentences.LIVE)
    report.take(words("hello"), 0.0)
    callbacks.close(10)
    assert app.finals == "hello"
