"""Whether limits and holds stay exact when several workers open sessions of one account at the same moment."""

import asyncio
from collections import Counter
from time import monotonic, sleep

import uvloop

from bench import database, processes, subjects
from bench.client import Client, ConnectFailed, close_all, noise
from bench.load import read_tokens
from bench.machine import now, revision
from bench.results import Limits
from bench.subjects import Service, Subject

ACCOUNTS = 50
TRIES = 6
"""Sessions that each account tries to open at once."""
ALLOWED = 2
"""Sessions that each account may have: MAX_SESSIONS_PER_USER's default."""
FRAMES = 10
END_SECONDS = 30.0


def measure(workers: int = 2) -> Limits:
    """Try to open too many sessions, end them all, and look at what is left."""
    with processes.folder("limits") as home, subjects.standin() as upstream:
        service = Service(upstream, home / "service", ACCOUNTS, workers)
        with service.running() as subject:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                outcomes = runner.run(_try(subject))
            leases, held = _left(subject)
            audit = service.command("ledger", "audit")
    return Limits(
        workers=workers,
        accounts=ACCOUNTS,
        tried=ACCOUNTS * TRIES,
        allowed=ACCOUNTS * ALLOWED,
        opened=outcomes["ready"],
        refused=outcomes["too_many_connections"],
        leases=leases,
        held=held,
        audit_passed=audit.returncode == 0,
        measured_at=now(),
        revision=revision(),
    )


async def _try(subject: Subject) -> "Counter[str]":
    """Return how many sessions became ready, and how many failed for each reason."""
    frame = noise(100)
    clients = [Client(frame, token) for token in read_tokens(subject.tokens) for _ in range(TRIES)]
    outcomes = Counter(await asyncio.gather(*(_outcome(client, subject.url) for client in clients)))
    for client in clients:
        for _ in range(FRAMES):
            client.send()
    await close_all(clients, END_SECONDS)
    return outcomes


async def _outcome(client: Client, url: str) -> str:
    try:
        await client.connect(url)
    except ConnectFailed as failure:
        return str(failure)
    return "ready"


def _left(subject: Subject) -> tuple[int, int]:
    """Return the leases and held credits once there are none, or after END_SECONDS."""
    assert subject.database is not None
    deadline = monotonic() + END_SECONDS
    while any(left := database.leftovers(subject.database)) and monotonic() < deadline:
        sleep(0.1)
    return left
