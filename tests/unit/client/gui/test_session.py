"""One engine at a time: started and stopped without the window waiting, and silent once stopped."""

import threading
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from tests.unit.client.gui.fakes import Engines
from transcription_client.errors import ClientError
from transcription_client.gui.session import CaptionSession


@pytest.fixture
def engines() -> Engines:
    return Engines()


@pytest.fixture
def session(qtbot: QtBot, engines: Engines) -> CaptionSession:
    return CaptionSession(engines)


def start(session: CaptionSession, qtbot: QtBot) -> None:
    session.start(lambda: {"mode": "managed"}, lambda: None)
    qtbot.waitUntil(lambda: session.phase == "running")


def stop(session: CaptionSession, qtbot: QtBot) -> None:
    session.stop()
    qtbot.waitUntil(lambda: session.phase == "off")


def test_an_engine_is_started_and_stopped(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    phases: list[str] = []
    session.phase_changed.connect(phases.append)
    start(session, qtbot)
    stop(session, qtbot)
    assert phases == ["starting", "running", "stopping", "off"]
    assert engines.last.calls == ["muted False", "start", "stop"]
    assert engines.last.config == {"mode": "managed"}


def test_what_an_engine_says_arrives_in_order(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    seen: list[Any] = []
    session.transcript.connect(lambda result: seen.append(result.text))
    session.status.connect(lambda status: seen.append(status.state))
    start(session, qtbot)
    engines.last.enter("live", "Captions are live.")
    engines.last.say("one")
    engines.last.say("two")
    qtbot.waitUntil(lambda: seen == ["live", "one", "two"])


def test_a_stopped_engine_is_not_heard(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    seen: list[Any] = []
    session.transcript.connect(seen.append)
    start(session, qtbot)
    first = engines.last
    stop(session, qtbot)
    start(session, qtbot)
    first.say("late")
    engines.last.say("now")
    qtbot.waitUntil(lambda: bool(seen))
    assert [result.text for result in seen] == ["now"]


def test_an_engine_that_ends_is_stopped(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    start(session, qtbot)
    engines.last.enter("ended", "You're out of minutes.", 0, "insufficient_credits")
    qtbot.waitUntil(lambda: session.phase == "off")
    assert engines.last.calls[-1] == "stop"


def test_a_slow_stop_holds_nothing_up(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    engines.stopping = threading.Event()
    start(session, qtbot)
    session.stop()
    assert session.phase == "stopping"
    session.stop()  # a second press
    session.start(dict, lambda: None)  # and an early one
    engines.stopping.set()
    qtbot.waitUntil(lambda: session.phase == "off")
    assert len(engines.made) == 1


def test_a_config_that_fails_is_said(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    def locked() -> dict[str, Any]:
        raise ClientError("Unlock your keyring.")

    with qtbot.waitSignal(session.failed) as failed:
        session.start(locked, lambda: None)
    assert failed.args == ["Unlock your keyring."]
    assert session.phase == "off"
    assert engines.made == []


def test_stopped_while_it_starts_it_never_runs(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    going = threading.Event()

    def slow() -> dict[str, Any]:
        assert going.wait(10)
        return {}

    session.start(slow, lambda: None)
    stop(session, qtbot)
    going.set()
    qtbot.waitUntil(lambda: not [thread for thread in threading.enumerate() if thread.name == "background"])
    qtbot.wait(1)
    assert engines.made == []


def test_mute_reaches_this_engine_and_the_next(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    start(session, qtbot)
    session.set_muted(True)
    stop(session, qtbot)
    start(session, qtbot)
    assert engines.made[0].calls == ["muted False", "start", "muted True", "stop"]
    assert engines.made[1].calls == ["muted True", "start"]


def test_the_level_is_that_of_a_running_engine(session: CaptionSession, qtbot: QtBot) -> None:
    assert session.level == 0.0
    start(session, qtbot)
    assert session.level == 0.1


def test_threads_do_not_grow_over_many_starts(session: CaptionSession, engines: Engines, qtbot: QtBot) -> None:
    for _ in range(100):
        start(session, qtbot)
        stop(session, qtbot)
    qtbot.waitUntil(lambda: not [thread for thread in threading.enumerate() if thread.name == "background"])
    assert len(engines.made) == 100
