"""What a scrape shows of several workers' files."""

import subprocess
import sys
from pathlib import Path

WORKER = """
from transcription_proxy import metrics
metrics.begin("1.2.3")
metrics.LIVE_SESSIONS.set({live})
metrics.FRAMES.inc({frames})
if {scrapes}:
    print(metrics.render().decode())
"""


def worker(folder: Path, live: int, frames: int, scrapes: bool) -> str:
    """Run a worker that counts, and return its scrape."""
    program = WORKER.format(live=live, frames=frames, scrapes=scrapes)
    env = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.run([sys.executable, "-c", program], env=env, check=True, capture_output=True, text=True).stdout


def test_a_dead_worker_still_counts_what_it_did_but_not_what_it_had(tmp_path: Path) -> None:
    worker(tmp_path, live=5, frames=100, scrapes=False)
    lines = worker(tmp_path, live=2, frames=10, scrapes=True).splitlines()
    assert "transcription_live_sessions 2.0" in lines
    assert "transcription_audio_frames_total 110.0" in lines
    assert 'transcription_build_info{version="1.2.3"} 1.0' in lines
    assert 'transcription_settles_total{result="failed"} 0.0' in lines
