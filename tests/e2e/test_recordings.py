"""Recordings of Deepgram clients: streamed through, held for before, and billed on what the upstream reports."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from tests.e2e.checks import assert_books_balance
from tests.e2e.client import User
from tests.e2e.service import Service, environment, serving
from tests.e2e.test_keys import create_key
from tests.e2e.test_metrics import TOKEN, scrape, settles_at
from tests.e2e.test_usage import execute, reconciled
from tests.standin.recordings import RecordingStandIn
from tests.standin.usage import UsageStandIn

PATH = "/v1/listen?model=nova-3"
MP3 = b"\xff\xfb\x90\x00" * 2500
"""Bytes that look like an MP3, whose length only decoding it tells."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standin() -> AsyncIterator[RecordingStandIn]:
    async with RecordingStandIn() as standin:
        yield standin


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(scratch: Path, standin: RecordingStandIn) -> AsyncIterator[Service]:
    env = environment(scratch / "recordings", standin.url, MAX_RECORDING_MB="32", METRICS_TOKEN=TOKEN)
    async with serving(env) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def fresh(service: Service, standin: RecordingStandIn) -> AsyncIterator[None]:
    standin.status, standin.duration, standin.channels = 200, 10.0, 1
    standin.received.clear()
    yield
    await assert_books_balance(service)


def wav(seconds: float, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(bytes(2 * channels * round(16000 * seconds)))
    return file.getvalue()


async def post(service: Service, user: User, body: Any, path: str = PATH, **headers: str) -> httpx.Response:
    named = {"Authorization": f"Token {user.token}", "Content-Type": "audio/wav", **headers}
    return await service.http.post(path, content=body, headers=named, timeout=30)


def refused(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"err_code", "err_msg", "request_id"}
    assert answer.headers["dg-error"] == body["err_msg"]
    assert answer.headers["dg-request-id"]
    return answer.status_code, body["err_code"]


async def left(service: Service, user: User) -> int:
    balance = await service.balance(user)
    assert balance["seconds_held"] == 0
    return balance["seconds_remaining"]


async def test_a_recording_is_billed_on_the_reported_duration(service: Service, standin: RecordingStandIn) -> None:
    user = await service.user(100)
    _, program = await create_key(service, user)
    standin.duration = 7.3
    answer = await post(service, program, wav(10))
    assert answer.status_code == 200
    assert answer.json()["results"]["channels"][0]["alternatives"][0]["transcript"] == "tell me more"
    assert answer.headers["dg-request-id"] == standin.request_id
    [received] = standin.received
    assert received.size == len(wav(10))
    assert received.headers["content-type"] == "audio/wav"
    assert received.target.startswith("/v1/listen?model=nova-3&tag=")
    assert await left(service, user) == 92
    [session] = await service.sessions(user)
    assert (session["seconds_used"], session["audio_seconds"], session["reason"]) == (8, 7.3, "client_stop")


async def test_channels_count_where_they_are_separate(service: Service, standin: RecordingStandIn) -> None:
    user = await service.user(100)
    standin.channels = 2
    assert (await post(service, user, wav(10, 2), f"{PATH}&multichannel=true")).status_code == 200
    assert await left(service, user) == 80
    assert (await post(service, user, wav(10, 2))).status_code == 200
    assert await left(service, user) == 70


async def test_a_file_that_is_surely_too_long_is_refused_unheard(service: Service, standin: RecordingStandIn) -> None:
    user = await service.user(9)
    assert refused(await post(service, user, wav(10))) == (402, "ASR_PAYMENT_REQUIRED")
    raw = f"{PATH}&encoding=linear16&sample_rate=16000"
    assert refused(await post(service, user, bytes(320_000), raw)) == (402, "ASR_PAYMENT_REQUIRED")
    assert standin.received == []
    assert await left(service, user) == 9


async def test_a_file_of_unknown_length_takes_at_most_the_balance(service: Service, standin: RecordingStandIn) -> None:
    user = await service.user(50)
    standin.duration = 49.0  # the hold of a file of 10 KB is 3 s
    assert (await post(service, user, MP3)).status_code == 200
    assert await left(service, user) == 1
    standin.duration = 3600.0
    assert (await post(service, user, MP3)).status_code == 200
    assert await left(service, user) == 0
    assert refused(await post(service, user, MP3)) == (402, "ASR_PAYMENT_REQUIRED")


async def test_an_upload_without_a_length_is_streamed(service: Service, standin: RecordingStandIn) -> None:
    user = await service.user(100)
    arrived = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield MP3
        await arrived.wait()
        yield MP3

    uploading = asyncio.create_task(post(service, user, pieces()))
    await standin.heard(len(MP3))  # the first piece went up before the second was sent
    arrived.set()
    assert (await uploading).status_code == 200
    assert standin.received[0].size == 2 * len(MP3)
    assert await left(service, user) == 90


@pytest.mark.parametrize("announced", [True, False])
async def test_a_recording_may_have_many_megabytes_but_not_too_many(
    service: Service, standin: RecordingStandIn, announced: bool
) -> None:
    user = await service.user(100_000)

    async def megabytes(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(1 << 20)

    size = {"Content-Length": str(24 << 20)} if announced else {}
    assert (await post(service, user, megabytes(24), **size)).status_code == 200
    assert standin.received[-1].size == 24 << 20
    size = {"Content-Length": str(33 << 20)} if announced else {}
    answer = await post(service, user, megabytes(33), **size)
    assert refused(answer) == (413, "PAYLOAD_TOO_LARGE")
    assert answer.headers["dg-error"] == "A recording may have at most 32 MB."
    assert await left(service, user) == 100_000 - 10


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (PATH, b"", "Bad Request"),
        ("/v1/listen?model=whisper", MP3, "INVALID_QUERY_PARAMETER"),
        (f"{PATH}&callback=http://example.com", MP3, "INVALID_QUERY_PARAMETER"),
        (f"{PATH}&summarize=v2", MP3, "INVALID_QUERY_PARAMETER"),
    ],
)
async def test_what_cannot_be_metered_is_refused(
    service: Service, standin: RecordingStandIn, path: str, body: bytes, code: str
) -> None:
    user = await service.user(100)
    assert refused(await post(service, user, body, path)) == (400, code)
    assert standin.received == []
    assert await left(service, user) == 100


