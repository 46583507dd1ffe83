import asyncio
import unicodedata
from datetime import timedelta
from uuid import UUID

import bcrypt
import httpx
import jwt
import pytest

from tests.integration.ledger.harness import LedgerHarness
from tests.integration.web.site import PASSWORD, SECRET, Site, bearer, code
from transcription_proxy.accounts import tokens
from transcription_proxy.db.pool import Database


@pytest.fixture
def harness(database: Database) -> LedgerHarness:
    return LedgerHarness(database)


async def test_registering_returns_tokens_and_adds_the_trial(site: Site, http: httpx.AsyncClient) -> None:
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
    assert set(claims) == {"sub", "email", "ver", "iat", "exp", "jti", "sid"}


async def test_no_secret_is_stored_in_plain_text(site: Site) -> None:
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
        ("a@example.org", "r2-d2 c", "weak_password"),
        ("a@example.org", "Password", "weak_password"),
        ("anna.maria@example.org", "Anna Maria", "weak_password"),
        ("a@example.org", "ä" * 37, "weak_password"),
        ("a@example.org", "12345678\0", "weak_password"),
    ],
)
async def test_register_refuses_invalid_fields(
    http: httpx.AsyncClient, email: str, password: str, refusal: str
) -> None:
    answer = await http.post("/auth/register", json={"email": email, "password": password})
    assert code(answer) == (422, refusal)


async def test_an_email_is_taken_in_any_case(site: Site, http: httpx.AsyncClient) -> None:
    await site.register("bob@example.org")
    answer = await http.post("/auth/register", json={"email": "BOB@example.org", "password": PASSWORD})
    assert code(answer) == (409, "email_taken")


