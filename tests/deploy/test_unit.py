"""The systemd unit, as systemd-analyze reads it."""

import re
import subprocess
from pathlib import Path

from tests.debian import find
from tests.deploy.settings import names
from tests.unit.settings import PRODUCTION
from transcription_proxy.config import load
from transcription_proxy.process.supervisor import GRACE_SECONDS

UNIT = Path(__file__).parents[2] / "deploy" / "transcription-proxy.service"
MOST_EXPOSED = 2.5
"""systemd's own measure, from 0 to 10. An ordinary service without any protection has 9.6."""


def settings() -> dict[str, str]:
    return dict(re.findall(r"^Environment=(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))


def test_settings_exist_and_production_starts_with_them() -> None:
    assert set(settings()) <= names()
    assert load({**PRODUCTION, **settings(), "DATA_DIR": "/nowhere-to-write"}).production


def test_the_service_gets_the_time_to_end_its_sessions() -> None:
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert int(seconds) >= float(settings()["DRAIN_SECONDS"]) + GRACE_SECONDS


def test_systemd_understands_it_and_finds_it_well_confined(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    text = UNIT.read_text()
    assert text.count("ExecStart=/opt/transcription-proxy/.venv/bin/transcription-proxy serve\n") == 1
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    analyze = str(find("systemd-analyze"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []
    command = [analyze, "security", "--offline=true", "--no-pager", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    [exposure] = re.findall(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert float(exposure) <= MOST_EXPOSED, done.stdout
