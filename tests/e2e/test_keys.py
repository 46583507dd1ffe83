"""Captions with an API key: billed to its account, cut off at its limit, ended when the key is revoked."""

from typing import Any

from tests.e2e.client import User, sound
from tests.e2e.service import Service


async def create_key(service: Service, user: User, **wanted: Any) -> tuple[str, User]:
    """Create an API key. Return its id, and the user with the key in place of the token."""
    headers = {"Authorization": f"Bearer {user.token}"}
    answer = await service.http.post("/account/keys", json={"name": "caption app", **wanted}, headers=headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    service.tokens.append(made["key"])
    return made["id"], User(user.email, made["key"])


async def test_captions_with_a_key_are_billed_to_its_account(service: Service) -> None:
    user = await service.user(3600)
    _, program = await create_key(service, user)
    captions = await service.captions(program)
    await captions.ready()
    await captions.send(sound(3))
    assert (await captions.stop())["seconds_used"] == 3
    assert (await service.balance(user))["seconds_remaining"] == 3597
    assert (await service.balance(program))["seconds_remaining"] == 3597


async def test_a_key_at_its_limit_is_cut_off_in_mid_stream(service: Service) -> None:
    user = await service.user(3600)
    _, program = await create_key(service, user, limit_seconds=5)
    captions = await service.captions(program)
    assert (await captions.first("ready"))["seconds_remaining"] == 5
    await captions.send_while_open(sound(30), speed=4)
    end = await captions.end()
    assert (end["reason"], end["seconds_used"]) == ("insufficient_credits", 5)
    assert captions.close_code == 4402
    again = await service.captions(program)
    assert await again.closed() == 4402
    assert (await service.balance(user))["seconds_remaining"] == 3595


async def test_a_revoked_key_ends_its_live_session(service: Service) -> None:
    user = await service.user(3600)
    key_id, program = await create_key(service, user)
    captions = await service.captions(program)
    await captions.ready()
    await captions.send(sound(3))
    await captions.first("transcript")
    headers = {"Authorization": f"Bearer {user.token}"}
    assert (await service.http.delete(f"/account/keys/{key_id}", headers=headers)).status_code == 204
    assert (await captions.end())["seconds_used"] == 3
    assert captions.close_code == 4401
    refused = await service.captions(program)
    assert await refused.closed() == 4401


async def test_a_key_may_be_limited_to_models(service: Service) -> None:
    user = await service.user(3600)
    _, program = await create_key(service, user, models=["nova-3"])
    refused = await service.captions(program, {"model": "nova-2"})
    await refused.closed()
    assert refused.errors() == ["invalid_config"]
    captions = await service.captions(program, {"model": "nova-3", "language": "en"})
    await captions.ready()
    await captions.stop()
