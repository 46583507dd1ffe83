"""The deadline of a session is a question: asking for it changes nothing, in any phase."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.stream.driver import SessionDriver, live
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_wire.codes import Reason


def redialling() -> SessionDriver:
    driver = live()
    driver.lose_upstream()
    return driver


def in_need() -> SessionDriver:
    driver = live(grant=0)
    driver.ledger = driver.silent
    driver.frame()
    driver.handle(ev.ClientStalled())
    return driver


def finishing() -> SessionDriver:
    driver = live()
    driver.client_sends("stop")
    return driver


def closing() -> SessionDriver:
    driver = finishing()
    driver.handle(ev.UpstreamLost(1000))
    return driver


def over() -> SessionDriver:
    driver = closing()
    driver.commit()
    return driver


def state(value: Any, seen: set[int] | None = None) -> Any:
    """Return the values that an object of the session holds, and those that its parts hold."""
    seen = set() if seen is None else seen
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())] + list(
        getattr(value, "__dict__", ())
    )
    if isinstance(value, type | Phase | Reason) or not names:
        return repr(value)
    if id(value) in seen:
        return None
    seen.add(id(value))
    return {name: state(getattr(value, name), seen) for name in names if hasattr(value, name)}


@pytest.mark.parametrize("make", [SessionDriver, live, redialling, in_need, finishing, closing, over])
@pytest.mark.parametrize("late", [0.0, 6.0, 60.0])
def test_asking_for_the_deadline_changes_nothing(make: Callable[[], SessionDriver], late: float) -> None:
    driver = make()
    driver.now += late
    before, deadline = state(driver.session), driver.session.deadline
    assert state(driver.session) == before
    assert driver.session.deadline == deadline


def test_the_state_of_a_session_includes_that_of_its_parts() -> None:
    driver = live()
    before = state(driver.session)
    driver.session._client.heartbeat.record_traffic(driver.now + 1)
    assert state(driver.session) != before
