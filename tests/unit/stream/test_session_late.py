"""Late is not dead, and dead is not answered: how long a session waits for its upstream, in each phase of its life."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.stream.stage import SECOND, Stage, live, messages, metadata, noise, results, texts
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.session import DIAL_SECONDS
from transcription_proxy.values import Settlement
from transcription_wire.codes import Reason


def final(text: str, start: float, duration: float, **more: Any) -> ev.UpstreamSpoke:
    return results(text, start, duration, is_final=True, **more)


def closing(stage: Stage) -> tuple[int, int]:
    """Credits and milliseconds of audio that are booked at the end."""
    booked = stage.only(ev.Close).closing
    return booked.total, booked.audio_ms


# While it is dialled


def test_a_dial_that_is_never_answered_is_given_up() -> None:
    stage = Stage()
    stage.frame()
    stage.wait(DIAL_SECONDS - 0.1)
    assert stage.session.phase is Phase.DIALLING
    done = stage.wait(0.1)
    assert done.index(ev.HangUp()) < done.index(ev.Close(stage.only(ev.Close).closing))
    assert [message["code"] for message in messages(done)] == ["upstream_unavailable"]
    stage.commit()
    assert (stage.only(ev.CloseClient).code, stage.told("session_end")) == (1011, [])


def test_a_drain_that_begins_ends_a_session_that_is_not_ready() -> None:
    stage = Stage()
    assert [message["code"] for message in messages(stage.tell(ev.DrainBegan()))] == ["service_unavailable"]
    stage.commit()
    assert stage.only(ev.CloseClient).code == 1013


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.REDIALLING])
def test_a_drain_that_begins_lets_a_live_session_go_on(phase: Phase) -> None:
    stage = live()
    if phase is Phase.REDIALLING:
        stage.lose()
    assert stage.tell(ev.DrainBegan()) == []
    assert stage.session.phase is phase


# After `stop`, an upstream that does not answer


def unanswered(*events: ev.Event, audio: float = 7) -> Stage:
    """A burst of audio, what the upstream said of it, and a stop that it does not answer."""
    stage = live(grant=100)
    stage.frame(noise(audio))
    stage.tell(*events)
    stage.say("stop")
    assert texts(stage.actions)[-1] == "CloseStream"
    return stage


def test_one_that_owes_words_and_does_not_answer_is_replaced() -> None:
    stage = unanswered(final("one", 0.0, 5.0))
    assert ev.HangUp() not in stage.wait(4.9)
    assert stage.wait(0.1) == [ev.HangUp()]
    assert stage.session.phase is Phase.REDIALLING
    assert texts(stage.redial()) == ["CloseStream"]
    assert stage.heard == noise(7)[5 * SECOND :]
    stage.tell(final("two", 0.0, 2.0), metadata(2.0))
    assert [message["text"] for message in stage.told("transcript")] == ["one", "two"]
    assert closing(stage) == (7, 7000)
    assert stage.ending() == ("client_stop", 1000, None)


@pytest.mark.parametrize("next_one", ["cannot be reached", "does not answer either"])
def test_where_no_other_is_found_the_client_is_told_and_billed_5_s_of_silence(next_one: str) -> None:
    stage = unanswered(results("one", 0.0, 1.0), audio=9)
    stage.wait(5)
    if next_one == "cannot be reached":
        stage.cannot_dial()
    else:
        stage.redial()
        stage.wait(5)
    assert closing(stage) == (6, 6000)
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_one_that_hears_and_says_nothing_is_billed_5_s() -> None:
    stage = unanswered(audio=9)
    stage.wait(5)
    stage.redial()
    assert len(stage.heard) == 9 * SECOND
    stage.wait(5)
    assert closing(stage) == (5, 5000)
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_one_that_does_not_read_loses_nothing_after_a_stop() -> None:
    stage = live(grant=100)
    stage.frame(noise(2))
    stage.tell(ev.UpstreamStalled())
    stage.frame(noise(5)[2 * SECOND :])
    stage.say("stop")
    stage.pongs = False
    while stage.session.phase is Phase.LIVE:
        stage.wait(1)
        stage.tell(ev.ClientPonged())
    stage.redial()
    assert stage.heard == noise(5)
    stage.tell(final("all", 0.0, 5.0), metadata(5.0))
    assert stage.ending() == ("client_stop", 1000, None)


def test_one_that_has_said_all_is_not_replaced_though_it_does_not_answer() -> None:
    stage = unanswered(final("all", 0.0, 7.0))
    stage.wait(5)
    assert closing(stage) == (7, 7000)
    assert stage.ending() == ("client_stop", 1000, None)


def test_a_client_that_left_needs_no_other() -> None:
    stage = unanswered(results("one", 0.0, 1.0))
    stage.tell(ev.ClientLost())
    stage.wait(5)
    assert stage.every(ev.Dial) == [ev.Dial()]
    assert closing(stage) == (6, 6000)


def ended_by_user(stage: Stage) -> None:
    def ending(settlement: Settlement) -> ev.Event:
        return stage.granted(settlement, 100, ending=Reason.ENDED_BY_USER)

    stage.ledger = ending
    stage.tell(ev.Nudged())


ENDS: dict[str, Callable[[Stage], object]] = {
    "client_gone": lambda stage: stage.tell(ev.ClientLost()),
    "service_restart": lambda stage: stage.tell(ev.Drained()),
    "ended_by_user": ended_by_user,
    "internal": lambda stage: stage.tell(ev.Broke()),
    "idle": lambda stage: stage.wait(8),
}


@pytest.mark.parametrize("reason", ENDS)
@pytest.mark.parametrize("lost", [False, True], ids=["silent", "lost"])
def test_whoever_ends_it_audio_that_was_not_answered_is_billed_5_s_at_most(reason: str, lost: bool) -> None:
    stage = live(grant=100, idle=8 if reason == "idle" else 900)
    stage.frame(noise(9.5))
    stage.tell(results("one", 0.0, 1.0))
    if lost:
        stage.lose()
        stage.dialled()
    ENDS[reason](stage)
    stage.wait(5)
    assert stage.only(ev.Close).closing.reason.value == reason
    assert closing(stage) == (6, 6000)


# After `stop`, one that is late


def test_one_that_goes_on_is_awaited_for_30_s() -> None:
    stage = unanswered(audio=8)
    for second in range(1, 25):
        stage.wait(1)
        stage.tell(results("and so on", 0.0, second / 4))
    stage.tell(final("all of it", 0.0, 8.0), metadata(8.0))
    assert stage.every(ev.Dial) == [ev.Dial()]
    assert closing(stage) == (8, 8000)
    assert stage.ending() == ("client_stop", 1000, None)


def test_one_that_says_where_it_is_is_awaited_though_it_got_no_further() -> None:
    stage = unanswered(audio=8)
    for _ in range(4):
        stage.wait(4)
        stage.tell(results("", 0.0, 1.0))
    assert stage.session.phase is Phase.FINISHING


def test_one_that_is_too_late_is_not_replaced_but_told() -> None:
    stage = unanswered(audio=8)
    for second in range(1, 30):
        stage.wait(1)
        stage.tell(results("and so on", 0.0, second / 10))
    done = stage.wait(1)
    assert ev.HangUp() in done
    assert ev.Dial() not in done
    assert closing(stage) == (8, 7900)
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_in_the_middle_one_that_says_where_it_is_is_not_given_up() -> None:
    stage = live(grant=100)
    for second in range(40):
        stage.wait(1)
        stage.frame(bytes(SECOND))
        if second % 10 == 9:
            stage.tell(results("", 0.0, second / 10))
    assert stage.session.phase is Phase.LIVE
    assert stage.session._upstream.behind_ms == 36_100


# Metadata that answers nothing


def test_metadata_of_no_audio_that_was_on_its_way_is_no_answer() -> None:
    stage = unanswered(final("one", 0.0, 5.0))
    stage.tell(metadata(0.0))
    assert stage.session.phase is Phase.FINISHING
    stage.lose(1011)
    stage.redial()
    assert stage.heard == noise(7)[5 * SECOND :]
    stage.tell(final("two", 0.0, 2.0), metadata(2.0))
    assert closing(stage) == (7, 7000)
    assert stage.ending() == ("client_stop", 1000, None)


@pytest.mark.parametrize("said", [0.2, 7.0])
def test_metadata_of_some_audio_is_the_answer(said: float) -> None:
    stage = unanswered(final("one", 0.0, 5.0))
    stage.tell(metadata(said))
    assert stage.session.phase is Phase.CLOSING


def test_metadata_of_no_audio_is_the_answer_where_no_words_are_owed() -> None:
    stage = live()
    stage.say("stop")
    stage.tell(metadata(0.0))
    assert closing(stage) == (0, 0)


# Our own failures


def test_a_failure_of_ours_while_it_finishes_books_it() -> None:
    stage = unanswered()
    done = stage.tell(ev.Broke())
    assert ev.Close(stage.only(ev.Close).closing) in done
    assert stage.tell(ev.Broke()) == []
    assert stage.ending() == ("client_stop", 1000, None)


# Repetition


def test_a_final_that_the_upstream_says_twice_is_told_once() -> None:
    stage = live()
    stage.frame(noise(4))
    stage.tell(final("one", 0.0, 2.0), final("one", 0.0, 2.0), final("two", 2.0, 1.0), final("one", 0.0, 2.0))
    assert [message["text"] for message in stage.told("transcript")] == ["one", "two"]
