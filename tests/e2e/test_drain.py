"""SIGTERM: new sessions are refused, live ones continue for DRAIN_SECONDS, and every session ends in order."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from tests.e2e.client import Captions, User, sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream


async def speaking(service: Service, user: User, seconds: float = 3) -> Captions:
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(seconds))
    return captions


async def status(service: Service, path: str) -> httpx.Response:
    return await service.http.get(path, headers={"Connection": "close"})


async def until_draining(service: Service, workers: int = 1) -> httpx.Response:
    """Wait until all workers drain. Each notices the signal at another time."""
    async with asyncio.timeout(10):
        while service.log().count("event=draining") < workers:
            await asyncio.sleep(0.05)
    return await status(service, "/ready")


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_during_a_drain_live_sessions_continue_and_new_ones_are_refused(
    scratch: Path, upstream: Upstream, workers: str
) -> None:
    env = environment(scratch / f"drain{workers}", upstream.url, DRAIN_SECONDS="60", WORKERS=workers)
    async with serving(env) as service:
        user, other = await service.user(3600), await service.user(3600)
        live = [await speaking(service, user), await speaking(service, other)]
        service.send_signal(signal.SIGTERM)
        answer = await until_draining(service, int(workers))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert [(await status(service, path)).status_code for path in ("/health", "/live")] == [200, 200]
        assert (await service.run("healthcheck"))[0] == 1
        late = await service.captions(user)
        assert (await late.closed(), late.errors()) == (1013, ["service_unavailable"])
        for captions in live:
            await captions.send(sound(2))
            end = await captions.stop()
            assert (end["reason"], end["seconds_used"], captions.close_code) == ("client_stop", 5, 1000)
        assert await service.stopped() == 0


@pytest.mark.parametrize("signals", [1, 2])
async def test_sessions_still_live_after_the_drain_end_in_order(
    scratch: Path, upstream: Upstream, signals: int
) -> None:
    """A second SIGTERM ends them at once, whatever DRAIN_SECONDS is."""
    env = environment(scratch / f"end{signals}", upstream.url, DRAIN_SECONDS="2" if signals == 1 else "600")
    async with serving(env) as service:
        user = await service.user(3600)
        captions = await speaking(service, user, 5)
        silent = await service.dial()
        service.send_signal(signal.SIGTERM)
        await until_draining(service)
        await silent.auth(user.token)
        assert (await silent.closed(), silent.errors()) == (1013, ["service_unavailable"])
        assert captions.errors() == []
        if signals == 2:
            service.send_signal(signal.SIGTERM)
        end = await captions.end(within=20)
        assert (end["reason"], end["seconds_used"]) == ("service_restart", 5)
        assert (captions.errors(), captions.close_code) == (["service_restart"], 1012)
        assert upstream.heard(captions).types() == ["CloseStream"]
        assert await service.stopped() == 0
    async with serving(env) as again:
        row = await again.session(user, captions.session_id)
        assert (row["reason"], row["status"], row["seconds_used"]) == ("service_restart", "terminated", 5)
        assert (await again.balance(user))["seconds_held"] == 0
        await again.command("ledger", "audit")


async def test_without_sessions_the_service_ends_at_once(scratch: Path, upstream: Upstream) -> None:
    async with serving(environment(scratch / "nobody", upstream.url, DRAIN_SECONDS="600")) as service:
        service.send_signal(signal.SIGTERM)
        assert await service.stopped(within=15) == 0
