"""`usage reconcile` beside a running service, against the usage report of the stand-in Deepgram."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from tests.e2e.checks import database_url
from tests.e2e.client import sound
from tests.e2e.listening import CLOSE_STREAM, RAW, listen, rest
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.record import Record
from tests.standin.script import Script
from tests.standin.usage import UsageStandIn

SECOND = 32_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deepgram() -> AsyncIterator[DeepgramStandIn]:
    async with DeepgramStandIn() as standin:
        yield standin


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def compared(scratch: Path, deepgram: DeepgramStandIn) -> AsyncIterator[Service]:
    async with serving(environment(scratch / "usage", deepgram.url)) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def usage(compared: Service, deepgram: DeepgramStandIn) -> UsageStandIn:
    """An empty report, and no sessions but those of the test."""
    await execute(compared, "UPDATE transcription_sessions SET started_at = started_at - interval '60 d'")
    deepgram.records.clear()
    deepgram.usage = UsageStandIn()
    return deepgram.usage


async def execute(service: Service, statement: str) -> None:
    with database_url(service) as url:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(statement)


def report(usage: UsageStandIn, record: Record) -> dict[str, Any]:
    return usage.add(record.request_id, record.target, duration=record.audio_bytes / SECOND)


async def reconciled(service: Service, *options: str) -> tuple[int, Any]:
    status, out, err = await service.run("usage", "reconcile", "--json", *options)
    assert err == ""
    return status, json.loads(out)


async def captioned(service: Service, deepgram: DeepgramStandIn) -> tuple[str, list[Record]]:
    """Run a session that loses its upstream once. Return its id, and its connections at the upstream."""
    upstream = Upstream(deepgram)
    config = upstream.scripted(Script(reset_after=1.5), Script())
    user = await service.user(600)
    captions = await service.captions(user, config)
    session_id = await captions.ready()
    await captions.send(sound(2))
    await captions.first("transcript")
    await upstream.until(lambda: len(upstream.met(config)) == 2)
    await captions.send(sound(2))
    await captions.stop()
    return session_id, upstream.met(config)


async def test_redials_streams_and_silence_agree_with_the_report(
    compared: Service, deepgram: DeepgramStandIn, usage: UsageStandIn
) -> None:
    session_id, records = await captioned(compared, deepgram)
    user = await compared.user(600)
    connection = await listen(compared, user, RAW)
    await connection.send(sound(1.5))
    await connection.send(CLOSE_STREAM)
    await rest(connection)
    streamed = deepgram.records[-1]
    for record in [*records, streamed]:
        report(usage, record)
    usage.add(str(uuid4()), "/v1/listen?model=nova-3", duration=99.0)  # another program's
    status, found = await reconciled(compared)
    assert (status, found["differences"]) == (0, [])
    assert (found["sessions"], found["requests"], found["pending"]) == (2, 3, 0)
    sent = sum(record.audio_bytes for record in [*records, streamed]) / SECOND
    assert found["upstream_seconds"] == pytest.approx(sent, abs=0.002)
    assert found["sent_seconds"] >= found["upstream_seconds"] - 0.002
    assert found["billed_seconds"] == 5.5
    assert sum(record.audio_bytes for record in records) > 4 * SECOND  # a part was sent twice, and billed once
    assert all(record.value("tag") == session_id for record in records)


async def test_each_kind_of_difference_is_printed(
    compared: Service, deepgram: DeepgramStandIn, usage: UsageStandIn
) -> None:
    session_id, (first, second) = await captioned(compared, deepgram)
    report(usage, first)["response"]["details"]["duration"] += 3
    stranger, unknown = uuid4(), str(uuid4())
    usage.add(unknown, f"/v1/listen?tag={stranger}", duration=7.5)
    usage.add("extra", f"/v1/listen?tag={session_id}", duration=2.0)
    status, found = await reconciled(compared)
    assert (status, found["pending"]) == (1, 1)  # the second request may still come
    await execute(compared, "UPDATE transcription_sessions SET ended_at = ended_at - interval '1 h'")
    status, found = await reconciled(compared)
    assert status == 1
    kinds = {(one["kind"], one["session_id"], one["request_id"]) for one in found["differences"]}
    assert kinds == {
        ("duration", session_id, first.request_id),
        ("unknown_upstream", session_id, second.request_id),
        ("not_recorded", session_id, "extra"),
        ("unknown_here", str(stranger), unknown),
    }
    status, out, err = await compared.run("usage", "reconcile", "--since", "12h")
    assert (status, err) == (1, "")
    for text in (session_id, unknown, "different length", "missing in Deepgram's report", "7.500 s", "Compared 3"):
        assert text in out
    report(usage, second)["created"] = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    _, found = await reconciled(compared)  # it is not in the list, and is found by its id
    assert "unknown_upstream" not in {one["kind"] for one in found["differences"]}


async def test_a_session_whose_process_died_is_found_by_its_tag(
    compared: Service, deepgram: DeepgramStandIn, usage: UsageStandIn
) -> None:
    _, records = await captioned(compared, deepgram)
    forget = "SET upstream_connections = '[]', upstream_request_id = NULL, audio_seconds = 2.0"
    await execute(compared, f"UPDATE transcription_sessions {forget} WHERE started_at > now() - interval '1 d'")
    for record in records:
        report(usage, record)
    status, found = await reconciled(compared)
    [difference] = found["differences"]
    assert (status, difference["kind"], difference["here_seconds"]) == (1, "duration", 2.0)
    assert difference["upstream_seconds"] == pytest.approx(sum(one.audio_bytes for one in records) / SECOND, abs=0.002)


async def test_what_prevents_a_comparison_is_said_in_one_sentence(
    compared: Service, deepgram: DeepgramStandIn, usage: UsageStandIn
) -> None:
    async def refused(*options: str) -> str:
        status, out, err = await compared.run("usage", "reconcile", *options)
        assert (status in (1, 2), out, err.count("\n")) == (True, "", 1), err
        return err

    usage.scopes.clear()
    assert "isn't allowed to read usage" in await refused()
    usage.key = "another"
    assert "rejected DEEPGRAM_API_KEY" in await refused()
    usage.failures = [(404, {}, {})]
    assert "has no usage report" in await refused()
    assert "90 days" in await refused("--since", "13w")
    assert "12h, 7d or 2w" in await refused("--since", "soon")


async def test_the_built_in_engine_has_no_report(compared: Service) -> None:
    env = {name: value for name, value in compared.env.items() if not name.startswith("DEEPGRAM")}
    bare = Service(env, compared.log_path, compared.process, compared.http)
    status, out, err = await bare.run("usage", "reconcile")
    assert (status, out) == (1, "")
    assert err == "The built-in engine has no usage report. Set DEEPGRAM_API_KEY to compare with Deepgram's.\n"
