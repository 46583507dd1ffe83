import asyncio
from datetime import timedelta
from uuid import UUID

import bcrypt
import httpx
import jwt
import pytest

from tests.integration.web.site import PASSWORD, SECRET, Site, bearer, code


async def test_register_gives_tokens_a_balance_row_and_the_trial(site: Site, http: httpx.AsyncClient) -> None:
    answer = await http.post("/auth/register", json={"email": " Ann@Example.ORG ", "password": PASSWORD, "extra": 1})
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"token", "refresh_token", "expires_in", "user"}
    assert body["expires_in"] == 7 * 86400
    assert set(body["user"]) == {"id", "email"}
    assert body["user"]["email"] == "ann@example.org"
    assert await site.sql("SELECT seconds, description, balance_after FROM usage_ledger") == [(600, "trial", 600)]
    claims = jwt.decode(body["token"], SECRET, algorithms=["HS256"])
    assert UUID(claims["sub"]) == UUID(body["user"]["id"])
    assert claims["email"] == "ann@example.org"
    assert set(claims) == {"sub", "email", "ver", "iat", "exp", "jti"}


async def test_nothing_secret_is_stored(site: Site) -> None:
    login = await site.register()
    [(hashed,)] = await site.sql("SELECT password_hash FROM users")
    [(token_hash,)] = await site.sql("SELECT token_hash FROM refresh_tokens")
    assert bcrypt.checkpw(PASSWORD.encode(), hashed.encode())
    assert len(token_hash) == 32
    assert login["refresh_token"].encode() not in token_hash


@pytest.mark.parametrize(
    ("email", "password", "refusal"),
    [
        ("no address", PASSWORD, "invalid_email"),
        ("a@b", PASSWORD, "invalid_email"),
        ("a\0@example.org", PASSWORD, "invalid_email"),
        ("a@example.org", "1234567", "weak_password"),
        ("a@example.org", "ä" * 37, "weak_password"),
        ("a@example.org", "12345678\0", "weak_password"),
    ],
)
async def test_register_refuses(http: httpx.AsyncClient, email: str, password: str, refusal: str) -> None:
    answer = await http.post("/auth/register", json={"email": email, "password": password})
    assert code(answer) == (422, refusal)


async def test_an_address_is_taken_whatever_its_case(site: Site, http: httpx.AsyncClient) -> None:
    await site.register("bob@example.org")
    answer = await http.post("/auth/register", json={"email": "BOB@example.org", "password": PASSWORD})
    assert code(answer) == (409, "email_taken")


