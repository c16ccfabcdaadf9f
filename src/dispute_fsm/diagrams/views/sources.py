"""The sources of the rules, as every view lists those that it cites."""

from collections.abc import Iterable, Mapping

from dispute_fsm.diagrams.formatting import Formatter
from dispute_fsm.diagrams.messages import SOURCES
from dispute_fsm.diagrams.model import GuardLabel, Provenance, TransitionView
from dispute_fsm.diagrams.picture import Face, Line, TextRow, TextTable, cell
from dispute_fsm.domain.scalars import FrozenMap
from dispute_fsm.rules.guards.selectors import OPTION
from dispute_fsm.rules.sources import ANNOUNCEMENT

_NO_OTHERS: Mapping[str, Provenance] = FrozenMap({})

Uses = Mapping[str, Iterable[str]]
"""What each source is cited for, by the source's id."""


def uses(fmt: Formatter, transitions: Iterable[TransitionView]) -> Uses:
    """Return the sources of transitions and of their conditions, with what they are cited for."""
    used: dict[str, dict[str, None]] = {}
    for transition in transitions:
        used.setdefault(fmt.ref(transition), {})[fmt.label(transition.event)] = None
        for guard in fmt.guards(transition):
            used.setdefault(fmt.ref(guard), {})[_condition(fmt, guard)] = None
    return used


def _condition(fmt: Formatter, guard: GuardLabel) -> str:
    # The page shows which option it is.
    return fmt.message("chosen") if guard.question == OPTION.name else fmt.condition(guard)


def source_table(
    fmt: Formatter, used: Uses, of_others: Mapping[str, Provenance] = _NO_OTHERS
) -> TextTable:
    """List these sources: what the announcement states, and what is assumed and why.

    `of_others` are sources that another machine has, by id.
    """
    # Its own order first; what both have is said in its own words.
    known = {**fmt.sources, **of_others, **fmt.sources}
    return TextTable(
        id="sources",
        title=SOURCES(fmt.lang, "sources"),
        heads=tuple(SOURCES(fmt.lang, name) for name in ("id", "kind", "text", "of")),
        widths=(16, 16, 40, 28),
        rows=tuple(
            TextRow(
                id=f"source-{name}",
                cells=(
                    cell(name, face=Face.STRONG),
                    cell(fmt.source_kind(source)),
                    tuple(map(Line, fmt.source_lines(source))),
                    cell(fmt.join("and", used[name])),
                ),
            )
            for name, source in known.items()
            if name in used
        ),
        notes=(SOURCES(fmt.lang, "announcement", **ANNOUNCEMENT._asdict()),),
    )
