"""The desktop client loses its service in mid-sentence: every word arrives once, and the receipt matches the ledger.

The stand-in numbers words by their place in the speaker's audio, in any session."""

import json
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.proxy import Proxy
from tests.e2e.client import SECOND, User, sound
from tests.e2e.desktop import Desktop, Running, wav
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream, words
from tests.standin.script import Script
from tests.unit.client.terminal import screen, screens
from transcription_wire.lengths import exactly, length

HEAD = 64
"""Bytes that identify a place in the audio."""
RECEIPT = re.compile(r"Done: (.+) of audio, (.+) billed(?: in (\d+) sessions)?, (.+) left\.")
RECONNECTING = "Reconnecting... "


def knows(audio: bytes) -> Script:
    """Return a script that sends numbered words of this audio, wherever a connection begins in it."""
    return Script(locate=lambda head: audio.find(head[:HEAD]) if len(head) >= HEAD else None)


def spoken(upstream: Upstream, audio: bytes, late: float = 0.0) -> tuple[dict[str, Any], list[str]]:
    """Return a config that selects the script for this audio, and the client's arguments for it."""
    config = upstream.scripted(replace(knows(audio), delay=late))
    return config, ["--set", f"keywords={config['keywords']}"]


@asynccontextmanager
async def far_away(service: Service, folder: Path) -> AsyncIterator[tuple[Desktop, User, Proxy]]:
    """A desktop with an hour of credit, behind a proxy that can be cut."""
    user = await service.user(3600)
    async with Proxy(("127.0.0.1", int(service.env["PORT"]))) as proxy:
        desktop = Desktop(service, folder / "settings")
        desktop.log_in_as(user)
        desktop.keep(**desktop.login() | {"server": f"http://127.0.0.1:{proxy.port}"})
        yield desktop, user, proxy


async def check_books(service: Service, user: User, receipt: str, sessions: int) -> int:
    """Assert that the receipt is the ledger's sum of `sessions` sessions. Return the seconds used."""
    rows = await service.sessions(user)
    balance = await service.balance(user)
    found = RECEIPT.fullmatch(receipt)
    assert found is not None, receipt
    audio, used, count, left = found.groups()
    assert int(count or 1) == sessions == len(rows)
    assert {row["status"] for row in rows} <= {"completed", "terminated"}
    cost, heard = (sum(row[name] for row in rows) for name in ("seconds_used", "audio_seconds"))
    assert cost == 3600 - balance["seconds_remaining"]
    assert (used, left) == (exactly(cost), length(balance["seconds_remaining"]))
    assert audio in {exactly(heard + rounding) for rounding in (-0.05, 0, 0.05)}
    assert balance["seconds_held"] == 0
    return int(cost)


def check_words(running: Running, count: int) -> None:
    assert running.out.split() == words(count).split()


async def says(running: Running, audio: bytes) -> None:
    """Write audio to the client's pipe in real time."""
    assert running.process.stdin is not None
    running.process.stdin.write(audio)
    await running.process.stdin.drain()


async def falls_silent(running: Running) -> None:
    assert running.process.stdin is not None
    running.process.stdin.close()


def arrives(upstream: Upstream, config: dict[str, Any], audio: bytes) -> bool:
    return any(record.audio.endswith(audio) for record in upstream.met(config))


def hang_up(proxy: Proxy) -> None:
    for link in list(proxy.links):
        link.cut()