async def test_of_concurrent_registers_of_one_address_one_wins(site: Site, http: httpx.AsyncClient) -> None:
    body = {"email": "race@example.org", "password": PASSWORD}
    answers = await asyncio.gather(*(http.post("/auth/register", json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert await site.sql("SELECT count(*), sum(seconds) FROM usage_ledger") == [(1, 600)]


async def test_login(site: Site, http: httpx.AsyncClient) -> None:
    registered = await site.register("carol@example.org")
    answer = await http.post("/auth/login", json={"email": "Carol@example.org", "password": PASSWORD})
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "refresh_token", "expires_in", "user"}
    assert answer.json()["user"] == registered["user"]


@pytest.mark.parametrize("email", ["dave@example.org", "nobody@example.org", "no address", "\0"])
@pytest.mark.parametrize("password", ["wrong password", "x" * 1000, "\0"])
async def test_a_wrong_login_costs_one_hash_whoever_it_is(
    site: Site, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, email: str, password: str
) -> None:
    await site.register("dave@example.org")
    hashes: list[bytes] = []
    check = bcrypt.checkpw

    def counted(given: bytes, hashed: bytes) -> bool:
        hashes.append(hashed)
        return check(given, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    answer = await http.post("/auth/login", json={"email": email, "password": password})
    assert code(answer) == (401, "invalid_credentials")
    assert len(hashes) == 1
    known = email == "dave@example.org"
    assert hashes[0].startswith(b"$2b$04$" if known else b"$2b$12$")


async def test_a_blocked_account_cannot_log_in_or_refresh(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register("eve@example.org")
    await site.sql("UPDATE users SET blocked_at = now()")
    assert code(await http.post("/auth/login", json={"email": "eve@example.org", "password": PASSWORD})) == (
        401,
        "unauthorized",
    )
    assert code(await http.post("/auth/login", json={"email": "eve@example.org", "password": "wrong password"})) == (
        401,
        "invalid_credentials",
    )
    assert code(await http.post("/auth/refresh", json=_refresh(login))) == (401, "unauthorized")
    assert code(await http.get("/account/me", headers=bearer(login))) == (401, "unauthorized")


async def test_a_refresh_token_works_once_and_its_reuse_ends_the_family(site: Site, http: httpx.AsyncClient) -> None:
    first = await site.register("fay@example.org")
    other = (await http.post("/auth/login", json={"email": "fay@example.org", "password": PASSWORD})).json()
    answer = await http.post("/auth/refresh", json=_refresh(first))
    assert answer.status_code == 200
    second = answer.json()
    assert set(second) == {"token", "refresh_token", "expires_in"}
    assert second["refresh_token"] != first["refresh_token"]
    assert (await http.get("/account/me", headers=bearer(second))).status_code == 200
    for stolen in (first, second, first):
        assert code(await http.post("/auth/refresh", json=_refresh(stolen))) == (401, "refresh_reused")
    assert (await http.post("/auth/refresh", json=_refresh(other))).status_code == 200


async def test_of_concurrent_refreshes_of_one_token_exactly_one_wins(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    answers = await asyncio.gather(*(http.post("/auth/refresh", json=_refresh(login)) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
    assert {code(answer) for answer in answers if answer.status_code == 401} == {(401, "refresh_reused")}


@pytest.mark.parametrize("token", ["", "unknown", "\0", "x" * 60_000])
async def test_an_unknown_refresh_token(http: httpx.AsyncClient, token: str) -> None:
    assert code(await http.post("/auth/refresh", json={"refresh_token": token})) == (401, "unauthorized")
    assert (await http.post("/auth/logout", json={"refresh_token": token})).status_code == 204


async def test_a_refresh_token_lives_30_days_and_is_then_deleted(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register("gus@example.org")
    site.now += timedelta(days=30)
    assert code(await http.post("/auth/refresh", json=_refresh(login))) == (401, "unauthorized")
    site.now += timedelta(seconds=1)
    await http.post("/auth/login", json={"email": "gus@example.org", "password": PASSWORD})
    assert await site.sql("SELECT count(*) FROM refresh_tokens") == [(1,)]


async def test_a_token_expires(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    site.now += timedelta(seconds=login["expires_in"] - 1)
    assert (await http.get("/account/me", headers=bearer(login))).status_code == 200
    site.now += timedelta(seconds=2)
    assert code(await http.get("/account/me", headers=bearer(login))) == (401, "unauthorized")


async def test_logout_ends_that_login_only_and_may_be_repeated(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register("hal@example.org")
    other = (await http.post("/auth/login", json={"email": "hal@example.org", "password": PASSWORD})).json()
    for _ in range(2):
        answer = await http.post("/auth/logout", json=_refresh(login))
        assert (answer.status_code, answer.content) == (204, b"")
    assert code(await http.post("/auth/refresh", json=_refresh(login))) == (401, "unauthorized")
    assert (await http.post("/auth/refresh", json=_refresh(other))).status_code == 200


async def test_changing_the_password_ends_all_tokens(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register("ida@example.org")
    change = {"current": PASSWORD, "new": "another password"}
    answer = await http.post("/account/password", json=change, headers=bearer(login))
    assert answer.status_code == 200
    fresh = answer.json()
    assert set(fresh) == {"token", "refresh_token", "expires_in"}
    assert code(await http.get("/account/me", headers=bearer(login))) == (401, "unauthorized")
    assert code(await http.post("/auth/refresh", json=_refresh(login))) == (401, "unauthorized")
    assert (await http.get("/account/me", headers=bearer(fresh))).status_code == 200
    assert (await http.post("/auth/refresh", json=_refresh(fresh))).status_code == 200
    old, new = [{"email": "ida@example.org", "password": password} for password in (PASSWORD, "another password")]
    assert code(await http.post("/auth/login", json=old)) == (401, "invalid_credentials")
    assert (await http.post("/auth/login", json=new)).status_code == 200


async def test_changing_the_password_refuses(site: Site, http: httpx.AsyncClient) -> None:
    headers = bearer(await site.register())
    wrong = {"current": "wrong password", "new": "another password"}
    weak = {"current": PASSWORD, "new": "short"}
    assert code(await http.post("/account/password", json=wrong, headers=headers)) == (401, "invalid_credentials")
    assert code(await http.post("/account/password", json=weak, headers=headers)) == (422, "weak_password")
    assert code(await http.post("/account/password", json=wrong)) == (401, "unauthorized")


async def test_changes_and_refreshes_at_one_moment_leave_one_epoch(site: Site, http: httpx.AsyncClient) -> None:
    """Whoever loses is refused; nobody waits in a circle, and no refresh token of the old epoch survives."""
    login = await site.register("jan@example.org")
    change = {"current": PASSWORD, "new": "another password"}
    old = {"email": "jan@example.org", "password": PASSWORD}
    answers = await asyncio.gather(
        *(http.post("/account/password", json=change, headers=bearer(login)) for _ in range(2)),
        *(http.post("/auth/login", json=old) for _ in range(4)),
        *(http.post("/auth/refresh", json=_refresh(login)) for _ in range(4)),
        *(http.post("/auth/logout", json=_refresh(login)) for _ in range(2)),
    )
    assert {answer.status_code for answer in answers} <= {200, 204, 401}
    [changed] = [answer.json() for answer in answers[:2] if answer.status_code == 200]
    assert await site.sql("SELECT count(*) FROM refresh_tokens") == [(1,)]
    assert (await http.post("/auth/refresh", json=_refresh(changed))).status_code == 200


def _refresh(login: dict[str, str]) -> dict[str, str]:
    return {"refresh_token": login["refresh_token"]}
