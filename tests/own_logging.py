"""Logging as it was before: the command line configures structlog for its whole process."""

from collections.abc import Generator
from contextlib import contextmanager

import structlog


@contextmanager
def logging_of_its_own() -> Generator[None]:
    """Leave structlog as it was."""
    configured = structlog.get_config() if structlog.is_configured() else None
    try:
        yield
    finally:
        structlog.reset_defaults()
        if configured is not None:
            structlog.configure(**configured)
