"""How programs log: one line an event on standard error."""

import logging
import sys
from contextlib import suppress

import structlog


def configure_logging(level: str) -> None:
    """One line an event on standard error; libraries speak up from warnings on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: _Log(sys.stderr),
    )
    logging.raiseExceptions = False  # nor does it tell of a log that cannot be written
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("picows").setLevel(logging.ERROR)  # below that it tells each connection's life


class _Log(structlog.PrintLogger):
    """A disk that is full, or a reader that is gone, costs lines of the log and nothing else."""

    def msg(self, message: str) -> None:
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warning = error = critical = exception = msg
