"""The caption app as a user has it: a process with a window, a file as its microphone, the running service behind it.

What it shows is read from its own page for OBS; keys are pressed where there is a screen."""

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.client import User, sound
from tests.e2e.desktop import PROGRAM, Desktop, Running, wav
from tests.e2e.service import Service, _free_port
from tests.e2e.upstream import Upstream, words
from tests.standin import display
from tests.standin.script import Script
from tests.waiting import until

WITHIN = 30.0
RUNNING = "Live Captions is already running. Use its window, or close it first."


@pytest.fixture(scope="module")
def on_screen() -> Iterator[dict[str, str]]:
    with display.screen() as env:
        yield env


@pytest.fixture
async def user(service: Service) -> User:
    return await service.user(3600)


@pytest.fixture
def desktop(service: Service, user: User, tmp_path: Path) -> Desktop:
    desktop = Desktop(service, tmp_path / "settings")
    desktop.log_in_as(user)
    return desktop


def settings(desktop: Desktop, options: dict[str, Any], port: int) -> None:
    """The settings of somebody who has chosen the managed mode and the page for OBS."""
    remote = {"mode": "managed", "server_url": desktop.service.url, "options": options}
    everything = {"remote": remote, "overlay": {"enabled": True, "port": port}}
    (desktop.folder / "config.yaml").write_text(json.dumps(everything))  # JSON is YAML


@asynccontextmanager
async def opened(desktop: Desktop, on_screen: dict[str, str], *arguments: str) -> AsyncIterator[Running]:
    async with desktop.running("gui", *arguments, env={**on_screen, "PYTHONFAULTHANDLER": "1"}) as running:
        yield running


class Overlay:
    """The app's page for OBS, as a browser source reads it."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def until(self, text: str) -> dict[str, Any]:
        """Return what the page shows once its finals have that text."""
        async with asyncio.timeout(WITHIN):
            async for line in self._lines:
                if line.startswith("data: "):
                    shown: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    if text in " ".join(shown["finals"]):
                        return shown
        raise AssertionError(text)


@asynccontextmanager
async def overlay(port: int) -> AsyncIterator[Overlay]:
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN) as client, asyncio.timeout(WITHIN):
        while True:
            try:
                async with client.stream("GET", f"http://127.0.0.1:{port}/captions") as response:
                    yield Overlay(response.aiter_lines())
                    return
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


def press(on_screen: dict[str, str], keys: str) -> None:
    """Press keys in the window of the app, once it is there."""
    program = shutil.which("xdotool")
    assert program
    search = [program, "search", "--sync", "--onlyvisible", "--name", "^Live Captions$", "windowfocus", "--sync"]
    subprocess.run([*search, "key", "--clearmodifiers", keys], env=on_screen, check=True, timeout=WITHIN)


async def test_captions_appear_and_a_signal_ends_the_app_with_a_clean_bill(
    service: Service, upstream: Upstream, user: User, desktop: Desktop, on_screen: dict[str, str], tmp_path: Path
) -> None:
    config, port = upstream.scripted(Script()), _free_port()
    settings(desktop, config, port)
    file = wav(tmp_path / "talk.wav", sound(3))
    async with opened(desktop, on_screen, "--audio", str(file), "--start") as running:
        async with overlay(port) as page:
            shown = await page.until(words(4))
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 0, running.err
    assert shown["look"]["size"] == 32
    (record,) = upstream.met(config)
    assert bytes(record.audio).startswith(sound(3)[:64_000])
    (session,) = await service.sessions(user)
    ended = await service.session(user, session["id"])
    assert (ended["status"], ended["reason"]) == ("completed", "client_stop")
    assert running.err == ""


async def test_keys_start_mute_and_close(
    service: Service, upstream: Upstream, user: User, desktop: Desktop, on_screen: dict[str, str], tmp_path: Path
) -> None:
    if "DISPLAY" not in on_screen:
        pytest.skip("there is no Xvfb to press keys on")
    config, port = upstream.scripted(Script()), _free_port()
    settings(desktop, config, port)
    file = wav(tmp_path / "talk.wav", sound(20))
    async with opened(desktop, on_screen, "--audio", str(file)) as running:
        await asyncio.to_thread(press, on_screen, "ctrl+Return")
        async with overlay(port) as page:
            await page.until(words(2))
        await asyncio.to_thread(press, on_screen, "ctrl+m")
        await asyncio.to_thread(press, on_screen, "ctrl+Return")

        async def ended() -> list[dict[str, Any]]:
            return [row for row in await service.sessions(user) if row["status"] != "active"]

        sessions = await until(ended, WITHIN)
        running.send_signal(signal.SIGINT)
        assert await running.ended() == 0, running.err
    assert sessions[0]["reason"] == "client_stop"


async def test_a_second_copy_is_refused(desktop: Desktop, on_screen: dict[str, str], upstream: Upstream) -> None:
    settings(desktop, upstream.scripted(Script()), port := _free_port())
    async with opened(desktop, on_screen) as first:
        async with overlay(port) as page:
            await page.until("")
        async with opened(desktop, on_screen) as second:
            await second.complains(
                lambda err: err == "Live Captions is already running. Use its window, or close it first.\n"
            )
        first.send_signal(signal.SIGTERM)
        assert await first.ended() == 0, first.err


async def test_without_a_display_one_sentence_says_so(desktop: Desktop) -> None:
    assert await desktop.refused("gui") == ("There's no display to open a window on. Run this in a desktop session.")
    assert PROGRAM.exists()
