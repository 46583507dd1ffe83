"""How programs log: one line an event on standard error, as JSON in production."""

import logging
import sys
from contextlib import suppress
from typing import Final

import structlog
from structlog.typing import Processor

_SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)


def configure_logging(level: str, *, as_json: bool = False) -> None:
    """Log one line an event on standard error. Libraries log from warnings on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, _renderer(as_json)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Log(sys.stderr),
    )
    logging.raiseExceptions = False  # a log that cannot be written is no reason for another line
    configure_library_logging(logging.WARNING, as_json=as_json)
    logging.getLogger("picows").setLevel(logging.ERROR)  # below that it logs each connection


def configure_library_logging(level: int | str, *, as_json: bool = False) -> None:
    """Configure the standard library's logging, which the supervisor and libraries use."""
    handler = logging.StreamHandler()
    if as_json:
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(as_json)],
                foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name],
            )
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def _renderer(as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(default=str)
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)


class _Log(structlog.PrintLogger):
    """A disk that is full, or a reader that is gone, costs lines of the log and nothing else."""

    def msg(self, message: str) -> None:
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warning = error = critical = exception = msg
