"""A file as a test: run a scenario or replay a history, and describe what is wrong."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dispute_fsm.domain.enums import Lang
from dispute_fsm.history.jsonl import atomic_text_file
from dispute_fsm.history.reader import InvalidRecord, Step
from dispute_fsm.history.redecide import Change, Difference
from dispute_fsm.history.replay import Replayed, replay
from dispute_fsm.history.timeline import TimelineEntry, timeline
from dispute_fsm.history.timeline_text import timeline_lines
from dispute_fsm.machine.guard import GuardKind
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.scenarios.reader import parse_scenario
from dispute_fsm.scenarios.runner import Failure, ScenarioResult, run_scenario
from dispute_fsm.scenarios.update import update_expectations
from dispute_fsm.testing.messages import FAILURE
from dispute_fsm.testing.session import DisputeSession

_MAX_TIMELINES = 3
"""How many timelines are shown where more disputes of one history fail."""

# ---- scenarios -----------------------------------------------------------------------------------


def check_scenario(path: Path, file: str, session: DisputeSession) -> Iterator[str]:
    """Run a scenario, which has to pass; with `--dispute-update`, first write expectations.

    Yields what is wrong, the first line in short. Raises `InputError` and `OSError` where the file
    cannot be read.
    """
    result = run_scenario(parse_scenario(path.read_bytes(), file))
    session.add_events(result.events)
    if session.option.dispute_update:
        text = path.read_bytes().decode()
        new = update_expectations(text, result, change=session.option.dispute_update_changed)
        if new != text:
            with atomic_text_file(path.resolve()) as stream:
                stream.write(new)
            session.written.add(file)
            result = run_scenario(parse_scenario(path.read_bytes(), file))
    if not result.ok:
        yield from _describe_scenario(result, session.lang)


def _describe_scenario(result: ScenarioResult, lang: Lang) -> Iterator[str]:
    """Describe each failure, then the timeline up to the last of them, with marks."""
    marks: dict[int, list[str]] = {}
    for failure in result.failures:
        text = _failure(failure, lang)
        yield f"{result.scenario.file}:{failure.line}: {text}"
        after = result.end if failure.step is None else result.steps[failure.step - 1]
        mark = FAILURE(lang, "line", line=failure.line, failure=text)
        marks.setdefault(after.events, []).append(mark)
    if result.events:
        yield from ("", result.scenario.title)
        events = result.events[: max(marks)]
        yield from timeline_lines(
            timeline(events, result.scenario.opening.policy), lang, notes=marks
        )


def _failure(failure: Failure, lang: Lang) -> str:
    end = failure.step is None
    where = FAILURE(lang, "end") if end else FAILURE(lang, "step", step=failure.step)
    return FAILURE(lang, "failure", where=where, expected=failure.expected, found=failure.actual)


# ---- histories -----------------------------------------------------------------------------------


def check_history(path: Path, file: str, session: DisputeSession) -> Iterator[str]:
    """Replay a history, which has to be valid; every decision has to be as recorded, or approved.

    Yields what is wrong, the first line in short. Raises `InputError` and `OSError` where the file
    cannot be read.
    """
    valid, failing = True, list[InvalidRecord | Replayed]()
    for replayed in replay(str(path), watch=session.add_step if session.covers else None):
        error = replayed if isinstance(replayed, InvalidRecord) else replayed.fault
        valid &= error is None
        if error is not None or (
            isinstance(replayed, Replayed)
            and replayed.differences
            and session.approved().unapproved(replayed)
        ):
            failing.append(replayed)
    if valid:  # behind an error a dispute may have differences that need an approval
        session.replayed.add(os.path.realpath(path))
    if failing:
        yield from _describe_history(path, file, failing, session.lang)


def _describe_history(
    path: Path, file: str, failing: Sequence[InvalidRecord | Replayed], lang: Lang
) -> Iterator[str]:
    """Describe each error and difference in a line, then the first disputes as a timeline each."""
    disputes = [replayed for replayed in failing if isinstance(replayed, Replayed)]
    steps = _steps(path, {replayed.dispute_id for replayed in disputes})
    for replayed in failing:
        yield _in_short(replayed, steps, file, lang)
    for replayed in disputes[:_MAX_TIMELINES]:
        yield from ("", FAILURE(lang, "dispute", dispute=replayed.dispute_id))
        yield from _timeline(replayed, steps[replayed.dispute_id], lang)


def _in_short(
    replayed: InvalidRecord | Replayed, steps: Mapping[str, Sequence[Step]], file: str, lang: Lang
) -> str:
    """Describe in a line what is wrong, and on which line of the file."""
    if isinstance(replayed, InvalidRecord):
        return f"{file}:{replayed.line}: {replayed.message}"
    if replayed.fault is not None:
        return _in_short(replayed.fault, steps, file, lang)
    first = replayed.differences[0]
    numbers = (step.line for step in steps[replayed.dispute_id] if step.event.seq == first.seq)
    return FAILURE(
        lang,
        "differs",
        file=file,
        line=next(numbers, replayed.line),
        dispute=replayed.dispute_id,
        seq=first.seq,
        drift=first.drift.label(lang),
    )


def _steps(path: Path, disputes: set[str]) -> dict[str, list[Step]]:
    """Read a history again and keep the valid steps of these disputes."""
    kept: dict[str, list[Step]] = {dispute_id: [] for dispute_id in disputes}

    def keep(_line: object, step: Step | None) -> None:
        if step is not None and step.event.dispute_id in kept:
            kept[step.event.dispute_id].append(step)

    for _ in replay(str(path), watch=keep):
        pass
    return kept


def _timeline(replayed: Replayed, steps: Sequence[Step], lang: Lang) -> Iterator[str]:
    """Show a dispute's valid events, with the error or the first difference as a mark."""
    entries = timeline([step.event for step in steps], steps[0].policy) if steps else ()
    if replayed.fault is not None:
        yield from timeline_lines(
            entries, lang, notes={replayed.fault.seq or 0: [replayed.fault.message]}
        )
        return
    first, *later = replayed.differences
    marks = [*_describe_difference(first, entries, replayed.rules, lang)]
    if later:
        seqs = ", ".join(str(difference.seq) for difference in later)
        marks.append(FAILURE(lang, "further", number=len(later), seqs=seqs))
    yield from timeline_lines(entries, lang, notes={first.seq: marks})


