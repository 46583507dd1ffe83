"""The way to Stripe, and the only import of its SDK: values in, values out, and one word for "away": StripeAway.

No call sends `payment_method_types`: what a customer may pay with is chosen in Stripe's dashboard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, TypeVar

import httpx
import stripe
import structlog

from transcription_proxy.payments.sandboxed import Address
from transcription_proxy.payments.store import Buyer, Purchase

WITHIN: Final = 9.0
"""Seconds for one call with its retries: somebody waits for it. One slow answer fits in, or several quick failures."""
PATIENCE: Final = 30.0
"""Seconds for a page of a list: nobody waits."""
TIMEOUT: Final = 8.0
RETRIES: Final = 2
PAGE: Final = 100
T = TypeVar("T")
Object = dict[str, Any]
log = structlog.get_logger(__name__)


class StripeAway(Exception):
    """Stripe could not be reached, or refused us: nothing of the user's doing. Its text is one word of why; more is in
    the log."""


class NoSuchObject(Exception):
    """Stripe knows no object of that id."""


class BadSignature(Exception):
    """A webhook that is not Stripe's, or is too old."""


class Gateway:
    """`public_url` is where customers come back to, `site_name` stands before what they buy. A call ends `within` so
    many seconds, with its `retries`, each of which may take `timeout`; a page of a list has `patience`."""

    def __init__(
        self,
        address: Address,
        public_url: str,
        *,
        site_name: str = "Live Captions",
        within: float = WITHIN,
        patience: float = PATIENCE,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
    ) -> None:
        self.within = within
        self._patience = patience
        self._public_url = public_url
        self._site_name = site_name
        self._client = stripe.StripeClient(
            address.key,
            base_addresses={"api": address.api_base} if address.api_base else {},
            http_client=_http(address.proxy, timeout),
            max_network_retries=retries,
        )

    async def create_customer(self, buyer: Buyer, occasion: str = "account") -> str:
        """The id of a new customer; the same one where this is asked again on the same occasion, within a day.

        So is the same error, which Stripe remembers too: what a buyer waits for is an occasion of its own.
        """
        params: Any = {"email": buyer.email, "metadata": {"user_id": str(buyer.id)}}
        key = f"customer-{buyer.id}-{buyer.stripe_customer_id or 'first'}-{occasion}"
        call = self._client.v1.customers.create_async(params, {"idempotency_key": key})
        return await self._ask(call, lambda made: str(made.id))

    async def create_checkout(self, purchase: Purchase, customer: str) -> tuple[str, str]:
        """Id and URL of the Checkout Session of a purchase: one, however often it is asked for.

        Raises NoSuchObject for a customer that Stripe does not know.
        """
        metadata = {
            "purchase_id": str(purchase.id),
            "user_id": str(purchase.user_id),
            "package_id": purchase.package_id,
            "seconds": str(purchase.seconds),
        }
        params: Any = {
            "mode": "payment",
            "customer": customer,
            "client_reference_id": str(purchase.user_id),
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": purchase.currency,
                        "unit_amount": purchase.amount_cents,
                        "product_data": {"name": f"{self._site_name}: {purchase.label}"},
                    },
                }
            ],
            "allow_promotion_codes": True,
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "success_url": f"{self._public_url}/billing/success?session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{self._public_url}/billing/cancel",
        }
        key = f"checkout-{purchase.id}-{customer}"
        call = self._client.v1.checkout.sessions.create_async(params, {"idempotency_key": key})
        return await self._ask(call, lambda made: (str(made.id), str(made.url)))

    async def checkout(self, session_id: str) -> Object:
        """A Checkout Session with its payment, charge and refunds. Raises NoSuchObject."""
        params: Any = {"expand": ["payment_intent.latest_charge.refunds"]}
        return await self._ask(self._client.v1.checkout.sessions.retrieve_async(session_id, params), _plain)

    async def refund(self, refund_id: str) -> Object:
        """Raises NoSuchObject."""
        return await self._ask(self._client.v1.refunds.retrieve_async(refund_id), _plain)

    async def dispute(self, dispute_id: str) -> Object:
        """Raises NoSuchObject."""
        return await self._ask(self._client.v1.disputes.retrieve_async(dispute_id), _plain)

    def checkouts(self, since: datetime) -> AsyncIterator[Object]:
        """The Checkout Sessions made since with their payments, as all lists here newest first."""
        expand = {"expand": ["data.payment_intent"]}
        return self._all(self._client.v1.checkout.sessions.list_async, _since(since) | expand)

    def refunds(self, since: datetime) -> AsyncIterator[Object]:
        return self._all(self._client.v1.refunds.list_async, _since(since))

    def refunds_of(self, charge_id: str) -> AsyncIterator[Object]:
        return self._all(self._client.v1.refunds.list_async, {"charge": charge_id})

    def disputes(self, since: datetime) -> AsyncIterator[Object]:
        return self._all(self._client.v1.disputes.list_async, _since(since))

    async def webhook_endpoints(self) -> list[Object]:
        found, _ = await self._ask(self._client.v1.webhook_endpoints.list_async({"limit": PAGE}), _page)
        return found

    async def _all(self, page_of: Any, narrow: dict[str, Any]) -> AsyncIterator[Object]:
        params = narrow | {"limit": PAGE}
        more = True
        while more:
            found, more = await self._ask(page_of(params), _page, self._patience)
            for one in found:
                yield one
            params |= {"starting_after": found[-1]["id"]} if more else {}

    async def _ask(self, call: Awaitable[Any], read: Callable[[Any], T], within: float | None = None) -> T:
        """What Stripe answers. Its messages may hold parts of keys, so they are not logged."""
        try:
            async with asyncio.timeout(within or self.within):
                return read(await call)
        except stripe.InvalidRequestError as error:
            if error.code == "resource_missing":
                raise NoSuchObject from None
            why = type(error).__name__
            log.error("stripe_refused", code=error.code, param=error.param, request=error.request_id)
        except stripe.StripeError as error:
            why = type(error).__name__
            log.error("stripe_failed", kind=why, code=error.code, status=error.http_status, request=error.request_id)
        except TimeoutError:
            why = "timeout"
            log.error("stripe_failed", kind=why)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # JSON of another shape, in the SDK too
            why = type(error).__name__
            log.error("stripe_failed", kind="shape", error=why)
        raise StripeAway(why) from None


def verified(payload: bytes, signature: str, secrets: Sequence[str]) -> str:
    """The text of a webhook that was signed, just now, with one of the secrets. Raises BadSignature."""
    if not signature.isascii():  # the SDK's comparison takes no other
        raise BadSignature
    for secret in secrets:
        with suppress(stripe.SignatureVerificationError, UnicodeDecodeError):
            text = payload.decode()
            stripe.WebhookSignature.verify_header(text, signature, secret, stripe.Webhook.DEFAULT_TOLERANCE)
            return text
    raise BadSignature


def _http(proxy: str | None, timeout: float) -> stripe.HTTPXClient:
    """The SDK's client, which would otherwise read its proxy from the environment."""
    client = partial(httpx.AsyncClient, trust_env=False, proxy=proxy)
    return stripe.HTTPXClient(timeout=timeout, _lib=SimpleNamespace(AsyncClient=client))


def _plain(thing: Any) -> Object:
    found: Object = thing.to_dict()
    return found


def _since(moment: datetime) -> dict[str, Any]:
    return {"created": {"gte": int(moment.timestamp())}}


def _page(listed: Any) -> tuple[list[Object], bool]:
    """Objects of a page, and whether there are more."""
    found = [_plain(one) for one in listed.data]
    return found, bool(listed.has_more and found)
