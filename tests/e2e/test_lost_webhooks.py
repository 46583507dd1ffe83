"""Another server in the place of Stripe, whose webhooks come as the test sends them: 40 at a time, twice, or never."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from tests.conftest import with_database
from tests.e2e.buyer import Order, stranger
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.integration.payments.events import event, signed
from tests.integration.sandbox.running import KEY, SECRET, Sandbox
from tests.waiting import until

COMPLETED = "checkout.session.completed"


@pytest.fixture(scope="module")
def stripe(scratch: Path) -> Iterator[Sandbox]:
    """It has no endpoint: it never sends anything."""
    folder = scratch / "stripe"
    folder.mkdir()
    sandbox = Sandbox(folder)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def env(
    postgres_url: str, template: str, scratch: Path, upstream: Upstream, stripe: Sandbox
) -> Iterator[dict[str, str]]:
    """Two workers on a database of their own, with the key of that Stripe."""
    name = f"lost_webhooks_{uuid4().hex}"
    make = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template)))
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(make)
    yield environment(
        scratch / "lost-webhooks",
        upstream.url,
        DATABASE_URL=with_database(postgres_url, name),
        STRIPE_SECRET_KEY=KEY,
        STRIPE_API_BASE=stripe.url,
        STRIPE_WEBHOOK_SECRET=f"whsec_that_was_before, {SECRET}",
        WORKERS="2",
    )
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(drop)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(env: dict[str, str]) -> AsyncIterator[Service]:
    async with serving(env) as running:
        yield running
    await running.command("ledger", "audit")


async def post(service: Service, body: dict[str, Any] | bytes, secret: str = SECRET) -> int:
    payload, signature = signed(body, secret)
    answer = await service.http.post("/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature})
    return answer.status_code


def completed(stripe: Sandbox, order: Order, **more: Any) -> dict[str, Any]:
    """The event that Stripe would send now, in its shape: the session is its own."""
    thing = json.loads(str(stripe.client.v1.checkout.sessions.retrieve(order.session)))
    return event(COMPLETED, {**thing, **more}, name=f"evt_{uuid4().hex}")


async def rows(service: Service, order: Order) -> list[tuple[str, int]]:
    with psycopg.connect(service.env["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT description, seconds FROM usage_ledger JOIN users ON users.id = user_id"
            " WHERE email = %s ORDER BY seq",
            [order.user.email],
        )
        return [(str(description), int(seconds)) for description, seconds in found.fetchall()]


CREDIT = [("credit_purchase", 30000)]


async def test_with_a_key_there_is_no_sandbox_of_our_own(service: Service, stripe: Sandbox) -> None:
    """And no trial at somebody else's cost."""
    order = await Order.begun(service, await stranger(service))
    assert order.url.startswith(stripe.url)
    assert f"Stripe: {stripe.url}" in service.log()
    assert not (Path(service.env["DATA_DIR"]) / "sandbox").exists()
    assert len(service.children()) == 2
    assert await rows(service, order) == []
    made = stripe.client.v1.customers.list({"email": order.user.email}).data  # two, where who registers buys at once
    shown = json.loads(await service.command("user", "show", order.user.email, "--json"))
    assert {one.to_dict()["metadata"]["user_id"] for one in made} == {shown["id"]}


