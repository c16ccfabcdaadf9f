"""How long a test waits: long enough that no test fails on a slow or busy machine."""

from collections.abc import Callable
from threading import Event
from time import monotonic

PATIENCE = 900.0
"""Seconds. Only where something hangs does a test wait so long."""


def until(condition: Callable[[], bool], otherwise: str) -> None:
    """Wait until a condition holds that nobody tells of; fail, with words, where it never does."""
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, otherwise
        Event().wait(0.02)  # looks again; what it waits for is the condition
