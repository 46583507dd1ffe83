"""`transcription-proxy demo`, as a newcomer runs it: real speech, the real engine, and nothing left behind."""

import asyncio
import contextlib
import math
import os
import re
import signal
import socket
import subprocess
import wave
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import jiwer
import pytest

from tests.e2e.service import PROGRAM

TWO_CITIES = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was
the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness, it was
the spring of hope, it was the winter of despair, we had everything before us, we had nothing before us, we were all
going direct to Heaven, we were all going direct the other way - in short, the period was so far like the present
period, that some of its noisiest authorities insisted on its being received, for good or for evil, in the superlative
degree of comparison only.
"""
RECEIPT = re.compile(
    r"Receipt: ([\d.]+) s of audio, (\d+) s billed; balance before (\d+) s \(.*\), after (\d+) s \(.*\)\."
)

NO_CAPTION = r"^(.* s of audio, .* billed, .*|Captions are \d+ s behind\.|Captions are on time again\.)$"
"""Lines that are not captions: the client's receipt, and its warnings while the machine is busy."""


@pytest.fixture
def corner(scratch: Path) -> Path:
    """The folder for all temporary files of the demo."""
    folder = scratch / "demo"
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


@contextlib.asynccontextmanager
async def demo(corner: Path, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the demo in a shell with settings that it must ignore."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        "demo",
        env={**kept, "TMPDIR": str(corner), **settings},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def lines_until(process: asyncio.subprocess.Process, text: str) -> str:
    assert process.stdout is not None
    out = ""
    while text not in out:
        line = (await process.stdout.readline()).decode()
        assert line, out
        out += line
    return out


def assert_nothing_is_left(corner: Path, out: str) -> None:
    assert list(corner.iterdir()) == []
    assert [process for process in Path("/proc").glob("[0-9]*") if mentions(process, corner)] == []
    port = int(re.findall(r"Ready: http://127\.0\.0\.1:(\d+)", out)[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert re.findall(r"created a database in (\S+)", out)[0].startswith(f"{corner}/")


def mentions(process: Path, folder: Path) -> bool:
    """Return whether a process has a folder in its arguments or environment."""
    with contextlib.suppress(OSError):
        return os.fsencode(folder) in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    return False


def errors(heard: str) -> float:
    """Return the word error rate."""
    read_out, understood = (" ".join(re.findall(r"[a-z']+", text.lower())) for text in (TWO_CITIES, heard))
    return float(jiwer.wer(read_out, understood))


@pytest.mark.timeout(300)
async def test_the_demo_shows_captions_of_real_speech_and_a_receipt_that_adds_up(corner: Path) -> None:
    strange = {"APP_ENV": "production", "TRIAL_SECONDS": "1", "DEEPGRAM_API_KEY": "k", "WORKERS": "many", "PORT": "1"}
    async with demo(corner, **strange) as process:
        out = (await process.communicate())[0].decode()
        assert process.returncode == 0, out
    captions = out[out.index(" live:") + len(" live:") : out.index("Receipt:")]
    captions = re.sub(NO_CAPTION, "", captions, flags=re.MULTILINE)
    assert errors(captions) < 0.2, captions
    found = RECEIPT.search(out)
    assert found, out
    audio, (billed, before, after) = float(found[1]), map(int, found.groups()[1:])
    with wave.open(str(files("moonshine_voice").joinpath("assets", "two_cities.wav"))) as recording:
        length = recording.getnframes() / recording.getframerate()
    assert audio == pytest.approx(length, abs=0.1)
    assert billed == math.ceil(length)
    assert before - after == billed
    assert_nothing_is_left(corner, out)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_an_interrupted_demo_leaves_nothing_behind(corner: Path, number: signal.Signals, status: int) -> None:
    async with demo(corner) as process:
        out = await lines_until(process, " live:")
        process.send_signal(number)
        assert process.stdout is not None
        rest = (await process.stdout.read()).decode()
        assert await process.wait() == status, out + rest
    assert "Traceback" not in rest
    assert_nothing_is_left(corner, out)
