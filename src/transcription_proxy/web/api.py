"""The HTTP application: routes, error answers and middleware."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import FastAPI

from transcription_proxy import sentences
from transcription_proxy.accounts.api_keys import ApiKeys
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.clients import Network
from transcription_proxy.db.rate_limits import RateLimits
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.ledger.watch import Watch
from transcription_proxy.metering.rates import Rates
from transcription_proxy.overlay.feeds import Feeds
from transcription_proxy.overlay.keys import Keys
from transcription_proxy.overlay.seats import Seats
from transcription_proxy.payments.service import Payments
from transcription_proxy.relay.recordings import Recordings
from transcription_proxy.web import (
    account,
    auth,
    billing,
    captions,
    deepgram,
    errors,
    exports,
    health,
    keys,
    metrics,
    overlay,
    pages,
    places,
    status,
    webhooks,
)
from transcription_proxy.web.board import Board, Part, Probe
from transcription_proxy.web.bodies import BodyLimit
from transcription_proxy.web.envelope import Envelope
from transcription_proxy.web.forwarding import UntrustedProxies
from transcription_proxy.web.heads import Heads
from transcription_proxy.web.rates import AuthRate
from transcription_proxy.web.services import Services, Site
from transcription_wire.version import VERSION

_FASTAPIS_OWN: Final = {
    "description": "Validation Error",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}},
}
ROUTES: Final = (
    health,
    metrics,
    auth,
    account,
    keys,
    exports,
    billing,
    captions,
    overlay,
    webhooks,
    pages,
    places,
    status,
)


class Api(FastAPI):
    """FastAPI, whose OpenAPI document has the answers that the routes name and no others, sorted by status."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, without the 422 that FastAPI adds in its own shape, which no route answers."""
        document = super().openapi()
        for operation in (each for path in document["paths"].values() for each in path.values()):
            answers = operation["responses"].items()
            operation["responses"] = dict(sorted(each for each in answers if each != ("422", _FASTAPIS_OWN)))
        for name in ("HTTPValidationError", "ValidationError"):
            document.get("components", {}).get("schemas", {}).pop(name, None)
        return document


def outline(site: Site) -> FastAPI:
    """Return an application with all routes and no services. It cannot answer, but has the OpenAPI document."""
    options: dict[str, Any] = {"docs_url": None, "redoc_url": None, "redirect_slashes": False}
    servers = [{"url": site.public_url}] if site.public_url else None
    app = Api(title=site.name, description=sentences.API, version=VERSION, servers=servers, **options)
    for module in ROUTES:
        app.include_router(module.router)
    return app


def build(
    accounts: Accounts,
    api_keys: ApiKeys,
    ledger: Ledger,
    payments: Payments,
    watch: Watch,
    *,
    overlay_keys: Keys,
    feeds: Feeds,
    seats: Seats,
    rates: Rates,
    limits: RateLimits,
    auth_rate_per_minute: int,
    trusted_proxies: Sequence[Network],
    ready: Callable[[], bool],
    untrusted_proxies: UntrustedProxies | None = None,
    https_only: bool = False,
    metrics_token: str | None = None,
    site: Site = Site(),  # noqa: B008 - frozen
    speech: Probe | None = None,
    recordings: Recordings | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Build the application.

    `ready`: whether this process takes sessions. `https_only`: tells browsers to use only TLS. `speech`: whether the
    speech engine works, for the status page. `recordings`: None where this process transcribes none.
    """
    app = outline(site)
    probes: dict[Part, Probe] = {Part.SPEECH_ENGINE: speech} if speech else {}
    board = Board({**probes, Part.DATABASE: watch.is_writable, Part.PAYMENTS: payments.stripe_answers}, clock)
    app.state.services = services = Services(
        accounts,
        api_keys,
        ledger,
        payments,
        overlay_keys,
        feeds,
        seats,
        rates,
        watch,
        ready,
        limits=limits,
        per_minute=auth_rate_per_minute,
        board=board,
        metrics_token=metrics_token,
        site=site,
    )
    errors.install(app)
    pages.install(app, site)
    deepgram.install(app, services, recordings)
    app.add_middleware(BodyLimit, largest_upload=recordings.max_bytes if recordings else 0)
    app.add_middleware(AuthRate, limits=limits, per_minute=auth_rate_per_minute)
    app.add_middleware(Heads)
    app.add_middleware(deepgram.SingleSlashes)
    app.add_middleware(
        Envelope,
        trusted_proxies=trusted_proxies,
        untrusted_proxies=untrusted_proxies or UntrustedProxies(),
        https_only=https_only,
    )  # the last one is the outermost
    return app
