"""Refused sessions: the error and close code, nothing billed or held, and no internal details."""

import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest

from tests.e2e.client import Captions, User
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream
from tests.standin.script import REFUSALS, Hangup, Script


async def refused(captions: Captions, code: str, close_code: int) -> str:
    """Assert exactly one error and then the close. Return the error's message."""
    assert await captions.closed() == close_code
    (error,) = captions.messages
    assert (error["type"], error["code"]) == ("error", code)
    assert set(error) == {"type", "code", "message"}
    message: str = error["message"]
    assert message
    return message


async def untouched(service: Service, user: User, seconds: int = 3600) -> None:
    balance = await service.balance(user)
    assert (balance["seconds_remaining"], balance["seconds_held"]) == (seconds, 0)
    assert await service.sessions(user) == []


@pytest.mark.parametrize(
    ("status", "code", "close_code"),
    [
        (400, "invalid_config", 4400),
        (401, "upstream_unavailable", 1011),
        (402, "upstream_unavailable", 1011),
        (403, "upstream_unavailable", 1011),
        (429, "busy", 1013),
        (500, "upstream_unavailable", 1011),
        (503, "upstream_unavailable", 1011),
    ],
)
async def test_a_refusal_by_the_upstream_ends_the_session(
    service: Service, upstream: Upstream, status: int, code: str, close_code: int
) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(refuse=REFUSALS[status]))
    message = await refused(await service.captions(user, config), code, close_code)
    if status in (401, 402, 403, 500, 503):  # the service's fault: the details are in the log
        assert REFUSALS[status].message not in message
        assert REFUSALS[status].code not in message
        assert str(status) in service.log()
    await untouched(service, user)


async def test_an_upstream_that_closes_at_once_ends_the_session(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user, upstream.scripted(Script(hangup=Hangup(0, 1011, "NET-0000"))))
    assert await captions.closed(within=40) == 1011
    assert captions.errors()[-1:] in (["upstream_closed"], ["upstream_unavailable"])
    balance = await service.balance(user)
    assert (balance["seconds_remaining"], balance["seconds_held"]) == (3600, 0)
    if captions.of("ready"):
        assert (captions.messages[-1]["type"], captions.messages[-1]["reason"]) == ("session_end", "upstream_closed")


BAD_TOKENS: list[Any] = [None, "", "x", 5, {}, [], "a.b.c", "ey" * 5000]


async def test_an_invalid_token_is_refused(service: Service, upstream: Upstream) -> None:
    dialled = upstream.dialled
    for token in BAD_TOKENS:
        captions = await service.dial()
        await captions.auth(token)
        await refused(captions, "unauthorized", 4401)
    without = await service.dial()
    await without.say("auth")
    await refused(without, "unauthorized", 4401)
    assert upstream.dialled == dialled


async def test_a_forged_or_expired_token_is_refused(service: Service) -> None:
    user = await service.user(3600)
    secret = service.env["JWT_SECRET"]
    claims: dict[str, Any] = jwt.decode(user.token, secret, algorithms=["HS256"])
    no_key: Any = None  # PyJWT's types know no token without a key
    forgeries = [
        jwt.encode({**claims, "iat": 1, "exp": int(time.time()) - 5}, secret, "HS256"),
        jwt.encode(claims, "another-secret-of-at-least-32-bytes!", "HS256"),
        jwt.encode(claims, secret, "HS384"),
        jwt.encode(claims, no_key, "none"),
        jwt.encode({key: value for key, value in claims.items() if key != "exp"}, secret, "HS256"),
        jwt.encode({key: value for key, value in claims.items() if key != "sub"}, secret, "HS256"),
        jwt.encode({**claims, "sub": "someone"}, secret, "HS256"),
        jwt.encode({**claims, "sub": "00000000-0000-4000-8000-000000000000"}, secret, "HS256"),
    ]
    service.tokens += forgeries
    for number, token in enumerate(forgeries):
        captions = await service.dial()
        await captions.auth(token)
        assert await captions.closed() == 4401, number
        assert captions.errors() == ["unauthorized"], number


async def test_the_token_of_an_ended_login_is_refused(service: Service) -> None:
    email = f"{uuid4().hex}@example.org"
    answer = await service.http.post("/auth/register", json={"email": email, "password": "correct horse battery"})
    login = answer.json()
    service.tokens += [login["token"], login["refresh_token"]]
    await service.http.post("/auth/logout", json={"refresh_token": login["refresh_token"]})
    await refused(await service.captions(User(email, login["token"])), "unauthorized", 4401)


async def test_a_blocked_account_is_refused(service: Service) -> None:
    user = await service.user(3600)
    await service.command("user", "block", user.email)
    await refused(await service.captions(user), "unauthorized", 4401)
    await service.command("user", "unblock", user.email)


async def test_an_account_without_credit_is_refused(service: Service, upstream: Upstream) -> None:
    user = await service.user(0)
    dialled = upstream.dialled
    await refused(await service.captions(user), "insufficient_credits", 4402)
    await untouched(service, user, 0)
    assert upstream.dialled == dialled


async def test_one_session_too_many_is_refused(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    pair = [await service.captions(user) for _ in range(2)]
    for captions in pair:
        await captions.ready()
    dialled = upstream.dialled
    await refused(await service.captions(user), "too_many_connections", 4429)
    assert upstream.dialled == dialled
    await pair[0].stop()
    third = await service.captions(user)
    await third.ready()
    for captions in (pair[1], third):
        assert (await captions.stop())["reason"] == "client_stop"


async def test_tokens_from_registering_and_logging_in_open_a_session(service: Service) -> None:
    """Tokens from registering and from logging in both open a session."""
    account = {"email": "Newcomer@Example.org", "password": "a passphrase of the tests"}
    registered = await service.http.post("/auth/register", json=account)
    assert registered.status_code == 201
    logged_in = await service.http.post("/auth/login", json=account)
    assert logged_in.status_code == 200
    service.tokens += [account["password"], *(answer.json()["token"] for answer in (registered, logged_in))]
    user = User("newcomer@example.org", logged_in.json()["token"])
    await service.command("credits", "grant", user.email, "60", "--reason", "welcome")
    captions = await service.captions(user)
    assert (await captions.first("ready"))["seconds_remaining"] == (await service.balance(user))["seconds_remaining"]
    await captions.stop()
    assert json.loads(await service.command("user", "show", user.email, "--json"))["email"] == user.email
