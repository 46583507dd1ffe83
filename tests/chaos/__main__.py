"""`make chaos`: runs live sessions of several users on two workers while a seeded plan breaks parts, then judges."""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.chaos.run import Verdict, chaos


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=None, help="the same seed is the same plan; unset: a new one")
    parser.add_argument("--keep", action="store_true", help="keep the log and what was judged in any case")
    arguments = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    home.chmod(0o711)  # PostgreSQL may run as another user
    verdict = asyncio.run(chaos(seed, arguments.minutes * 60, home, say))
    report(verdict, seed, arguments.minutes, home)
    if not verdict.violations and not arguments.keep:
        shutil.rmtree(home)
    return 1 if verdict.violations else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def report(verdict: Verdict, seed: int, minutes: float, home: Path, say: Callable[[str], None] = say) -> None:
    say("")
    say(verdict.summary)
    for violation in verdict.violations:
        say(f"VIOLATION {violation}")
    if verdict.violations:
        say(f"{len(verdict.violations)} violations, seed {seed}. To repeat: make chaos MINUTES={minutes:g} SEED={seed}")
        say(f"The service's log is {home / 'data.log'}; all that was judged is in {home / 'evidence.txt'}")
    else:
        say(f"All rules were kept. Seed {seed}.")


if __name__ == "__main__":
    sys.exit(main())
