"""Everything that a service is told in secret, in the right places and in wrong ones: no log repeats it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.conftest import drop_database
from tests.e2e.buyer import Order
from tests.e2e.client import User, sound
from tests.e2e.leaks import Met, leaks
from tests.e2e.listening import CLOSE_STREAM, RAW, listen, refused, rest
from tests.e2e.overlay import address, key, page
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import WORD, Upstream
from tests.integration.payments.events import event, signed
from tests.integration.sandbox.running import KEY, SECRET, Sandbox
from tests.standin.script import REFUSALS, Script
from tests.standin.smtp import SmtpStandIn
from tests.waiting import until

PASSWORDS = ["the 1st passphrase of the tests", "the 2nd passphrase of the tests", "the 3rd passphrase of the tests"]
DATABASE_PASSWORD, MAIL_PASSWORD = "database-password-0123", "mail-password-0123"
AT_ONCE = 4
PRODUCTION = {
    "APP_ENV": "production",
    "PUBLIC_URL": "https://captions.example.org",
    "ALLOW_LOSS_MAKING_PACKAGES": "true",
}


@pytest.fixture
def database(postgres_url: str) -> Iterator[str]:
    """A database whose owner logs in with a password."""
    name = f"leaks_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in (
            "CREATE ROLE {0} LOGIN PASSWORD {1}",
            "CREATE DATABASE {0} OWNER {0}",
            "GRANT SET ON PARAMETER log_error_verbosity TO {0}",  # an option of the bundled server's URL
        ):
            connection.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(DATABASE_PASSWORD)))
    parts = urlsplit(postgres_url)
    host = parts.netloc.rpartition("@")[2]
    yield parts._replace(netloc=f"{name}:{DATABASE_PASSWORD}@{host}", path=f"/{name}").geturl()
    drop_database(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.fixture
def stripe(scratch: Path) -> Iterator[Sandbox]:
    folder = scratch / f"leaks-{uuid4().hex}"
    folder.mkdir()
    sandbox = Sandbox(folder)
    yield sandbox
    sandbox.close()


@pytest_asyncio.fixture(loop_scope="session")
async def mail_server() -> AsyncIterator[SmtpStandIn]:
    async with SmtpStandIn(users={"mailer": MAIL_PASSWORD}) as server:
        yield server


@pytest_asyncio.fixture(params=[{}, PRODUCTION], ids=["development", "production"], loop_scope="session")
async def watched(
    request: pytest.FixtureRequest,
    scratch: Path,
    upstream: Upstream,
    database: str,
    stripe: Sandbox,
    mail_server: SmtpStandIn,
) -> AsyncIterator[Service]:
    """A service with every secret that there is, which logs all it can. At its end its logs are searched."""
    env = environment(
        scratch / f"watched-{uuid4().hex}",
        upstream.url,
        LOG_LEVEL="debug",
        DATABASE_URL=database,
        STRIPE_SECRET_KEY=KEY,
        STRIPE_API_BASE=stripe.url,
        STRIPE_WEBHOOK_SECRET=SECRET,
        SMTP_URL=mail_server.url(login=f"mailer:{MAIL_PASSWORD}@"),
        MAIL_FROM="captions@b.example",
        METRICS_TOKEN="metrics-token-0123456789",
        TRIAL_SECONDS="600",
        **request.param,
    )
    async with serving(env) as running:
        running.http.timeout = httpx.Timeout(60)  # log-ins wait for each other's hashes
        running.met.add("a caption", WORD)
        yield running


async def test_no_log_repeats_a_secret_or_a_caption(
    watched: Service, upstream: Upstream, mail_server: SmtpStandIn
) -> None:
    user = await accounts(watched, mail_server)
    program = await keys(watched, user)
    await captions(watched, user, program, upstream)
    await deepgram(watched, user, program, upstream)
    await payments(watched, user)
    await overlay(watched, user)
    await metrics(watched)
    by_kind = {kind: secret for secret, kind in watched.met.kinds.items() if secret != WORD}  # paths show single words
    one_of_each = list(by_kind.values())
    for begin in range(0, len(one_of_each), AT_ONCE):
        some = one_of_each[begin : begin + AT_ONCE]
        await asyncio.gather(*(in_wrong_places(watched, user, secret) for secret in some))
    await on_wrong_sockets(watched, one_of_each)
    await during_faults(watched)
    kinds = set(watched.met.kinds.values())
    assert kinds >= {"a password", "a refresh token", "an API key", "a reset token", "a key in a URL", "a caption"}
    assert kinds >= {"JWT_SECRET", "DEEPGRAM_API_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "METRICS_TOKEN"}
    assert kinds >= {"the password of DATABASE_URL", "the password of SMTP_URL", "an email"}
    assert ("a confirmation token" in kinds) is ("APP_ENV" in watched.env)  # development sends none
    assert watched.log().count("event" if watched.env.get("APP_ENV") else "level=") > 500


async def send(service: Service, path: str, body: Any, user: User | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {user.token}"} if user else {}
    return await service.http.post(path, json=body, headers=headers)


async def accounts(service: Service, mail_server: SmtpStandIn) -> User:
    """Register, confirm, log in in every way, and set new passwords."""
    first, second, third = PASSWORDS
    email = f"{uuid4().hex}@example.org"
    service.met.add("an email", email)
    made = (await send(service, "/auth/register", {"email": email, "password": first})).json()
    if service.env.get("APP_ENV"):
        token = (await mail_server.mail()).text.partition("#token=")[2].split()[0]
        assert (await send(service, "/auth/confirm", {"confirm_token": token})).status_code == 200
    login = {"email": email, "password": first}
    logged_in = (await send(service, "/auth/login", login)).json()
    assert (await send(service, "/auth/login", {**login, "password": second})).status_code == 401
    refresh = {"refresh_token": logged_in["refresh_token"]}
    newer = (await send(service, "/auth/refresh", refresh)).json()
    assert (await send(service, "/auth/refresh", {"refresh_token": newer["refresh_token"]})).status_code == 200
    assert (await send(service, "/auth/refresh", refresh)).status_code == 401
    change = {"current": first, "new": second}
    assert (await send(service, "/account/password", change, User(email, made["token"]))).status_code == 200
    assert "changed" in (await mail_server.mail()).text
    await send(service, "/auth/forgot", {"email": email})
    token = (await mail_server.mail()).text.partition("#token=")[2].split()[0]
    assert (await send(service, "/auth/reset", {"reset_token": token, "password": third})).status_code == 200
    newest = (await send(service, "/auth/login", {**login, "password": third})).json()
    assert (await send(service, "/auth/logout", {"refresh_token": made["refresh_token"]})).status_code == 204
    return User(email, newest["token"])


async def keys(service: Service, user: User) -> User:
    """Create API keys, and revoke one."""
    made = [(await send(service, "/account/keys", {"name": name}, user)).json() for name in ("OBS", "gone")]
    headers = {"Authorization": f"Bearer {user.token}"}
    assert (await service.http.delete(f"/account/keys/{made[1]['id']}", headers=headers)).status_code == 204
    assert (await service.get("/billing/balance", User(user.email, made[0]["key"])))["seconds_remaining"] == 600
    return User(user.email, made[0]["key"])


async def captions(service: Service, user: User, program: User, upstream: Upstream) -> None:
    """Caption with a token and with a key, with wrong messages, and with an engine that refuses."""
    for each in (user, program):
        session = await service.captions(each, {"keyterm": WORD, "model": "nova-3"})
        await session.ready()
        await session.send(sound(2))
        await session.first("transcript")
        for wrong in (each.token, f'{{"type":"{each.token}"}}', f'{{"type":"auth","token":"{each.token}"}}', WORD):
            await session.socket.send(wrong)
        await session.stop()
    refusing = await service.captions(user, upstream.scripted(Script(refuse=REFUSALS[401])))
    assert await refusing.closed() == 1011
    for config in ({"model": user.token}, {user.token: 1}, {"keyterm": [user.token, 5]}, {"language": WORD}):
        assert await (await service.captions(user, config)).closed() == 4400
    assert await (await service.captions(User("", user.token[:-4] + "AAAA"))).closed() == 4401
    replacing = await service.captions(user, replaces=user.token)
    await replacing.until(lambda: bool(replacing.messages))
    await replacing.leave()


async def deepgram(service: Service, user: User, program: User, upstream: Upstream) -> None:
    """Stream and send recordings with Deepgram's API, and be refused."""
    granted = await service.http.post("/v1/auth/grant", headers={"Authorization": f"Token {program.token}"})
    for token in (user.token, program.token, granted.json()["access_token"]):
        stream = await listen(service, User("", token), {**RAW, "keyterm": WORD})
        await stream.send(sound(2))
        await stream.send(json.dumps({"type": "Configure", "keyterms": [WORD, token]}))
        await stream.send(f"not JSON {token}")
        await stream.send(CLOSE_STREAM)
        await rest(stream)
    refusing = upstream.scripted(Script(refuse=REFUSALS[401]), **RAW)
    assert (await refused(service, program, refusing))[0] == 502
    assert (await refused(service, program, {**RAW, "model": program.token}))[0] == 400
    assert (await refused(service, program, {**RAW, "callback": f"https://x.example/{program.token}"}))[0] == 400
    assert (await refused(service, User("", program.token + "x"), {**RAW, "access_token": program.token}))[0] == 401
    headers = {"Authorization": f"Token {program.token}"}
    for body in ({"url": f"http://127.0.0.1:9/?key={program.token}"}, {"url": program.token}, {program.token: WORD}):
        answer = await service.http.post("/v1/listen?model=nova-3", json=body, headers=headers)
        assert answer.status_code >= 400


