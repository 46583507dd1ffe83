"""What a session is billed: the upstream's figure, at most what was sent; and how credit runs out."""

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.checks import check_receipt
from tests.e2e.client import SECOND, Captions, User, sound
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream
from tests.standin.script import HUGE, NONSENSE, Script


@pytest.mark.parametrize(
    ("script", "seconds_used", "audio_seconds"),
    [
        (Script(), 10, 10.0),
        (Script(metadata_delay=1.5), 10, 10.0),
        (Script(metadata_delay=0.5, metadata_factor=0.5), 5, 5.0),
        (Script(metadata_seconds=4.2), 5, 4.2),
        (Script(metadata_seconds=9.9996), 10, 10.0),
        (Script(metadata_factor=3), 10, 10.0),
        (Script(metadata_seconds=1e12), 10, 10.0),
        (Script(metadata_seconds=-1), 10, 10.0),
        (Script(metadata_seconds=0), 10, 10.0),
        (Script(metadata_seconds=0, wordless=True), 0, 0.0),
        (Script(metadata=False), 10, 10.0),
        (Script(interim_ms=50, final_ms=10_000), 10, 10.0),
    ],
    ids=str,
)
async def test_ten_seconds_of_audio_cost_ten_credits(
    service: Service, upstream: Upstream, script: Script, seconds_used: int, audio_seconds: float
) -> None:
    user = await service.user(3600)
    captions = await service.captions(user, upstream.scripted(script))
    await captions.ready()
    await captions.send(sound(10))
    end = await captions.stop()
    assert (end["seconds_used"], end["audio_seconds"]) == (seconds_used, pytest.approx(audio_seconds, abs=0.051))
    await check_receipt(service, user, captions, 3600)


async def test_too_much_settled_credit_is_returned(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user, upstream.scripted(Script(metadata_seconds=2)))
    await captions.ready()
    await captions.send(sound(30))
    end = await captions.stop()
    assert captions.of("usage")[-1]["seconds_used"] >= 20
    assert end["seconds_used"] == 2
    await check_receipt(service, user, captions, 3600)


@pytest.mark.parametrize("nonsense", [NONSENSE, (HUGE,)], ids=["many", "huge"])
async def test_invalid_upstream_messages_cost_nothing(
    service: Service, upstream: Upstream, nonsense: tuple[str | bytes, ...]
) -> None:
    user = await service.user(3600)
    captions = await service.captions(user, upstream.scripted(Script(nonsense=nonsense, nonsense_after=2)))
    await captions.ready()
    await captions.send_while_open(sound(4))
    if captions.close_code is None:
        await captions.say("stop")
    end = await captions.end()
    assert (end["reason"], end["seconds_used"]) == ("client_stop", 4)
    await check_receipt(service, user, captions, 3600)


async def test_credit_ends_at_exactly_the_last_sample(service: Service, upstream: Upstream) -> None:
    user = await service.user(7)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send_while_open(sound(20))
    row = await check_receipt(service, user, captions, 7, within=20)
    assert (row["seconds_used"], row["reason"], row["status"]) == (7, "insufficient_credits", "completed")
    assert (captions.errors(), captions.close_code) == (["insufficient_credits"], 4402)
    assert upstream.heard(captions).audio_bytes == 7 * SECOND
    assert (await service.balance(user))["seconds_remaining"] == 0


async def test_an_expensive_session_ends_exactly_with_its_credit(service: Service, upstream: Upstream) -> None:
    user = await service.user(7)
    config: dict[str, Any] = {"channels": 2, "multichannel": True, "diarize": True}
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send_while_open(sound(20))
    row = await check_receipt(service, user, captions, 7, within=20)
    assert (row["seconds_used"], row["reason"]) == (7, "insufficient_credits")
    most = 7 * 1_000_000 * 64_000 // (2 * 1_340_000) // 4 * 4
    assert upstream.heard(captions).audio_bytes == most


async def test_credit_granted_meanwhile_extends_a_session(service: Service, upstream: Upstream) -> None:
    user = await service.user(8)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(5))
    await service.command("credits", "grant", user.email, "30", "--reason", "test")
    await captions.send(sound(20, seed=1))
    end = await captions.stop()
    assert end["seconds_used"] == 25
    assert upstream.heard(captions).audio_bytes == 25 * SECOND
    assert (await service.balance(user))["seconds_remaining"] == 8 + 30 - 25


async def test_two_sessions_drain_the_last_seconds_to_exactly_zero(service: Service, upstream: Upstream) -> None:
    """No unpaid audio is sent upstream, and a third session is refused meanwhile."""
    user = await service.user(20)
    pair = [await service.captions(user) for _ in range(2)]
    await asyncio.gather(*(captions.ready() for captions in pair))
    balances: list[int] = []
    watching = asyncio.create_task(_watch(service, user, balances))
    third = await service.captions(user)
    assert await third.closed() == 4429
    await asyncio.gather(*(captions.send_while_open(sound(30), speed=8) for captions in pair))
    ends = await asyncio.gather(*(captions.end(within=25) for captions in pair))
    watching.cancel()
    assert third.errors() == ["too_many_connections"]
    assert [(end["reason"], captions.close_code) for end, captions in zip(ends, pair, strict=True)] == [
        ("insufficient_credits", 4402)
    ] * 2
    assert sum(end["seconds_used"] for end in ends) == 20
    assert sum(upstream.heard(captions).audio_bytes for captions in pair) == 20 * SECOND
    for end, captions in zip(ends, pair, strict=True):
        assert upstream.heard(captions).audio_bytes <= end["seconds_used"] * SECOND
    assert min(balances) >= 0
    assert (await service.balance(user))["seconds_remaining"] == (await service.balance(user))["seconds_held"] == 0


async def _watch(service: Service, user: User, balances: list[int]) -> None:
    while True:
        balances.append((await service.balance(user))["seconds_remaining"])
        await asyncio.sleep(0.1)


async def test_concurrent_users_are_billed_separately(service: Service, upstream: Upstream) -> None:
    async def stream(number: int) -> None:
        user = await service.user(3600)
        captions: Captions = await service.captions(user)
        await captions.ready()
        await captions.send(sound(number, seed=number), speed=10)
        assert (await captions.stop())["seconds_used"] == number
        assert bytes(upstream.heard(captions).audio) == sound(number, seed=number)
        await check_receipt(service, user, captions, 3600)

    async with asyncio.TaskGroup() as group:
        for number in range(8, 24):
            group.create_task(stream(number))


async def test_the_operator_sees_the_same_figures(service: Service) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await service.live(user, captions.session_id)
    shown = json.loads(await service.command("user", "show", user.email, "--json"))
    live = await service.command("session", "list", "--live")
    await captions.send(sound(3))
    await captions.stop()
    assert captions.session_id[:8] in live
    assert captions.session_id[:8] not in await service.command("session", "list", "--live")
    assert shown["email"] == user.email
    assert {"id", "created_at"} <= set(shown)
    after = await service.command("user", "show", user.email, "--json")
    assert "3597" in after
