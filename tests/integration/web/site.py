"""The API as its tests see it: a client, users, and the clocks."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from transcription_proxy.accounts.api_keys import ApiKeys
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.db.notify import Notifier
from transcription_proxy.db.pool import Database
from transcription_proxy.db.rate_limits import RateLimits
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.ledger.watch import Watch
from transcription_proxy.metering import rates
from transcription_proxy.overlay.feeds import SHARED_CHANNEL, Feeds
from transcription_proxy.overlay.keys import Keys
from transcription_proxy.overlay.seats import Seats
from transcription_proxy.payments import packages
from transcription_proxy.payments.gateway import Gateway
from transcription_proxy.payments.sandboxed import Address
from transcription_proxy.payments.service import Payments
from transcription_proxy.web import api
from transcription_proxy.web.services import Site as Installation

SECRET = "a secret of the tests, 32 bytes and more"
PASSWORD = "correct horse"
PUBLIC_URL = "https://captions.example.org"
NOWHERE = Address("sk_test_none", "http://127.0.0.1:9")
"""A Stripe that cannot be reached."""


class Site:
    accounts: Accounts
    ledger: Ledger
    app: FastAPI
    http: httpx.AsyncClient

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = datetime.now(UTC)
        self.ready = True
        self.settles_fail = False
        self.installation = Installation(public_url=PUBLIC_URL)
        self.overlay_keys = Keys(database, PUBLIC_URL, SHARED_CHANNEL)
        life = uuid4()
        self.feeds = Feeds(life, Notifier(database), self.overlay_keys)
        self.seats = Seats(database, life)
        self.payments = payments(database)

    def build(self, auth_rate: int) -> None:
        """The application that clients made from now on use."""
        self.app = api.build(
            self.accounts,
            ApiKeys(self.database),
            self.ledger,
            self.payments,
            Watch(self.ledger, lambda: self.settles_fail),
            overlay_keys=self.overlay_keys,
            feeds=self.feeds,
            seats=self.seats,
            rates=rates.load(),
            limits=RateLimits(self.database, self.monotonic),
            auth_rate_per_minute=auth_rate,
            trusted_proxies=[ip_network("10.0.0.0/8")],
            ready=lambda: self.ready,
            site=self.installation,
            clock=self.monotonic,
        )

    def monotonic(self) -> float:
        return self.now.timestamp()

    def client(self, peer: str = "192.0.2.7", **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(peer, 1234))
        return httpx.AsyncClient(transport=transport, base_url="http://captions", **options)

    async def pass_minute(self) -> None:
        """Let a minute pass for the limits: in the database, and for what processes remember."""
        self.now += timedelta(seconds=61)
        await self.sql("UPDATE rate_limits SET admitted = '{}', retry_at = NULL")

    async def register(self, email: str | None = None) -> dict[str, Any]:
        body = {"email": email or f"{uuid4().hex}@example.org", "password": PASSWORD}
        answer = await self.http.post("/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        login: dict[str, Any] = answer.json()
        return login

    async def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self.database.transaction() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []


def payments(database: Database) -> Payments:
    return Payments(database, Gateway(NOWHERE, PUBLIC_URL), packages.load(), secrets=["whsec_tests"])


def bearer(login: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {login['token']}"}


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, whose shape is checked."""
    body = answer.json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"]
    return answer.status_code, body["error"]["code"]
