"""/auth/forgot and /auth/reset over HTTP. What they do is in tests/integration/accounts/test_reset.py."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.integration.web.site import PASSWORD, Site, bearer, code
from transcription_proxy.accounts import reset
from transcription_proxy.accounts.operator import Operator

NEW = "battery staple"


async def token_of(site: Site, login: dict[str, Any]) -> str:
    async with site.database.transaction() as connection:
        return await reset.make(connection, UUID(login["user"]["id"]), site.now)


async def test_the_answer_does_not_show_whether_there_is_an_account(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    blocked = await site.register()
    await Operator(site.database).block(blocked["user"]["email"])
    emails = [login["user"]["email"], blocked["user"]["email"], "nobody@example.org", "no address", "", "\0"]
    answers = [await http.post("/auth/forgot", json={"email": email}) for email in emails]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert "message" in answers[0].json()
    varying = {"x-request-id"}
    heads = [{name: value for name, value in each.headers.items() if name not in varying} for each in answers]
    assert all(head == heads[0] for head in heads)


async def test_a_token_sets_a_new_password_and_ends_the_login(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    token = await token_of(site, login)
    answer = await http.post("/auth/reset", json={"reset_token": token, "password": NEW})
    assert answer.status_code == 200
    assert set(answer.json()) == {"message"}
    assert code(await http.get("/account/me", headers=bearer(login))) == (401, "unauthorized")
    body = {"email": login["user"]["email"], "password": PASSWORD}
    assert code(await http.post("/auth/login", json=body)) == (401, "invalid_credentials")
    assert (await http.post("/auth/login", json={**body, "password": NEW})).status_code == 200
    again = await http.post("/auth/reset", json={"reset_token": token, "password": NEW})
    assert code(again) == (422, "invalid_reset_token")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"reset_token": "x", "password": NEW}, "invalid_reset_token"),
        ({"reset_token": "", "password": NEW}, "invalid_reset_token"),
        ({"reset_token": "x" * 60_000, "password": NEW}, "invalid_reset_token"),
        ({"reset_token": "x", "password": "1234567"}, "weak_password"),
        ({"reset_token": "x", "password": "ä" * 37}, "weak_password"),
        ({"reset_token": 7, "password": NEW}, "invalid_request"),
        ({"reset_token": None, "password": NEW}, "invalid_request"),
        ({"password": NEW}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
async def test_reset_refuses_invalid_requests(http: httpx.AsyncClient, body: Any, refusal: str) -> None:
    assert code(await http.post("/auth/reset", json=body)) == (422, refusal)


@pytest.mark.parametrize("body", [{}, {"email": 7}, {"email": ["a@b.example"]}, None, "a@b.example"])
async def test_forgot_refuses_invalid_requests(http: httpx.AsyncClient, body: Any) -> None:
    assert code(await http.post("/auth/forgot", json=body)) == (422, "invalid_request")


async def test_only_a_reset_links_holder_learns_that_the_account_is_blocked(
    site: Site, http: httpx.AsyncClient
) -> None:
    login = await site.register()
    token = await token_of(site, login)
    await Operator(site.database).block(login["user"]["email"])
    answer = await http.post("/auth/reset", json={"reset_token": token, "password": NEW})
    assert code(answer) == (401, "unauthorized")
    assert "blocked" in answer.json()["error"]["message"]


async def test_requests_for_links_are_rate_limited(site: Site) -> None:
    site.build(auth_rate=3)
    async with site.client() as http:
        answers = [await http.post("/auth/forgot", json={"email": f"a{n}@example.org"}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert 0 < int(answers[3].headers["retry-after"]) <= 60


async def test_without_a_database_a_request_for_a_link_is_503(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    await site.database.close()
    for email in (login["user"]["email"], "nobody@example.org"):
        assert code(await http.post("/auth/forgot", json={"email": email})) == (503, "service_unavailable")
