"""What `dispute-fsm replay` shows people: counts, and the disputes that end differently.

A dispute that would end the same is counted, not listed, whatever differs on its way.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic import JsonValue
from rich.table import Column, Table
from rich.text import Text

from dispute_fsm.cli.messages import REPLAY
from dispute_fsm.cli.output import print_details, print_line, print_table, print_verdict
from dispute_fsm.domain.enums import Deadline, Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.domain.scalars import parse_instant
from dispute_fsm.history.approvals import DRIFT_CLASSES, UNDETERMINED, drift_classes
from dispute_fsm.history.messages import EVENT_MEMBERS, TIMELINE, Drift, EndComparison
from dispute_fsm.history.reader import InvalidRecord
from dispute_fsm.history.redecide import Change, Difference
from dispute_fsm.history.replay import Replayed
from dispute_fsm.history.timeline import local_time
from dispute_fsm.history.timeline_text import changed_value, guard_label, saw_text
from dispute_fsm.history.what_if import EndState, WhatIf
from dispute_fsm.terminal import printable

_DECISIVE = (Drift.OUTCOME, Drift.NEWLY_REFUSED, Drift.NEWLY_ACCEPTED, Drift.FACTS)
_ZONE = ZoneInfo(DEFAULT_POLICY.calendar.zone)
Values = Mapping[str, JsonValue]
_MAX_SHOWN = 20
"""How many disputes with errors or differences are shown; `--json` has them all."""


class ReplayResult(NamedTuple):
    """One dispute, or an error that belongs to none; and its differences that nobody approved."""

    replayed: Replayed | InvalidRecord
    unapproved: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it is valid, and every difference is approved."""
        return (
            isinstance(self.replayed, Replayed)
            and self.replayed.fault is None
            and not self.unapproved
        )

    @property
    def priority(self) -> int:
        """0: an error, another decision or another end; 1: an undetermined end; 2: the same end."""
        replayed = self.replayed
        if isinstance(replayed, InvalidRecord) or (asked := replayed.what_if) is None:
            return 0
        is_decided_differently = any(map(self.includes, replayed.differences))
        if is_decided_differently or asked.verdict is EndComparison.DIFFERENT:
            return 0
        return 1 if asked.verdict is EndComparison.UNDETERMINED else 2

    def includes(self, difference: Difference) -> bool:
        """Return whether nobody approved a difference."""
        return difference.drift.value in self.unapproved


