"""`python -m bench.small`: memory and CPU of the service and its PostgreSQL on a small server, at rest and under load.

The figures of docs/small-server.md. Memory is the proportional set size, which counts a shared page once."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.__main__ import LOAD_CORE, PROGRAM, children, cpu_seconds, engine, expect, free_port, running, until_ready
from tests.standin.postgres import debian_postgres

STREAMS, SECONDS = 100, 40
POSTGRES = {
    "shared_buffers": "16MB",
    "max_connections": "40",
    "max_parallel_workers": "0",
    "max_worker_processes": "2",
    "autovacuum_max_workers": "1",
    "jit": "off",
}
"""As in compose.prod.yaml."""


def family(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(each for child in children(pid) for each in family(child))]


def pss_mib(pids: list[int]) -> float:
    text = "".join(Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def postmaster(url: str) -> int:
    """The process id of the server, which listens on the URL's port."""
    port = url.rpartition(":")[2].partition("/")[0]
    found = subprocess.run(["pgrep", "-f", f"postgres -D .*--port={port}"], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def report(when: str, service: int, server: int, before: tuple[float, float, float]) -> tuple[float, float, float]:
    """Print memory, and CPU since `before`."""
    parts = [(name, family(pid)) for name, pid in (("service", service), ("PostgreSQL", server))]
    cpu = [sum(map(cpu_seconds, pids)) for _, pids in parts]
    now = time.monotonic()
    for (name, pids), used, earlier in zip(parts, cpu, before, strict=False):
        share = 100 * (used - earlier) / (now - before[2]) if before[2] else 0
        print(f"{when}: {name} {pss_mib(pids):.0f} MiB in {len(pids)} processes, {share:.1f}% of a core", flush=True)
    return cpu[0], cpu[1], now


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, engine() as engine_port, debian_postgres(POSTGRES) as url:
        port = free_port()
        env = {
            **os.environ,
            "PORT": str(port),
            "DATA_DIR": folder,
            "DATABASE_URL": url,
            "DEEPGRAM_URL": f"ws://127.0.0.1:{engine_port}",
            "STRIPE_SECRET_KEY": "sk_test_none",
            "LOG_LEVEL": "warning",
        }
        with running([str(PROGRAM), "serve"], {0}, env) as process:
            until_ready(port)
            time.sleep(5)
            started = report("started", process.pid, postmaster(url), (0, 0, 0))
            command = [str(PROGRAM), "user", "create-many", str(STREAMS), "--seconds", "100000", "--json"]
            made = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
            tokens = Path(folder) / "tokens.json"
            tokens.write_text(json.dumps([account["token"] for account in json.loads(made.stdout)]))
            socket = f"ws://127.0.0.1:{port}/ws/transcribe"
            load = [sys.executable, "-m", "bench.load", socket, str(STREAMS), str(SECONDS), str(tokens)]
            with running(load, LOAD_CORE, pipes=True) as streams:
                assert streams.stdin
                assert streams.stdout
                expect(streams.stdout, "ready")
                streams.stdin.write("\n")
                streams.stdin.flush()
                time.sleep(SECONDS - 5)
                report(f"{STREAMS} live streams", process.pid, postmaster(url), started)
                print(streams.stdout.readline().strip(), flush=True)
                streams.wait(60)


if __name__ == "__main__":
    main()
