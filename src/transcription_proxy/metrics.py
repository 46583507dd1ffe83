"""The metrics that `/metrics` shows. Modules count here what happens; process/sampler.py adds a sample each second.

With PROMETHEUS_MULTIPROC_DIR set, as the supervisor does, the numbers of all workers lie in files, and one worker
answers for all. Every label value is there from the start, so that rates begin at 0."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from transcription_wire.codes import ErrorCode, Reason

DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
SHORT: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

BUILD: Final = Gauge(
    "transcription_build_info", "1, with the version as a label", ["version"], multiprocess_mode="livemax"
)
LIVE_SESSIONS: Final = Gauge("transcription_live_sessions", "Sessions that are live", multiprocess_mode="livesum")
SOCKETS: Final = Gauge("transcription_sockets", "Open WebSockets", ["state"], multiprocess_mode="livesum")
UNSETTLED: Final = Gauge(
    "transcription_unsettled_seconds",
    "Credits that live sessions have used and the ledger has not booked",
    multiprocess_mode="livesum",
)
DATABASE_UP: Final = Gauge(
    "transcription_database_up", "Whether settles can be booked: 1 or 0", multiprocess_mode="livemin"
)
LOOP_LAG: Final = Histogram(
    "transcription_event_loop_lag_seconds", "How late a timer of one second fires", buckets=SHORT
)
FRAMES: Final = Counter("transcription_audio_frames", "Audio frames of clients")
BYTES: Final = Counter("transcription_audio_bytes", "Bytes of audio forwarded upstream for the first time")
DELAY: Final = Histogram(
    "transcription_caption_delay_seconds",
    "Seconds of audio without results, of each live session every 10 seconds",
    buckets=(0.5, 1, 2, 3, 4, 6, 8, 10, 15, 30),
)
DIAL: Final = Histogram("transcription_upstream_dial_seconds", "Time to open an upstream", buckets=SHORT)
UPSTREAM_ERRORS: Final = Counter("transcription_upstream_errors", "Upstreams that failed", ["kind"])
OPENINGS: Final = Counter(
    "transcription_holds", "Openings of sessions: granted, or the code of the refusal", ["result"]
)
ENDINGS: Final = Counter("transcription_sessions_ended", "Sessions that ended", ["reason"])
SETTLES: Final = Counter("transcription_settles", "Settles and closes of sessions", ["result"])
UNBILLED: Final = Counter("transcription_unbilled_seconds", "Credits that were used and could not be billed")
WEBHOOKS: Final = Counter("transcription_webhooks", "Events from Stripe", ["result"])
REFUSED_LOGINS: Final = Counter("transcription_refused_logins", "Log-in attempts that were refused", ["code"])
RATE_LIMITED: Final = Counter("transcription_rate_limited", "Requests over a limit", ["what"])
REQUESTS: Final = Histogram("transcription_http_request_seconds", "HTTP requests", ["status"], buckets=SHORT)
FAILED_JOBS: Final = Counter("transcription_failed_jobs", "Jobs that failed and are tried again", ["kind"])
LIMITED: Final = (
    "/auth/",
    "/account/password",
    "log in",
    "change password",
    "buy",
    "open session",
    "test overlay",
    "confirmation mail",
)
"""The names of the rate limits in db/rate_limits.py, as values of a label."""

_LABELS: Final = (
    (SOCKETS, ("authenticated", "unauthenticated")),
    (UPSTREAM_ERRORS, ("refused", "unreachable", "lost")),
    (OPENINGS, ("granted", *(code.value for code in ErrorCode))),
    (ENDINGS, tuple(reason.value for reason in Reason)),
    (SETTLES, ("booked", "failed")),
    (WEBHOOKS, ("handled", "repeated", "unmatched", "refused")),
    (REFUSED_LOGINS, ("invalid_credentials", "unauthorized", "rate_limited", "service_unavailable")),
    (RATE_LIMITED, LIMITED),
    (REQUESTS, ("1xx", "2xx", "3xx", "4xx", "5xx")),
)


def begin(version: str) -> None:
    """Make all label values known, in each worker at its start."""
    BUILD.labels(version).set(1)
    for metric, values in _LABELS:
        for value in values:
            metric.labels(value)


def render() -> bytes:
    """Return the metrics of all workers in Prometheus' text format."""
    folder = os.environ.get(DIRECTORY)
    if folder is None:
        return generate_latest(REGISTRY)
    _forget_dead_workers(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_dead_workers(folder: Path) -> None:
    """Delete the gauges of workers that died. Their counters still count."""
    for file in folder.glob("gauge_live*_*.db"):
        try:
            os.kill(int(file.stem.rpartition("_")[2]), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker deleted it
                file.unlink()
