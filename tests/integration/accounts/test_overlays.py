"""The secret URLs of overlays, on a real PostgreSQL."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from transcription_proxy.accounts import store
from transcription_proxy.accounts.operator import Operator
from transcription_proxy.accounts.overlays import Overlays
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal

SITE = "https://captions.example"


@pytest.fixture
def overlays(database: Database) -> Overlays:
    return Overlays(database, SITE, "overlay")


@pytest.fixture
async def users(database: Database) -> list[store.User]:
    async with database.transaction() as connection:
        made = [await store.register(connection, f"{uuid4()}@example.org", "") for _ in range(2)]
    return [user for user in made if user]


def key(url: str) -> str:
    page, _, key = url.partition("#")
    assert page == f"{SITE}/overlay"
    return key


async def refused(call: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        await call
    return refusal.value.code


async def test_each_account_has_its_own_permanent_url(overlays: Overlays, users: list[store.User]) -> None:
    first, second = [key(await overlays.address(user.id)) for user in users]
    assert first != second
    assert [key(await overlays.address(user.id)) for user in users] == [first, second]
    assert (await overlays.by_key(first)).user_id == users[0].id
    assert (await overlays.by_key(second)).user_id == users[1].id


async def test_a_key_is_256_url_safe_bits(overlays: Overlays, users: list[store.User]) -> None:
    made = {key(await overlays.renew(users[0].id)) for _ in range(20)}
    assert len(made) == 20
    assert {len(each) for each in made} == {43}
    assert all(each.replace("-", "").replace("_", "").isalnum() and each.isascii() for each in made)


async def test_concurrent_first_requests_get_the_same_url(overlays: Overlays, users: list[store.User]) -> None:
    assert len(set(await asyncio.gather(*(overlays.address(users[0].id) for _ in range(8))))) == 1


async def test_a_regenerated_url_replaces_the_old_one(overlays: Overlays, users: list[store.User]) -> None:
    user = users[0].id
    old = key(await overlays.address(user))
    assert (await overlays.by_key(old)).version == 1
    new = key(await overlays.renew(user))
    assert key(await overlays.address(user)) == new != old
    assert await refused(overlays.by_key(old)) == "overlay_gone"
    assert (await overlays.by_key(new)).version == 2
    assert await overlays.overlay_versions([user]) == {user: 2}


async def test_regenerating_creates_a_url_that_did_not_exist(overlays: Overlays, users: list[store.User]) -> None:
    assert (await overlays.by_key(key(await overlays.renew(users[0].id)))).version == 1


async def test_a_blocked_account_has_no_overlay_until_it_is_unblocked(
    overlays: Overlays, users: list[store.User], database: Database
) -> None:
    addresses = [key(await overlays.address(user.id)) for user in users]
    operator = Operator(database)
    await operator.block(users[0].email)
    assert await refused(overlays.by_key(addresses[0])) == "overlay_gone"
    assert await overlays.overlay_versions([user.id for user in users]) == {users[1].id: 1}
    await operator.unblock(users[0].email)
    assert (await overlays.by_key(addresses[0])).user_id == users[0].id


@pytest.mark.parametrize("key", ["", "x", "\0", "ä" * 43, "\ud800", "'; DROP TABLE overlays; --", "x" * 16_000])
async def test_an_invalid_key_opens_no_overlay(overlays: Overlays, key: str) -> None:
    assert await refused(overlays.by_key(key)) == "overlay_gone"


async def test_accounts_without_an_overlay_have_no_version(overlays: Overlays, users: list[store.User]) -> None:
    assert await overlays.overlay_versions([UUID(int=0), users[0].id]) == {}
