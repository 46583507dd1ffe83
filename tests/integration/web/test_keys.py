"""API keys over HTTP: created with a login, shown once, limited, revoked."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.integration.ledger.harness import LedgerHarness, closing, opening
from tests.integration.web.site import Site, bearer, code
from transcription_proxy.accounts.api_keys import MOST_KEYS
from transcription_proxy.errors import Refusal
from transcription_wire.codes import Reason


class Owner:
    """A user, and what the user does about API keys."""

    def __init__(self, site: Site, http: httpx.AsyncClient, login: dict[str, Any]) -> None:
        self.site, self.http, self.headers = site, http, bearer(login)
        self.id = UUID(login["user"]["id"])

    async def create(self, **wanted: Any) -> dict[str, Any]:
        answer = await self.http.post("/account/keys", json={"name": "obs", **wanted}, headers=self.headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def listed(self) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = (await self.http.get("/account/keys", headers=self.headers)).json()["keys"]
        return keys

    async def revoke(self, key_id: str) -> httpx.Response:
        return await self.http.delete(f"/account/keys/{key_id}", headers=self.headers)


@pytest.fixture
async def owner(site: Site, http: httpx.AsyncClient) -> Owner:
    return Owner(site, http, await site.register())


def with_key(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_key_is_shown_once_and_listed_without_its_secret(owner: Owner) -> None:
    made = await owner.create(name="My caption app", limit_seconds=3600, limit_period="day", models=["nova-3"])
    assert set(made) == {"id", "name", "key", "prefix"}
    assert made["key"].startswith(made["prefix"])
    [listed] = await owner.listed()
    assert made["key"] not in str(listed)
    assert listed.pop("created_at")
    assert listed == {
        "id": made["id"], "name": "My caption app", "prefix": made["prefix"], "last_used_at": None,
        "limit_seconds": 3600, "limit_period": "day", "seconds_used": 0, "models": ["nova-3"],
    }  # fmt: skip
    assert made["key"].encode() not in bytes((await owner.site.sql("SELECT key_hash FROM api_keys"))[0][0])


async def test_a_key_reads_the_account_and_its_use_is_noted(owner: Owner) -> None:
    key = (await owner.create())["key"]
    for path in ("/account/me", "/account/usage", "/billing/balance"):
        assert (await owner.http.get(path, headers=with_key(key))).status_code == 200
    [listed] = await owner.listed()
    assert listed["last_used_at"] is not None


async def test_a_key_manages_neither_keys_nor_the_password(owner: Owner) -> None:
    made = await owner.create()
    for method, path, body in (
        ("GET", "/account/keys", None),
        ("POST", "/account/keys", {"name": "more"}),
        ("DELETE", f"/account/keys/{made['id']}", None),
        ("POST", "/account/password", {"current": "a", "new": "b"}),
    ):
        answer = await owner.http.request(method, path, json=body, headers=with_key(made["key"]))
        assert code(answer) == (403, "login_required")


async def test_a_revoked_key_and_a_forged_one_are_refused(owner: Owner) -> None:
    made = await owner.create()
    assert (await owner.revoke(made["id"])).status_code == 204
    for key in (made["key"], made["key"][:-1] + "0", "tpk_", "tpk_" + "A" * 38):
        assert code(await owner.http.get("/account/me", headers=with_key(key))) == (401, "unauthorized")
    assert await owner.listed() == []


async def test_only_ones_own_keys_can_be_revoked(site: Site, http: httpx.AsyncClient, owner: Owner) -> None:
    stranger = Owner(site, http, await site.register())
    made = await owner.create()
    for key_id in (made["id"], str(uuid4()), "no-id"):
        assert code(await stranger.revoke(key_id)) == (404, "not_found")
    assert len(await owner.listed()) == 1


async def test_a_blocked_accounts_key_is_refused(owner: Owner) -> None:
    key = (await owner.create())["key"]
    await owner.site.sql("UPDATE users SET blocked_at = now() WHERE id = %s", owner.id)
    assert code(await owner.http.get("/account/me", headers=with_key(key))) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("wanted", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"limit_seconds": 0}, "limit_seconds"),
        ({"limit_seconds": -5}, "limit_seconds"),
        ({"limit_seconds": 10**10}, "limit_seconds"),
        ({"limit_period": "week"}, "limit_period"),
        ({"models": []}, "models"),
        ({"models": "nova-2"}, "models"),
    ],
)
async def test_bad_input_is_refused_by_name(owner: Owner, wanted: dict[str, Any], wrong: str) -> None:
    answer = await owner.http.post("/account/keys", json={"name": "obs", **wanted}, headers=owner.headers)
    assert code(answer) == (422, "invalid_request")
    assert wrong in answer.json()["error"]["message"]


async def test_a_model_that_is_not_offered_is_refused(owner: Owner) -> None:
    answer = await owner.http.post("/account/keys", json={"name": "x", "models": ["whisper"]}, headers=owner.headers)
    assert code(answer) == (422, "unknown_model")
    assert "nova-2" in answer.json()["error"]["message"]


async def test_there_is_a_limit_to_the_number_of_keys(owner: Owner) -> None:
    for _ in range(MOST_KEYS):
        await owner.create()
    answer = await owner.http.post("/account/keys", json={"name": "one more"}, headers=owner.headers)
    assert code(answer) == (409, "too_many_keys")


async def test_the_sessions_of_a_key_use_its_limit_up(owner: Owner) -> None:
    ledger = LedgerHarness(owner.site.database)
    key_id = UUID((await owner.create(limit_seconds=20))["id"])
    opened = await ledger.ledger.open_session(opening(owner.id, key_id=key_id))
    assert (opened.grant, opened.seconds_remaining) == (20, 20)
    answer = await ledger.settle(opened.session_id, 1, 20, ready=True)
    assert (answer.grant, answer.seconds_remaining, answer.elsewhere) == (20, 0, 0)
    await ledger.ledger.close(closing(opened.session_id, 2, 20))
    assert [key["seconds_used"] for key in await owner.listed()] == [20]
    with pytest.raises(Refusal) as refusal:
        await ledger.ledger.open_session(opening(owner.id, key_id=key_id))
    assert (refusal.value.code, "API key" in refusal.value.message) == ("insufficient_credits", True)
    assert (await ledger.ledger.balance(owner.id)).seconds_remaining == 580


async def test_a_daily_limit_starts_again_each_day(owner: Owner) -> None:
    ledger = LedgerHarness(owner.site.database)
    key_id = UUID((await owner.create(limit_seconds=20, limit_period="day"))["id"])
    session = await ledger.open(owner.id, key_id=key_id)
    await ledger.settle(session, 2, 15)
    assert [key["seconds_used"] for key in await owner.listed()] == [15]
    await owner.site.sql("UPDATE key_spending SET day = day - 1 WHERE key_id = %s", key_id)
    assert [key["seconds_used"] for key in await owner.listed()] == [0]
    answer = await ledger.settle(session, 3, 20)
    assert answer.grant == 35  # 20 were used in all, of which 5 today
    await ledger.ledger.close(closing(session, 4, 22))
    assert [key["seconds_used"] for key in await owner.listed()] == [7]
    assert await ledger.findings() == []


async def test_revoking_a_key_ends_its_live_sessions_only(owner: Owner) -> None:
    ledger = LedgerHarness(owner.site.database)
    made = await owner.create()
    session = await ledger.open(owner.id, key_id=UUID(made["id"]))
    other = await ledger.open(owner.id)
    assert (await owner.revoke(made["id"])).status_code == 204
    assert (await ledger.settle(session, 2, 3)).ending == Reason.SIGNED_OUT
    assert (await ledger.settle(other, 2, 3)).ending is None
    with pytest.raises(Refusal, match="no longer valid"):
        await ledger.ledger.open_session(opening(owner.id, key_id=UUID(made["id"])))
    await ledger.ledger.close(closing(session, 3, 3))
    assert await ledger.findings() == []
