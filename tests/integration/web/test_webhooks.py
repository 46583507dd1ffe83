"""/webhooks/stripe over HTTP: what is believed, what is refused and why, and what is kept of what fits nothing."""

import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.integration.payments.events import SECRET, Body, charge, dispute, event, names, refund, session, signed
from tests.integration.payments.harness import PaymentsHarness
from tests.integration.web.site import Site, code
from transcription_proxy.db.pool import Database
from transcription_proxy.payments.translate import NEEDED

COMPLETED = "checkout.session.completed"
OLD_SECRET = "whsec_of_last_year"
MIB = 1024 * 1024
RECEIVED = {"received": True}
CREDIT = [("credit_purchase", 30_000)]


@pytest.fixture
async def harness(site: Site) -> AsyncIterator[PaymentsHarness]:
    """The payments of the site; their secret is being rotated."""
    harness = PaymentsHarness(site.database, secrets=[SECRET, OLD_SECRET])
    async with served(site, harness):
        yield harness
    assert await harness.findings() == []


def served(site: Site, harness: PaymentsHarness) -> httpx.AsyncClient:
    site.payments = harness.payments
    site.build(auth_rate=1000)
    site.http = site.client()
    return site.http


async def post(site: Site, payload: Any, signature: str | bytes | None) -> httpx.Response:
    headers = {} if signature is None else {"Stripe-Signature": signature}
    return await site.http.post("/webhooks/stripe", content=payload, headers=headers)  # type: ignore[arg-type]


async def tell(site: Site, body: Body | bytes, **how: Any) -> httpx.Response:
    return await post(site, *signed(body, **how))


async def received_events(harness: PaymentsHarness) -> int:
    """Events that were taken."""
    [(count,)] = await harness.sql("SELECT count(*) FROM stripe_events")
    return int(count)


@pytest.fixture
async def ann(harness: PaymentsHarness) -> UUID:
    """A buyer who has been sent to Stripe, as session cs_1."""
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    return user


def paid(**changes: Any) -> Body:
    return event(COMPLETED, session("cs_1", payment="pi_1") | changes)


async def test_a_repeated_webhook_credits_once(site: Site, harness: PaymentsHarness, ann: UUID) -> None:
    payload, signature = signed(paid())
    for _ in range(3):
        answer = await post(site, payload, signature)
        assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert (await tell(site, paid())).json() == RECEIVED
    assert await harness.ledger_rows(ann) == CREDIT


async def test_the_content_type_of_a_webhook_does_not_matter(site: Site, harness: PaymentsHarness, ann: UUID) -> None:
    for content_type in ("application/json; charset=utf-8", "text/plain", "nonsense"):
        payload, signature = signed(paid())
        headers = {"Stripe-Signature": signature, "Content-Type": content_type}
        answer = await site.http.post("/webhooks/stripe", content=payload, headers=headers)
        assert answer.status_code == 200, content_type
    assert await harness.ledger_rows(ann) == CREDIT


GARBAGE = ["", " ", ",", "=", "t", "t=,v1=", "t=1", "v1=00", "t=x,v1=00", "t==1,v1==0", "null", "{}", "a" * 4000]
SIGNATURES = [None, *GARBAGE, "t=1,v1=é".encode(), b"\xff\xfe", f"t={'9' * 5000},v1=00"]


async def test_an_invalid_signature_is_refused(site: Site, harness: PaymentsHarness) -> None:
    for signature in SIGNATURES:
        answer = await post(site, json.dumps(paid()).encode(), signature)
        assert code(answer) == (400, "invalid_signature"), signature
    assert await received_events(harness) == 0


