"""Log lines: ids and codes, never personal data."""

import logging
from functools import cache

import structlog


def log(name: str = "dispute_fsm") -> structlog.stdlib.BoundLogger:
    """Return the logger of this name: the host's structlog if it is configured, else stdlib's.

    The standard library shows nothing below a warning unless it is configured to, so a program that
    asks for no log has none.
    """
    return _structlog_logger(name) if structlog.is_configured() else _stdlib_logger(name)


@cache
def _structlog_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@cache
def _stdlib_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.LogfmtRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )
    return logger
