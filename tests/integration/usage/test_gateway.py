"""The usage report over the network, from a strict stand-in."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment

from tests.standin.deepgram import DeepgramStandIn
from tests.standin.usage import UsageStandIn
from transcription_proxy.backoff import Backoff
from transcription_proxy.usage.compare import Request
from transcription_proxy.usage.gateway import TRIES, NoReport, ReportFailed, UsageReport

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT_ONCE = Backoff(0.0, 0.0)
SESSION = UUID("5e55105e-0000-4000-8000-000000000001")


@pytest_asyncio.fixture
async def standin() -> AsyncIterator[DeepgramStandIn]:
    async with DeepgramStandIn() as running:
        yield running


@pytest.fixture
def usage(standin: DeepgramStandIn) -> UsageStandIn:
    return standin.usage


@pytest_asyncio.fixture
async def report(standin: DeepgramStandIn) -> AsyncIterator[UsageReport]:
    report = UsageReport(standin.url.replace("ws", "http"), standin.usage.key, backoff=AT_ONCE)
    yield report
    await report.close()


async def listed(report: UsageReport, project: str, days: int = 1) -> list[Request]:
    return [one async for one in report.requests(project, AT - timedelta(days=days), AT + timedelta(days=days))]


async def test_a_request_has_its_length_and_the_session_in_its_tags(report: UsageReport, usage: UsageStandIn) -> None:
    other = uuid4()
    usage.add("a", f"/v1/listen?model=nova-3&tag={other}&tag=mine&tag={SESSION}", duration=25.933, created=AT)
    usage.add("b", "/v1/listen?model=nova-3", duration=1.0, code=200, created=AT - timedelta(hours=1))
    usage.add("c", f"/v2/listen?model=flux-general-en&tag={SESSION}", duration=None, created=AT - timedelta(hours=2))
    usage.add("d", f"/v1/listen?model=x&tag={SESSION}", code=400, created=AT - timedelta(hours=3))
    usage.add("old", f"/v1/listen?tag={SESSION}", created=AT - timedelta(days=3))
    assert await report.projects() == [usage.project]
    assert await listed(report, usage.project) == [
        Request("a", 25_933, (SESSION, other)),
        Request("b", 1000),
        Request("c", None, (SESSION,)),
        Request("d", 0, (SESSION,)),
    ]
    assert await report.request(usage.project, "old") == Request("old", 0, (SESSION,))
    assert await report.request(usage.project, "none/../such") is None


async def test_a_request_that_was_never_answered_metered_nothing(report: UsageReport, usage: UsageStandIn) -> None:
    usage.add("a", f"/v1/listen?tag={SESSION}", created=AT)["response"] = None
    assert await listed(report, usage.project) == [Request("a", 0, (SESSION,))]


@pytest.mark.parametrize("largest_page", [1000, 4])
async def test_all_pages_are_read(report: UsageReport, usage: UsageStandIn, largest_page: int) -> None:
    usage.largest_page = largest_page
    for number in range(10):
        usage.add(str(number), "/v1/listen", created=AT - timedelta(minutes=number))
    assert [one.id for one in await listed(report, usage.project)] == [str(number) for number in range(10)]


async def test_requests_added_meanwhile_neither_repeat_nor_hide_others(
    report: UsageReport, usage: UsageStandIn
) -> None:
    usage.largest_page = 3
    for number in range(6):
        usage.add(str(number), "/v1/listen", created=AT - timedelta(minutes=number))
    found = []
    async for one in report.requests(usage.project, AT - timedelta(days=1), AT + timedelta(days=1)):
        found.append(one.id)
        if len(found) == 3:
            usage.add("late", "/v1/listen", created=AT + timedelta(minutes=1))
    assert found == ["0", "1", "2", "3", "4", "5"]


async def test_a_server_that_repeats_a_page_is_not_asked_for_ever(report: UsageReport, usage: UsageStandIn) -> None:
    page = {"page": 0, "limit": 1, "requests": [usage.add("a", "/v1/listen", created=AT)]}
    usage.failures = [(200, {}, page)] * 3
    with pytest.raises(ReportFailed, match="repeated"):
        await listed(report, usage.project)
    assert len(usage.failures) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_busy_server_is_asked_again(report: UsageReport, usage: UsageStandIn, status: int) -> None:
    usage.failures = [(status, {"Retry-After": "0"}, {"err_msg": "wait"})] * (TRIES - 1)
    assert await report.projects() == [usage.project]
    usage.failures = [(status, {"dg-error": "no"}, b"<html>")] * TRIES
    with pytest.raises(ReportFailed) as caught:
        await report.projects()
    assert (caught.value.status, caught.value.detail, usage.failures) == (status, "no", [])


async def test_the_pause_that_the_server_asks_for_is_kept(usage: UsageStandIn, report: UsageReport) -> None:
    usage.failures = [(429, {"Retry-After": "1"}, {})]
    begun = asyncio.get_running_loop().time()
    await report.projects()
    assert asyncio.get_running_loop().time() - begun >= 1


async def test_a_key_without_the_scope_is_told_apart(report: UsageReport, usage: UsageStandIn) -> None:
    usage.scopes.discard("usage:read")
    assert await report.projects() == [usage.project]
    with pytest.raises(ReportFailed) as caught:
        await listed(report, usage.project)
    assert caught.value.status == 403
    usage.key = "another"
    with pytest.raises(ReportFailed) as caught:
        await report.projects()
    assert (caught.value.status, caught.value.detail) == (401, "Invalid credentials.")


async def test_a_server_without_a_report_is_told_apart(report: UsageReport, usage: UsageStandIn) -> None:
    usage.failures = [(404, {}, {"err_code": "NOT_FOUND"})]
    with pytest.raises(NoReport):
        await report.projects()
    with pytest.raises(NoReport):
        await listed(report, "no-such-project")


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"projects":[{}]}', b"\xff", b"[" * 100_000])
async def test_what_is_no_report_is_not_taken_for_one(report: UsageReport, usage: UsageStandIn, body: bytes) -> None:
    usage.failures = [(200, {}, body)]
    with pytest.raises(ReportFailed) as caught:
        await report.projects()
    assert caught.value.status == 200


async def test_a_silent_or_absent_server_is_given_up() -> None:
    async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)
        writer.close()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    report = UsageReport(f"http://127.0.0.1:{port}", None, backoff=AT_ONCE, timeout=0.05)
    with pytest.raises(ReportFailed) as caught:
        await report.projects()
    assert (caught.value.status, caught.value.detail) == (None, "ReadTimeout")
    server.close()
    with pytest.raises(ReportFailed) as caught:
        await report.projects()
    await report.close()
    assert (caught.value.status, caught.value.detail) == (None, "ConnectError")


def test_a_socks_proxy_is_refused_at_once() -> None:
    with pytest.raises(ReportFailed, match="SOCKS"):
        UsageReport("http://127.0.0.1:1", None, proxy="socks5://127.0.0.1:1")


async def test_the_stand_in_speaks_the_api_of_deepgrams_sdk(standin: DeepgramStandIn) -> None:
    usage, base = standin.usage, standin.url.replace("ws", "http")
    usage.add("a", f"/v1/listen?tag={SESSION}", duration=2.5, created=AT)
    where = DeepgramClientEnvironment(base=base, production=standin.url, agent=standin.url, agent_rest=base)
    client = AsyncDeepgramClient(api_key=usage.key, environment=where)
    requests = client.manage.v1.projects.requests
    [project] = (await client.manage.v1.projects.list()).projects or []
    page = await requests.list(project.project_id or "", start=AT, end=AT, limit=100, page=0)
    [one] = page.requests or []
    assert one.response is not None
    assert (one.request_id, one.response["details"]["duration"], page.page) == ("a", 2.5, 0)
    assert one.response["details"]["tags"] == [str(SESSION)]
    assert (await requests.get(usage.project, "a")).request == one
