"""Two hosts with one PostgreSQL behind HAProxy: limits hold across them, and each may drain, die or be cut off alone.

Each has a network namespace and a DATA_DIR of its own, or where no namespace may be made an address of the loopback.
That an overlay shows what another host captions is in test_overlay."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.checks import check_receipt
from tests.e2e.client import Captions, User, sound
from tests.e2e.networks import Network, network
from tests.e2e.reverse_proxies import HAProxy, ReverseProxy, proxying
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.postgres import debian_postgres


@dataclass
class Hosts:
    """Both, their network, and the proxy before them."""

    network: Network
    one: Service
    two: Service
    proxy: ReverseProxy

    async def let_in(self, user: User, **auth: Any) -> Captions:
        """Return a session through the proxy, which may lead to a host that drains until it has asked /ready again."""
        async with asyncio.timeout(20):
            while (captions := await self._tried(user, **auth)).errors() == ["service_unavailable"]:
                await captions.closed()
        await captions.ready()
        return captions

    async def _tried(self, user: User, **auth: Any) -> Captions:
        captions = await Captions.dial(self.proxy.ws_url, ssl=self.proxy.tls)
        await captions.auth(user.token, **auth)
        await captions.until(lambda: captions.messages != [])
        return captions


@pytest_asyncio.fixture(loop_scope="session")
async def hosts(scratch: Path, tmp_path: Path) -> AsyncIterator[Hosts]:
    async with AsyncExitStack() as stack:
        net = stack.enter_context(network(2))
        upstream = Upstream(await stack.enter_async_context(DeepgramStandIn(host=net.here)))
        shared = {
            "DATABASE_URL": stack.enter_context(debian_postgres(address=net.here)),
            "JWT_SECRET": "the one that both hosts share, of 32 bytes",
            "MAX_SESSIONS_PER_USER": "1",
            "UPSTREAM_MAX_STREAMS": "2",
            "DRAIN_SECONDS": "60",
            "TRUSTED_PROXIES": net.here,
        }
        services: list[Service] = []
        for n, host in enumerate(net.hosts):
            env = environment(scratch / tmp_path.name / str(n), upstream.url, HOST=host.address, **shared)
            services.append(await stack.enter_async_context(serving(env, prefix=host.prefix)))
        addresses = [service.address for service in services]
        proxy = await stack.enter_async_context(proxying(HAProxy, scratch / tmp_path.name / "haproxy", *addresses))
        one, two = services
        yield Hosts(net, one, two, proxy)


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
    captions = await settled(hosts.one, ann)
    hosts.one.kill()
    assert await captions.closed() == 1006
    row = await hosts.two.session(ann, captions.session_id, within=120)
    assert (row["reason"], row["status"]) == ("lease_expired", "terminated")
    assert 13 <= row["seconds_used"] <= 23
    assert (await hosts.two.balance(ann))["seconds_held"] == 0
    again = await hosts.let_in(ann)
    await again.stop()
    assert (await hosts.two.run("ledger", "audit"))[0] == 0


@pytest.mark.timeout(240)
async def test_one_is_cut_off_and_comes_back(hosts: Hosts) -> None:
    """It can tell nobody: the proxy disconnects its client, the other host ends its sessions, and it bills once."""
    if not hosts.network.can_cut:
        pytest.skip("no network namespace may be made here, and the loopback cannot be cut")
    ann, bob = await hosts.two.user(), await hosts.two.user()
    old = await hosts.let_in(ann)
    await heard(old)
    lost, other = (hosts.one, hosts.two) if old.session_id in hosts.one.log() else (hosts.two, hosts.one)
    cable = hosts.network.hosts[0 if lost is hosts.one else 1]
    muted = await talking(lost, bob)
    await other.live(bob, muted.session_id)
    cut = monotonic()
    hosts.network.cut(cable)
    await old.send_while_open(sound(30), speed=1)
    assert await old.closed() == 1006
    assert monotonic() - cut < 25
    new = await hosts.let_in(ann, replaces=old.session_id)
    await new.send(sound(12), speed=4)
    rows = [await other.session(*each, within=100) for each in ((ann, old.session_id), (bob, muted.session_id))]
    assert monotonic() - cut < 90
    assert [row["reason"] for row in rows] == ["lease_expired"] * 2
    assert (await other.balance(bob))["seconds_held"] == 0
    assert (await new.stop())["seconds_used"] == 12
    assert (await other.balance(ann))["seconds_held"] == 0
    hosts.network.mend(cable)
    lost.send_signal(signal.SIGTERM)
    assert await lost.stopped(90) == 0
    await check_bills(other, ann, {old.session_id: 23, new.session_id: 12})
    await check_bills(other, bob, {muted.session_id: 3})
    assert (await other.run("ledger", "audit"))[0] == 0


async def settled(host: Service, user: User) -> Captions:
    """Return a session that was settled at least once."""
    captions = await host.captions(user)
    await captions.ready()
    await heard(captions)
    return captions


async def heard(captions: Captions) -> None:
    """Send 23 s of audio, and wait until most of it is settled."""
    await captions.send(sound(23))
    await captions.until(lambda: any(usage["seconds_used"] >= 13 for usage in captions.of("usage")))


async def check_bills(host: Service, user: User, audio: dict[str, int]) -> None:
    """Assert that each session is billed at most its audio in seconds, and the user for all of them."""
    billed = {row["id"]: row["seconds_used"] for row in await host.sessions(user)}
    assert billed.keys() == audio.keys()
    assert all(0 < billed[name] <= audio[name] for name in audio)
    assert (await host.balance(user))["seconds_remaining"] == 3600 - sum(billed.values())
