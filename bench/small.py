"""`python -m bench.small`: memory and CPU of the service and its PostgreSQL on a small server, at rest and under load.

The figures of docs/small-server.md. Memory is the proportional set size, which counts a shared page once."""

import json
import os
import subprocess
import sys
import time

import msgspec

from bench import kernel, processes, subjects
from bench.load import Plan
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
    """Return a process and all its descendants."""
    return [pid, *kernel.descendants(pid)]


def postmaster(url: str) -> int:
    """The process id of the server, which listens on the URL's port."""
    port = url.rpartition(":")[2].partition("/")[0]
    found = subprocess.run(["pgrep", "-f", f"postgres -D .*--port={port}"], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def report(when: str, service: int, server: int, before: tuple[float, float, float]) -> tuple[float, float, float]:
    """Print memory, and CPU since `before`."""
    parts = [(name, family(pid)) for name, pid in (("service", service), ("PostgreSQL", server))]
    cpu = [kernel.cpu_of(pids) for _, pids in parts]
    now = time.monotonic()
    for (name, pids), used, earlier in zip(parts, cpu, before, strict=False):
        share = 100 * (used - earlier) / (now - before[2]) if before[2] else 0
        mib = sum(map(kernel.pss_kib, pids)) / 1024
        print(f"{when}: {name} {mib:.0f} MiB in {len(pids)} processes, {share:.1f}% of a core", flush=True)
    return cpu[0], cpu[1], now


def main() -> None:
    with processes.folder("small") as folder, subjects.standin() as upstream, debian_postgres(POSTGRES) as url:
        port = processes.free_port()
        env = {
            **os.environ,
            "PORT": str(port),
            "DATA_DIR": str(folder),
            "DATABASE_URL": url,
            "DEEPGRAM_URL": upstream.url(),
            "STRIPE_SECRET_KEY": "sk_test_none",
            "LOG_LEVEL": "warning",
        }
        with processes.running([subjects.PROGRAM, "serve"], processes.RELAY_CORE, env) as process:
            processes.until_answering(f"http://127.0.0.1:{port}/ready")
            time.sleep(5)
            started = report("started", process.pid, postmaster(url), (0, 0, 0))
            command = [str(subjects.PROGRAM), "user", "create-many", str(STREAMS), "--seconds", "100000", "--json"]
            made = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
            tokens = folder / "tokens.json"
            tokens.write_text(json.dumps([account["token"] for account in json.loads(made.stdout)]))
            plan = Plan(f"ws://127.0.0.1:{port}/ws/transcribe", STREAMS, 100, SECONDS, str(tokens))
            load = [sys.executable, "-m", "bench.load", msgspec.json.encode(plan).decode()]
            with processes.running(load, processes.load_cores(), piped=True) as streams:
                assert streams.stdin
                assert streams.stdout
                streams.stdout.readline()
                streams.stdin.write("\n")
                streams.stdin.flush()
                streams.stdout.readline()
                time.sleep(SECONDS - 5)
                report(f"{STREAMS} live streams", process.pid, postmaster(url), started)
                print(streams.stdout.readline().strip(), flush=True)


if __name__ == "__main__":
    main()
