"""Log lines: ids and codes, never personal data."""

import logging
import sys
from functools import cache
from typing import Protocol, cast


class Logger(Protocol):
    """Writes an event and its fields: a logger of structlog, or the standard library's."""

    def info(self, event: str, /, **fields: object) -> object:
        """Write something that happened as it should."""

    def warning(self, event: str, /, **fields: object) -> object:
        """Write something that is tried again."""

    def error(self, event: str, /, **fields: object) -> object:
        """Write something that a person has to look at."""


def log(name: str = "dispute_fsm") -> Logger:
    """Return the logger of this name: the host's structlog if it is configured, else stdlib's.

    The standard library shows nothing below a warning unless it is configured to, so a program that
    asks for no log has none.
    """
    if "structlog" in sys.modules:  # a host that has not imported it has not configured it
        import structlog  # noqa: PLC0415 -- takes a third as long to import as this package

        if structlog.is_configured():
            return _structlog_logger(name)
    return _standard_logger(name)


@cache
def _structlog_logger(name: str) -> Logger:
    import structlog  # noqa: PLC0415 -- as above

    return cast("Logger", structlog.stdlib.get_logger(name))


@cache
def _standard_logger(name: str) -> Logger:
    return _StandardLogger(name)


class _StandardLogger:
    """The standard library's logger; structlog is imported only to format a line that is shown."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, /, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            from structlog.processors import LogfmtRenderer  # noqa: PLC0415 -- as above

            line = LogfmtRenderer(key_order=["event"])(None, "", {"event": event, **fields})
            self._logger.log(level, line, stacklevel=3)
