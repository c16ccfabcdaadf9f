"""What each comparison may come to at most or has to come to at least, and what is hoped for."""

from collections.abc import Mapping

from benchmarks.measure import Target


def _at_most(bound: float, hope: float | None = None) -> Target:
    return Target(bound, bound if hope is None else hope)


def _at_least(bound: float, hope: float | None = None) -> Target:
    return Target(bound, bound if hope is None else hope, least=True)


SECTIONS: Mapping[str, Mapping[str, Target]] = {
    "decisions": {
        "decide / floor": _at_most(10, 7),
        (
            "decide the merchant's choice / python-statemachine, a new object, one transition"
        ): _at_most(0.12, 0.08),
        "decide the merchant's choice / transitions, a new machine, one transition": _at_most(
            0.6, 0.4
        ),
        "options / decide the merchant's choice": _at_most(4, 3),
        "parse / floor": _at_most(5, 1.5),
        "replay, an event / floor": _at_most(20, 12),
    },
    "temporal": {
        "replay of a dispute / Temporal's Replayer, the same dispute": _at_most(1 / 50, 1 / 100),
    },
    "replay": {
        "replay with two processes / with one": _at_most(0.6, 0.55),
        "2,000 files with pytest / without": _at_most(3),
    },
    "store": {
        "sqlite: a full command, throughput / that of its statements alone": _at_least(0.65, 0.8),
        "postgresql: a full command, throughput / that of its statements alone": _at_least(
            0.9, 1.0
        ),
        "sqlite: an import, throughput / that of reading and its statements alone": _at_least(0.6),
        "postgresql: an import, throughput / that of reading and its statements alone": _at_least(
            0.6
        ),
    },
    "eventsourcing": {
        (
            "sqlite: load and append, throughput / eventsourcing on sqlite: load, change, save"
        ): _at_least(1.5, 3),
    },
    "start": {
        "import and a first decision / import statemachine, pydantic, structlog": _at_most(
            1.25, 1.1
        ),
        "dispute-fsm --version / python -c pass": _at_most(4, 2),
        "the chart as PNG": Target(4, 4, unit="s"),
    },
    "growth": {"memory of ten times the file / of the file": _at_most(1.2)},
    "service": {
        "sqlite: a command with a hook that does nothing / without one": _at_most(1.05),
        "postgresql: a command with a hook that does nothing / without one": _at_most(1.05),
    },
    "queries": {"queries that do not go by an index": _at_most(0)},
}
"""The targets of each section."""
