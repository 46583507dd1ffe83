"""Two hosts with one PostgreSQL behind HAProxy: limits hold across them, and each may drain or die alone.

Each has an address and a DATA_DIR of its own. That an overlay shows what another host captions is in test_overlay."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.checks import check_receipt
from tests.e2e.client import Captions, User, sound
from tests.e2e.reverse_proxies import HAProxy, ReverseProxy, proxying
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream


@dataclass
class Hosts:
    """Both, and the proxy before them."""

    one: Service
    two: Service
    proxy: ReverseProxy

    async def let_in(self, user: User) -> Captions:
        """Return a session through the proxy, which may lead to a host that drains until it has asked /ready again."""
        async with asyncio.timeout(20):
            while (captions := await self._tried(user)).errors() == ["service_unavailable"]:
                await captions.closed()
        await captions.ready()
        return captions

    async def _tried(self, user: User) -> Captions:
        captions = await Captions.dial(self.proxy.ws_url, ssl=self.proxy.tls)
        await captions.auth(user.token)
        await captions.until(lambda: captions.messages != [])
        return captions


@pytest_asyncio.fixture(loop_scope="session")
async def hosts(
    new_database_url: Callable[[], str], scratch: Path, upstream: Upstream, tmp_path: Path
) -> AsyncIterator[Hosts]:
    shared = {
        "DATABASE_URL": new_database_url(),
        "JWT_SECRET": "the one that both hosts share, of 32 bytes",
        "MAX_SESSIONS_PER_USER": "1",
        "UPSTREAM_MAX_STREAMS": "2",
        "DRAIN_SECONDS": "60",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    envs = [environment(scratch / tmp_path.name / str(n), upstream.url, **shared) for n in (1, 2)]
    async with serving(envs[0]) as one, serving(envs[1]) as two:
        ports = [int(env["PORT"]) for env in envs]
        async with proxying(HAProxy, scratch / tmp_path.name / "haproxy", *ports) as proxy:
            yield Hosts(one, two, proxy)


async def talking(host: Service, user: User) -> Captions:
    captions = await host.captions(user)
    await captions.ready()
    await captions.send(sound(3))
    return captions


async def refusal(host: Service, user: User) -> list[str]:
    late = await host.captions(user)
    await late.closed()
    return late.errors()


async def test_limits_and_holds_count_over_both(hosts: Hosts) -> None:
    ann, bob, eve = [await hosts.one.user() for _ in range(3)]
    first = await talking(hosts.one, ann)
    assert await refusal(hosts.two, ann) == ["too_many_connections"]
    second = await talking(hosts.two, bob)
    assert await refusal(hosts.one, eve) == ["busy"]
    assert (await hosts.two.balance(ann))["seconds_held"] > 0
    for host, user, captions in ((hosts.two, ann, first), (hosts.one, bob, second)):
        await captions.say("stop")
        await check_receipt(host, user, captions, 3600)


async def test_one_drains_while_the_other_takes_its_clients(hosts: Hosts) -> None:
    ann, bob = [await hosts.one.user() for _ in range(2)]
    live = await talking(hosts.one, ann)
    hosts.one.send_signal(signal.SIGTERM)
    captions = await hosts.let_in(bob)
    await captions.send(sound(2))
    await captions.say("stop")
    await check_receipt(hosts.two, bob, captions, 3600)
    await live.send(sound(3, seed=1))
    end = await live.stop()
    assert (end["reason"], end["seconds_used"]) == ("client_stop", 6)
    assert await hosts.one.stopped() == 0


@pytest.mark.timeout(180)
async def test_one_dies_and_its_sessions_end_by_their_leases(hosts: Hosts) -> None:
    ann = await hosts.two.user()
    captions = await talking(hosts.one, ann)
    await captions.send(sound(20))
    await captions.until(lambda: any(usage["seconds_used"] >= 13 for usage in captions.of("usage")))
    hosts.one.kill()
    assert await captions.closed() == 1006
    row = await hosts.two.session(ann, captions.session_id, within=120)
    assert (row["reason"], row["status"]) == ("lease_expired", "terminated")
    assert 13 <= row["seconds_used"] <= 23
    assert (await hosts.two.balance(ann))["seconds_held"] == 0
    again = await hosts.let_in(ann)
    await again.stop()
    assert (await hosts.two.run("ledger", "audit"))[0] == 0