async def test_no_word_is_lost_when_the_connection_is_cut_twice(
    service: Service, upstream: Upstream, tmp_path: Path
) -> None:
    audio = sound(13)
    config, arguments = spoken(upstream, audio)
    async with far_away(service, tmp_path) as (desktop, user, proxy):
        async with desktop.running("transcribe", "-", *arguments, stdin=subprocess.PIPE) as running:
            for part in (audio[: 5 * SECOND], audio[5 * SECOND : 9 * SECOND]):
                await says(running, part)
                await upstream.until(partial(arrives, upstream, config, part[-HEAD:]))
                await running.until(lambda out: len(out.split()) == 8 * len(upstream.met(config)))
                hang_up(proxy)
            await says(running, audio[9 * SECOND :])
            await falls_silent(running)
            assert await running.ended() == 0
        check_words(running, 26)
        *lines, receipt = running.err.splitlines()
        assert lines == [f"{RECONNECTING}(try 1: The connection was lost)", "Reconnected."] * 2
        used = await check_books(service, user, receipt, sessions=3)
    first, second, third = upstream.met(config)
    assert bytes(first.audio) == audio[: 5 * SECOND]
    assert bytes(second.audio) == audio[4 * SECOND : 9 * SECOND]
    assert bytes(third.audio) == audio[8 * SECOND :]
    assert used == 5 + 5 + 5


async def test_a_lost_session_does_not_block_its_successor(
    service: Service, upstream: Upstream, tmp_path: Path
) -> None:
    """Another session is live, and the lost one is half open, so the service has not noticed the loss."""
    audio = sound(8)
    _, arguments = spoken(upstream, audio)
    async with far_away(service, tmp_path) as (desktop, user, proxy):
        other = await service.captions(user)
        await other.ready()
        async with desktop.running("transcribe", "-", *arguments, stdin=subprocess.PIPE) as running:
            await says(running, audio[: 5 * SECOND])
            await running.until(lambda out: out.split() == words(8).split())
            (link,) = proxy.links
            link.change(frozen=True)
            link._near.abort()
            await says(running, audio[5 * SECOND :])
            await falls_silent(running)
            assert await running.ended() == 0
        check_words(running, 16)
        assert "try 2" not in running.err
        await other.stop()
        _, lost, _ = await service.sessions(user)
        assert (await service.session(user, lost["id"]))["reason"] == "replaced"


async def test_the_client_catches_up_after_an_outage(service: Service, upstream: Upstream, tmp_path: Path) -> None:
    audio = sound(40)
    _, arguments = spoken(upstream, audio)
    async with far_away(service, tmp_path) as (desktop, user, proxy):
        async with desktop.running("transcribe", "-", *arguments, stdin=subprocess.PIPE) as running:
            await says(running, audio[: 3 * SECOND])
            await running.until(lambda out: out.split() == words(4).split())
            proxy.refusing = True
            hang_up(proxy)
            await says(running, audio[3 * SECOND : 39 * SECOND])
            await running.complains(lambda err: "try 3" in err)
            proxy.refusing = False
            await running.until(lambda out: len(out.split()) >= 76)
            await says(running, audio[39 * SECOND :])
            await falls_silent(running)
            assert await running.ended() == 0
        check_words(running, 80)
        assert f"{RECONNECTING}(try 2: Can't reach the service)" in running.err
        await check_books(service, user, running.err.splitlines()[-1], sessions=2)


async def test_a_fast_file_continues_fast_after_a_cut(service: Service, upstream: Upstream, tmp_path: Path) -> None:
    audio = sound(120)
    _, arguments = spoken(upstream, audio, late=0.2)
    async with far_away(service, tmp_path) as (desktop, user, proxy):
        path = wav(tmp_path / "talk.wav", audio)
        async with desktop.running("transcribe", str(path), "--fast", *arguments) as running:
            await running.until(lambda out: len(out.split()) >= 40)
            hang_up(proxy)
            assert await running.ended() == 0
        check_words(running, 240)
        await check_books(service, user, running.err.splitlines()[-1], sessions=2)