def _describe_difference(
    difference: Difference, entries: Iterable[TimelineEntry], rules: str | None, lang: Lang
) -> Iterator[str]:
    """Describe a difference: its class, its guard and what that saw, and every changed member."""
    drift = difference.drift
    yield FAILURE(lang, "first", drift=drift.label(lang), code=drift.value)
    if difference.guard is not None:
        yield FAILURE(lang, "guard", guard=_guard(difference, entries, rules, lang))
        for name, saw in (("saw_then", difference.saw_then), ("saw_now", difference.saw_now)):
            seen = FAILURE(lang, "not_asked") if saw is None else _as_json(saw)
            yield FAILURE(lang, name, saw=seen)
    for change in difference.changes:
        recorded, now = map(_as_json, _changed(change))
        yield FAILURE(lang, "change", field=change.field, recorded=recorded, now=now)


def _guard(
    difference: Difference, entries: Iterable[TimelineEntry], rules: str | None, lang: Lang
) -> str:
    """Name a guard and its label: that of the rules, else that of the timeline.

    A selector has its name only: its label asks a question, and its answers are shown.
    """
    name = str(difference.guard)
    guard = None if rules is None else rule_version(rules).table.guards().get(name)
    if guard is not None:
        label = name if guard.kind is GuardKind.SELECTS else guard.label(lang)
    else:
        seen = (check for entry in entries if entry.seq == difference.seq for check in entry.checks)
        label = next((check.label(lang) for check in seen if check.guard == name), name)
    return name if label == name else f"{label} ({name})"


def _changed(change: Change) -> tuple[object, object]:
    """Return both sides of a change; of two lists only the elements that the other lacks."""
    recorded, now = change.recorded, change.now
    if not (isinstance(recorded, list) and isinstance(now, list)):
        return recorded, now
    removed = [value for value in recorded if value not in now]
    return removed, [value for value in now if value not in recorded]


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
