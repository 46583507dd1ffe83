"""A stand-in for a worker or the engine of `serve`, which records each event on a line.

Arguments: its role, and a folder.
A file `finish` in the folder lets it end after SIGTERM; `misconfigured` ends it at once."""

import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
GIVEN = ("WORKER_NUMBER", "DATABASE_URL", "DEEPGRAM_URL", "DEEPGRAM_API_KEY", "BUILTIN_ENGINE", "ENGINE_KEY")


def main(role: str, folder: Path) -> None:
    def note(event: str, **more: object) -> None:
        with (folder / "events").open("a") as file:
            file.write(json.dumps({"role": role, "event": event, "pid": os.getpid(), **more}) + "\n")

    def on_term(_number: int, _frame: object) -> None:
        note("term")
        terms.append(time.monotonic())

    terms: list[float] = []
    signal.signal(signal.SIGTERM, on_term)
    listener = socket.socket(fileno=int(os.environ["ENGINE_FD" if role == "engine" else "WORKER_FD"]))
    note("start", env={name: os.environ[name] for name in GIVEN if name in os.environ}, port=listener.getsockname()[1])
    if (folder / "misconfigured").exists():
        sys.exit(78)
    parent = int(os.environ["PARENT_FD"])
    while not (terms and (folder / "finish").exists()):
        waiting: list[socket.socket | int] = [listener, parent]
        readable, _, _ = select.select(waiting, [], [], 0.02)
        if parent in readable:
            note("orphaned")
            return
        if listener in readable:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(ANSWER)
    note("end")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