async def test_one_of_concurrent_registrations_of_an_email_succeeds(site: Site, http: httpx.AsyncClient) -> None:
    body = {"email": "race@example.org", "password": PASSWORD}
    answers = await asyncio.gather(*(http.post("/auth/register", json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert await site.sql("SELECT count(*), sum(seconds) FROM usage_ledger") == [(1, 600)]


async def test_logging_in_returns_tokens(site: Site, http: httpx.AsyncClient) -> None:
    registered = await site.register("carol@example.org")
    answer = await http.post("/auth/login", json={"email": "Carol@example.org", "password": PASSWORD})
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "refresh_token", "expires_in", "user"}
    assert answer.json()["user"] == registered["user"]


async def test_a_password_matches_in_every_unicode_form(site: Site, http: httpx.AsyncClient) -> None:
    composed, decomposed = [unicodedata.normalize(form, "Käse è Señor") for form in ("NFC", "NFD")]
    for email, first, then in [("a@example.org", composed, decomposed), ("b@example.org", decomposed, composed)]:
        assert (await http.post("/auth/register", json={"email": email, "password": first})).status_code == 201
        assert (await http.post("/auth/login", json={"email": email, "password": then})).status_code == 200


async def test_a_password_hash_without_normalisation_is_renewed_at_login(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register("old@example.org")
    composed, typed = [unicodedata.normalize(form, "Käse è Señor") for form in ("NFC", "NFD")]
    await site.sql("UPDATE users SET password_hash = %s", bcrypt.hashpw(typed.encode(), bcrypt.gensalt(4)).decode())
    answers = []
    for password in (composed, typed, composed, typed):
        body = {"email": "old@example.org", "password": password}
        answers.append((await http.post("/auth/login", json=body)).status_code)
    assert answers == [401, 200, 200, 200]
    assert (await http.get("/account/me", headers=bearer(login))).status_code == 200


@pytest.mark.parametrize("email", ["dave@example.org", "nobody@example.org", "no address", "\0"])
@pytest.mark.parametrize("password", ["wrong password", "x" * 1000, "\0"])
async def test_a_wrong_login_costs_one_hash_for_any_email(
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


async def test_reusing_a_refresh_token_ends_its_login(site: Site, http: httpx.AsyncClient) -> None:
    first = await site.register("fay@example.org")
    other = (await http.post("/auth/login", json={"email": "fay@example.org", "password": PASSWORD})).json()
    answer = await http.post("/auth/refresh", json=_refresh(first))
    assert answer.status_code == 200
    second = answer.json()
    assert set(second) == {"token", "refresh_token", "expires_in"}
    assert second["refresh_token"] != first["refresh_token"]
    assert (await http.get("/account/me", headers=bearer(second))).status_code == 200
    site.now += timedelta(seconds=31)
    for stolen in (first, second, first):
        assert code(await http.post("/auth/refresh", json=_refresh(stolen))) == (401, "refresh_reused")
        assert code(await http.get("/account/me", headers=bearer(second))) == (401, "unauthorized")
    assert (await http.get("/account/me", headers=bearer(other))).status_code == 200
    assert (await http.post("/auth/refresh", json=_refresh(other))).status_code == 200


async def test_a_repeated_refresh_returns_a_second_working_pair(site: Site, http: httpx.AsyncClient) -> None:
    """As it is with two tabs at once."""
    login = await site.register()
    pairs = []
    for seconds in (0, 30):
        site.now += timedelta(seconds=seconds)
        pairs.append((await http.post("/auth/refresh", json=_refresh(login))).json())
        assert (await http.get("/account/me", headers=bearer(pairs[-1]))).status_code == 200
    heirs = [await http.post("/auth/refresh", json=_refresh(pair)) for pair in pairs]
    assert [heir.status_code for heir in heirs] == [200, 200]
    for heir in heirs:
        assert (await http.get("/account/me", headers=bearer(heir.json()))).status_code == 200


async def test_a_refresh_repeated_after_its_successor_was_used_ends_the_login(
    site: Site, http: httpx.AsyncClient
) -> None:
    login = await site.register()
    pair = (await http.post("/auth/refresh", json=_refresh(login))).json()
    heir = (await http.post("/auth/refresh", json=_refresh(pair))).json()
    assert code(await http.post("/auth/refresh", json=_refresh(login))) == (401, "refresh_reused")
    for token in (pair, heir):
        assert code(await http.get("/account/me", headers=bearer(token))) == (401, "unauthorized")
        assert code(await http.post("/auth/refresh", json=_refresh(token))) == (401, "refresh_reused")


async def test_the_grace_period_begins_with_the_first_use(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    for seconds, status in [(0, 200), (20, 200), (11, 401)]:
        site.now += timedelta(seconds=seconds)
        assert (await http.post("/auth/refresh", json=_refresh(login))).status_code == status


async def test_concurrent_refreshes_of_one_token_all_get_a_pair_of_one_login(
    site: Site, http: httpx.AsyncClient
) -> None:
    login = await site.register()
    answers = await asyncio.gather(*(http.post("/auth/refresh", json=_refresh(login)) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json()["refresh_token"] for answer in answers}) == 6
    assert await site.sql("SELECT count(*) FROM logins") == [(1,)]
    site.now += timedelta(seconds=31)
    again = await asyncio.gather(*(http.post("/auth/refresh", json=_refresh(login)) for _ in range(3)))
    assert {code(answer) for answer in again} == {(401, "refresh_reused")}


async def test_refreshing_often_leaves_few_rows(
    site: Site, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_REFRESH_TOKENS", 3)
    login = first = await site.register()
    for _ in range(6):
        site.now += timedelta(seconds=40)
        login = (await http.post("/auth/refresh", json=_refresh(login))).json()
    assert await site.sql("SELECT count(*) FROM refresh_tokens") == [(4,)]
    assert code(await http.post("/auth/refresh", json=_refresh(first))) == (401, "unauthorized")
    assert (await http.post("/auth/refresh", json=_refresh(login))).status_code == 200


@pytest.mark.parametrize("token", ["", "unknown", "\0", "x" * 60_000])
async def test_an_unknown_refresh_token_is_refused(http: httpx.AsyncClient, token: str) -> None:
    assert code(await http.post("/auth/refresh", json={"refresh_token": token})) == (401, "unauthorized")
    assert (await http.post("/auth/logout", json={"refresh_token": token})).status_code == 204


async def test_a_refresh_token_lives_30_days_and_is_then_deleted(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register("gus@example.org")
    site.now += timedelta(days=30)
    assert code(await http.post("/auth/refresh", json=_refresh(login))) == (401, "unauthorized")
    site.now += timedelta(seconds=1)
    await http.post("/auth/login", json={"email": "gus@example.org", "password": PASSWORD})
    assert await site.sql("SELECT count(*) FROM refresh_tokens") == [(1,)]
    assert await site.sql("SELECT count(*) FROM logins") == [(1,)]


async def test_a_token_expires(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    site.now += timedelta(seconds=login["expires_in"] - 1)
    assert (await http.get("/account/me", headers=bearer(login))).status_code == 200
    site.now += timedelta(seconds=2)
    assert code(await http.get("/account/me", headers=bearer(login))) == (401, "unauthorized")


async def test_logout_ends_only_its_login_and_can_be_repeated(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register("hal@example.org")
    other = (await http.post("/auth/login", json={"email": "hal@example.org", "password": PASSWORD})).json()
    for _ in range(2):
        answer = await http.post("/auth/logout", json=_refresh(login))
        assert (answer.status_code, answer.content) == (204, b"")
    assert code(await http.post("/auth/refresh", json=_refresh(login))) == (401, "unauthorized")
    assert (await http.post("/auth/refresh", json=_refresh(other))).status_code == 200
    assert (await http.get("/account/me", headers=bearer(other))).status_code == 200


PLACES = [
    ("GET", "/account/me"), ("GET", "/account/usage"), ("GET", "/account/sessions"), ("GET", "/account/purchases"),
    ("GET", "/account/overlay"), ("POST", "/account/overlay"), ("POST", "/account/overlay/test"),
    ("POST", "/account/password"),
    ("GET", "/billing/balance"), ("POST", "/billing/checkout"), ("GET", "/billing/checkout/cs_1"),
]  # fmt: skip
"""Where access tokens are taken, besides the caption socket."""


@pytest.mark.parametrize("how", ["logout", "reuse"])
async def test_the_access_tokens_of_an_ended_login_are_refused(site: Site, http: httpx.AsyncClient, how: str) -> None:
    login = await site.register()
    pair = (await http.post("/auth/refresh", json=_refresh(login))).json()
    if how == "logout":
        await http.post("/auth/logout", json=_refresh(pair))
    else:
        site.now += timedelta(seconds=31)
        await http.post("/auth/refresh", json=_refresh(login))
    for method, path in PLACES:
        for token in (login, pair):
            body = {"current": PASSWORD, "new": "another password"} if method == "POST" else None
            answer = await http.request(method, path, json=body, headers=bearer(token))
            assert code(answer) == (401, "unauthorized"), path


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


async def test_a_new_password_ends_only_that_accounts_live_sessions(
    site: Site, http: httpx.AsyncClient, harness: LedgerHarness
) -> None:
    """Within the same second as the login, too: tokens go by a number, not by the time they were made."""
    login, other = await site.register(), await site.register()
    sessions = {name: await harness.open(UUID(body["user"]["id"])) for name, body in [("own", login), ("other", other)]}
    change = {"current": PASSWORD, "new": "another password"}
    wrong = {**change, "current": "wrong password"}
    await http.post("/account/password", json=wrong, headers=bearer(login))
    assert await harness.row(sessions["own"], "ending") == (None,)
    await http.post("/account/password", json=change, headers=bearer(login))
    assert await harness.row(sessions["own"], "status, ending, hold > 0") == ("active", "signed_out", True)
    assert await harness.row(sessions["other"], "ending") == (None,)


async def test_a_password_change_refuses_wrong_and_weak_passwords(site: Site, http: httpx.AsyncClient) -> None:
    headers = bearer(await site.register())
    wrong = {"current": "wrong password", "new": "another password"}
    weak = {"current": PASSWORD, "new": "short"}
    assert code(await http.post("/account/password", json=wrong, headers=headers)) == (401, "invalid_credentials")
    assert code(await http.post("/account/password", json=weak, headers=headers)) == (422, "weak_password")
    assert code(await http.post("/account/password", json=wrong)) == (401, "unauthorized")


async def test_password_attempts_are_limited_by_account(site: Site, http: httpx.AsyncClient) -> None:
    login, other = await site.register(), await site.register()
    site.build(auth_rate=2)
    wrong = {"current": "wrong password", "new": "another password"}
    answers = []
    for peer in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        async with site.client(peer) as client:
            answers.append(await client.post("/account/password", json=wrong, headers=bearer(login)))
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert code(answers[-1]) == (429, "rate_limited")
    assert answers[-1].headers["retry-after"] == "60"
    async with site.client("192.0.2.3") as client:
        assert (await client.post("/account/password", json=wrong, headers=bearer(other))).status_code == 401


async def test_concurrent_changes_and_refreshes_leave_one_epoch(site: Site, http: httpx.AsyncClient) -> None:
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
    assert await site.sql("SELECT count(*) FROM logins") == [(1,)]
    [changed] = [answer.json() for answer in answers[:2] if answer.status_code == 200]
    assert await site.sql("SELECT count(*) FROM refresh_tokens") == [(1,)]
    assert (await http.post("/auth/refresh", json=_refresh(changed))).status_code == 200


def _refresh(login: dict[str, str]) -> dict[str, str]:
    return {"refresh_token": login["refresh_token"]}
