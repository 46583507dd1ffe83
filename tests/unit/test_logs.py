"""What is logged, and that a log which cannot be written stops nobody."""

import json
import subprocess
import sys
from pathlib import Path

LOGS = """
import logging, structlog
from transcription_proxy.logs import configure_logging
configure_logging("warning")
log = structlog.get_logger()
log.info("left_out")
log.warning("kept", session="s1")
logging.getLogger("library").info("left out")
logging.getLogger("library").error("said by a library")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broke")
print("done")
"""


def logged(to: Path, program: str = LOGS) -> str:
    """What the program above writes to standard output, its log going to that file."""
    with to.open("w") as file:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=file, text=True, check=False
        )
    assert done.returncode == 0
    return done.stdout


def test_each_event_is_a_line_on_standard_error(tmp_path: Path) -> None:
    assert logged(tmp_path / "log") == "done\n"
    text = (tmp_path / "log").read_text()
    assert "level=warning event=kept session=s1\n" in text
    assert "said by a library" in text
    assert "ZeroDivisionError" in text
    assert "left" not in text


def test_a_log_whose_disk_is_full_costs_its_lines_and_nothing_else() -> None:
    assert logged(Path("/dev/full")) == "done\n"


def test_in_production_each_line_is_json_also_that_of_a_library(tmp_path: Path) -> None:
    program = LOGS.replace('configure_logging("warning")', 'configure_logging("warning", as_json=True)')
    logged(tmp_path / "log", program)
    kept, library, broke = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (kept["event"], kept["level"], kept["session"]) == ("kept", "warning", "s1")
    assert (library["event"], library["level"], library["logger"]) == ("said by a library", "error", "library")
    assert "ZeroDivisionError" in broke["exception"]
    assert all(line["timestamp"] for line in (kept, library, broke))
