"""The service at rest: memory of each of its processes, and how long a start takes."""

import time

from bench import kernel, processes, subjects
from bench.machine import now, revision
from bench.results import Memory, Rest

SETTLE_DOWN_SECONDS = 5
"""After the first /health, before memory is read."""
NAMES = (
    ("transcription_proxy.process.worker", "worker"),
    ("transcription_sandbox", "sandbox for Stripe"),
    ("postgres", "PostgreSQL"),
    ("serve", "supervisor"),
)


def measure() -> Rest:
    """Start the service twice, and read its memory the second time. No probe is in it."""
    with processes.folder("rest") as home, subjects.standin() as upstream:
        service = subjects.Service(upstream, home / "service", 1)
        first, _ = _start(service)
        again, memory = _start(service)
    return Rest(now(), revision(), memory, round(first, 2), round(again, 2))


def _start(service: subjects.Service) -> tuple[float, list[Memory]]:
    """Return the seconds to the first /health, and each process's memory."""
    began = time.monotonic()
    with processes.running(
        [subjects.PROGRAM, "serve"], processes.load_cores() | processes.RELAY_CORE, service.env, log=service.log
    ) as process:
        processes.until_answering(f"http://127.0.0.1:{service.port}/health")
        took = time.monotonic() - began
        time.sleep(SETTLE_DOWN_SECONDS)
        server = subjects.postmaster(service.home)  # it is not a child of the service's processes
        pids = [pid for parent in (process.pid, server) for pid in (parent, *kernel.descendants(parent))]
        return took, _memory(pids)


def _memory(pids: list[int]) -> list[Memory]:
    sums: dict[str, int] = {}
    for pid in pids:
        name = next((name for part, name in NAMES if part in kernel.command(pid)), "others")
        sums[name] = sums.get(name, 0) + kernel.pss_kib(pid)
    return [Memory(name, kib) for name, kib in sums.items()]