async def payments(service: Service, user: User) -> None:
    """Buy, and send webhooks that are right, forged, malformed and unknown."""
    order = await Order.begun(service, user)
    await order.state()
    unknown = event("charge.refunded", {"id": user.token, "object": "charge", "email": user.email}, live=True)
    unmatched = event("checkout.session.completed", {"id": "cs_live_x", "note": user.token}, live=True)
    for body in (unknown, unmatched, user.token.encode(), f'{{"id":"{user.token}"'.encode()):
        for secret in (SECRET, "whsec_of_someone_else"):
            payload, signature = signed(body, secret)
            service.met.add("a webhook's signature", signature)
            await service.http.post("/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature})


async def overlay(service: Service, user: User) -> None:
    """Show captions on an overlay, and ask with an old key."""
    old = await address(service, user)
    async with page(service, old) as shown:
        session = await service.captions(user)
        await session.ready()
        await session.send(sound(2))
        await shown.until(lambda: bool(shown.of("line")))
        await session.stop()
    await address(service, user, "POST")
    answer = await service.http.get("/overlay/events", headers={"Authorization": f"Bearer {key(old)}"})
    assert answer.status_code == 410


async def metrics(service: Service) -> None:
    token = service.env["METRICS_TOKEN"]
    for given, status in ((token, 200), (token + "x", 401)):
        answer = await service.http.get("/metrics", headers={"Authorization": f"Bearer {given}"})
        assert answer.status_code == status


async def in_wrong_places(service: Service, user: User, secret: str) -> None:
    """Send a secret where none belongs: in URLs, headers, malformed bodies and wrong fields."""
    quoted = quote(secret, safe="")
    for path in (
        *(f"/{quoted}", f"/static/{quoted}", f"/account/sessions/{quoted}", f"/v1/{quoted}", f"//v1//{quoted}"),
        *(f"/account/usage?tz={quoted}", f"/account/sessions?before={quoted}&limit={quoted}", f"/login?next={quoted}"),
        *(f"/billing/checkout/{quoted}", f"/v1/projects/{quoted}", f"/v1/listen?token={quoted}", f"/reset/{quoted}"),
    ):
        await service.http.get(path, headers={"Authorization": f"Bearer {user.token}"})
        await service.http.post(path)
    for name in ("X-Request-Id", "X-Forwarded-For", "User-Agent", "Cookie", "Origin", "Referer", "Content-Type"):
        await service.http.post("/auth/login", content=b"{}", headers={name: quoted})
    for given in (f"Bearer {quoted}", f"Token {quoted}", f"Basic {quoted}", quoted):
        await service.http.get("/account/me", headers={"Authorization": given})
    for path in ("/auth/login", "/auth/register", "/auth/refresh", "/auth/reset", "/account/keys", "/webhooks/stripe"):
        for body in (f'{{"password":"{secret}', f'["{secret}"]', f'{{"{secret}":1}}', secret, f"password={quoted}"):
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"}
            await service.http.post(path, content=body.encode(), headers=headers)
    for value in (secret, [secret], {"x": secret}):
        fields = dict.fromkeys(("email", "password", "name", "models", "package_id", "amount_cents", "id"), value)
        for path in ("/auth/login", "/account/keys", "/billing/checkout"):
            await send(service, path, fields, user)


async def on_wrong_sockets(service: Service, secrets: list[str]) -> None:
    """Send secrets to sockets that do not take them, and in bytes that are no HTTP."""
    session = await service.dial()
    for secret in secrets:
        await session.socket.send(secret)
    await session.leave()
    for secret in map(quote, secrets):
        for path in (f"/ws/{secret}", f"/ws/overlay/{secret}", f"/v2/listen?model={secret}", f"/v9/{secret}"):
            with contextlib.suppress(InvalidStatus):
                await connect(f"{service.ws_url}{path}", proxy=None)
        for wrong in (f"{secret}\r\n\r\n", f"GET {secret} HTTP/1.1\r\n\r\n", f"GET / HTTP/1.1\r\n{secret}\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(service.env["PORT"]))
            writer.write(wrong.encode())
            await reader.read()
            writer.close()


async def during_faults(service: Service) -> None:
    """Make the database refuse rows, whose contents its errors repeat."""
    email, password = f"{uuid4().hex}@example.org", "a passphrase 4 faults"
    service.met.add("an email", email)
    with psycopg.connect(service.env["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("ALTER TABLE users ADD CONSTRAINT never CHECK (false) NOT VALID")
        answer = await send(service, "/auth/register", {"email": email, "password": password})
        connection.execute("ALTER TABLE users DROP CONSTRAINT never")
    assert answer.status_code == 500
    assert await until(lambda: "request_failed" in service.log())


async def test_a_leak_is_reported_with_its_kind_and_its_line_but_without_the_secret() -> None:
    met = Met()
    met.add("a token", "eyJ.secret.token", "short")
    met.add("a password", "correct horse battery")
    log = "event=start\nevent=request path=/correct%20horse%20battery short\nevent=odd token=eyJ.secret.token end\n"
    assert sorted(leaks(met, log)) == [
        "a password: event=request path=/<a password> short",
        "a token: event=odd token=<a token> end",
    ]