@pytest.mark.parametrize(
    "body", [b'{"url": "http://127.0.0.1/a.wav"}', b'{"url": "http://[::ffff:10.0.0.1]/"}', b'{"url": "file:///etc"}',
             b'{"url": "http://localhost:1/"}', b'{"url": "http://0x7f.1/"}', b'{"url": ""}']
)  # fmt: skip
async def test_a_url_inside_our_network_is_not_fetched(
    service: Service, standin: RecordingStandIn, body: bytes
) -> None:
    user = await service.user(100)
    answer = await post(service, user, body, **{"Content-Type": "application/json"})
    assert refused(answer) == (400, "REMOTE_CONTENT_ERROR")
    assert standin.received == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"url": 5}', b'{"uri": "http://example.com/"}'])
async def test_json_without_a_url_is_no_recording(service: Service, standin: RecordingStandIn, body: bytes) -> None:
    user = await service.user(100)
    answer = await post(service, user, body, **{"Content-Type": "Application/JSON; charset=utf-8"})
    assert refused(answer) == (400, "Bad Request")
    assert standin.received == []


async def test_a_forged_key_reaches_no_upstream(service: Service, standin: RecordingStandIn) -> None:
    answer = await post(service, User("", "tpk_forged"), MP3)
    assert refused(answer) == (401, "INVALID_AUTH")
    assert answer.headers["dg-error"] == "Invalid credentials."
    assert standin.received == []


@pytest.mark.parametrize(("status", "seen"), [(400, 400), (429, 429), (401, 502), (500, 502)])
async def test_the_upstreams_refusal_is_passed_on_and_costs_nothing(
    service: Service, standin: RecordingStandIn, status: int, seen: int
) -> None:
    user = await service.user(100)
    standin.status = status
    answer = await post(service, user, MP3)
    assert answer.status_code == seen
    assert len(standin.received) == 1
    assert (answer.json()["err_msg"] == "corrupt data") == (status == seen)
    assert await left(service, user) == 100
    assert await service.sessions(user) == []


async def test_a_client_that_leaves_after_its_upload_is_billed(service: Service, standin: RecordingStandIn) -> None:
    user = await service.user(100)
    standin.answering.clear()
    uploading = asyncio.create_task(post(service, user, MP3))
    await standin.heard(len(MP3))
    uploading.cancel()
    standin.answering.set()
    async with asyncio.timeout(20):
        while await service.sessions(user) == []:
            await asyncio.sleep(0.05)
    assert await left(service, user) == 90


async def test_a_revoked_key_ends_its_recording(service: Service, standin: RecordingStandIn) -> None:
    user = await service.user(100)
    key_id, program = await create_key(service, user)
    standin.answering.clear()
    uploading = asyncio.create_task(post(service, program, MP3))
    await standin.heard(len(MP3))
    await service.http.delete(f"/account/keys/{key_id}", headers={"Authorization": f"Bearer {user.token}"})
    assert refused(await uploading) == (401, "INVALID_AUTH")
    standin.answering.set()
    assert await left(service, user) == 100


async def test_the_bytes_of_recordings_are_counted(service: Service) -> None:
    before = (await scrape(service)).get("transcription_audio_bytes_total", 0.0)
    assert (await post(service, await service.user(100), wav(10))).status_code == 200
    await settles_at(service, "transcription_audio_bytes_total", before + len(wav(10)))


async def test_recordings_are_compared_with_the_usage_report(service: Service, standin: RecordingStandIn) -> None:
    await execute(service, "UPDATE transcription_sessions SET started_at = started_at - interval '60 d'")
    user = await service.user(600)
    standin.usage = usage = UsageStandIn()
    for standin.duration, standin.status, path in (
        (7.3, 200, PATH),
        (4.0, 200, f"{PATH}&encoding=linear16&sample_rate=16000"),
        (0.0, 400, PATH),
    ):
        standin.request_id = str(uuid4())
        assert (await post(service, user, bytes(128_000), path)).status_code == standin.status
        target = standin.received[-1].target
        usage.add(standin.request_id, target, duration=standin.duration, code=standin.status)
    status, found = await reconciled(service)
    assert (status, found["differences"]) == (0, [])
    assert (found["sessions"], found["requests"]) == (3, 3)
    assert found["upstream_seconds"] == found["sent_seconds"] == found["billed_seconds"] == 11.3
    usage.requests[0]["response"]["details"]["duration"] = 9.0
    status, found = await reconciled(service)
    [difference] = found["differences"]
    assert (status, difference["here_seconds"], difference["upstream_seconds"]) == (1, 7.3, 9.0)
