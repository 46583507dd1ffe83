"""What `/metrics` says of two workers, and that the alerts and the dashboard name only what is there."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.client import sound
from tests.e2e.listening import listen
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.waiting import until
from transcription_proxy.accounts.reset import LINK_JOB
from transcription_proxy.config import PROJECT

TOKEN = "the token of the tests"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def measured(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    env = environment(scratch / "measured", upstream.url, WORKERS="2", METRICS_TOKEN=TOKEN, AUTH_RATE_PER_MINUTE="10")
    mail_server_that_is_away = {"SMTP_URL": "smtp://127.0.0.1:1", "MAIL_FROM": "captions@b.example"}
    async with serving({**env, **mail_server_that_is_away, "TRUSTED_PROXIES": "127.0.0.1"}) as service:
        yield service


async def scrape(service: Service) -> dict[str, float]:
    """Return the samples, by name with labels."""
    answer = await service.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def settles_at(service: Service, name: str, value: float) -> None:
    """Wait until a sample has a value."""

    async def is_there() -> bool:
        return (await scrape(service)).get(name) == value

    await until(is_there)


async def test_without_the_token_there_is_nothing_to_see(measured: Service, service: Service) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = await measured.http.get("/metrics", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert (await service.http.get("/metrics", headers={"Authorization": "Bearer x"})).status_code == 404


async def test_one_scrape_answers_for_all_workers(measured: Service, upstream: Upstream) -> None:
    users = [await measured.user(600) for _ in range(4)]
    sessions = [await measured.captions(user) for user in users]
    for session in sessions:
        await session.ready()
        await session.send(sound(2))
    await settles_at(measured, "transcription_live_sessions", 4)
    await settles_at(measured, "transcription_audio_bytes_total", 4 * 64_000)
    found = await scrape(measured)
    assert found["transcription_audio_frames_total"] >= 4
    assert found['transcription_holds_total{result="granted"}'] == 4
    assert found["transcription_upstream_dial_seconds_count"] == 4
    assert found["transcription_database_up"] == 1
    assert found["transcription_event_loop_lag_seconds_count"] > 0
    for session in sessions:
        await session.stop()
    await settles_at(measured, "transcription_live_sessions", 0)
    assert (await scrape(measured))['transcription_sessions_ended_total{reason="client_stop"}'] == 4
    assert (await scrape(measured))["transcription_unsettled_seconds"] == 0


async def test_audio_that_is_not_raw_is_counted_in_bytes(measured: Service) -> None:
    before = (await scrape(measured))["transcription_audio_bytes_total"]
    user = await measured.user(600)
    connection = await listen(measured, user, {"model": "nova-3"})
    for _ in range(3):
        await connection.send(b"OggS" * 1000)
    await settles_at(measured, "transcription_audio_bytes_total", before + 12_000)
    await connection.close()


async def test_limits_hold_over_both_workers_and_are_counted(measured: Service) -> None:
    wrong = {"email": "nobody@example.org", "password": "wrong password"}
    answers = await asyncio.gather(*(measured.http.post("/auth/login", json=wrong) for _ in range(80)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == 10
    assert statuses.count(429) == 70
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 429)
    found = await scrape(measured)
    assert found['transcription_rate_limited_total{what="/auth/"}'] == 70
    assert found['transcription_refused_logins_total{code="invalid_credentials"}'] == 10


async def test_a_job_that_fails_is_counted_by_its_kind(measured: Service) -> None:
    user = await measured.user(600)
    assert await failed_jobs(measured) == 0
    elsewhere = {"X-Forwarded-For": "192.0.2.9"}  # so that the limit of this address stays unused
    answer = await measured.http.post("/auth/forgot", json={"email": user.email}, headers=elsewhere)
    assert answer.status_code == 202
    await until(lambda: failed_jobs(measured))


async def failed_jobs(service: Service) -> float:
    return (await scrape(service))[f'transcription_failed_jobs_total{{kind="{LINK_JOB}"}}']


@pytest.mark.parametrize("path", ["deploy/prometheus/alerts.yml", "deploy/grafana/dashboard.json"])
async def test_alerts_and_dashboard_name_only_metrics_that_are_served(measured: Service, path: str) -> None:
    text = (PROJECT / path).read_text()
    if path.endswith(".json"):
        text = "\n".join(target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"])
    else:
        text = "\n".join(re.findall(r"expr: (.*)", text))
    scaled = re.findall(r"metric: \{name: (\w+)\}", (PROJECT / "deploy/kubernetes/autoscaling.yaml").read_text())
    named = {*re.findall(r"\btranscription_\w+", text), *scaled}
    assert len(named) > 10
    found = await scrape(measured)
    assert named <= {name.partition("{")[0] for name in found}
    for name, label, value in re.findall(r'(transcription_\w+)\{(\w+)="(\w+)"\}', text):
        assert any(sample.startswith(f"{name}{{") and f'{label}="{value}"' in sample for sample in found), name
