"""Ends of a live session that come from outside, and what its client and the ledger get."""

from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.checks import check_receipt
from tests.e2e.client import Captions, User, sound
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream
from tests.standin.script import Script
from tests.waiting import until


async def streaming(service: Service, user: User, config: Any = None, seconds: float = 3, **auth: Any) -> Captions:
    """Open a session of a user, and wait for its first words."""
    captions = await service.captions(user, config, **auth)
    await captions.ready()
    await captions.send(sound(seconds))
    await captions.first("transcript")
    return captions


async def test_a_client_that_lost_its_connection_replaces_its_session(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    ghost = await streaming(service, user)
    other = await streaming(service, user)
    heir = await streaming(service, user, replaces=ghost.session_id)
    assert (await ghost.end())["reason"] == "replaced"
    assert (ghost.close_code, upstream.heard(ghost).types()) == (4409, ["CloseStream"])
    for captions in (other, heir):
        assert (await captions.stop())["seconds_used"] == 3
    assert (await service.session(user, ghost.session_id))["status"] == "completed"
    assert (await service.balance(user))["seconds_remaining"] == 3600 - 9


async def test_replaces_is_ignored_for_another_users_session(service: Service) -> None:
    victim, user = await service.user(3600), await service.user(3600)
    foreign = await streaming(service, victim)
    ended = await streaming(service, user)
    await ended.stop()
    for replaces in (foreign.session_id, ended.session_id, str(uuid4())):
        captions = await streaming(service, user, replaces=replaces)
        assert (await captions.stop())["reason"] == "client_stop"
    assert (await foreign.stop())["reason"] == "client_stop"


async def test_replaces_does_not_lift_the_session_limit(service: Service) -> None:
    victim, user = await service.user(3600), await service.user(3600)
    foreign = await streaming(service, victim)
    pair = [await streaming(service, user) for _ in range(2)]
    third = await service.captions(user, replaces=foreign.session_id)
    assert await third.closed() == 4429
    for captions in (foreign, *pair):
        assert (await captions.stop())["reason"] == "client_stop"


async def test_a_user_can_end_a_session(service: Service) -> None:
    user, stranger = await service.user(3600), await service.user(3600)
    captions = await streaming(service, user)
    path = f"/account/sessions/{captions.session_id}"
    live = await service.live(user, captions.session_id)
    assert [row["id"] for row in live] == [captions.session_id]
    denied = await service.http.delete(path, headers={"Authorization": f"Bearer {stranger.token}"})
    assert denied.status_code == 404
    assert (await service.http.delete(path)).status_code == 401
    ended = await service.http.delete(path, headers={"Authorization": f"Bearer {user.token}"})
    assert ended.status_code == 204
    row = await check_receipt(service, user, captions, 3600, within=3)
    assert (row["reason"], row["status"], row["seconds_used"]) == ("ended_by_user", "completed", 3)
    assert (captions.close_code, captions.errors()) == (1000, [])
    assert (await service.get("/account/sessions?live=true", user))["sessions"] == []


async def test_the_operator_can_end_a_session(service: Service) -> None:
    user = await service.user(3600)
    captions = await streaming(service, user)
    await service.command("session", "end", captions.session_id)
    row = await check_receipt(service, user, captions, 3600, within=3)
    assert (row["reason"], row["status"], row["seconds_used"]) == ("ended_by_operator", "completed", 3)
    assert (captions.close_code, captions.errors()) == (1000, [])


async def test_blocking_an_account_ends_its_session(service: Service) -> None:
    user = await service.user(3600)
    captions = await streaming(service, user)
    await service.command("user", "block", user.email)
    end = await captions.end(within=3)
    assert (end["reason"], end["seconds_used"]) == ("ended_by_operator", 3)
    assert (captions.errors(), captions.close_code) == (["unauthorized"], 4401)
    await service.command("user", "unblock", user.email)


@pytest.mark.parametrize("how", ["leaves", "vanishes"])
async def test_a_client_that_is_gone_is_billed_its_audio(service: Service, upstream: Upstream, how: str) -> None:
    user = await service.user(3600)
    captions = await streaming(service, user)
    if how == "leaves":
        await captions.leave()
    else:
        captions.vanish()
    row = await service.session(user, captions.session_id)
    assert (row["reason"], row["status"], row["seconds_used"]) == ("client_gone", "completed", 3)
    assert upstream.heard(captions).types() == ["CloseStream"]
    balance = await service.balance(user)
    assert (balance["seconds_remaining"], balance["seconds_held"]) == (3597, 0)


async def test_a_client_that_leaves_before_ready_owes_nothing(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(handshake_delay=1))
    captions = await service.captions(user, config)
    await captions.send(sound(1))
    await upstream.until(lambda: bool(upstream.met(config)))
    captions.vanish()
    await upstream.until(lambda: upstream.met(config)[0].closed)

    async def is_released() -> bool:
        return (await service.balance(user))["seconds_held"] == 0

    await until(is_released, 10)
    assert (await service.balance(user))["seconds_remaining"] == 3600
    assert await service.sessions(user) == []
