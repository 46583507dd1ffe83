"""The configurations in `deploy/`: TLS, whose address counts, and a caption session that outlives a reload."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.e2e.checks import check_receipt
from tests.e2e.client import Captions, sound
from tests.e2e.reverse_proxies import Caddy, HAProxy, Kind, Nginx, ReverseProxy, proxying
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.waiting import until

KINDS = [Nginx, HAProxy, Caddy]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def behind(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    """A service that trusts a proxy on this machine."""
    env = environment(scratch / "behind", upstream.url, TRUSTED_PROXIES="127.0.0.1", PUBLIC_URL="https://localhost")
    async with serving(env) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", params=KINDS, ids=lambda kind: kind.__name__)
async def proxy(request: pytest.FixtureRequest, behind: Service, scratch: Path) -> AsyncIterator[ReverseProxy]:
    kind: Kind = request.param
    async with proxying(kind, scratch / uuid4().hex, int(behind.env["PORT"])) as running:
        yield running


async def test_a_live_session_outlives_a_reload(behind: Service, proxy: ReverseProxy, upstream: Upstream) -> None:
    user = await behind.user()
    captions = await Captions.dial(proxy.ws_url, ssl=proxy.tls)
    await captions.auth(user.token)
    await captions.ready()
    await captions.send(sound(3))
    await captions.until(lambda: captions.finals() != "")
    await proxy.move()
    await captions.send(sound(4, seed=1))
    await captions.say("stop")
    await check_receipt(behind, user, captions, 3600)
    assert captions.messages[-1]["seconds_used"] == 7
    assert captions.close_code == 1000
    assert upstream.heard(captions).audio_bytes == len(sound(7))
    late = await Captions.dial(proxy.ws_url, ssl=proxy.tls)
    await late.auth(user.token)
    await late.ready()
    await late.leave()


async def test_the_client_is_who_connected_and_not_who_it_says(behind: Service, proxy: ReverseProxy) -> None:
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Request-Id": "forged-request-id"}
    answer = await proxy.http.post(f"{proxy.url}/auth/login", json={}, headers=forged)
    assert answer.status_code == 422
    request_id = answer.headers["X-Request-Id"]
    [line] = await until(lambda: [each for each in behind.log().splitlines() if request_id in each])
    assert "client=127.0.0.2" in line
    assert "forged-request-id" not in line


async def test_plain_http_leads_to_tls_and_metrics_nowhere(proxy: ReverseProxy) -> None:
    answer = await proxy.http.get(f"http://localhost:{proxy.address.plain}/captions?lang=en")
    assert answer.status_code in (301, 308)
    assert answer.headers["location"].startswith("https://")
    assert answer.headers["location"].endswith("/captions?lang=en")
    metrics = await proxy.http.get(f"{proxy.url}/metrics")
    assert metrics.status_code == 404
    assert "x-request-id" not in metrics.headers  # the service's own answers have one


async def test_a_body_that_is_too_large_is_refused_in_our_words(proxy: ReverseProxy) -> None:
    answer = await proxy.http.post(f"{proxy.url}/auth/login", content=b"x" * 70_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
