"""The secret URLs of overlays, on a real PostgreSQL."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from transcription_proxy.accounts import store
from transcription_proxy.accounts.operator import Operator
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.overlay.keys import Keys

SITE = "https://captions.example"


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database, SITE, "overlay")


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


async def test_each_account_has_a_url_of_its_own_that_stays(keys: Keys, users: list[store.User]) -> None:
    first, second = [key(await keys.url(user.id)) for user in users]
    assert first != second
    assert [key(await keys.url(user.id)) for user in users] == [first, second]
    assert (await keys.by_key(first)).user_id == users[0].id
    assert (await keys.by_key(second)).user_id == users[1].id


async def test_a_key_is_256_bits_that_a_url_may_hold(keys: Keys, users: list[store.User]) -> None:
    made = {key(await keys.renew(users[0].id)) for _ in range(20)}
    assert len(made) == 20
    assert {len(each) for each in made} == {43}
    assert all(each.replace("-", "").replace("_", "").isalnum() and each.isascii() for each in made)


async def test_simultaneous_first_requests_get_the_same_url(keys: Keys, users: list[store.User]) -> None:
    assert len(set(await asyncio.gather(*(keys.url(users[0].id) for _ in range(8))))) == 1


async def test_a_renewed_url_replaces_the_old_one(keys: Keys, users: list[store.User]) -> None:
    user = users[0].id
    old = key(await keys.url(user))
    assert (await keys.by_key(old)).version == 1
    new = key(await keys.renew(user))
    assert key(await keys.url(user)) == new != old
    assert await refused(keys.by_key(old)) == "overlay_gone"
    assert (await keys.by_key(new)).version == 2
    assert await keys.versions([user]) == {user: 2}


async def test_renewing_creates_a_url_if_there_is_none(keys: Keys, users: list[store.User]) -> None:
    assert (await keys.by_key(key(await keys.renew(users[0].id)))).version == 1


async def test_the_key_of_a_blocked_account_works_again_once_it_is_unblocked(
    keys: Keys, users: list[store.User], database: Database
) -> None:
    addresses = [key(await keys.url(user.id)) for user in users]
    operator = Operator(database)
    await operator.block(users[0].email)
    assert await refused(keys.by_key(addresses[0])) == "overlay_gone"
    assert await keys.versions([user.id for user in users]) == {users[1].id: 1}
    await operator.unblock(users[0].email)
    assert (await keys.by_key(addresses[0])).user_id == users[0].id


@pytest.mark.parametrize("key", ["", "x", "\0", "ä" * 43, "\ud800", "'; DROP TABLE overlays; --", "x" * 16_000])
async def test_a_malformed_key_is_refused(keys: Keys, key: str) -> None:
    assert await refused(keys.by_key(key)) == "overlay_gone"


async def test_accounts_without_an_overlay_have_no_version(keys: Keys, users: list[store.User]) -> None:
    assert await keys.versions([UUID(int=0), users[0].id]) == {}
