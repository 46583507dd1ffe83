"""The operator's commands, as processes in another folder, beside a running service and without one."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest_asyncio

from tests.e2e.client import Captions, User, sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from transcription_wire.lengths import length

PASSWORD = "a passphrase of the tests"
NOBODY = "nobody@example.org"
PRODUCTION = {
    "APP_ENV": "production",
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_x",
    "PUBLIC_URL": "https://captions.example.org",
}


async def as_json(service: Service, *command: str) -> Any:
    """Run a command with --json, and return the only line as JSON."""
    out = await service.command(*command, "--json")
    assert out.count("\n") == 1
    return json.loads(out)


async def refused(service: Service, *command: str) -> str:
    """Run a command that must fail. Return its one sentence on standard error."""
    status, out, err = await service.run(*command)
    assert (status, out) == (1, ""), command
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


async def registered(service: Service) -> User:
    email = f"{uuid4().hex}@example.org"
    answer = await service.http.post("/auth/register", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201
    service.tokens += [answer.json()["token"], answer.json()["refresh_token"], PASSWORD]
    return User(email, answer.json()["token"])


async def talking(service: Service, user: User) -> Captions:
    """Open a live session and send 3 s of audio."""
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(3))
    await captions.first("transcript")
    return captions


async def test_a_new_account_is_listed_first_and_shown_with_its_balance(service: Service) -> None:
    user = await registered(service)
    [first], shown, listed, text = await asyncio.gather(
        as_json(service, "user", "list", "--limit", "1"),
        as_json(service, "user", "show", user.email.upper()),
        service.command("user", "list"),
        service.command("user", "show", user.email),
    )
    assert set(first) == {"id", "email", "created_at", "blocked", "seconds_remaining", "live_sessions"}
    assert (first["email"], first["blocked"], first["live_sessions"]) == (user.email, False, 0)
    assert first["seconds_remaining"] == shown["seconds_remaining"]
    assert {name: shown[name] for name in ("id", "email", "created_at")} == {
        name: first[name] for name in ("id", "email", "created_at")
    }
    assert datetime.fromisoformat(shown["created_at"]).tzinfo is not None
    balance = await service.balance(user)
    figures = ("seconds_remaining", "seconds_held", "seconds_frozen")
    assert [shown[name] for name in figures] == [balance[name] for name in figures]
    assert shown["live_sessions"] == []
    assert user.email in listed
    assert user.email in text
    assert length(balance["seconds_remaining"]) in text


async def test_a_live_session_is_listed_shown_and_ended(service: Service) -> None:
    user = await service.user()
    captions = await talking(service, user)
    await service.live(user, captions.session_id)
    [live] = (await as_json(service, "user", "show", user.email))["live_sessions"]
    assert (live["id"], live["status"], live["email"]) == (captions.session_id, "active", user.email)
    listed = {row["id"]: row for row in await as_json(service, "session", "list", "--live")}
    assert (listed[live["id"]]["status"], listed[live["id"]]["email"]) == ("active", user.email)
    text = await service.command("session", "list", "--live")
    assert captions.session_id[:8] in text
    assert user.email in text
    await service.command("session", "end", captions.session_id[:8])
    end = await captions.end()
    assert (end["reason"], end["seconds_used"]) == ("ended_by_operator", 3)
    assert (captions.errors(), captions.close_code) == ([], 1000)
    ended = [row for row in await as_json(service, "session", "list") if row["id"] == captions.session_id]
    assert [(row["status"], row["reason"], row["seconds_used"]) for row in ended] == [
        ("completed", "ended_by_operator", 3)
    ]
    assert captions.session_id[:8] not in await service.command("session", "list", "--live")
    assert "session list --live" in await refused(service, "session", "end", captions.session_id)


async def test_a_blocked_account_is_refused_until_it_is_unblocked(service: Service) -> None:
    user = await registered(service)
    captions = await talking(service, user)
    said = await service.command("user", "block", user.email)
    assert user.email in said
    assert "1 live session" in said
    assert (await captions.end())["reason"] == "ended_by_operator"
    assert (captions.errors(), captions.close_code) == (["unauthorized"], 4401)
    login = {"email": user.email, "password": PASSWORD}
    assert (await service.http.post("/auth/login", json=login)).status_code == 401
    assert (await service.http.get("/account/me", headers=bearer(user))).status_code == 401
    assert (await as_json(service, "user", "show", user.email))["blocked"]
    assert "blocked" in await service.command("user", "list", "--limit", "1")
    await service.command("user", "unblock", user.email)
    assert (await service.http.post("/auth/login", json=login)).status_code == 200
    assert (await service.http.get("/account/me", headers=bearer(user))).status_code == 200
    assert not (await as_json(service, "user", "show", user.email))["blocked"]


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {user.token}"}


async def test_credit_can_be_granted_and_taken_back_up_to_the_balance(service: Service) -> None:
    user = await service.user(100)
    given = await as_json(service, "credits", "grant", user.email, "50", "--reason", "the outage of Monday")
    assert given == {"email": user.email, "seconds_remaining": 150}
    assert "30" in await service.command("credits", "grant", user.email, "-120", "--reason", "a mistake")
    assert (await service.balance(user))["seconds_remaining"] == 30
    assert "30" in await refused(service, "credits", "grant", user.email, "-31", "--reason", "too much")
    assert "1,000,000,000" in await refused(service, "credits", "grant", user.email, "9" * 30, "--reason", "too much")
    assert (await service.balance(user))["seconds_remaining"] == 30
    today = (await service.get("/account/usage", user))["days"][-1]
    assert today["seconds_adjusted"] == 30


async def test_throwaway_accounts_can_stream_and_are_refused_in_production(service: Service) -> None:
    made = await as_json(service, "user", "create-many", "3", "--seconds", "77")
    assert [set(each) for each in made] == [{"email", "token"}] * 3
    users = [User(**each) for each in made]
    service.tokens += [user.token for user in users]
    assert {(await service.balance(user))["seconds_remaining"] for user in users} == {77}
    captions = await talking(service, users[0])
    assert captions.of("ready")[0]["seconds_remaining"] == 77
    await captions.stop()
    said = await service.command("user", "create-many", "1", "--seconds", "0")
    assert "token" in said
    assert "eyJ" not in said
    production = replace(service, env={**service.env, **PRODUCTION})
    assert "in production" in await refused(production, "user", "create-many", "1", "--seconds", "60")


async def test_a_missing_object_is_one_sentence(service: Service) -> None:
    """The sentence says where to look."""
    commands = [
        ("user", "show", NOBODY),
        ("user", "block", NOBODY),
        ("user", "unblock", NOBODY),
        ("credits", "grant", NOBODY, "5", "--reason", "x"),
        ("session", "end", str(uuid4())),
    ]
    for said in await asyncio.gather(*(refused(service, *command) for command in commands)):
        assert "Run user list" in said or "Run session list" in said
    assert "Example: transcription-proxy user show" in await service.command("user", "show", "--help")
    status, out, err = await service.run("user", "show")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "transcription-proxy user show --help" in err


async def test_doctor_and_migrate_work_beside_a_running_service(service: Service) -> None:
    away = replace(service, env={**service.env, "DEEPGRAM_URL": "ws://127.0.0.1:1"})
    checks, text, version, (status, out, _) = await asyncio.gather(
        as_json(service, "doctor"), service.command("doctor"), service.command("migrate"), away.run("doctor")
    )
    assert {check["name"] for check in checks} == {
        "settings",
        "packages and rates",
        "database",
        "speech engine",
        "payments",
        "mail",
        "disk",
    }
    assert all(check["ok"] for check in checks)
    assert text.count("ok ") == 7
    assert version.startswith("The database is at version ")
    assert status == 1
    assert "PROBLEM speech engine: " in out
    assert "Check DEEPGRAM_URL" in out


async def test_without_a_running_service_the_database_is_started_for_the_command(
    service: Service, upstream: Upstream, scratch: Path
) -> None:
    alone = replace(service, env=environment(scratch / "commands-only", upstream.url))
    assert await as_json(alone, "user", "list") == []
    [made] = await as_json(alone, "user", "create-many", "1", "--seconds", "60")
    assert [user["email"] for user in await as_json(alone, "user", "list")] == [made["email"]]
    assert await alone.command("ledger", "audit") == "Checked 1 entries. The books are right.\n"


async def test_healthcheck_fails_where_nothing_answers(service: Service) -> None:
    nothing = replace(service, env={**service.env, "HOST": "0.0.0.0", "PORT": "1"})
    assert await service.command("healthcheck") == "Ready.\n"
    assert await nothing.run("healthcheck") == (1, "", "Not ready on port 1: no worker answers.\n")


@pytest_asyncio.fixture(loop_scope="session")
async def elsewhere(database_url: str, scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    """A service on a separate database that it did not start."""
    env = environment(scratch / "elsewhere", upstream.url, DATABASE_URL=database_url)
    async with serving(env) as running:
        yield running


async def test_the_audit_fails_and_names_what_is_wrong(elsewhere: Service) -> None:
    user, other = await elsewhere.user(500), await elsewhere.user(500)
    captions = await talking(elsewhere, user)
    await captions.stop()
    assert (await elsewhere.command("ledger", "audit")).endswith("entries. The books are right.\n")
    with psycopg.connect(elsewhere.env["DATABASE_URL"]) as connection:
        wrong = "UPDATE credit_balance SET seconds_remaining = seconds_remaining + 1 WHERE seconds_remaining = 497"
        assert connection.execute(wrong).rowcount == 1
    ids = {each["email"]: each["id"] for each in await as_json(elsewhere, "user", "list")}
    status, out, err = await elsewhere.run("ledger", "audit")
    assert (status, err) == (1, "")
    assert "balances" in out
    assert ids[user.email] in out
    assert ids[other.email] not in out
    status, out, _ = await elsewhere.run("ledger", "audit", "--json")
    [finding] = json.loads(out)
    assert status == 1
    assert (finding["severity"], finding["check"], finding["subject"]) == ("error", "balances", ids[user.email])
    assert {"498", "497"} <= set(finding["detail"].replace(",", " ").split())
    status, out, _ = await elsewhere.run("doctor")
    assert status == 1
    assert "ledger audit" in out
