"""`python -m bench.serve`: the service as `transcription-proxy serve` runs it, with a probe in each worker."""

import sys

from transcription_proxy import offer
from transcription_proxy.config import load
from transcription_proxy.process import supervisor

WORKER = (sys.executable, "-m", "bench.probe")

if __name__ == "__main__":
    sys.exit(supervisor.serve(load(also=offer.problems), worker=WORKER))
