"""PURE. Writes results as text: tables for the terminal, and docs/benchmarks.md.

Figures are medians over the rounds; a range in brackets is the lowest and the highest round."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from bench.figures import FULL_CORE, Latency, Spread, spread
from bench.promises import Promise, added, judge, load_was_late, memory_kib
from bench.results import Opening, Openings, Rest, Results, Round, Row, Settles

Table = list[list[str]]
SUBJECTS = ("direct", "nginx", "ours")
ROW_HEAD = [
    "subject",
    "CPU us a frame",
    "times nginx",
    "core busy",
    "latency ms p50 / p99 / max",
    "added ms p50 / p99 / max",
    "KiB a stream",
    "loop lag ms p99 / max",
    "database ms a second",
    "dropped",
    "load late ms p99",
]
OPENING_HEAD = ["a second", "ready ms p50 / p99 / max", "failed", "load late ms p99", "load's core busy"]
NONE = "-"
INTRODUCTION = """# Benchmarks

Written by `make bench` from `benchmarks.json`; do not edit. nginx, which relays the same sockets untouched, is the
baseline: it neither parses, counts nor bills.

![CPU a frame, as a multiple of nginx's](benchmarks.svg)
"""
METHOD = """## How it is measured

The direct connection, nginx and the service run in turns, and a ratio compares two runs of the same round. Clients send
16 kHz PCM in real time, evenly: each frame has a moment of its own, and so have words and settles of different
streams. The stand-in for Deepgram answers each second of audio with twelve words: two interim Results, then one final.

The relay has a core to itself. The load generator, the stand-in and PostgreSQL share the other one; on a machine with
more cores, stand-in and PostgreSQL use those too.

- **CPU**: the scheduler's own count of the relaying process, in nanoseconds.
- **Latency**: from sending the last frame to receiving the words that it completes.
- **Added**: the latency without that of the direct connection in the same round.
- **Load late**: how late the load generator itself sent its frames. Where that, or its core, was the bottleneck, no
  latency is given.
- **Memory**: growth of the process a stream, without the kernel's socket buffers. For the service, audio that no final
  Results covers yet is not counted, because it is kept for a replay.
- **Loop lag**: how late a timer of 5 ms is in the worker's event loop. What settles block is the event loop's longest
  turn, measured on a core that never sleeps: a virtual machine may wake some milliseconds late.
- **Database**: `pg_stat_database.active_time`. Settles are measured with PostgreSQL's default buffers of 128 MB,
  everything else with the bundled server's 16 MB.

With `WORKERS=2` on two cores both workers share the relay's core, so what two workers carry is computed: from how
evenly the CPU is spread over them, and from what a frame costs more than with one worker of as many streams.
`make bench ROWS="2000 tls"` measures single rows, and `.venv/bin/python -m bench --help` lists all options.
"""


def markdown(results: Results) -> str:
    """Return the whole of docs/benchmarks.md."""
    parts = [INTRODUCTION, _machine(results), "## Promises\n", _markdown(_promises(judge(results)))]
    parts += ["## Streams\n"]
    for row in results.rows.values():
        parts += [f"### {title(row)}\n", f"{_when(row)}\n", _markdown(row_table(row))]
    if results.openings is not None:
        openings = results.openings
        parts += [f"## Opening sessions\n\n{_when(openings)}. {best(openings)}\n"]
        parts += [_markdown([OPENING_HEAD, *(opening_cells(step) for step in openings.steps)])]
    if results.settles is not None:
        parts += ["## Settling\n", _settling(results.settles)]
    if results.rest is not None:
        parts += ["## At rest\n", f"{_when(results.rest)}.\n", _markdown(_rest(results.rest))]
    return "\n".join([*parts, METHOD])


def title(row: Row) -> str:
    """Return what a row is, in words."""
    more = [", TLS upstream"] if row.tls else []
    more += [f", WORKERS={row.workers}"] if row.workers > 1 else []
    return f"{row.streams:,} streams, {row.frame_ms} ms frames{''.join(more)}"


def row_table(row: Row) -> Table:
    """Return a row's table, with a line for each subject."""
    subjects = [subject for subject in SUBJECTS if row.of(subject)]
    return [ROW_HEAD, *(_cells(row, subject) for subject in subjects)]


def round_line(round_: Round) -> str:
    """Return one round in a line, for those who wait."""
    cpu = f"{round_.cpu_us:.1f} us a frame" if round_.cpu_us else "no relay"
    return f"  {round_.subject:7} {cpu:16} {_latency_cell([round_])}"


def opening_cells(step: Opening) -> list[str]:
    """Return one step of the search for the highest rate."""
    late = f"{step.lateness.p99:.1f}" if step.lateness else NONE
    return [f"{step.rate:.0f}", _three(step.ready), str(step.failed), late, f"{step.load_busy:.0%}"]


def opening_line(step: Opening) -> str:
    """Return one step in a line, for those who wait."""
    return f"{step.rate:4.0f} a second: ready {_three(step.ready)} ms, {step.failed} failed"


def best(openings: Openings) -> str:
    """Return a sentence with the highest rate that was kept up."""
    found = openings.best
    if found is None:
        return "No rate was kept up."
    full = " The load's core was the bottleneck." if found.load_busy > FULL_CORE else ""
    return (
        f"**{found.rate:.0f} sessions a second** open with a p99 of `ready` under {openings.limit_ms:g} ms.{full} "
        f"Each step opens sessions for {openings.seconds:g} s, and closes them all before the next."
    )


def terminal(table: Table) -> str:
    """Return a table in columns."""
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table)