async def test_a_terminal_shows_reconnecting_and_each_word_once(
    service: Service, upstream: Upstream, tmp_path: Path
) -> None:
    audio = sound(60)
    _, arguments = spoken(upstream, audio, late=0.2)
    async with far_away(service, tmp_path) as (desktop, user, proxy):
        path = wav(tmp_path / "talk.wav", audio)
        async with desktop.on_a_terminal("transcribe", str(path), "--fast", *arguments, columns=120) as running:
            await running.until(lambda out: words(4, first=8) in out)
            hang_up(proxy)
            assert await running.ended() == 0
        *finals, receipt = screen(running.out)
        assert " ".join(finals) == words(120)
        status = " - reconnecting... (try 1: The connection was lost)"
        assert any(lines[-1].endswith(status) for lines in screens(running.out))
        await check_books(service, user, receipt, sessions=2)


async def test_json_output_has_the_messages_of_each_session(
    service: Service, upstream: Upstream, tmp_path: Path
) -> None:
    audio = sound(8)
    _, arguments = spoken(upstream, audio)
    async with far_away(service, tmp_path) as (desktop, user, proxy):
        async with desktop.running("transcribe", "-", "--json", *arguments, stdin=subprocess.PIPE) as running:
            await says(running, audio[: 3 * SECOND])
            await running.until(lambda out: '"is_final":true' in out)
            hang_up(proxy)
            await says(running, audio[3 * SECOND :])
            await falls_silent(running)
            assert await running.ended() == 0
        messages = [json.loads(line) for line in running.out.splitlines()]
        ready = [message["session_id"] for message in messages if message["type"] == "ready"]
        assert ready == [row["id"] for row in reversed(await service.sessions(user))]
        assert [message["reason"] for message in messages if message["type"] == "session_end"] == ["client_stop"]
        finals = [message["text"] for message in messages if message["type"] == "transcript" and message["is_final"]]
        assert " ".join(finals) == words(16)
        assert running.err.splitlines() == [f"{RECONNECTING}(try 1: The connection was lost)", "Reconnected."]


async def test_ctrl_c_during_an_outage_prints_the_receipt(service: Service, upstream: Upstream, tmp_path: Path) -> None:
    audio = sound(60)
    _, arguments = spoken(upstream, audio)
    async with far_away(service, tmp_path) as (desktop, _, proxy):
        path = wav(tmp_path / "talk.wav", audio)
        async with desktop.running("transcribe", str(path), *arguments) as running:
            await running.until(lambda out: words(4) in out)
            proxy.refusing = True
            hang_up(proxy)
            await running.complains(lambda err: "try 2" in err)
            running.send_signal(signal.SIGINT)
            assert await running.ended() == 1
    receipt, reason = running.err.splitlines()[-2:]
    assert "or more. Run transcription-client balance" in receipt
    assert reason.startswith("Stopped while reconnecting. Can't reach the service. The last ")


