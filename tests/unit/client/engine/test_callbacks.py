"""The thread that calls the app."""

import logging
import threading
import time

import pytest

from transcription_client.engine.callbacks import Callbacks


def test_calls_are_made_in_order_from_one_thread() -> None:
    callbacks, made, threads = Callbacks(), list[int](), set[int]()

    def call(number: int) -> None:
        made.append(number)
        threads.add(threading.get_ident())

    for number in range(100):
        callbacks.post(lambda number=number: call(number))  # type: ignore[misc]
    callbacks.close(10)
    assert made == list(range(100))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_no_call_begins_after_close() -> None:
    callbacks, made = Callbacks(), list[int]()
    callbacks.post(lambda: made.append(1))
    callbacks.close(10)
    callbacks.post(lambda: made.append(2))
    assert made == [1]


def test_close_does_not_wait_for_an_app_that_hangs_and_drops_what_waits() -> None:
    callbacks, made, hang, began = Callbacks(), list[int](), threading.Event(), threading.Event()

    def call() -> None:
        began.set()
        hang.wait(20)

    callbacks.post(call)
    callbacks.post(lambda: made.append(1))
    assert began.wait(10)
    asked_at = time.monotonic()
    callbacks.close(0.05)
    assert time.monotonic() - asked_at < 5
    hang.set()
    assert callbacks._thread is not None
    callbacks._thread.join(10)
    assert made == []


def test_a_call_may_close() -> None:
    callbacks, closed = Callbacks(), threading.Event()

    def call() -> None:
        callbacks.close(10)
        closed.set()

    callbacks.post(call)
    assert closed.wait(5)


def test_a_fault_of_the_app_is_logged_and_the_next_call_is_made(caplog: pytest.LogCaptureFixture) -> None:
    callbacks, made = Callbacks(), list[int]()
    with caplog.at_level(logging.ERROR):
        callbacks.post(lambda: made.append(1 // 0))
        callbacks.post(lambda: made.append(2))
        callbacks.close(10)
    assert made == [2]
    assert "ZeroDivisionError" in caplog.text


def test_without_a_call_there_is_no_thread() -> None:
    before = threading.active_count()
    Callbacks().close(10)
    assert threading.active_count() == before
