"""How often one address may call /auth/*."""

from collections import Counter
from ipaddress import ip_address
from typing import Any

import pytest

from tests.unit.web.exchange import Exchange, echo, exchange, http, pieces
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.web.rates import AuthRate


class Limits:
    """Counts for ever, in place of db/rate_limits.py."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.is_away = False

    async def check(self, what: str, who: str, limit: int) -> None:
        if self.is_away:
            raise Unavailable("away")
        self.counts[what, who] += 1
        if self.counts[what, who] > limit:
            raise Refusal("rate_limited", "Try again in 42 seconds.", 42)


def auth_rate(per_minute: int) -> AuthRate:
    limits: Any = Limits()
    return AuthRate(echo, limits, per_minute)


async def call(rate: AuthRate, path: str, client: str | None = "192.0.2.7", **more: Any) -> Exchange:
    state = {} if client is None else {"client": ip_address(client)}
    return await exchange(rate, http(path, "POST", state=state, **more), pieces(b"hello"))


async def test_too_many_calls_are_answered_429_with_the_seconds_to_wait() -> None:
    rate = auth_rate(2)
    assert (await call(rate, "/auth/login")).body == b"hello"
    assert (await call(rate, "/auth/register")).body == b"hello"
    refused = await call(rate, "/auth/refresh")
    assert (refused.status, refused.error) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "42"
    assert b"42 seconds" in refused.body
    assert refused.taken == 0


async def test_while_the_database_is_away_nobody_gets_past_the_limit() -> None:
    limits: Any = Limits()
    limits.is_away = True
    refused = await call(AuthRate(echo, limits, 1), "/auth/login")
    assert (refused.status, refused.error) == (503, "service_unavailable")
    assert refused.headers["retry-after"]


@pytest.mark.parametrize("path", ["/auth", "/authority", "/account/me", "/", "/health"])
async def test_other_paths_have_no_limit(path: str) -> None:
    rate = auth_rate(1)
    assert [(await call(rate, path)).status for _ in range(3)] == [200] * 3


async def test_whatever_is_called_under_auth_counts() -> None:
    rate = auth_rate(1)
    assert (await call(rate, "/auth/nothing")).status == 200
    assert (await call(rate, "/auth/login")).status == 429


async def test_changes_of_a_password_are_limited_and_keep_nobody_from_logging_in() -> None:
    rate = auth_rate(1)
    assert [(await call(rate, "/account/password")).status for _ in range(2)] == [200, 429]
    assert (await call(rate, "/auth/login")).status == 200


async def test_clients_do_not_disturb_each_other_but_an_ipv6_subscriber_is_one() -> None:
    rate = auth_rate(1)
    for client in ("192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8:0:1::1", None):
        assert (await call(rate, "/auth/login", client)).status == 200, client
    for client in ("192.0.2.7", "2001:db8::ffff", None):
        assert (await call(rate, "/auth/login", client)).status == 429, client


async def test_what_is_no_http_is_left_alone() -> None:
    rate = auth_rate(1)
    for _ in range(3):
        assert (await exchange(rate, {"type": "lifespan"}, pieces(b"x"))).body == b"x"
