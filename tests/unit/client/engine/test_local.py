"""The pipe to a local model, played by small programs: it loads, is missing, hangs and crashes."""

import asyncio
import sys
from pathlib import Path

import pytest

from transcription_client.engine import local, local_process, sentences
from transcription_client.engine.local import Local, LocalConnection
from transcription_client.errors import ClientError, Unreachable
from transcription_client.redial import Ended
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

ECHO = """
import sys
from transcription_client.engine.pipe import END, READY, read_frame
from transcription_wire import messages as wire
out = sys.stdout.buffer
out.write(READY)
out.write(b"not a message\\n")
out.flush()
letter = b""
while letter != END:
    letter, sound = read_frame(sys.stdin.buffer)
    out.write(wire.encode(wire.Transcript(f"{letter.decode()}{len(sound)}", True, None, 0.0, 1.0, False)) + b"\\n")
    out.flush()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What runs in place of the model: this file's content is passed to Python."""
    path = tmp_path / "model.py"
    exec_ = asyncio.create_subprocess_exec

    async def run(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        assert arguments == (sys.executable, "-m", "transcription_client.engine.local_process")
        return await exec_(sys.executable, str(path), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", run)
    return path


async def connect(program: Path, content: str) -> tuple[LocalConnection, list[wire.ServerMessage]]:
    await asyncio.to_thread(program.write_text, content)
    told: list[wire.ServerMessage] = []
    async with asyncio.timeout(20):
        return await Local().connect(told.append), told


async def test_audio_and_commands_go_in_and_words_come_out(program: Path) -> None:
    connection, told = await connect(program, ECHO)
    assert await connection.send_audio(bytes(3200))
    assert await connection.send_message(wire.Finalize())
    assert await connection.send_message(wire.Keepalive())
    assert await connection.send_message(wire.Stop())
    async with asyncio.timeout(20):
        await connection.listening
        assert await connection.close() == Ended(ready=True, reason=Reason.CLIENT_STOP)
    assert [message.text for message in told if isinstance(message, wire.Transcript)] == ["a3200", "f0", "s0"]


async def test_a_model_that_crashes_is_a_lost_connection(program: Path) -> None:
    connection, _ = await connect(program, ECHO.replace("letter, sound =", "sys.exit(1) ;"))
    async with asyncio.timeout(20):
        await connection.listening
        while await connection.send_audio(bytes(3200)):
            await asyncio.sleep(0.01)
        await connection.send_message(wire.Stop())
        assert await connection.close() == Ended(ready=True)


async def test_a_model_that_is_not_installed_says_how_to_install_it(program: Path) -> None:
    with pytest.raises(ClientError) as error:
        await connect(program, "import sys; sys.exit(3)")
    assert str(error.value) == sentences.NO_LOCAL_MODEL.full
    assert not isinstance(error.value, Unreachable)


async def test_a_model_that_cannot_be_loaded_is_told(program: Path) -> None:
    with pytest.raises(Unreachable) as error:
        await connect(program, "1 / 0")
    assert str(error.value) == sentences.LOCAL_FAILED.full


async def test_a_process_that_does_not_end_is_killed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "EXIT_SECONDS", 0.05)
    connection, _ = await connect(program, ECHO + "\nimport time; time.sleep(600)")
    await connection.send_message(wire.Stop())
    async with asyncio.timeout(20):
        assert await connection.close() == Ended(ready=True)


async def test_a_cancelled_start_leaves_no_process(program: Path) -> None:
    await asyncio.to_thread(program.write_text, "import time; time.sleep(600)")
    starting = asyncio.create_task(Local().connect(lambda _: None))
    processes: list[asyncio.subprocess.Process] = []
    run = asyncio.create_subprocess_exec

    async def note(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        processes.append(await run(*arguments, **options))  # type: ignore[arg-type]
        return processes[-1]

    asyncio.create_subprocess_exec = note  # type: ignore[assignment]
    try:
        async with asyncio.timeout(20):
            while not processes:
                await asyncio.sleep(0.01)
            starting.cancel()
            assert await processes[0].wait() != 0
    finally:
        asyncio.create_subprocess_exec = run


def test_an_executable_starts_itself_where_it_knows_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would open a second copy of the app."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "argv", ["app"])
    monkeypatch.setattr(local, "_starts_frozen", False)
    with pytest.raises(ClientError) as error:
        local.command()
    assert str(error.value) == sentences.NOT_IN_THIS_BUILD.full
    local.freeze_support()
    assert local.command() == [sys.executable, local_process.FROZEN_ARGUMENT]


def test_an_executable_that_was_started_for_the_model_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[bool] = []
    monkeypatch.setattr(sys, "argv", ["app", local_process.FROZEN_ARGUMENT])
    monkeypatch.setattr(local, "_starts_frozen", False)
    monkeypatch.setattr(local_process, "main", lambda: ran.append(True))
    with pytest.raises(SystemExit):
        local.freeze_support()
    assert ran == [True]