async def test_a_refused_token_is_renewed(service: Service, upstream: Upstream, tmp_path: Path) -> None:
    audio = sound(3)
    _, arguments = spoken(upstream, audio)
    desktop = Desktop(service, tmp_path / "settings")
    password = {"TRANSCRIPTION_PASSWORD": "correct horse battery"}
    await desktop.run("login", "--register", "--email", "refused@example.com", env=password)
    login = desktop.login()
    desktop.keep(**login | {"token": login["token"][:-3] + "xxx"})
    out, err = await desktop.run("transcribe", str(wav(tmp_path / "talk.wav", audio)), *arguments)
    assert out.split() == words(6).split()
    assert err == "Done: 3 s of audio, 3 s billed, 9 min 57 s left.\n"
    assert desktop.login()["refresh_token"] != login["refresh_token"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_no_word_is_lost_when_the_service_restarts(
    scratch: Path, upstream: Upstream, tmp_path: Path, number: signal.Signals
) -> None:
    audio = sound(24)
    config, arguments = spoken(upstream, audio)
    env = environment(scratch / f"client-{number.name}", upstream.url, DRAIN_SECONDS="1")
    async with serving(env) as service:
        user = await service.user(3600)
        desktop = Desktop(service, tmp_path / "settings")
        desktop.log_in_as(user)
        async with desktop.running("transcribe", "-", *arguments, stdin=subprocess.PIPE) as running:
            await says(running, audio[: 13 * SECOND])
            await running.until(lambda out: out.split() == words(24).split())
            await upstream.until(lambda: upstream.met(config)[0].audio_bytes == 13 * SECOND)
            if number is signal.SIGKILL:
                service.kill()
            else:
                service.send_signal(number)
                assert await service.stopped() == 0
            await says(running, audio[13 * SECOND : 22 * SECOND])
            await running.complains(lambda err: RECONNECTING in err)
            async with serving(env) as again:
                await says(running, audio[22 * SECOND :])
                await falls_silent(running)
                assert await running.ended(within=60) == 0
                check_words(running, 48)
                used = await check_books(again, user, running.err.splitlines()[-1], sessions=2)
                (old,) = [row for row in await again.sessions(user) if row["reason"] != "client_stop"]
                await again.command("ledger", "audit")
    assert "Reconnected." in running.err
    assert (old["reason"], old["status"]) == ("service_restart", "terminated")
    first, second = upstream.met(config)
    assert bytes(first.audio) == audio[: 13 * SECOND]
    if number is signal.SIGTERM:  # everything received was final when it ended, so nothing is billed twice
        assert bytes(second.audio) == audio[13 * SECOND :]
        assert used == 24
    else:
        assert bytes(second.audio) == audio[12 * SECOND :]
        assert used == old["seconds_used"] + 12
        assert 3 <= old["seconds_used"] <= 13


MICROPHONE = '''
"""A PortAudio for a test: it plays a file as fast as it was spoken, and is silent afterwards."""

import os
import threading


class PortAudioError(Exception):
    pass


class RawInputStream:
    def __init__(self, samplerate, channels, dtype, blocksize, device, callback, finished_callback):
        assert (samplerate, channels, dtype, device) == (16000, 1, "int16", 3)
        with open(os.environ["SPOKEN"], "rb") as file:
            self._sound = file.read()
        self._size, self._tell = 2 * blocksize, callback
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def start(self):
        self._thread.start()

    def close(self):
        self._closed.set()
        self._thread.join()

    def _play(self):
        position = 0
        while not self._closed.wait(self._size / 32000):
            block = self._sound[position : position + self._size].ljust(self._size, bytes(1))
            position += self._size
            self._tell(block, len(block) // 2, None, None)
'''


async def test_microphone_captions_continue_across_a_cut_until_ctrl_c(
    service: Service, upstream: Upstream, tmp_path: Path
) -> None:
    audio = sound(8)
    config = upstream.scripted(replace(knows(audio), final_ms=1000))
    (tmp_path / "sounddevice.py").write_text(MICROPHONE)
    (tmp_path / "spoken").write_bytes(audio)
    env = {"PYTHONPATH": str(tmp_path), "SPOKEN": str(tmp_path / "spoken")}
    async with far_away(service, tmp_path) as (desktop, user, proxy):
        arguments = ["--mic", "--device", "3", "--set", f"keywords={config['keywords']}"]
        async with desktop.running("transcribe", *arguments, env=env) as running:
            await running.until(lambda out: words(6) in out.replace("\n", " "))
            hang_up(proxy)
            await running.until(lambda out: words(16) in out.replace("\n", " "))
            running.send_signal(signal.SIGINT)
            assert await running.ended() == 0
        await check_books(service, user, running.err.splitlines()[-1], sessions=2)
    told = running.out.split()
    assert told == words(len(told)).split()


async def test_a_missing_microphone_is_reported(service: Service, tmp_path: Path) -> None:
    desktop = Desktop(service, tmp_path / "settings")
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    sentence = await desktop.refused("transcribe", "--mic", env={"PYTHONPATH": str(tmp_path)})
    assert sentence.endswith("On Debian and Ubuntu, run apt install libportaudio2.")