async def test_a_forged_webhook_does_nothing(site: Site, harness: PaymentsHarness, ann: UUID) -> None:
    payload, signature = signed(paid())
    forgeries = [
        signed(payload, "whsec_of_eve"),
        signed(payload, ""),
        (payload.replace(b"cs_1", b"cs_2"), signature),
        (payload + b" ", signature),
        (payload[:-1], signature),
        (payload, signature.replace("t=", "t=1")),
        (payload, signature.replace("v1=", "v0=")),
        (payload, signature[:-1]),
    ]
    for forgery in forgeries:
        assert code(await post(site, *forgery)) == (400, "invalid_signature"), forgery
    assert await received_events(harness) == 0
    assert await harness.ledger_rows(ann) == []


async def test_a_signature_is_valid_for_five_minutes(site: Site, harness: PaymentsHarness, ann: UUID) -> None:
    assert code(await tell(site, paid(), at=time.time() - 302)) == (400, "invalid_signature")
    assert await harness.ledger_rows(ann) == []
    assert (await tell(site, paid(), at=time.time() - 240)).status_code == 200
    assert await harness.ledger_rows(ann) == CREDIT


async def test_both_secrets_are_valid_during_a_rotation(site: Site, harness: PaymentsHarness, ann: UUID) -> None:
    assert (await tell(site, paid(), secret=OLD_SECRET)).status_code == 200
    assert (await tell(site, paid(), secret=SECRET)).status_code == 200
    assert await received_events(harness) == 2
    payload, signature = signed(paid(), "whsec_of_next_year")
    several = f"{signature},v1={'0' * 64},v1={signed(payload, OLD_SECRET)[1].split('v1=')[1]}"
    assert (await post(site, payload, several)).status_code == 200  # Stripe signs with both for a day


async def test_without_a_secret_every_webhook_is_refused(site: Site) -> None:
    async with served(site, PaymentsHarness(site.database, secrets=[])):
        assert code(await tell(site, paid())) == (400, "invalid_signature")
        assert code(await tell(site, paid(), secret="")) == (400, "invalid_signature")


async def test_a_webhook_may_have_up_to_one_mebibyte(site: Site, harness: PaymentsHarness, ann: UUID) -> None:
    for size, status, rows in [(MIB + 1, 413, []), (MIB, 200, CREDIT)]:
        body = json.dumps(paid()).encode()
        payload, signature = signed(body + b" " * (size - len(body)))
        for sent in (payload, pieces(payload)):
            answer = await post(site, sent, signature)
            assert answer.status_code == status
            assert status == 200 or code(answer) == (413, "too_large")
        assert await harness.ledger_rows(ann) == rows


async def pieces(payload: bytes) -> AsyncIterator[bytes]:
    """It is sent without its length."""
    for start in range(0, len(payload), 65_536):
        yield payload[start : start + 65_536]


NO_EVENTS = [
    b"",
    b"{",
    b"nonsense",
    b"[]",
    b"7",
    b"null",
    b'"evt_1"',
    b"\xff\xfe{}",
    b'{"id":"\xc3"}',
    b"\x00",
    b"[" * 99_999,
]


async def test_a_signed_body_that_is_no_event_is_refused(site: Site, harness: PaymentsHarness) -> None:
    """A body that is no UTF-8 cannot have been signed by Stripe."""
    for payload in NO_EVENTS:
        expected = "invalid_signature" if b"\xff" in payload or b"\xc3" in payload else "invalid_event"
        assert code(await tell(site, payload)) == (400, expected), payload[:20]
    things: list[Any] = [None, [], "cs_1", 7, True]
    for thing in things:
        assert code(await tell(site, event(COMPLETED, thing))) == (400, "invalid_event"), thing
    assert await received_events(harness) == 0


async def test_unneeded_events_are_received_and_not_kept(site: Site, harness: PaymentsHarness) -> None:
    for kind in ("customer.created", "payment_intent.payment_failed", "invoice.paid", "v9.novelty"):
        answer = await tell(site, event(kind, {"id": "in_1", "object": "novelty", "metadata": {"user_id": "nobody"}}))
        assert (answer.status_code, answer.json()) == (200, RECEIVED), kind
    assert await harness.unmatched() == []


