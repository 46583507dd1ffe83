"""Deepgram and Stripe through a proxy, which only the settings name."""

from urllib.parse import urlsplit

import pytest

from tests.standin.deepgram import DeepgramStandIn
from tests.standin.proxy import proxying
from transcription_proxy.payments.gateway import Gateway, StripeAway
from transcription_proxy.payments.sandboxed import Address
from transcription_proxy.relay.upstream import DialFailed, Dialler

ELSEWHERE = "ws://upstream.invalid:9/v1/listen?encoding=linear16&sample_rate=16000"
NOBODY = "socks://127.0.0.1:1"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names proxies of no use, and nobody asks it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, NOBODY)
        monkeypatch.setenv(name.lower(), NOBODY)


async def test_an_upstream_is_dialled_through_it() -> None:
    async with DeepgramStandIn() as standin:
        address = urlsplit(standin.url)
        async with proxying((address.hostname or "", address.port or 0)) as proxy:
            upstream = await Dialler("key", 0, proxy.url).dial(ELSEWHERE, lambda event: None)
            upstream.close()
            assert proxy.asked == ["CONNECT upstream.invalid:9 HTTP/1.1"]
            assert standin.last.header("host") == "upstream.invalid:9"
            await standin.until(lambda: standin.last.closed)


async def test_a_proxy_that_refuses_is_an_upstream_that_cannot_be_reached() -> None:
    async with proxying(("127.0.0.1", 1), refuses=True) as proxy:
        with pytest.raises(DialFailed) as refused:
            await Dialler("key", 0, proxy.url).dial(ELSEWHERE, lambda event: None)
    assert refused.value.status is None
    assert "407" in refused.value.detail


async def test_stripe_is_asked_through_it() -> None:
    async with proxying(("127.0.0.1", 1), refuses=True) as proxy:
        gateway = Gateway(Address("sk_test_x", "http://stripe.invalid", proxy.url), "http://127.0.0.1:3000", retries=0)
        with pytest.raises(StripeAway):
            await gateway.webhook_endpoints()
    assert proxy.asked == ["GET http://stripe.invalid/v1/webhook_endpoints?limit=100 HTTP/1.1"]
