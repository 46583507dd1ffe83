"""`make bench`: the relay beside nginx relaying the same sockets untouched, in one run.

All rows take about half an hour, a row of three rounds about four minutes. Results go to .bench/results.json, where a
row replaces its older self; a run of all rows also writes docs/benchmarks.md, .svg and .json."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from bench import limits, machine, opening, picture, processes, report, rest, rounds, settles
from bench.results import Results

RESULTS = machine.ROOT / ".bench" / "results.json"
DOCS = machine.ROOT / "docs"
KINDS = {kind.name: kind for kind in rounds.KINDS}


def main() -> int:
    """Measure what was asked for. Return 1 if a row could not be measured; the others are, all the same."""
    asked = _arguments()
    processes.check_machine()
    results = _load(asked.results)
    os.sched_setaffinity(0, processes.load_cores())
    failed = 0
    for name in asked.rows or list(PARTS):
        try:
            PARTS[name](name, results, asked)
        except processes.Failed as failure:
            _say(f"  {name} could not be measured: {failure}")
            failed = 1
        _save(results, asked.results)
    print(f"\n{report.promises(results)}", flush=True)
    if asked.publish or not (asked.rows or asked.streams):
        publish(results, DOCS)
    return failed


def publish(results: Results, folder: Path) -> None:
    """Write the page, its picture, and the results that both are made of."""
    _save(results, folder / "benchmarks.json")
    (folder / "benchmarks.md").write_text(report.markdown(results))
    (folder / "benchmarks.svg").write_text(picture.svg(results))
    print(f"wrote benchmarks.md, benchmarks.svg and benchmarks.json to {folder}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(PARTS)}; all of them unless named")
    parser.add_argument("--rounds", type=int, default=3, help="of each subject in a row")
    parser.add_argument("--seconds", type=float, default=10, help="that are measured in a round")
    parser.add_argument("--streams", type=int, help="in place of a row's own number, to try the benchmark out")
    parser.add_argument("--sessions", type=int, default=10_000, help="that settle")
    parser.add_argument("--history", type=int, default=10_000_000, help="rows of the ledger that they settle on")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the JSON file to add to")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmarks.md after single rows too")
    asked = parser.parse_args()
    if unknown := [row for row in asked.rows if row not in PARTS]:
        parser.error(f"no row is called {unknown[0]}; there are {', '.join(PARTS)}")
    return asked


def _row(name: str, results: Results, asked: argparse.Namespace) -> None:
    kind = KINDS[name]
    kind = replace(kind, streams=asked.streams or kind.streams)
    _say(f"\n{name}: {kind.streams:,} streams, {kind.frame_ms} ms frames")
    row = rounds.run(kind, asked.rounds, asked.seconds, lambda round_: _say(report.round_line(round_)))
    results.rows[name] = row
    _say(report.terminal(report.row_table(row)))


def _openings(_name: str, results: Results, asked: argparse.Namespace) -> None:
    _say("\nopening: sessions opened a second")
    results.openings = opening.search(asked.seconds / 2, lambda step: _say(f"  {report.opening_line(step)}"))
    _say(report.best(results.openings))


def _limits(_name: str, results: Results, _asked: argparse.Namespace) -> None:
    _say("\nlimits: too many sessions at once, over two workers")
    results.limits = limits.measure()


def _settles(_name: str, results: Results, asked: argparse.Namespace) -> None:
    _say("\nsettles: live sessions on a ledger with history")
    results.settles = settles.measure(asked.sessions, asked.history, 3 * asked.seconds, lambda what: _say(f"  {what}"))


def _rest(_name: str, results: Results, _asked: argparse.Namespace) -> None:
    _say("\nrest: memory without sessions, and the start")
    results.rest = rest.measure()


PARTS: dict[str, Callable[[str, Results, argparse.Namespace], None]] = {
    **dict.fromkeys(KINDS, _row),
    "opening": _openings,
    "limits": _limits,
    "settles": _settles,
    "rest": _rest,
}


def _load(path: Path) -> Results:
    """Return earlier results of this machine, to which new ones are added."""
    here = machine.describe()
    if path.exists():
        try:
            earlier = msgspec.json.decode(path.read_bytes(), type=Results)
        except msgspec.DecodeError:
            _say(f"{path} was written by another revision of the benchmark: starting over")
            return Results(here)
        if earlier.machine == here:
            return earlier
        _say(f"{path} comes from another machine or other versions: starting over")
    return Results(here)


def _save(results: Results, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
