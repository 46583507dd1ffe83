"""Slow calls run beside the window, and their results arrive on its thread."""

import threading

import pytest
from pytestqt.qtbot import QtBot

from transcription_client.errors import ClientError
from transcription_client.gui.background import Background


@pytest.fixture
def background(qtbot: QtBot) -> Background:
    return Background()


def test_the_result_arrives_on_the_windows_thread(background: Background, qtbot: QtBot) -> None:
    threads: list[str] = []
    results: list[str] = []

    def work() -> str:
        threads.append(threading.current_thread().name)
        return "done"

    def done(result: str) -> None:
        threads.append(threading.current_thread().name)
        results.append(result)

    background.run(work, done, results.append)
    qtbot.waitUntil(lambda: results == ["done"])
    assert threads == ["background", "MainThread"]


def test_an_error_is_its_sentence(background: Background, qtbot: QtBot) -> None:
    def work() -> None:
        raise ClientError("Try again.")

    sentences: list[str] = []
    background.run(work, lambda _: None, sentences.append)
    qtbot.waitUntil(lambda: sentences == ["Try again."])


def test_a_defect_is_said_and_leaves_a_trace(
    background: Background, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        raise KeyError("x")

    sentences: list[str] = []
    background.run(work, lambda _: None, sentences.append)
    qtbot.waitUntil(lambda: bool(sentences))
    assert sentences[0].startswith("Something went wrong in this app (KeyError: 'x').")
    assert "Traceback" in capsys.readouterr().err


def test_only_the_latest_call_counts(background: Background, qtbot: QtBot) -> None:
    first = threading.Event()
    results: list[str] = []

    def slow() -> str:
        assert first.wait(10)
        return "first"

    background.run(slow, results.append, results.append)
    background.run(lambda: "second", results.append, results.append)
    qtbot.waitUntil(lambda: results == ["second"])
    first.set()
    background_ended(qtbot)
    assert results == ["second"]


def test_a_cancelled_call_has_no_result(background: Background, qtbot: QtBot) -> None:
    results: list[str] = []
    background.run(lambda: "late", results.append, results.append)
    background.cancel()
    background_ended(qtbot)
    assert results == []


def background_ended(qtbot: QtBot) -> None:
    """Waits for all calls, and delivers what they sent."""
    qtbot.waitUntil(lambda: not [thread for thread in threading.enumerate() if thread.name == "background"])
    qtbot.wait(1)
