"""Schemathesis over the OpenAPI document: no server error, and no answer that the document does not name."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.e2e.buyer import bearer, stranger
from tests.e2e.checks import assert_no_secrets
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
METRICS_TOKEN = "the metrics token of these tests"
EXAMPLES = 10
"""Random requests of each kind to each operation, besides those at the bounds of each field."""
CONFIG = f"""
[auth]
auto-signup = false

[checks]
positive_data_acceptance.enabled = false

[[operations]]
include-path = "/metrics"
headers = {{ Authorization = "Bearer {METRICS_TOKEN}" }}

[[operations]]
include-path = "/overlay/events"
checks.missing_required_header.enabled = false
checks.negative_data_rejection.expected-statuses = [410]
"""
"""Where Schemathesis expects something else than docs/protocol.md: no schema can say which packages are for sale, and
without a valid key an overlay is told 410."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def attacked(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    async with serving(
        environment(scratch / "attacked", upstream.url, METRICS_TOKEN=METRICS_TOKEN, TOPUPS="true")
    ) as service:
        yield service
    assert_no_secrets(service)


async def schemathesis(service: Service, folder: Path, *options: str) -> None:
    """Run Schemathesis, with the same requests every time. Fail with its report."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        *(SCHEMATHESIS, "run", f"{service.url}/openapi.json", "--no-color"),
        *("--max-examples", str(EXAMPLES), "--generation-deterministic"),
        *("--request-timeout", "10"),
        *options,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        report, _ = await asyncio.wait_for(process.communicate(), 100)
    except BaseException:
        process.kill()
        raise
    assert process.returncode == 0, report.decode()[-20_000:]
    assert b"Tested:" in report


async def test_strangers_get_only_documented_answers(attacked: Service, tmp_path: Path) -> None:
    await schemathesis(attacked, tmp_path)


async def test_users_get_only_documented_answers(attacked: Service, tmp_path: Path) -> None:
    user = await stranger(attacked)
    await schemathesis(attacked, tmp_path, "--header", f"Authorization: {bearer(user)['Authorization']}")


async def test_the_document_names_what_the_contract_promises(attacked: Service) -> None:
    paths = (await attacked.http.get("/openapi.json")).json()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} >= PROMISED


PROMISED = {
    *(("GET", path) for path in ("/health", "/ready", "/live", "/captions/options")),
    *(("POST", f"/auth/{what}") for what in ("register", "login", "refresh", "logout", "forgot", "reset")),
    ("POST", "/account/password"),
    *(("GET", f"/account/{what}") for what in ("me", "usage", "sessions", "purchases", "keys")),
    *(("GET", f"/billing/{what}") for what in ("packages", "balance", "success", "cancel", "checkout/{session_id}")),
    ("POST", "/billing/checkout"),
    ("POST", "/webhooks/stripe"),
    ("DELETE", "/account/sessions/{session_id}"),
    ("POST", "/account/keys"),
    ("DELETE", "/account/keys/{key_id}"),
}
"""Of docs/protocol.md, "HTTP"."""
