"""PURE. What the benchmark has measured, as it is written to its JSON file."""

import msgspec

from bench.figures import FULL_CORE, LATE_MS, Latency, Spread, spread


class Load(msgspec.Struct):
    """What the load generator saw while it was measured.

    `answers_share`: answers over the seconds of audio sent. `dropped`: streams that were closed. `kept_kib`: audio of
    all streams that no final covers. `busy`: the generator's share of a core. `lateness`: its own, from a frame's time
    to its sending.
    """

    frames: int
    answers_share: float
    dropped: int
    kept_kib: float
    busy: float
    latency: Latency | None
    lateness: Latency | None


class Round(msgspec.Struct):
    """One run of one subject.

    `cpu_us`: CPU a frame, of the relaying processes. `shares`: how busy each of these was, 0 to 1. `memory_kib`: growth
    of their memory a stream. `load_busy`: of the cores of the load. `loop_lag`: of the worst worker's event loop.
    `database_ms`: time that the database spent on statements, a second. They are None where the subject has none.
    """

    subject: str
    load: Load
    load_busy: float
    cpu_us: float | None = None
    shares: list[float] = []
    memory_kib: float | None = None
    loop_lag: Latency | None = None
    database_ms: float | None = None

    @property
    def load_was_late(self) -> bool:
        """Whether the load generator, and not the subject, decided the latency."""
        lateness = self.load.lateness
        return self.load_busy > FULL_CORE or (lateness is not None and lateness.p99 > LATE_MS)

    @property
    def is_full(self) -> bool:
        """Whether a relaying process used up its core, so that it could not keep up."""
        return any(share > FULL_CORE for share in self.shares)


class Row(msgspec.Struct):
    """A kind of load, and all its rounds."""

    name: str
    streams: int
    frame_ms: int
    tls: bool
    workers: int
    seconds: float
    measured_at: str
    revision: str
    rounds: list[Round] = []

    def of(self, subject: str) -> list[Round]:
        """Return the rounds of a subject, in order."""
        return [round_ for round_ in self.rounds if round_.subject == subject]

    def ratio(self, subject: str) -> Spread | None:
        """Return the CPU a frame of a subject over that of nginx in the same round."""
        pairs = zip(self.of(subject), self.of("nginx"), strict=False)
        return spread([ours.cpu_us / base.cpu_us for ours, base in pairs if ours.cpu_us and base.cpu_us])


class Opening(msgspec.Struct):
    """Sessions opened at one rate a second, each by a client of its own. `failed`: those without a `ready`."""

    rate: float
    ready: Latency | None
    failed: int
    lateness: Latency | None
    load_busy: float

    def is_kept_up(self, limit_ms: float) -> bool:
        """Whether all sessions opened, and 99 in 100 within `limit_ms`."""
        return self.failed == 0 and self.ready is not None and self.ready.p99 <= limit_ms


class Openings(msgspec.Struct):
    """The steps of the search for the highest rate."""

    limit_ms: float
    seconds: float
    measured_at: str
    revision: str
    steps: list[Opening]

    @property
    def best(self) -> Opening | None:
        """Return the highest rate that was kept up, None for none."""
        kept = [step for step in self.steps if step.is_kept_up(self.limit_ms)]
        return max(kept, key=lambda step: step.rate, default=None)


class Settles(msgspec.Struct):
    """Settles of live sessions on a ledger with history. `settle`: from asking to the answer."""

    sessions: int
    history_rows: int
    seconds: float
    measured_at: str
    revision: str
    database_ms: float
    database_cpu_ms: float
    """Both a second."""
    answered: int
    failed: int
    settle: Latency | None
    longest_turn_ms: float
    """Of the event loop."""
    idle_turn_ms: float
    """Of the same event loop before the first settle."""


class Memory(msgspec.Struct):
    """A process of the service at rest. Pages that n processes share count one n-th."""

    process: str
    kib: int


class Rest(msgspec.Struct):
    """The service without sessions and without the built-in engine, and how long a start takes."""

    measured_at: str
    revision: str
    memory: list[Memory]
    first_start_seconds: float
    """To the first /health of a new data folder: the database is created."""
    start_seconds: float


class Limits(msgspec.Struct):
    """Accounts that each tried to open more sessions at once than they may, over several workers.

    `opened` of `allowed` sessions became ready, `refused` were refused with too_many_connections. After all have ended,
    `leases` and `held` credits are left, and the ledger's audit finds nothing wrong or not.
    """

    workers: int
    accounts: int
    tried: int
    allowed: int
    opened: int
    refused: int
    leases: int
    held: int
    audit_passed: bool
    measured_at: str
    revision: str

    @property
    def are_exact(self) -> bool:
        """Whether exactly the allowed sessions opened, and nothing was left behind."""
        opened = self.opened == self.allowed and self.refused == self.tried - self.allowed
        return opened and not self.leases and not self.held and self.audit_passed


class Machine(msgspec.Struct):
    """Where it was measured."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    versions: dict[str, str]


class Results(msgspec.Struct):
    """All that was measured. A part that was not measured is missing."""

    machine: Machine
    rows: dict[str, Row] = {}
    openings: Openings | None = None
    limits: Limits | None = None
    settles: Settles | None = None
    rest: Rest | None = None
