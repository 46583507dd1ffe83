"""Two minutes of chaos, and what the run tells of itself. `make chaos` does it for longer, and with other plans."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.__main__ import report
from tests.chaos.evidence import Violation
from tests.chaos.run import Verdict, chaos

SEED = 1
"""One that stays: a suite that fails by chance teaches people to run it again."""
MINUTES = 2.0


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter; kept when the test fails, for the log."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o711)
    yield folder
    if not (folder / "failed").exists():
        shutil.rmtree(folder)


@pytest.mark.timeout(480)
async def test_two_minutes_of_chaos_break_no_rule(home: Path) -> None:
    lines: list[str] = []
    verdict = await chaos(SEED, MINUTES * 60, home, lines.append)
    report(verdict, SEED, MINUTES, home, lines.append)
    if verdict.violations:
        (home / "failed").touch()
    assert not verdict.violations, "\n".join(lines)


def test_a_violation_is_reported_with_the_command_that_repeats_it() -> None:
    lines: list[str] = []
    verdict = Verdict("3 sessions", [Violation("session s1", "20 credits", "25")])
    report(verdict, 77, 30.0, Path("place"), lines.append)
    text = "\n".join(lines)
    assert "VIOLATION session s1: expected 20 credits; found 25" in text
    assert "make chaos MINUTES=30 SEED=77" in text
    assert str(Path("place") / "data.log") in text


def test_a_good_run_reports_success() -> None:
    lines: list[str] = []
    report(Verdict("3 sessions", []), 77, 2.0, Path("place"), lines.append)
    assert lines[1:] == ["3 sessions", "All rules were kept. Seed 77."]
