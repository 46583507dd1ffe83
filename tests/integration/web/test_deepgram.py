"""The parts of Deepgram's API beside `/v1/listen`: projects, balances, models, grants, and 404 for all others."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.integration.web.site import Site, bearer
from transcription_proxy.accounts.tokens import Granted
from transcription_proxy.errors import Refusal


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error in Deepgram's form, which is checked."""
    body = answer.json()
    assert set(body) == {"err_code", "err_msg", "request_id"}
    assert answer.headers["dg-request-id"] == body["request_id"] == str(UUID(body["request_id"]))
    assert answer.headers["dg-error"] == body["err_msg"]
    return answer.status_code, body["err_code"]


async def key_of(http: httpx.AsyncClient, login: dict[str, Any], **wanted: Any) -> tuple[UUID, dict[str, str]]:
    """Create an API key. Return its id, and the header that presents it as Deepgram's clients do."""
    answer = await http.post("/account/keys", json={"name": "dg", **wanted}, headers=bearer(login))
    return UUID(answer.json()["id"]), {"Authorization": f"Token {answer.json()['key']}"}


async def test_the_account_is_the_one_project_and_has_its_balance(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    _, key = await key_of(http, login)
    [project] = (await http.get("/v1/projects", headers=key)).json()["projects"]
    assert project == {"project_id": login["user"]["id"], "name": "Live Captions"}
    path = f"/v1/projects/{project['project_id']}"
    assert (await http.get(path, headers=key)).json() == project
    [balance] = (await http.get(f"{path}/balances", headers=key)).json()["balances"]
    assert (balance["amount"], balance["units"]) == (10.0, "minutes")
    assert (await http.get(f"{path}/balances/{balance['balance_id']}", headers=key)).json() == balance
    assert error(await http.get(f"{path}/balances/other", headers=key)) == (404, "NOT_FOUND")


async def test_another_accounts_project_is_not_found(site: Site, http: httpx.AsyncClient) -> None:
    _, key = await key_of(http, await site.register())
    stranger = await site.register()
    answer = await http.get(f"/v1/projects/{stranger['user']['id']}/balances", headers=key)
    assert error(answer) == (404, "NOT_FOUND")


async def test_the_models_are_those_with_a_rate(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    _, key = await key_of(http, login)
    models = (await http.get("/v1/models", headers=key)).json()
    assert {model["canonical_name"] for model in models["stt"]} >= {"nova-2", "nova-3"}
    assert models["tts"] == []
    first = models["stt"][0]
    project = f"/v1/projects/{login['user']['id']}"
    assert (await http.get(f"{project}/models", headers=key)).json() == models
    for path in (f"/v1/models/{first['uuid']}", f"{project}/models/{first['uuid']}"):
        assert (await http.get(path, headers=key)).json() == first
    assert error(await http.get("/v1/models/none", headers=key)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer", "bearer", "TOKEN"])
async def test_a_key_and_a_token_work_with_either_scheme(site: Site, http: httpx.AsyncClient, scheme: str) -> None:
    login = await site.register()
    _, key = await key_of(http, login)
    for secret in (login["token"], key["Authorization"].partition(" ")[2]):
        answer = await http.get("http://captions//v1//projects", headers={"Authorization": f"{scheme} {secret}"})
        assert answer.status_code == 200
        assert UUID(answer.headers["dg-request-id"])


@pytest.mark.parametrize("header", [None, "", "Token", "Token ", "Basic YTpi", "Token tpk_forged", "Bearer x.y.z"])
async def test_anything_else_is_unauthorized(site: Site, http: httpx.AsyncClient, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("GET", "/v1/projects"), ("GET", "/v1/models"), ("POST", "/v1/auth/grant")):
        assert error(await http.request(method, path, headers=headers)) == (401, "INVALID_AUTH")


@pytest.mark.parametrize(
    "path", ["/v1/agent", "/v1/speak", "/v2/speak", "/v1/read", "/v1/projects/a/keys", "/v2/", "/v1/"]
)
async def test_every_other_path_is_not_found_in_deepgrams_form(site: Site, http: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await http.request(method, path, headers={"Accept": "text/html"})
        assert error(answer) == (404, "NOT_FOUND")
        assert answer.headers["content-type"] == "application/json"


async def test_a_granted_token_opens_sessions_within_the_keys_limits(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    key_id, key = await key_of(http, login, models=["nova-3"])
    answer = (await http.post("/v1/auth/grant", headers=key, json={"ttl_seconds": 60})).json()
    assert answer["expires_in"] == 60
    identity = site.accounts.verify_token(answer["access_token"])
    assert identity.granted == Granted(key_id, ("nova-3",))
    assert identity.user_id == UUID(login["user"]["id"])
    site.now += timedelta(seconds=61)
    with pytest.raises(Refusal):
        site.accounts.verify_token(answer["access_token"])


async def test_a_token_granted_to_a_login_belongs_to_it(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    answer = (await http.post("/v1/auth/grant", headers=bearer(login))).json()
    assert answer["expires_in"] == 30
    identity = site.accounts.verify_token(answer["access_token"])
    assert (identity.login, identity.granted) == (site.accounts.verify_token(login["token"]).login, Granted())


async def test_a_granted_token_neither_reads_the_account_nor_grants_another(
    site: Site, http: httpx.AsyncClient
) -> None:
    _, key = await key_of(http, await site.register())
    token = (await http.post("/v1/auth/grant", headers=key)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert error(await http.post("/v1/auth/grant", headers=headers)) == (401, "INVALID_AUTH")
    assert (await http.get("/account/me", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "body", [b'{"ttl_seconds": 0}', b'{"ttl_seconds": 3601}', b'{"ttl_seconds": "x"}', b"{", b"[]"]
)
async def test_a_grant_has_a_sensible_lifetime(site: Site, http: httpx.AsyncClient, body: bytes) -> None:
    headers = {**bearer(await site.register()), "Content-Type": "application/json"}
    assert error(await http.post("/v1/auth/grant", content=body, headers=headers))[0] == 400
