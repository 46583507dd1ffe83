"""Purchases: through the service's API, and the buttons of Stripe's page."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.e2e.client import User
from tests.e2e.service import Service
from tests.integration.sandbox.running import Buttons
from tests.waiting import until

PASSWORD = "a passphrase of the tests"


async def stranger(service: Service) -> User:
    """Register a new account through the API."""
    email = f"{uuid4().hex}@example.org"
    answer = await service.http.post("/auth/register", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    service.tokens += [answer.json()["token"], answer.json()["refresh_token"], PASSWORD]
    return User(email, answer.json()["token"])


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {user.token}"}


@dataclass(frozen=True, slots=True)
class Order:
    """An open checkout. `buttons`: those of its Stripe."""

    service: Service
    user: User
    session: str
    url: str
    buttons: Buttons

    @classmethod
    async def begun(cls, service: Service, user: User, package: str = "pack_500") -> "Order":
        answer = await service.http.post("/billing/checkout", json={"package_id": package}, headers=bearer(user))
        assert answer.status_code == 200, answer.text
        url, session = answer.json()["checkout_url"], answer.json()["session_id"]
        parts = urlsplit(url)
        return cls(service, user, session, url, Buttons(f"{parts.scheme}://{parts.netloc}"))

    def pay(self, action: str = "pay") -> None:
        assert self.buttons.checkout(self.session, action).status_code == 303

    def press(self, action: str, amount: str = "") -> None:
        assert self.buttons.payment(self.session, action, amount).status_code == 303

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.service.get(f"/billing/checkout/{self.session}", self.user)
        return found

    async def becomes(self, status: str) -> None:
        """Wait for a status. Each request makes the service ask Stripe."""

        async def is_reached() -> bool:
            return bool((await self.state())["status"] == status)

        await until(is_reached)

    async def has_receipt(self) -> None:
        """Wait for the receipt, which is fetched after the credit."""

        async def is_there() -> bool:
            return (await self.purchases())[0]["receipt_url"] is not None

        await until(is_there)

    async def balance_is(self, seconds: int, frozen: int = 0) -> None:
        """Wait for a balance. The requests change nothing."""
        balance: dict[str, int] = {}
        try:
            async with asyncio.timeout(20):
                while (balance.get("seconds_remaining"), balance.get("seconds_frozen")) != (seconds, frozen):
                    await asyncio.sleep(0.05)
                    balance = await self.service.balance(self.user)
        except TimeoutError:
            raise AssertionError(balance) from None

    async def purchases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.service.get("/account/purchases", self.user))["purchases"]
        return found
