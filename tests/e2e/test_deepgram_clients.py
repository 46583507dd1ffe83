"""Deepgram's own clients, as published, with recordings of real speech against the service and its built-in engine."""

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.resources import files
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment

from tests.e2e.checks import assert_books_balance
from tests.e2e.client import User
from tests.e2e.service import Service, environment, serving
from tests.e2e.test_keys import create_key
from tests.integration.engine.recordings import BECKETT, word_errors
from tests.packaging.environments import SCRIPTS, run

TOLERATED = 0.2
SPEECH = str(files("moonshine_voice").joinpath("assets", "beckett.wav"))
FILE = Path(SPEECH).read_bytes()
MODEL = "nova-3"
DEEPCTL = "deepctl==0.4.0"
"""Deepgram's command line. It brings some 60 packages, so it gets an environment of its own."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(scratch: Path) -> AsyncIterator[Service]:
    async with serving(environment(scratch / "clients", "", DEEPGRAM_API_KEY="")) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def balanced(service: Service) -> AsyncIterator[None]:
    yield
    await assert_books_balance(service)


@pytest_asyncio.fixture(loop_scope="session")
async def owner(service: Service) -> tuple[User, str]:
    """A user with an hour, and the user's API key."""
    user = await service.user(3600)
    _, program = await create_key(service, user)
    return user, program.token


def site(service: Service) -> DeepgramClientEnvironment:
    """The service as the SDK is pointed at it, with a slash at the end as people write it."""
    http, ws = f"{service.url}/", f"{service.ws_url}/"
    return DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)


def text(response: Any) -> str:
    return str(response.results.channels[0].alternatives[0].transcript)


async def used(service: Service, user: User) -> int:
    [session] = await service.sessions(user)
    balance = await service.balance(user)
    assert balance["seconds_remaining"] == 3600 - session["seconds_used"]
    return int(session["seconds_used"])


async def test_the_sdk_transcribes_a_file(service: Service, owner: tuple[User, str]) -> None:
    client = DeepgramClient(api_key=owner[1], environment=site(service))
    response: Any = await asyncio.to_thread(
        client.listen.v1.media.transcribe_file, request=FILE, model=MODEL, smart_format=True
    )
    assert word_errors([text(response)], [BECKETT]) < TOLERATED
    assert await used(service, owner[0]) == ceil(response.metadata.duration)


async def test_the_async_sdk_transcribes_pieces_of_a_file(service: Service, owner: tuple[User, str]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        with io.BytesIO(FILE) as file:
            while piece := file.read(10_000):
                yield piece

    client = AsyncDeepgramClient(api_key=owner[1], environment=site(service))
    response: Any = await client.listen.v1.media.transcribe_file(request=pieces(), model=MODEL)
    assert word_errors([text(response)], [BECKETT]) < TOLERATED
    assert await used(service, owner[0]) == ceil(response.metadata.duration)


async def test_a_granted_token_transcribes_a_file(service: Service, owner: tuple[User, str]) -> None:
    client = AsyncDeepgramClient(api_key=owner[1], environment=site(service))
    granted = await client.auth.v1.tokens.grant(ttl_seconds=60)
    service.tokens.append(granted.access_token)
    assert granted.expires_in == 60
    guest = AsyncDeepgramClient(access_token=granted.access_token, environment=site(service))
    response: Any = await guest.listen.v1.media.transcribe_file(request=FILE, model=MODEL)
    assert word_errors([text(response)], [BECKETT]) < TOLERATED
    assert await used(service, owner[0]) == ceil(response.metadata.duration)


async def test_the_sdk_reads_the_account(service: Service, owner: tuple[User, str]) -> None:
    client = AsyncDeepgramClient(api_key=owner[1], environment=site(service))
    [project] = (await client.manage.v1.projects.list()).projects or []
    assert project.project_id
    [balance] = (await client.manage.v1.projects.billing.balances.list(project.project_id)).balances or []
    assert (balance.amount, balance.units) == (60, "minutes")
    models = (await client.manage.v1.models.list()).stt or []
    assert MODEL in {model.canonical_name for model in models}


async def test_the_sdk_is_told_why_it_is_refused(service: Service, owner: tuple[User, str]) -> None:
    poor = await service.user(1)
    _, program = await create_key(service, poor)
    request = {"max_retries": 0}
    for key, body, status in (
        (program.token, FILE, 402),
        (owner[1], b"no audio", 400),
        ("tpk_forged", FILE, 401),
    ):
        client = AsyncDeepgramClient(api_key=key, environment=site(service))
        with pytest.raises(ApiError) as refused:
            await client.listen.v1.media.transcribe_file(request=body, model=MODEL, request_options=request)
        assert refused.value.status_code == status
    speak = AsyncDeepgramClient(api_key=owner[1], environment=site(service)).speak.v1.audio
    with pytest.raises(ApiError) as missing:
        [piece async for piece in speak.generate(text="hello", request_options=request)]
    assert missing.value.status_code == 404


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install Deepgram's command line, and return its path."""
    folder = tmp_path_factory.mktemp("deepctl")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / SCRIPTS / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", DEEPCTL)
    return folder / SCRIPTS / "dg"


async def dg(program: Path, service: Service, key: str, home: Path, *arguments: str) -> Any:
    """Run Deepgram's command line and return the JSON that it prints."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "DEEPGRAM_API_KEY": key, "DEEPGRAM_BASE_URL": service.url,
        "DEEPCTL_TELEMETRY_DISABLED": "1", "CI": "1", "NO_COLOR": "1",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        str(program),
        *("--output", "json", *arguments),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, (out, err)
    return json.loads(out[out.index(b"{") :])


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_command_line_transcribes_a_file(
    program: Path, service: Service, owner: tuple[User, str], tmp_path: Path
) -> None:
    found = await dg(program, service, owner[1], tmp_path, "listen", SPEECH, "--model", MODEL)
    transcript = found["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert word_errors([transcript], [BECKETT]) < TOLERATED
    assert await used(service, owner[0]) == ceil(found["metadata"]["duration"])


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_command_line_shows_the_project(
    program: Path, service: Service, owner: tuple[User, str], tmp_path: Path
) -> None:
    """Its other account commands need DEEPGRAM_PROJECT_ID, which it verifies at api.deepgram.com wherever it points."""
    assert "Live Captions" in json.dumps(await dg(program, service, owner[1], tmp_path, "projects", "--list"))
