"""Calls Stripe, and is the only module that imports its SDK. It takes and returns plain values.

No call sends `payment_method_types`: the operator chooses the means of payment in Stripe's dashboard."""

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

CALL_SECONDS: Final = 9.0
"""Timeout of one call with its retries, while a person waits: enough for one slow answer or several quick failures."""
PAGE_SECONDS: Final = 30.0
"""Timeout of one page of a list. Only jobs and commands read lists."""
ATTEMPT_SECONDS: Final = 8.0
"""Timeout of one attempt of a call."""
RETRIES: Final = 2
PAGE_SIZE: Final = 100
"""Objects in a page of a list: the most that Stripe allows."""
T = TypeVar("T")
Object = dict[str, Any]
log = structlog.get_logger(__name__)


class StripeAway(Exception):
    """Stripe could not be reached, or refused our key or request. The user did nothing wrong.

    The text is one word, such as `timeout`; the log has more."""


class NoSuchObject(Exception):
    """Stripe has no object with that id."""


class BadSignature(Exception):
    """A webhook that Stripe did not sign, or signed too long ago."""


class Gateway:
    """Stripe's API at `address`. `public_url`: where customers return to. `site_name`: printed before what they buy.

    Timeouts are in seconds: `within` for a call with its `retries`, `timeout` for one attempt, `page_within` for a
    page of a list."""

    def __init__(
        self,
        address: Address,
        public_url: str,
        *,
        site_name: str = "Live Captions",
        within: float = CALL_SECONDS,
        page_within: float = PAGE_SECONDS,
        timeout: float = ATTEMPT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        self.within = within
        self._page_within = page_within
        self._public_url = public_url
        self._site_name = site_name
        self._client = stripe.StripeClient(
            address.key,
            base_addresses={"api": address.api_base} if address.api_base else {},
            http_client=_http(address.proxy, timeout),
            max_network_retries=retries,
        )

    async def create_customer(self, buyer: Buyer, occasion: str = "account") -> str:
        """Create a customer and return its id.

        Stripe answers a repeat for the same `occasion` within a day with the same customer, or with the same error.
        A checkout therefore uses an occasion of its own.
        """
        params: Any = {"email": buyer.email, "metadata": {"user_id": str(buyer.id)}}
        key = f"customer-{buyer.id}-{buyer.stripe_customer_id or 'first'}-{occasion}"
        call = self._client.v1.customers.create_async(params, {"idempotency_key": key})
        return await self._ask(call, lambda made: str(made.id))

    async def create_checkout(self, purchase: Purchase, customer: str) -> tuple[str, str]:
        """Create the Checkout Session of a purchase, and return its id and URL. A repeat returns the same session.

        Raise NoSuchObject for a customer that Stripe does not know.
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
        """Return a Checkout Session with its payment, charge and refunds. Raise NoSuchObject."""
        params: Any = {"expand": ["payment_intent.latest_charge.refunds"]}
        return await self._ask(self._client.v1.checkout.sessions.retrieve_async(session_id, params), _plain)

    async def refund(self, refund_id: str) -> Object:
        """Return a refund. Raise NoSuchObject."""
        return await self._ask(self._client.v1.refunds.retrieve_async(refund_id), _plain)

    async def dispute(self, dispute_id: str) -> Object:
        """Return a dispute. Raise NoSuchObject."""
        return await self._ask(self._client.v1.disputes.retrieve_async(dispute_id), _plain)

    def checkouts(self, since: datetime) -> AsyncIterator[Object]:
        """List the Checkout Sessions created since a moment, with their payments. All lists are newest first."""
        expand = {"expand": ["data.payment_intent"]}
        return self._all(self._client.v1.checkout.sessions.list_async, _since(since) | expand)

    def refunds(self, since: datetime) -> AsyncIterator[Object]:
        return self._all(self._client.v1.refunds.list_async, _since(since))

    def refunds_of(self, charge_id: str) -> AsyncIterator[Object]:
        return self._all(self._client.v1.refunds.list_async, {"charge": charge_id})

    def disputes(self, since: datetime) -> AsyncIterator[Object]:
        return self._all(self._client.v1.disputes.list_async, _since(since))

    async def webhook_endpoints(self) -> list[Object]:
        found, _ = await self._ask(self._client.v1.webhook_endpoints.list_async({"limit": PAGE_SIZE}), _page)
        return found

    async def _all(self, page_of: Any, narrow: dict[str, Any]) -> AsyncIterator[Object]:
        params = narrow | {"limit": PAGE_SIZE}
        more = True
        while more:
            found, more = await self._ask(page_of(params), _page, self._page_within)
            for one in found:
                yield one
            params |= {"starting_after": found[-1]["id"]} if more else {}

    async def _ask(self, call: Awaitable[Any], read: Callable[[Any], T], within: float | None = None) -> T:
        """Await a call and return its answer, as `read` converts it. Raise NoSuchObject, StripeAway.

        Stripe's error messages may contain parts of keys, so they are not logged.
        """
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
    """Return the text of a webhook that was signed recently with one of the secrets. Raise BadSignature."""
    if not signature.isascii():  # the SDK's comparison raises TypeError for other text
        raise BadSignature
    for secret in secrets:
        with suppress(stripe.SignatureVerificationError, UnicodeDecodeError):
            text = payload.decode()
            stripe.WebhookSignature.verify_header(text, signature, secret, stripe.Webhook.DEFAULT_TOLERANCE)
            return text
    raise BadSignature


def _http(proxy: str | None, timeout: float) -> stripe.HTTPXClient:
    """Return an HTTP client for the SDK that does not read its proxy from the environment."""
    client = partial(httpx.AsyncClient, trust_env=False, proxy=proxy)
    return stripe.HTTPXClient(timeout=timeout, _lib=SimpleNamespace(AsyncClient=client))


def _plain(thing: Any) -> Object:
    found: Object = thing.to_dict()
    return found


def _since(moment: datetime) -> dict[str, Any]:
    return {"created": {"gte": int(moment.timestamp())}}


def _page(listed: Any) -> tuple[list[Object], bool]:
    """Return the objects of a page, and whether there are more pages."""
    found = [_plain(one) for one in listed.data]
    return found, bool(listed.has_more and found)
