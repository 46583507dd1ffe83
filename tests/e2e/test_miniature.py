"""A miniature of the user's app, which knows only the plan's interface, takes the engine in with one import.

It has its own audio capture and its own copy of our folders, and runs in a process of its own."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.proxy import Proxy
from tests.e2e.client import SECOND, sound
from tests.e2e.service import Service
from tests.e2e.test_client_redial import hang_up, knows
from tests.e2e.upstream import Upstream, words

SOURCE: Final = Path(__file__).parents[2] / "src"
APP: Final = {
    "client/__init__.py": "",
    "client/remote_transcription.py": """
from transcription_client.remote_transcription import RemoteTranscriptionEngine
""",
    "client/audio_capture.py": '''
"""Calls back with raw PCM from a thread, as the app does for its own engine."""
import sys
import threading


class AudioCapture:
    def __init__(self, callback):
        self._callback = callback
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def join(self):
        self._thread.join()

    def _run(self):
        while data := sys.stdin.buffer.read(3200):
            self._callback(data)
''',
    "main.py": """
import json
import sys
from client.audio_capture import AudioCapture
from client.remote_transcription import RemoteTranscriptionEngine
import transcription_client

config = json.load(open(sys.argv[1]))["remote"]


def on_transcript(result):
    print(json.dumps({"text": result.text, "is_final": result.is_final}), flush=True)


engine = RemoteTranscriptionEngine(config, on_transcript)
capture = AudioCapture(engine._on_audio_chunk)
engine.start()
capture.start()
capture.join()
engine.stop()
print(json.dumps({"copy": transcription_client.__file__}), flush=True)
""",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The app's folder."""
    for name, content in APP.items():
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for package in ("transcription_client", "transcription_wire"):
        shutil.copytree(SOURCE / package, tmp_path / "app" / package)
    return tmp_path / "app"


async def test_its_captions_survive_a_connection_that_is_cut(app: Path, service: Service, upstream: Upstream) -> None:
    audio = sound(9)
    config = upstream.scripted(knows(audio))
    user = await service.user(3600)
    async with Proxy(("127.0.0.1", int(service.env["PORT"]))) as proxy:
        remote = {
            "mode": "managed", "server_url": f"http://127.0.0.1:{proxy.port}", "auth_token": user.token,
            "byok_api_key": "", "deepgram_model": "nova-2", "language": "en-US", "options": config,
        }  # fmt: skip
        settings = app / "config.json"
        await asyncio.to_thread(settings.write_text, json.dumps({"remote": remote}))
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(app / "main.py"), str(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        told: list[dict[str, str]] = []

        async def read_until(text: str) -> None:
            assert process.stdout is not None
            async with asyncio.timeout(30):
                while text not in (told[-1].get("text", "") if told else ""):
                    line = await process.stdout.readline()
                    assert line, told
                    told.append(json.loads(line))

        try:
            process.stdin.write(audio[: 5 * SECOND])
            await process.stdin.drain()
            await read_until(words(1, 9))
            hang_up(proxy)
            process.stdin.write(audio[5 * SECOND :])
            await process.stdin.drain()
            await read_until(words(1, 17))
            process.stdin.close()
            rest = await asyncio.wait_for(process.stdout.read(), 30)
            told += [json.loads(line) for line in rest.splitlines()]
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
    assert told.pop()["copy"].startswith(str(app))
    assert " ".join(each["text"] for each in told if each["is_final"]).split() == words(18).split()
