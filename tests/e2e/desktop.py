"""`transcription-client` as a person runs it: as a process, in a pipe or on a terminal."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
import wave
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.client import User
from tests.e2e.service import Service

PROGRAM = Path(sys.executable).with_name("transcription-client")
ENDS_WITHIN = 30.0


@dataclass
class Running:
    """A running command and its output so far."""

    process: asyncio.subprocess.Process
    terminal: int | None = None
    out: str = ""
    err: str = ""
    _readers: list[asyncio.Task[None]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def read(self) -> None:
        if self.terminal is None:
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            self._readers = [
                asyncio.create_task(self._read(self.process.stdout, "out")),
                asyncio.create_task(self._read(self.process.stderr, "err")),
            ]
        else:
            asyncio.get_running_loop().add_reader(self.terminal, self._read_terminal, self.terminal)

    async def until(self, condition: Callable[[str], bool], within: float = ENDS_WITHIN) -> None:
        """Wait for a condition on its standard output."""
        await self._until(lambda: condition(self.out), within)

    async def complains(self, condition: Callable[[str], bool], within: float = ENDS_WITHIN) -> None:
        """Wait for a condition on its standard error."""
        await self._until(lambda: condition(self.err), within)

    async def _until(self, condition: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within):
            while not condition():
                assert self.process.returncode is None, f"ended: {self.out}{self.err}"
                self._changed.clear()
                await self._changed.wait()

    async def ended(self, within: float = ENDS_WITHIN) -> int:
        """Wait for the end, and return the exit status."""
        async with asyncio.timeout(within):
            status = await self.process.wait()
            await asyncio.gather(*self._readers)
        if self.terminal is not None:
            self._read_terminal(self.terminal)
        return status

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def type(self, text: str) -> None:
        """Type on its terminal."""
        assert self.terminal is not None
        os.write(self.terminal, text.encode())

    async def _read(self, stream: asyncio.StreamReader, name: str) -> None:
        while data := await stream.read(1 << 16):
            setattr(self, name, getattr(self, name) + data.decode())
            self._changed.set()

    def _read_terminal(self, terminal: int) -> None:
        with contextlib.suppress(OSError):  # no more output, or no process at the other end
            while data := os.read(terminal, 1 << 16):
                self.out += data.decode()
                self._changed.set()


@dataclass
class Desktop:
    """A user's settings folder, and the service that the client uses."""

    service: Service
    folder: Path

    @property
    def login_file(self) -> Path:
        return self.folder / "login.json"

    @property
    def env(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "TRANSCRIPTION_CONFIG_DIR": str(self.folder),
            "TRANSCRIPTION_SERVER": self.service.url,
            "TERM": "xterm",
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(PROGRAM), *arguments]

    def login(self) -> Any:
        """The stored login."""
        return json.loads(self.login_file.read_text())

    def log_in_as(self, user: User) -> None:
        """Store a login without a password, which test accounts do not have."""
        self.keep(server=self.service.url, email=user.email, token=user.token, refresh_token="", expires_at=2e10)

    def keep(self, **login: Any) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.login_file.write_text(json.dumps(login))

    async def run(
        self, *arguments: str, stdin: bytes = b"", status: int = 0, env: dict[str, str] | None = None
    ) -> tuple[str, str]:
        """Run a command that must exit with `status`. Return its standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments),
            env=self.env | (env or {}),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin), ENDS_WITHIN)
        except BaseException:
            process.kill()
            raise
        assert process.returncode == status, f"{' '.join(arguments)}: {process.returncode} {out!r} {err!r}"
        return out.decode(), err.decode()

    async def refused(self, *arguments: str, **options: Any) -> str:
        """Run a command that must fail. Return its one sentence on standard error."""
        out, err = await self.run(*arguments, status=1, **options)
        assert out == ""
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        return err.removesuffix("\n")

    @contextlib.asynccontextmanager
    async def running(
        self, *arguments: str, stdin: int = subprocess.DEVNULL, env: dict[str, str] | None = None
    ) -> AsyncIterator[Running]:
        """Start a command in a pipe."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments),
            env=self.env | (env or {}),
            cwd="/",
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with _until_the_end(Running(process)) as running:
            yield running

    @contextlib.asynccontextmanager
    async def on_a_terminal(self, *arguments: str, columns: int = 80) -> AsyncIterator[Running]:
        """Start a command on a terminal with `columns` columns."""
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command(*arguments),
                env=self.env,
                cwd="/",
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(
                    0, termios.TIOCSCTTY, 0
                ),  # makes it the controlling terminal, so that Ctrl-C can be typed
            )
            async with _until_the_end(Running(process, ours)) as running:
                yield running
        finally:
            asyncio.get_running_loop().remove_reader(ours)
            os.close(theirs)
            os.close(ours)


@contextlib.asynccontextmanager
async def _until_the_end(running: Running) -> AsyncIterator[Running]:
    running.read()
    try:
        yield running
    finally:
        if running.process.returncode is None:
            running.process.kill()
            await running.process.wait()


def wav(path: Path, sound: bytes) -> Path:
    """Write a WAV file of linear16 at 16 kHz, mono, which decodes to the same samples."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(sound)
    return path


def expired(login: dict[str, Any]) -> dict[str, Any]:
    """Return a login with an expired token."""
    return login | {"token": "used-up", "expires_at": time.time() - 1}