async def test_production_refuses_test_events(site: Site) -> None:
    harness = PaymentsHarness(site.database, live_only=True)
    async with served(site, harness):
        user = await harness.buyer()
        await harness.purchase(user, "cs_1")
        body = session("cs_1", payment="pi_1")
        assert code(await tell(site, event(COMPLETED, body, name="evt_x"))) == (400, "test_mode")
        assert code(await tell(site, event(COMPLETED, body) | {"livemode": "true"})) == (400, "test_mode")
        assert (await harness.ledger_rows(user), await received_events(harness)) == ([], 0)
        assert (await tell(site, event(COMPLETED, body, name="evt_x", live=True))).status_code == 200
        assert await harness.ledger_rows(user) == CREDIT


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({}, "it names no known user"),
        (names(uuid4(), "nobody"), "it names no known user"),
        (names(uuid4(), uuid4()), "it names no known user"),
        ({"user_id": "ANN", "package_id": "pack_of_old"}, "it names no known package"),
        ({"user_id": "ANN", "package_id": "'; DROP TABLE users", "seconds": "-7"}, "it names no known package"),
    ],
)
async def test_an_unmatched_payment_is_kept_until_its_purchase_appears(
    site: Site, harness: PaymentsHarness, ann: UUID, metadata: Body, why: str
) -> None:
    metadata = {name: value.replace("ANN", str(ann)) for name, value in metadata.items()}
    body = event(COMPLETED, session("cs_2", payment="pi_2", metadata=metadata))
    for _ in range(2):
        assert (await tell(site, body)).json() == RECEIVED
    [kept] = await harness.payments.unmatched()
    assert (kept.id, kept.type, kept.object_id, kept.why) == (body["id"], COMPLETED, "cs_2", why)
    assert not await harness.payments.retry(kept)
    await harness.purchase(ann, "cs_2")
    for _ in range(2):
        assert await harness.payments.retry(kept)
    assert await harness.unmatched() == []
    assert await harness.ledger_rows(ann) == CREDIT


async def test_unmatched_claims_are_booked_when_their_payment_arrives(
    site: Site, harness: PaymentsHarness, ann: UUID
) -> None:
    for body in (
        event("charge.refunded", charge("pi_1", 100)),
        event("refund.updated", refund("re_1", "pi_1", 100, "succeeded")),
    ):
        assert (await tell(site, body)).status_code == 200
    assert [kind for kind, _ in await harness.unmatched()] == ["charge.refunded", "refund.updated"]
    assert (await tell(site, paid())).status_code == 200
    assert await harness.unmatched() == []
    assert await harness.ledger_rows(ann) == [*CREDIT, ("refund", -10_000)]


async def test_an_impossible_amount_is_kept_and_credits_nothing(
    site: Site, harness: PaymentsHarness, ann: UUID
) -> None:
    totals: list[Any] = [-300, -1, 10**13, 10**400, True, None, 3.5, "300"]
    for total in totals:
        assert (await tell(site, paid(amount_total=total))).json() == RECEIVED
    assert await harness.unmatched() == [(COMPLETED, "amount_total isn't an amount")] * len(totals)
    assert await harness.ledger_rows(ann) == []


@pytest.mark.parametrize(("total", "status"), [(0, "paid"), (0, "no_payment_required"), (1, "paid"), (10**12, "paid")])
async def test_a_discounted_payment_is_credited_in_full(
    site: Site, harness: PaymentsHarness, ann: UUID, total: int, status: str
) -> None:
    """With a promotion code it is less than was asked."""
    await tell(site, paid(amount_total=total, payment_status=status))
    assert await harness.ledger_rows(ann) == CREDIT
    await tell(site, event("charge.refunded", charge("pi_1", 0, total)))
    assert await harness.ledger_rows(ann) == CREDIT