async def test_forty_at_once_are_one_credit(service: Service, stripe: Sandbox) -> None:
    """The same event twenty times, and twenty that say the same of it; some with a secret that was rotated."""
    order = await Order.begun(service, await stranger(service))
    order.pay()
    one = completed(stripe, order)
    bodies = [one] * 20 + [completed(stripe, order) for _ in range(10)]
    paid = [{**one, "id": f"evt_{uuid4().hex}", "type": "checkout.session.async_payment_succeeded"} for _ in range(10)]
    secrets = [SECRET, "whsec_that_was_before"] * 20
    limits = httpx.Limits(max_connections=40)
    async with httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=30, limits=limits) as http:
        requests = [
            http.post("/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature})
            for payload, signature in map(signed, [*bodies, *paid], secrets)
        ]
        answers = await asyncio.gather(*requests)
    assert [answer.status_code for answer in answers] == [200] * 40
    assert await rows(service, order) == CREDIT


async def test_a_lost_webhook_is_made_up_for_by_the_success_page(service: Service) -> None:
    order = await Order.begun(service, await stranger(service))
    order.pay()
    await order.becomes("paid")
    assert await rows(service, order) == CREDIT


async def test_lost_webhooks_are_found_by_the_operator_and_booked_once(service: Service, stripe: Sandbox) -> None:
    paid, refunded, disputed = [await Order.begun(service, await stranger(service)) for _ in range(3)]
    for order in (paid, refunded, disputed):
        order.pay()
    refunded.press("refund", "1.00")
    disputed.press("dispute")
    status, out, _ = await service.run("payments", "reconcile", "--since", "7d", "--json")
    found = {one["subject"]: one for one in json.loads(out)}
    assert status == 1
    assert {paid.session, refunded.session, disputed.session} <= set(found)
    assert not any(one["fixed"] for one in found.values())
    assert await rows(service, paid) == []
    status, out, _ = await service.run("payments", "reconcile", "--since", "7d", "--fix", "--json")
    assert (status, {one["fixed"] for one in json.loads(out)}) == (0, {True})
    assert json.loads(await service.command("payments", "reconcile", "--since", "7d", "--fix", "--json")) == []
    assert await rows(service, paid) == CREDIT
    assert await rows(service, refunded) == [*CREDIT, ("refund", -10000)]
    assert (await service.balance(disputed.user))["seconds_frozen"] == 30000
    assert await post(service, completed(stripe, paid)) == 200
    assert await rows(service, paid) == CREDIT


async def test_what_names_nobody_is_kept_and_listed(service: Service, stripe: Sandbox) -> None:
    order = await Order.begun(service, await stranger(service))
    names = {"purchase_id": str(uuid4()), "user_id": str(uuid4()), "package_id": "pack_500", "seconds": "1"}
    nobody = completed(stripe, order, id="cs_of_nobody", metadata=names, payment_status="paid", status="complete")
    assert [await post(service, nobody), await post(service, nobody)] == [200, 200]
    [kept] = json.loads(await service.command("payments", "unmatched", "--json"))
    assert (kept["id"], kept["object_id"], kept["why"]) == (nobody["id"], "cs_of_nobody", "it names no known user")
    text = await service.command("payments", "unmatched")
    assert "cs_of_nobody" in text
    assert await post(service, nobody, "whsec_of_another") == 400
    payload, signature = signed(nobody, at=time.time() - 400)
    answer = await service.http.post("/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_signature")


async def test_a_stripe_that_refuses_us_is_said_in_one_sentence(service: Service) -> None:
    for more in ({"STRIPE_SECRET_KEY": "sk_live_of_another"}, {"STRIPE_API_BASE": "http://127.0.0.1:1"}):
        status, out, err = await replace(service, env=service.env | more).run("payments", "reconcile", "--json")
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert "Check STRIPE_SECRET_KEY and the network" in err
        assert "sk_live" not in err


async def test_doctor_says_what_stripe_would_not_send(service: Service) -> None:
    status, out, _ = await service.run("doctor", "--json")
    [payments] = [check for check in json.loads(out) if check["name"] == "payments"]
    assert (status, payments["ok"]) == (1, False)
    assert f"{service.url}/webhooks/stripe" in payments["detail"]
    assert COMPLETED in payments["detail"]


async def test_killed_between_a_webhook_and_its_answer_it_books_it_once(
    env: dict[str, str], service: Service, stripe: Sandbox
) -> None:
    """All at once, while the event waits for a lock: then the same event comes again, as from Stripe."""
    order = await Order.begun(service, await stranger(service))
    order.pay()
    body = completed(stripe, order)
    async with standing_still(service):
        waiting = asyncio.create_task(post(service, body))
        await webhook_waits(service)
        service.kill()
        with pytest.raises(httpx.HTTPError):
            await waiting
    assert await rows(service, order) == []
    async with serving(env) as again:
        assert [await post(again, body), await post(again, body)] == [200, 200]
        assert await rows(again, order) == CREDIT
        assert json.loads(await again.command("payments", "reconcile", "--fix", "--json")) == []
        assert await rows(again, order) == CREDIT


@asynccontextmanager
async def standing_still(service: Service) -> AsyncIterator[None]:
    """No event can be taken inside."""
    async with await psycopg.AsyncConnection.connect(service.env["DATABASE_URL"]) as connection:
        await connection.execute("LOCK TABLE stripe_events IN ACCESS EXCLUSIVE MODE")
        yield
        await connection.rollback()


async def webhook_waits(service: Service) -> None:
    async with await psycopg.AsyncConnection.connect(service.env["DATABASE_URL"], autocommit=True) as connection:

        async def waits() -> bool:
            found = await connection.execute(
                "SELECT count(*) FROM pg_locks WHERE relation = 'stripe_events'::regclass AND NOT granted"
            )
            row = await found.fetchone()
            return row is not None and row[0] > 0

        await until(waits)
