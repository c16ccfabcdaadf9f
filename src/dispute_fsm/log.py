"""Log lines: ids and codes, never a person's words."""

import logging
from functools import cache

import structlog


def log(name: str = "dispute_fsm") -> structlog.stdlib.BoundLogger:
    """Return the logger of this name: the host's structlog, where it has configured that, else the standard library's.

    The standard library shows nothing below a warning unless it is told to, so a program that asks
    for no log has none.
    """
    return _of_the_host(name) if structlog.is_configured() else _of_the_standard_library(name)


@cache
def _of_the_host(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@cache
def _of_the_standard_library(name: str) -> structlog.stdlib.BoundLogger:
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