def promises(results: Results) -> str:
    """Return the promises for the terminal."""
    return terminal(_promises(judge(results)))


def _cells(row: Row, subject: str) -> list[str]:
    rounds = row.of(subject)
    return [
        subject,
        _spread(rounds, lambda round_: round_.cpu_us, 1),
        _range(row.ratio(subject), 2),
        _spread(rounds, lambda round_: 100 * max(round_.shares, default=0) if round_.shares else None, 0, " %"),
        _latency_cell(rounds),
        _added_cell(row, subject),
        _spread(rounds, lambda round_: memory_kib(row, round_), 0),
        _lag(rounds),
        _spread(rounds, lambda round_: round_.database_ms, 1),
        str(sum(round_.load.dropped for round_ in rounds)),
        _spread(rounds, lambda round_: round_.load.lateness.p99 if round_.load.lateness else None, 2),
    ]


def _latency_cell(rounds: Sequence[Round]) -> str:
    if any(round_.load_was_late for round_ in rounds):
        return "the load was the bottleneck"
    if any(round_.is_full for round_ in rounds):
        return "its core was full"
    return _three(_median([round_.load.latency for round_ in rounds if round_.load.latency]))


def _added_cell(row: Row, subject: str) -> str:
    figures = [added(row, subject, figure) for figure in (_p50, _p99, _max)]
    if subject == "direct" or None in figures or load_was_late(row, subject):
        return NONE
    return " / ".join(f"{figure.median:.2f}" for figure in figures if figure)


def _p50(latency: Latency) -> float:
    return latency.p50


def _p99(latency: Latency) -> float:
    return latency.p99


def _max(latency: Latency) -> float:
    return latency.max


def _lag(rounds: Sequence[Round]) -> str:
    lag = _median([round_.loop_lag for round_ in rounds if round_.loop_lag])
    return f"{lag.p99:.1f} / {lag.max:.1f}" if lag else NONE


def _median(latencies: list[Latency]) -> Latency | None:
    """Return the median of each percentile, but the highest maximum."""
    if not latencies:
        return None
    return Latency(
        p50=median(latency.p50 for latency in latencies),
        p99=median(latency.p99 for latency in latencies),
        max=max(latency.max for latency in latencies),
        count=sum(latency.count for latency in latencies),
    )


def _three(latency: Latency | None) -> str:
    return f"{latency.p50:.2f} / {latency.p99:.2f} / {latency.max:.1f}" if latency else NONE


def _spread(rounds: Sequence[Round], figure: Callable[[Round], float | None], digits: int, unit: str = "") -> str:
    return _range(spread([value for round_ in rounds if (value := figure(round_)) is not None]), digits, unit)


def _range(found: Spread | None, digits: int, unit: str = "") -> str:
    if found is None:
        return NONE
    middle = f"{found.median:.{digits}f}{unit}"
    low, high = f"{found.low:.{digits}f}", f"{found.high:.{digits}f}"
    return middle if low == high else f"{middle} ({low}-{high})"


def _promises(judged: Iterable[Promise]) -> Table:
    verdicts = {True: "kept", False: "NOT KEPT", None: "unknown"}
    return [["promise", "measured", ""], *([each.text, each.measured, verdicts[each.kept]] for each in judged)]


def _settling(settles: Settles) -> str:
    return (
        f"{_when(settles)}. {settles.sessions:,} sessions, each settled every ten seconds, on a ledger with "
        f"{settles.history_rows:,} rows: the database spent {settles.database_ms:.1f} ms a second on statements, and "
        f"{settles.database_cpu_ms:.1f} ms of CPU. A settle was answered after {_three(settles.settle)} ms "
        f"(p50 / p99 / max), {settles.failed} failed. The event loop's longest turn "
        f"took {settles.longest_turn_ms:.1f} ms.\n"
    )


def _rest(rest: Rest) -> Table:
    lines = [[memory.process, f"{memory.kib / 1024:.1f}"] for memory in rest.memory]
    total = sum(memory.kib for memory in rest.memory) / 1024
    return [["process", "MiB, shared pages counted in part"], *lines, ["all", f"{total:.1f}"]]


def _machine(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB, {machine.kernel}. {versions}.\n"


def _when(part: object) -> str:
    """Return when a part was measured, of which revision, and how long a round was."""
    rounds = f", rounds of {part.seconds:g} s: {len(part.of('ours'))}" if isinstance(part, Row) else ""
    return f"{getattr(part, 'measured_at', '')} UTC, revision {getattr(part, 'revision', '')}{rounds}"


def _markdown(table: Table) -> str:
    head, *lines = [f"| {' | '.join(line)} |" for line in table]
    return "\n".join([head, "|---" * len(table[0]) + "|", *lines, ""])
