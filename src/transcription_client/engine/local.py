"""Captions by the speech model on this computer, in a process of its own that is fed through a pipe.

A crash of the model ends that process and not the app. There is no network in it."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from typing import Final

import msgspec

from transcription_client.engine import local_process, sentences
from transcription_client.engine.local_process import FROZEN_ARGUMENT
from transcription_client.engine.pipe import FINALIZE, NOT_INSTALLED, READY, STOP, audio_frame
from transcription_client.engine.providers import OnMessage
from transcription_client.errors import ClientError, Unreachable
from transcription_client.redial import Ended
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

EXIT_SECONDS: Final = 2.0
"""How long the process may take to end by itself."""
COMMANDS: Final = {wire.Finalize: FINALIZE, wire.Stop: STOP}
NO_WINDOW: Final = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""On Windows, no console window appears."""


class Local:
    """The model on this computer as a provider of captions: one process for each connection."""

    connecting = sentences.LOADING
    live = sentences.LIVE_LOCALLY

    async def connect(self, on_message: OnMessage) -> "LocalConnection":
        process = await asyncio.create_subprocess_exec(
            *command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            creationflags=NO_WINDOW,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # the app may have copied us
        )
        connection = LocalConnection(process, on_message)
        try:
            await connection.loaded()
        except BaseException:
            connection.abort()
            raise
        return connection

    async def maintain(self) -> None:
        """The model needs no care."""

    async def close(self) -> None:
        """Nothing is left to do."""


def command() -> list[str]:
    """Return the command that starts the process. Raise ClientError in an executable that does not know it."""
    if not getattr(sys, "frozen", False):
        return [sys.executable, "-m", "transcription_client.engine.local_process"]
    if not _starts_frozen:
        raise ClientError(sentences.NOT_IN_THIS_BUILD.full)
    return [sys.executable, FROZEN_ARGUMENT]


_starts_frozen = False
"""The executable's first step is `freeze_support`."""


def freeze_support() -> None:
    """Run the process of the local model and exit, where this executable was started for that."""
    global _starts_frozen  # noqa: PLW0603 - a fact about this process
    _starts_frozen = True
    if sys.argv[1:] == [FROZEN_ARGUMENT]:
        local_process.main()
        sys.exit()


class LocalConnection:
    """The pipe to one process."""

    def __init__(self, process: asyncio.subprocess.Process, on_message: OnMessage) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._on_message = on_message
        self._stopped = False
        self._listening: asyncio.Task[None]

    async def loaded(self) -> None:
        """Wait until the process takes audio. Raise ClientError where it cannot."""
        if await self._stdout.readline() != READY:
            status = await self._process.wait()
            if status == NOT_INSTALLED:
                raise ClientError(sentences.NO_LOCAL_MODEL.full)
            raise Unreachable(sentences.LOCAL_FAILED.full)
        self._listening = asyncio.create_task(self._listen())

    @property
    def listening(self) -> "asyncio.Task[None]":
        return self._listening

    async def send_audio(self, sound: bytes) -> bool:
        return await self._write(audio_frame(sound))

    async def send_message(self, message: wire.ClientMessage) -> bool:
        self._stopped |= isinstance(message, wire.Stop)
        command = COMMANDS.get(type(message))
        return command is None or await self._write(command)

    async def report_delay(self, on_delay: object) -> None:
        """A pipe has no delay."""

    async def close(self) -> Ended:
        """End the process, by closing its pipe."""
        self._stdin.close()
        try:
            async with asyncio.timeout(EXIT_SECONDS):
                status = await self._process.wait()
        except TimeoutError:
            self.abort()
            status = await self._process.wait()
        await self._listening
        return Ended(ready=True, reason=Reason.CLIENT_STOP if self._stopped and status == 0 else None)

    def abort(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _write(self, frame: bytes) -> bool:
        try:
            self._stdin.write(frame)
            await self._stdin.drain()
        except ConnectionError:
            return False
        return not self._stdin.is_closing()

    async def _listen(self) -> None:
        while line := await self._stdout.readline():
            with suppress(msgspec.DecodeError):
                self._on_message(wire.decode_server(line))
