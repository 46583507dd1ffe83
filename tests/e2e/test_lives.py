"""The running program when it is killed, is full, has no audio, no database or no upstream."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.checks import assert_no_secrets, check_receipt
from tests.e2e.client import Captions, User, sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.standin.script import REFUSALS, Script


async def audited(service: Service) -> None:
    assert (await service.run("ledger", "audit"))[0] == 0


@pytest.mark.parametrize("whole", [False, True], ids=["the program", "the program and its database"])
async def test_kill_9_loses_at_most_ten_seconds_and_leaves_no_hold(
    scratch: Path, upstream: Upstream, whole: bool
) -> None:
    env = environment(scratch / f"kill-{whole}", upstream.url)
    async with serving(env) as service:
        user = await service.user(3600)
        captions = await service.captions(user)
        await captions.ready()
        await captions.send(sound(45))
        await upstream.until(lambda: upstream.heard(captions).audio_bytes == len(sound(45)))
        if whole:
            service.kill_database()
        service.kill()
        assert await captions.closed() == 1006
    async with serving(env) as again:
        row = await again.session(user, captions.session_id)
        assert (row["status"], row["reason"]) == ("terminated", "service_restart")
        assert 35 <= row["seconds_used"] <= 45
        balance = await again.balance(user)
        assert (balance["seconds_remaining"], balance["seconds_held"]) == (3600 - row["seconds_used"], 0)
        await audited(again)
        fresh = await again.captions(user)
        await fresh.ready()
        await fresh.stop()


async def test_a_session_without_audio_ends_idle(scratch: Path, upstream: Upstream) -> None:
    """This holds with and without `keepalive`; meanwhile the full upstream refuses another session."""
    env = environment(scratch / "idle", upstream.url, IDLE_MINUTES="0.05", UPSTREAM_MAX_STREAMS="2")
    async with serving(env) as service:
        mute, talker, late = [await service.user(3600) for _ in range(3)]
        silent, spoken = [await service.captions(user) for user in (mute, talker)]
        await silent.ready()
        await spoken.ready()
        refused = await service.captions(late)
        assert await refused.closed() == 1013
        assert refused.errors() == ["busy"]
        await asyncio.gather(_keep_alive(silent), spoken.send(sound(4), speed=1))
        assert spoken.close_code is None
        await _idle(service, mute, silent, 0)
        await _idle(service, talker, spoken, 4)
        accepted = await service.captions(late)
        await accepted.ready()
        await accepted.stop()
        await audited(service)


async def _keep_alive(captions: Captions) -> None:
    while captions.close_code is None:
        await captions.say("keepalive")
        await asyncio.sleep(0.2)


async def _idle(service: Service, user: User, captions: Captions, seconds: int) -> None:
    row = await check_receipt(service, user, captions, 3600)
    assert (row["reason"], row["status"], row["seconds_used"]) == ("idle", "completed", seconds)
    assert (captions.errors(), captions.close_code) == ([], 1000)


async def test_without_a_database_sessions_get_service_unavailable(
    scratch: Path, upstream: Upstream, service: Service
) -> None:
    """Without an upstream as well, the token is still checked first."""
    user = await service.user(3600)
    nowhere = "127.0.0.1:9"
    more = {"DATABASE_URL": f"postgresql://nobody@{nowhere}/none", "JWT_SECRET": service.env["JWT_SECRET"]}
    async with serving(environment(scratch / "away", upstream.url, **more), ready="/docs") as away:
        captions = await away.captions(user)
        assert await captions.closed() == 1013
        assert captions.errors() == ["service_unavailable"]
        health = await away.http.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["db"]) == (503, "degraded", "disconnected")
        assert (await away.http.get("/ready")).status_code == 503


async def test_an_unreachable_upstream_ends_the_session(scratch: Path) -> None:
    async with serving(environment(scratch / "alone", "ws://127.0.0.1:9")) as service:
        user = await service.user(3600)
        captions = await service.captions(user)
        assert await captions.closed(within=30) == 1011
        assert captions.errors() == ["upstream_unavailable"]
        assert (await service.balance(user))["seconds_held"] == 0
        await audited(service)


async def test_the_debug_log_contains_no_words_and_no_secrets(scratch: Path, upstream: Upstream) -> None:
    async with serving(environment(scratch / "debug", upstream.url, LOG_LEVEL="debug")) as service:
        account = {"email": "talker@example.org", "password": "hunter2-of-the-tests"}
        registered = (await service.http.post("/auth/register", json=account)).json()
        await service.http.post("/auth/login", json={**account, "password": "wrong-" + account["password"]})
        service.tokens += [account["password"], registered["token"], registered["refresh_token"]]
        user = User(account["email"], registered["token"])
        config = upstream.scripted(Script(), replace="heliotrope:violet")
        captions = await service.captions(user, config)
        await captions.ready()
        await captions.send(sound(3))
        await captions.socket.send("heliotrope is no message")
        await captions.socket.send('{"type":"auth","token":"' + user.token)
        await captions.stop()
        for script in (Script(refuse=REFUSALS[401]), Script(refuse=REFUSALS[400])):
            await (await service.captions(user, upstream.scripted(script, replace="heliotrope:violet"))).closed()
        forged = await service.dial()
        await forged.auth(user.token + "x")
        await forged.closed()
        await service.http.get("/account/me", headers={"Authorization": f"Bearer {user.token}x"})
        assert captions.session_id in service.log()
    assert_no_secrets(service)
