"""How often one client may call /auth/*."""

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.exchange import Exchange, echo, exchange, http, pieces
from transcription_proxy.web import rates
from transcription_proxy.web.rates import WINDOW_SECONDS, AuthRate, MovingWindow


def test_so_many_are_admitted_in_a_minute_and_no_more() -> None:
    window = MovingWindow(3)
    assert [window.admit("ann", now) for now in (0, 10, 20)] == [0, 0, 0]
    assert window.admit("ann", 20) == 40
    assert window.admit("ann", 59) == 1
    assert window.admit("ann", 60) == 0
    assert window.admit("ann", 60) == 10


def test_being_refused_costs_nothing() -> None:
    window = MovingWindow(1)
    window.admit("ann", 0)
    assert [window.admit("ann", now) for now in (1, 30, 59.5)] == [59, 30, 0.5]
    assert window.admit("ann", 60) == 0


def test_each_client_has_a_window_of_its_own() -> None:
    window = MovingWindow(1)
    assert window.admit("ann", 0) == window.admit("bob", 0) == 0
    assert window.admit("ann", 1) == window.admit("bob", 1) == 59


def test_the_one_that_called_least_recently_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_CLIENTS", 2)
    window = MovingWindow(1)
    for client in ("ann", "bob", "ann", "cid"):  # ann calls again, so that it is bob who is forgotten
        window.admit(client, 0)
    assert window.admit("ann", 1) > 0
    assert window.admit("bob", 1) == 0
    assert window.admit("cid", 1) == 0  # had to make room for bob


@given(st.integers(1, 5), st.lists(st.floats(0, 40), max_size=60))
def test_no_minute_ever_sees_more_and_the_wait_is_the_shortest_that_helps(limit: int, pauses: list[float]) -> None:
    window, now, admitted = MovingWindow(limit), 0.0, list[float]()
    for pause in pauses:
        now += pause
        wait = window.admit("ann", now)
        recent = [time for time in admitted if time > now - WINDOW_SECONDS]
        assert (wait > 0) == (len(recent) >= limit)
        if wait:
            assert wait == pytest.approx(recent[-limit] + WINDOW_SECONDS - now)
        else:
            admitted.append(now)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def call(rate: AuthRate, path: str, client: str | None = "192.0.2.7", **more: Any) -> Exchange:
    state = {} if client is None else {"client": ip_address(client)}
    return await exchange(rate, http(path, "POST", state=state, **more), pieces(b"hello"))


async def test_too_many_calls_are_answered_429_with_the_seconds_to_wait() -> None:
    clock = Clock()
    rate = AuthRate(echo, limit=2, clock=clock)
    clock.now = 100
    assert (await call(rate, "/auth/login")).body == b"hello"
    clock.now = 100.5
    assert (await call(rate, "/auth/register")).body == b"hello"
    refused = await call(rate, "/auth/refresh")
    assert (refused.status, refused.error) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "60"  # 59.5, rounded up: earlier would be too early
    assert b"60 seconds" in refused.body
    assert refused.taken == 0
    clock.now += 60
    assert (await call(rate, "/auth/login")).status == 200


@pytest.mark.parametrize("path", ["/auth", "/authority", "/account/me", "/", "/health"])
async def test_other_paths_have_no_limit(path: str) -> None:
    rate = AuthRate(echo, limit=1, clock=Clock())
    assert [(await call(rate, path)).status for _ in range(3)] == [200] * 3


async def test_whatever_is_called_under_auth_counts() -> None:
    rate = AuthRate(echo, limit=1, clock=Clock())
    assert (await call(rate, "/auth/nothing")).status == 200
    assert (await call(rate, "/auth/login")).status == 429


async def test_changes_of_a_password_are_limited_and_keep_nobody_from_logging_in() -> None:
    rate = AuthRate(echo, limit=1, clock=Clock())
    assert [(await call(rate, "/account/password")).status for _ in range(2)] == [200, 429]
    assert (await call(rate, "/auth/login")).status == 200


async def test_clients_do_not_disturb_each_other_but_an_ipv6_subscriber_is_one() -> None:
    rate = AuthRate(echo, limit=1, clock=Clock())
    for client in ("192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8:0:1::1", None):
        assert (await call(rate, "/auth/login", client)).status == 200, client
    for client in ("192.0.2.7", "2001:db8::ffff", None):
        assert (await call(rate, "/auth/login", client)).status == 429, client


async def test_what_is_no_http_is_left_alone() -> None:
    rate = AuthRate(echo, limit=1, clock=Clock())
    for _ in range(3):
        assert (await exchange(rate, {"type": "lifespan"}, pieces(b"x"))).body == b"x"
