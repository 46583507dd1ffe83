"""Deepgram's own clients as published, against the built-in engine: only the URL and the key are ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment

from tests.e2e.checks import assert_books_balance
from tests.e2e.client import User, sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.test_keys import create_key
from tests.e2e.upstream import Upstream
from tests.integration.engine.recordings import BECKETT, at_rate, recording, word_errors
from tests.standin.script import Hangup, Script

NODE = Path(__file__).parents[2] / ".venv/bin/node"
SCRIPT = Path(__file__).with_name("deepgram_sdk.mjs")
OPTIONS: dict[str, Any] = {
    "model": "nova-3",
    "language": "en",
    "encoding": "linear16",
    "sample_rate": 16000,
    "interim_results": True,
    "smart_format": True,
}
PIECE = 3200


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(scratch: Path) -> AsyncIterator[Service]:
    """A service with the built-in engine."""
    env = environment(scratch / "sdks", "")
    del env["DEEPGRAM_URL"], env["DEEPGRAM_API_KEY"]
    async with serving(env) as running:
        yield running
        await assert_books_balance(running)


@pytest.fixture(scope="module")
def speech() -> bytes:
    samples, rate = recording("beckett.wav")
    return at_rate(samples, rate, 16000).tobytes()


def deepgram_environment(service: Service, slash: str = "") -> DeepgramClientEnvironment:
    http, ws = service.url + slash, service.ws_url + slash
    return DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)


async def programs_key(service: Service, seconds: int = 3600, **limits: Any) -> tuple[User, str]:
    user = await service.user(seconds)
    _, program = await create_key(service, user, **limits)
    return user, program.token


async def check_bill(service: Service, user: User, speech: bytes, balance: int = 3600) -> None:
    used = -(-len(speech) // 32_000)
    async with asyncio.timeout(10):
        while (await service.balance(user))["seconds_remaining"] != balance - used:
            await asyncio.sleep(0.1)
    (session,) = await service.sessions(user)
    assert (session["seconds_used"], session["reason"]) == (used, "client_stop")


def texts(messages: list[Any]) -> list[str]:
    return [each.channel.alternatives[0].transcript for each in messages if each.type == "Results" and each.is_final]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_python_sdk_streams(engine: Service, speech: bytes, slash: str) -> None:
    user, key = await programs_key(engine)

    def run() -> list[Any]:
        messages: list[Any] = []
        client = DeepgramClient(api_key=key, environment=deepgram_environment(engine, slash))
        with client.listen.v1.connect(**OPTIONS) as connection:
            connection.on(EventType.MESSAGE, messages.append)
            for start in range(0, len(speech), PIECE):
                connection.send_media(speech[start : start + PIECE])
            connection.send_finalize()
            connection.send_close_stream()
            connection.start_listening()
        return messages

    messages = await asyncio.to_thread(run)
    assert word_errors([" ".join(texts(messages))], [BECKETT]) < 0.2
    assert (messages[-1].type, messages[-1].duration) == ("Metadata", pytest.approx(len(speech) / 32_000, abs=0.01))
    await check_bill(engine, user, speech)


async def test_the_asynchronous_python_sdk_streams_with_a_token(engine: Service, speech: bytes) -> None:
    user = await engine.user(3600)
    messages: list[Any] = []
    client = AsyncDeepgramClient(access_token=user.token, environment=deepgram_environment(engine))
    async with client.listen.v1.connect(**OPTIONS) as connection:
        connection.on(EventType.MESSAGE, messages.append)
        listening = asyncio.create_task(connection.start_listening())
        for start in range(0, len(speech), PIECE):
            await connection.send_media(speech[start : start + PIECE])
        await connection.send_close_stream()
        await asyncio.wait_for(listening, 30)
    assert word_errors([" ".join(texts(messages))], [BECKETT]) < 0.2
    await check_bill(engine, user, speech)


async def run_node(
    service: Service, key: str, audio: Path, speed: float, end: str, model: str = "nova-3", *keywords: str
) -> Any:
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(SCRIPT), service.url, key, str(audio), model, str(speed), end, *keywords,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_the_javascript_sdk_streams_and_opens_one_session(engine: Service, speech: bytes, tmp_path: Path) -> None:
    audio = tmp_path / "speech.raw"
    audio.write_bytes(speech)
    user, key = await programs_key(engine)
    seen = await run_node(engine, key, audio, 4, "finish")
    assert (seen["opened"], seen["errors"], seen["closes"], seen["types"][-1]) == (1, [], [1000], "Metadata")
    assert word_errors([" ".join(seen["texts"])], [BECKETT]) < 0.2
    await check_bill(engine, user, speech)


async def test_the_javascript_sdk_does_not_come_back_when_the_credit_is_used_up(
    engine: Service, speech: bytes, tmp_path: Path
) -> None:
    audio = tmp_path / "speech.raw"
    audio.write_bytes(speech)
    user, key = await programs_key(engine, limit_seconds=4)
    seen = await run_node(engine, key, audio, 2, "stay")
    assert (seen["opened"], seen["errors"], seen["closes"], seen["types"][-1]) == (1, [], [1000], "Metadata")
    assert (await engine.balance(user))["seconds_remaining"] == 3596


async def test_the_javascript_sdk_is_told_why_it_is_refused(engine: Service, speech: bytes, tmp_path: Path) -> None:
    audio = tmp_path / "speech.raw"
    audio.write_bytes(speech)
    seen = await run_node(engine, "tpk_forged", audio, 4, "stay")
    assert seen["opened"] == 0
    assert "401" in seen["errors"][0]


async def test_the_javascript_sdk_comes_back_after_a_lost_upstream_and_both_sessions_are_billed(
    service: Service, upstream: Upstream, tmp_path: Path
) -> None:
    """It connects again after every close but 1000. What it had sent to the lost upstream is not sent again."""
    audio = tmp_path / "audio.raw"
    audio.write_bytes(sound(6))
    user, key = await programs_key(service)
    lost = Script(hangup=Hangup(2.0, 1011, "NET-0000"))
    case = upstream.scripted(lost, Script())
    seen = await run_node(service, key, audio, 4, "again", "nova-2", case["keywords"])
    assert (seen["opened"], seen["closes"], seen["types"][-1]) == (2, [1011, 1000], "Metadata")
    first, second = upstream.met(case)
    assert (first.audio_bytes + second.audio_bytes) <= len(sound(6))
    sessions = await service.sessions(user)
    assert [each["reason"] for each in sessions] == ["client_stop", "upstream_closed"]
    for session, record in zip(sessions, (second, first), strict=True):
        assert session["seconds_used"] == -(-record.audio_bytes // 32_000)
    balance = await service.balance(user)
    assert balance["seconds_remaining"] == 3600 - sum(each["seconds_used"] for each in sessions)
