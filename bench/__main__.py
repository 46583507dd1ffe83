"""`make bench`: the relay beside nginx relaying the same sockets untouched, in one run.

CPU is that of the relaying process alone, over the steady part of the run; late is the time from the last frame of
each second to its answer, at the client. `--streams 1000 2000 --seconds 20`."""

import argparse
import json
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

RELAY_CORE, LOAD_CORE = {0}, {1}
WARM_UP = 5
ENGINE_PATH = "/v1/listen?encoding=linear16&sample_rate=16000"
PROGRAM = Path(sys.executable).with_name("transcription-proxy")


@dataclass(frozen=True)
class Row:
    subject: str
    streams: int
    microseconds_a_frame: float | None
    kib_a_stream: float | None
    load: dict[str, Any]


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__)
    arguments.add_argument("--streams", type=int, nargs="+", default=[1000, 2000])
    arguments.add_argument("--seconds", type=int, default=20)
    asked = arguments.parse_args()
    if shutil.which("nginx") is None:
        sys.exit("nginx is the baseline: install it (apt-get install nginx-light) and run this again")
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the relay, one for the load")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory() as folder, engine() as engine_port:
        for count in asked.streams:
            report(
                [
                    direct(engine_port, count, asked.seconds),
                    nginx(engine_port, count, asked.seconds, Path(folder)),
                    service(engine_port, count, asked.seconds, Path(folder) / str(count)),
                ]
            )


def report(rows: list[Row]) -> None:
    print(f"\n{'':10} {'streams':>8} {'us/frame':>9} {'KiB/stream':>11} {'p50 ms':>8} {'p99 ms':>8} {'dropped':>8}")
    for row in rows:
        cpu = f"{row.microseconds_a_frame:.1f}" if row.microseconds_a_frame else "-"
        memory = f"{row.kib_a_stream:.0f}" if row.kib_a_stream else "-"
        load = row.load
        print(
            f"{row.subject:10} {row.streams:8} {cpu:>9} {memory:>11} "
            f"{load['p50_ms']!s:>8} {load['p99_ms']!s:>8} {load['dropped']:8}"
        )
    base, ours = rows[1].microseconds_a_frame, rows[2].microseconds_a_frame
    if base and ours:
        print(f"CPU a frame, ours / nginx: {ours / base:.2f}", flush=True)


def direct(engine_port: int, count: int, seconds: int) -> Row:
    return measured("direct", f"ws://127.0.0.1:{engine_port}{ENGINE_PATH}", count, seconds, None, "-")


def nginx(engine_port: int, count: int, seconds: int, folder: Path) -> Row:
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"""
        daemon off; pid {folder}/nginx.pid; error_log stderr crit; worker_processes 1; worker_rlimit_nofile 65536;
        events {{ worker_connections 32768; }}
        http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{
          proxy_pass http://127.0.0.1:{engine_port}; proxy_http_version 1.1; proxy_read_timeout 3600;
          proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_buffering off;
        }} }} }}"""
    )
    with running(["nginx", "-p", str(folder), "-c", str(config)], RELAY_CORE) as process:
        until_listening(port)
        worker = children(process.pid)[0]
        return measured("nginx", f"ws://127.0.0.1:{port}{ENGINE_PATH}", count, seconds, worker, "-")


def service(engine_port: int, count: int, seconds: int, folder: Path) -> Row:
    port = free_port()
    env = {
        **os.environ,
        "PORT": str(port),
        "DATA_DIR": str(folder),
        "DEEPGRAM_URL": f"ws://127.0.0.1:{engine_port}",
        "UPSTREAM_MAX_STREAMS": "100000",
        "LOG_LEVEL": "warning",
    }
    for each in (folder.parent, folder):  # root's PostgreSQL runs as another user
        each.mkdir(exist_ok=True)
        each.chmod(0o711)
    with running([str(PROGRAM), "serve"], LOAD_CORE, env) as process:
        until_ready(port)
        worker = next(pid for pid in children(process.pid) if "worker" in command(pid))
        for task in Path(f"/proc/{worker}/task").iterdir():
            os.sched_setaffinity(int(task.name), RELAY_CORE)
        made = subprocess.run(
            [str(PROGRAM), "user", "create-many", str(count), "--seconds", "100000", "--json"],
            env=env, check=True, capture_output=True, text=True,
        )  # fmt: skip
        tokens = folder / "tokens.json"
        tokens.write_text(json.dumps([account["token"] for account in json.loads(made.stdout)]))
        return measured("ours", f"ws://127.0.0.1:{port}/ws/transcribe", count, seconds, worker, str(tokens))


def measured(subject: str, url: str, count: int, seconds: int, pid: int | None, tokens: str) -> Row:
    """One run of the load; CPU and memory of `pid`, when there is one to watch."""
    rest = resident_kib(pid) if pid else 0
    command_line = [sys.executable, "-m", "bench.load", url, str(count), str(seconds + WARM_UP), tokens]
    with running(command_line, LOAD_CORE, pipes=True) as load:
        assert load.stdin and load.stdout
        expect(load.stdout, "ready")
        load.stdin.write("\n")
        load.stdin.flush()
        time.sleep(WARM_UP)
        before, began = cpu_seconds(pid) if pid else 0, time.monotonic()
        time.sleep(seconds - 1)
        used, took = (cpu_seconds(pid) if pid else 0) - before, time.monotonic() - began
        grown = resident_kib(pid) - rest if pid else 0
        result = json.loads(load.stdout.readline())
        load.wait(60)
    frames = count * 10 * took
    return Row(subject, count, used / frames * 1e6 if pid else None, grown / count if pid else None, result)


def expect(lines: IO[str], word: str) -> None:
    line = lines.readline().strip()
    if line != word:
        sys.exit(f"the load could not start: {line or 'see above'}")


@contextmanager
def engine() -> Iterator[int]:
    port = free_port()
    with running([sys.executable, "-m", "bench.upstream", str(port)], LOAD_CORE):
        until_listening(port)
        yield port


@contextmanager
def running(
    command_line: list[str], cores: set[int], env: dict[str, str] | None = None, *, pipes: bool = False
) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE if pipes else None
    pinned = ["taskset", "--cpu-list", ",".join(map(str, cores)), *command_line]
    process = subprocess.Popen(pinned, env=env, stdin=pipe, stdout=pipe or sys.stderr, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_listening(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def until_ready(port: int) -> None:
    for _ in range(400):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit("the service did not become ready")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


if __name__ == "__main__":
    main()