NASTY: list[Any] = [
    *(None, True, -1, 0, 1, 150, 300, 10**12, 10**12 + 1, 2**63, 10**400, 1.5, float("nan"), float("inf")),
    *(
        "",
        "usd",
        "EUR",
        "paid",
        "complete",
        "lost",
        "failed",
        "x" * 255,
        "x" * 256,
        "\x00",
        "\ud800",
        "é",
        "'; --",
        "%s",
    ),
    *("cs_1", "cs_2", "pi_1", "pi_2", "ch_of_pi_1", "re_1", "dp_1", "100000000", "99999999999"),
    *([], {}, [[]], {"id": "pi_1"}, {"id": None}, {"latest_charge": charge("pi_1", 300)}),
]


async def test_malformed_events_do_no_harm(site: Site, harness: PaymentsHarness, ann: UUID) -> None:
    """Also where it gives one object's id to another, or claims what cannot be."""
    chance = random.Random(4)
    metadata = names(uuid4(), ann)
    things = [
        session("cs_1", payment="pi_1", metadata=metadata),
        charge("pi_1", 100),
        refund("re_1", "pi_1", 100, "succeeded"),
        dispute("dp_1", "pi_1", 300, "needs_response"),
    ]
    for _ in range(250):
        thing = dict(chance.choice(things))
        for _ in range(chance.randrange(4)):
            thing[chance.choice([*thing, "payment_intent", "charge"])] = chance.choice([*NASTY, ann.hex, str(ann)])
        if chance.random() < 0.3:
            thing["metadata"] = metadata | {chance.choice([*metadata]): chance.choice([*NASTY, str(ann)])}
        body = event(chance.choice(NEEDED), thing)
        answer = await tell(site, body)
        assert answer.status_code == 200, (body, answer.text)
    for kept in await harness.payments.unmatched():
        await harness.payments.retry(kept)
    [(credits,)] = await harness.sql("SELECT count(*) FROM usage_ledger WHERE description = 'credit_purchase'")
    assert credits > 0


@pytest.mark.parametrize("known", [True, False])
async def test_a_foreign_currency_is_kept_and_credits_nothing(
    site: Site, harness: PaymentsHarness, ann: UUID, known: bool
) -> None:
    name = "cs_1" if known else "cs_2"
    body = session(name, payment="pi_1", currency="eur", metadata=names(uuid4(), ann))
    assert (await tell(site, event(COMPLETED, body))).json() == RECEIVED
    [(_, why)] = await harness.unmatched()
    assert "eur" in why
    assert await harness.ledger_rows(ann) == []
    await tell(site, event(COMPLETED, body | {"currency": "USD"}))
    assert await harness.ledger_rows(ann) == CREDIT


async def test_a_slow_database_makes_stripe_retry(site: Site, database_url: str) -> None:
    """What it was told then was not booked, and is booked once when it comes again."""
    hasty = Database(database_url, timeout=0.3)
    await hasty.open()
    harness = PaymentsHarness(hasty)
    async with served(site, harness):
        user = await harness.buyer()
        await harness.purchase(user, "cs_1")
        payload, signature = signed(paid())
        async with site.database.transaction() as connection:
            await connection.execute("SELECT FROM credit_balance WHERE user_id = %s FOR UPDATE", [user])
            answer = await post(site, payload, signature)
        assert code(answer) == (503, "service_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await harness.ledger_rows(user), await received_events(harness)) == ([], 0)
        for _ in range(2):
            assert (await post(site, payload, signature)).status_code == 200
        assert await harness.ledger_rows(user) == CREDIT
    await hasty.close()


async def test_a_missing_database_makes_stripe_retry(site: Site) -> None:
    nowhere = Database("postgresql://me:hunter2@127.0.0.1:1/none", timeout=0.2)
    await nowhere.open()
    async with served(site, PaymentsHarness(nowhere)):
        answer = await tell(site, paid())
        assert code(answer) == (503, "service_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "hunter2" not in answer.text
        assert code(await tell(site, paid(), secret="whsec_of_eve")) == (400, "invalid_signature")
    await nowhere.close()