class ReplaySummary:
    """What is printed at the end; its size is bounded, however many disputes there are."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self.verdicts = Counter[EndComparison]()
        self.ends = Counter[tuple[EndState, EndState | None]]()
        self.classes = Counter[str]()
        self.first_failed: tuple[list[ReplayResult], list[ReplayResult]] = ([], [])
        """The first results that are not ok, by priority; not those that end the same."""

    def add(self, result: ReplayResult) -> None:
        """Count a result."""
        replayed, unapproved = result
        if not result.ok:
            self.counts["failed"] += 1
            if (priority := result.priority) == len(self.first_failed):
                self.counts["same_end"] += 1
            elif len(first := self.first_failed[priority]) < _MAX_SHOWN:
                first.append(result)
        if isinstance(replayed, InvalidRecord):
            self.counts["errors"] += 1
            return
        decided = replayed.events - len(replayed.undetermined)
        differing = list(drift_classes(replayed))
        approved = sum(drift not in unapproved for drift in differing)
        self.counts.update(
            disputes=1,
            events=replayed.events,
            errors=int(replayed.fault is not None),
            valid=int(replayed.fault is None),
            decided=decided,
            reproduced=decided - len(replayed.differences),
            unapproved=sum(each.drift.value in unapproved for each in replayed.differences),
            undetermined=int(bool(replayed.undetermined)),
            approved=approved,
            approved_disputes=int(approved > 0),
        )
        self.classes.update(set(differing))
        if replayed.what_if is not None:
            self.verdicts[replayed.what_if.verdict] += 1
            self.ends[replayed.what_if.then, replayed.what_if.now] += 1


def show_summary(summary: ReplaySummary, lang: Lang, *, what_if: bool) -> None:
    """Print the counts, and the first of the disputes that are not ok."""
    counts = summary.counts

    def count(label: str, name: str) -> str:
        return REPLAY(lang, label, count=counts[name], s="" if counts[name] == 1 else "s")

    disputes, events = count("disputes", "disputes"), count("events", "events")
    print_line(REPLAY(lang, "read", disputes=disputes, events=events))
    for name, failed, passed, of in (
        ("integrity", counts["errors"], counts["valid"], counts["disputes"]),
        ("reproduced", counts["unapproved"], counts["reproduced"], counts["decided"]),
    ):
        mark = "✗" if failed else "✓" if of else "–"
        print_verdict(mark, REPLAY(lang, name, count=f"{passed}/{of}"))
    if counts["undetermined"]:
        print_line(REPLAY(lang, "erased", disputes=count("disputes", "undetermined")))
    if counts["approved"]:
        disputes = count("disputes", "approved_disputes")
        differences = count("differences", "approved")
        print_line(REPLAY(lang, "approved", differences=differences, disputes=disputes))
    if what_if:
        _show_what_if(summary, lang)
    shown = [result for results in summary.first_failed for result in results][:_MAX_SHOWN]
    for result in shown:
        print_line("")
        _show_result(result, lang)
    if more := counts["failed"] - counts["same_end"] - len(shown):
        print_line("")
        print_line(REPLAY(lang, "more", count=more))
    if counts["same_end"]:
        print_line("")
        print_line(REPLAY(lang, "same_end", disputes=count("disputes", "same_end")))


def _show_what_if(summary: ReplaySummary, lang: Lang) -> None:
    counts = {verdict.value: summary.verdicts[verdict] for verdict in EndComparison}
    print_line(REPLAY(lang, "what_if", **counts))
    ends = Counter[tuple[str, str]]()
    for (then, now), count in summary.ends.items():
        if then != now:
            ends[_end(then, lang), _end(now, lang)] += count
    rows = sorted(((*pair, count) for pair, count in ends.items()), key=lambda row: (-row[2], row))
    _show_table(("then", "now", "count"), rows, lang)
    classes = summary.classes
    kinds = [(_class(name, lang), classes[name]) for name in DRIFT_CLASSES if classes[name]]
    _show_table(("class", "count"), kinds, lang)


def _show_table(columns: Sequence[str], rows: Sequence[tuple[str | int, ...]], lang: Lang) -> None:
    if not rows:
        return
    *labels, count = (REPLAY(lang, name) for name in columns)
    headers = [
        *(Column(label, overflow="fold") for label in labels),
        Column(count, justify="right"),
    ]
    table = Table(*headers, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*map(str, row))
    print_line("")
    print_table(table)


def _end(end: EndState | None, lang: Lang) -> str:
    if end is None:
        return REPLAY(lang, "undetermined")
    return end.state.label(lang) if end.outcome is None else end.outcome.label(lang)


def _class(name: str, lang: Lang) -> str:
    return REPLAY(lang, name) if name == UNDETERMINED else Drift(name).label(lang)


# ---- one dispute ---------------------------------------------------------------------------------


def _show_result(result: ReplayResult, lang: Lang) -> None:
    """Print a result: its error, or the step that decides, and what led there."""
    replayed = result.replayed
    error = replayed if isinstance(replayed, InvalidRecord) else replayed.fault
    if isinstance(replayed, InvalidRecord) or error is not None:
        print_verdict("✗", str(error))
        return
    mark, style = ("?", "yellow") if result.priority else ("✗", "red")
    place, dispute = f" {replayed.file}:{replayed.line}: ", replayed.dispute_id
    ends = _ends(replayed.what_if, lang)
    head = Text.assemble((mark, style), printable(place), (printable(dispute), "bold"), ends)
    print_line(head)
    differences = [
        *replayed.differences,
        *(() if replayed.what_if is None else replayed.what_if.differences),
    ]
    unapproved = [difference for difference in differences if result.includes(difference)]
    decisive = [difference for difference in unapproved if difference.drift in _DECISIVE][:1]
    # A deadline that was moved before may be why; what only reads differently is not.
    first = [each for each in unapproved[:1] if not decisive or each.drift is Drift.DEADLINE]
    for difference in (*decisive, *first):
        print_line(f"    {_headline(difference, lang)}", hang=6)
        print_details(_details(difference, lang), indent=6)


def _ends(asked: WhatIf | None, lang: Lang) -> str:
    if asked is None:
        return ""
    then, now = _end(asked.then, lang), _end(asked.now, lang)
    if asked.missing is not None:
        missing = asked.missing.missing.label(lang)
        now = REPLAY(lang, "missing", seq=asked.missing.seq, missing=missing)
    elif asked.now is None:
        now = REPLAY(lang, "not_opened")
    return f"  {then}" if then == now else f"  {then} → {now}"


def _headline(difference: Difference, lang: Lang) -> str:
    """Return which step differs, and how; of a deadline, from when to when."""
    drift = difference.drift.label(lang)
    if difference.drift is Drift.DEADLINE:
        drift = " ".join(_moved(difference, lang))
    # An expiry that was not recorded has no recorded state.
    is_new = any(each.field == "target" and each.recorded is None for each in difference.changes)
    name, command = "before" if is_new else "step", difference.command.label(lang)
    return REPLAY(lang, name, seq=difference.seq, command=command, drift=drift)


def _moved(difference: Difference, lang: Lang) -> Iterator[str]:
    for name, recorded in (difference.saw_then or {}).items():
        yield Deadline(name).label(lang)
        instants = [
            parse_instant(instant) if isinstance(instant, str) else None
            for instant in (recorded, (difference.saw_now or {}).get(name))
        ]
        then, now = (
            TIMELINE(lang, "none")
            if instant is None
            else local_time(instant, _ZONE, beside=None if instant is instants[-1] else instants[1])
            for instant in instants
        )
        yield _change(then, now, lang)


def _change(then: str, now: str, lang: Lang) -> str:
    """Return what something is now, and if it was something before, what."""
    return now if then in {TIMELINE(lang, "none"), REPLAY(lang, "not_asked")} else f"{then} → {now}"


def _details(difference: Difference, lang: Lang) -> Iterator[tuple[str, str]]:
    """Yield what differs in a step, as `show` labels it; the headline has said the rest."""
    if difference.drift is Drift.DEADLINE:
        return
    has_outcome = any(change.field == "outcome" and change.now for change in difference.changes)
    for change in difference.changes:
        if change.field == "target" and has_outcome:  # which implies the state
            continue
        if (label := _label(change, lang)) is not None:
            values = (change.recorded, change.now)
            if difference.drift is Drift.FACTS:
                values = (None, change.now)
            then, now = (changed_value(change.field, value, lang) for value in values)
            yield label, _change(then, now, lang)
    guard, saw = difference.guard, (difference.saw_then, difference.saw_now)
    if guard is not None and saw[0] != saw[1]:
        then, now = (
            REPLAY(lang, "not_asked")
            if one is None
            else saw_text(guard, _changed(one, other), lang, _ZONE)
            for one, other in (saw, saw[::-1])
        )
        named, text = guard_label(guard, lang), _change(then, now, lang)
        yield TIMELINE(lang, "seen"), REPLAY(lang, "guard", guard=named, change=text)


def _changed(saw: Values, other: Values | None) -> Values:
    """Return what a guard saw that it did not see the other time."""
    return {name: value for name, value in saw.items() if other is None or other.get(name) != value}


def _label(change: Change, lang: Lang) -> str | None:
    """Return the label of a member; None where the kind of difference or the guard says it."""
    match change.field:
        case "type" | "checks" | "deadlines":
            return None
        case "target":
            return TIMELINE(lang, "state")
        case "outcome" | "refused":
            return TIMELINE(lang, change.field)
        case _:
            return EVENT_MEMBERS(lang, change.field)
