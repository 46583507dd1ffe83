"""The security headers around each answer."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from tests.unit.web.exchange import exchange, http
from transcription_proxy.web.envelope import Envelope
from transcription_proxy.web.forwarding import UntrustedProxies, last_untrusted


async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Has a policy of its own."""
    headers = [(b"content-security-policy", b"default-src 'self'")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def crash(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ValueError("unforeseen")


@pytest.mark.parametrize(("https_only", "told"), [(True, "max-age=31536000"), (False, None)])
async def test_browsers_are_told_to_come_by_https_only_where_it_is_there(https_only: bool, told: str | None) -> None:
    for inner in (app, crash):
        answer = await exchange(Envelope(inner, [], https_only), http())
        assert answer.headers.get("strict-transport-security") == told


async def test_a_route_may_have_a_policy_of_its_own_and_gets_all_the_other_headers() -> None:
    headers = (await exchange(Envelope(app, [], https_only=False), http())).headers
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "microphone=(self)" in headers["permissions-policy"]
    assert "camera=()" in headers["permissions-policy"]


async def test_what_nobody_expected_has_the_headers_too() -> None:
    answer = await exchange(Envelope(crash, [], https_only=False), http())
    assert (answer.status, answer.error) == (500, "internal")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_the_first_forwarded_address_of_an_untrusted_peer_is_logged_once_and_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    envelope = Envelope(app, [ip_network("10.0.0.0/8")], https_only=False, untrusted_proxies=UntrustedProxies(tmp_path))
    forwarded = {"x-forwarded-for": "1.2.3.4"}
    await exchange(envelope, http(client=("172.17.0.1", 1)))
    await exchange(envelope, http(client=("10.0.0.1", 1), headers=forwarded))
    assert last_untrusted(tmp_path) is None
    for peer in ("172.17.0.1", "172.17.0.2"):
        await exchange(envelope, http(client=(peer, 1), headers=forwarded))
    assert last_untrusted(tmp_path) == "172.17.0.1"
    written = capsys.readouterr()  # where the log goes depends on whether it was configured before
    assert (written.out + written.err).count("forwarded_for_ignored") == 1
