"""`dispute-fsm replay`: check histories, and decide them again, also under other rules."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import typer
from rich.table import Column, Table

from dispute_fsm.cli.app import Exit, console, print_error
from dispute_fsm.cli.arguments import CORES, LANG, JobsOption, JsonOption, LangOption, rules_option
from dispute_fsm.cli.command import command
from dispute_fsm.cli.inputs import history_files
from dispute_fsm.cli.messages import REPLAY
from dispute_fsm.cli.output import print_json, print_line, progress_bar
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import InputError
from dispute_fsm.history.approvals import (
    DRIFT_CLASSES,
    UNDETERMINED,
    DriftApprovals,
    drift_classes,
    read_approvals,
)
from dispute_fsm.history.jsonl import COMPRESSED, SUFFIX
from dispute_fsm.history.messages import EVENT_MEMBERS, Drift, EndComparison
from dispute_fsm.history.reader import InvalidRecord, Step
from dispute_fsm.history.redecide import Difference
from dispute_fsm.history.replay import Replayed, rare_garbage_collection
from dispute_fsm.history.replay_files import replay_files
from dispute_fsm.history.timeline_text import changed_value, guard_label, saw_text
from dispute_fsm.history.what_if import EndState, Question, WhatIf
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.scenarios.settings import read_policy_changes

_DECISIVE = (Drift.OUTCOME, Drift.NEWLY_REFUSED, Drift.NEWLY_ACCEPTED, Drift.FACTS)
_ZONE = ZoneInfo(DEFAULT_POLICY.calendar.zone)
_MAX_SHOWN = 40
"""How many disputes with errors or differences are shown; `--json` has them all."""


@command("replay")
def replay_command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help=(
                f"Histories, folders that are searched for *{SUFFIX}[.gz], or - for standard input."
            ),
        ),
    ],
    rules: Annotated[
        str | None,
        rules_option("What would have become of them under these rules"),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The same, under a policy that differs in these fields (YAML)."
        ),
    ] = None,
    approved: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Differences that are intended, and why (YAML)."),
    ] = None,
    as_json: JsonOption = False,
    jobs: JobsOption = CORES,
    lang: LangOption = LANG,
) -> Exit:
    """Check histories, and decide them again under any rules.

    Every hash and every transition is checked, and every command decided again. With --rules or
    --policy: what would have ended differently, at which step, because of which guard.

    Examples:
      dispute-fsm replay out/
      dispute-fsm replay out/ --policy examples/policies/shorter-response.yaml
      dispute-fsm replay out/ --rules parallel

    Exit code: 0 all as recorded, 1 an error or a difference, 2 a file cannot be found or read (the
    others are still replayed).

    """
    question = _question(rules, policy)
    drift = DriftApprovals("") if approved is None else read_approvals(approved)
    files, errors = history_files(paths)
    for error in errors:
        print_error(error)
    summary = _Summary()
    with closing(_replay(files, question, jobs)) as results:
        for replayed in results:
            if isinstance(replayed, InputError | OSError):
                print_error(replayed)
                errors.append(replayed)
                continue
            unapproved = () if isinstance(replayed, InvalidRecord) else drift.unapproved(replayed)
            result = _Result(replayed, unapproved)
            summary.add(result)
            if as_json:
                print_json(_as_json(result))
    unused = list(drift.unused())
    for line, approval in unused:
        message = f"this approval no longer fits any difference: {approval.why}"
        print_error(InputError(message, file=drift.file, line=line))
    if not as_json:
        _show(summary, lang, what_if=question is not None)
    if errors:
        return Exit.INVALID_INPUT
    return Exit.FAILED if summary.counts["failed"] or unused else Exit.OK


def _question(rules: str | None, policy: Path | None) -> Question | None:
    if rules is None and policy is None:
        return None
    if rules is not None:
        rule_version(rules)  # an unknown version is an error before any history is read
    return Question(rules, None if policy is None else read_policy_changes(policy))


def _replay(
    files: Sequence[str], question: Question | None, jobs: int
) -> Generator[InvalidRecord | Replayed | InputError | OSError]:
    """Replay the files behind a progress bar; an error that ends a file's reading is its last."""
    # The processes begin before the progress bar, which has a thread: it must not be copied.
    with (
        rare_garbage_collection(),
        replay_files(files, question, jobs) as histories,
        progress_bar() as progress,
    ):
        total, read = _size(files), 0
        task = progress.add_task("histories", total=total)

        def advance(line: bytes, _step: Step | None) -> None:
            progress.advance(task, len(line))

        for file, results in histories:
            yield from results(advance)
            if total is not None:  # other processes have read the file
                read += Path(file).stat().st_size
                progress.update(task, completed=read)


def _size(files: Sequence[str]) -> int | None:
    """Return the number of bytes to read; None where it is unknown before they are read."""
    if any(file.endswith(COMPRESSED) or not Path(file).is_file() for file in files):
        return None
    return sum(Path(file).stat().st_size for file in files)


# ---- results -------------------------------------------------------------------------------------


class _Result(NamedTuple):
    """One dispute, or an error that belongs to none; and its differences that nobody approved."""

    replayed: Replayed | InvalidRecord
    unapproved: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return (
            isinstance(self.replayed, Replayed)
            and self.replayed.fault is None
            and not self.unapproved
        )

    @property
    def priority(self) -> int:
        """0: an error, another decision or another end; 1: an undetermined end; 2: the rest."""
        asked = self.replayed.what_if if isinstance(self.replayed, Replayed) else None
        if asked is None or asked.verdict is EndComparison.DIFFERENT:
            return 0
        return 1 if asked.verdict is EndComparison.UNDETERMINED else 2


class _Summary:
    """What is printed at the end; its size is bounded, however many disputes there are."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self.verdicts = Counter[EndComparison]()
        self.ends = Counter[tuple[EndState, EndState | None]]()
        self.classes = Counter[str]()
        self.first_failed: tuple[list[_Result], ...] = ([], [], [])
        """The first results that are not ok, by priority."""

    def add(self, result: _Result) -> None:
        replayed, unapproved = result
        if not result.ok:
            self.counts["failed"] += 1
            if len(first := self.first_failed[result.priority]) < _MAX_SHOWN:
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


# ---- for programs --------------------------------------------------------------------------------


def _as_json(result: _Result) -> dict[str, Any]:
    replayed = result.replayed
    if isinstance(replayed, InvalidRecord):
        return {
            "file": replayed.file,
            "line": replayed.line,
            "dispute_id": None,
            "ok": False,
            "fault": replayed.model_dump(mode="json"),
        }
    return {
        **replayed.model_dump(mode="json"),
        "ok": result.ok,
        "unapproved": list(result.unapproved),
    }


# ---- for people ----------------------------------------------------------------------------------


def _show(summary: _Summary, lang: Lang, *, what_if: bool) -> None:
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
        line = REPLAY(lang, name, mark=mark, count=f"{passed}/{of}")
        print_line(line, "red" if failed else None)
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
        for line in _details(result, lang):
            print_line(line)
    if counts["failed"] > len(shown):
        print_line("")
        print_line(REPLAY(lang, "more", count=counts["failed"] - len(shown)))


def _show_what_if(summary: _Summary, lang: Lang) -> None:
    counts = {verdict.value: summary.verdicts[verdict] for verdict in EndComparison}
    print_line(REPLAY(lang, "what_if", **counts))
    print_line("")
    ends = Counter[tuple[str, str]]()
    for (then, now), count in summary.ends.items():
        ends[_end(then, lang), _end(now, lang)] += count
    rows = [(then, "=" if then == now else now, count) for (then, now), count in ends.items()]
    rows.sort(key=lambda row: (row[1] == "=", -row[2], row))
    _show_table(("then", "now", "count"), rows, lang)
    print_line("")
    if summary.classes:
        counted = [(name, summary.classes[name]) for name in DRIFT_CLASSES if summary.classes[name]]
        kinds = [(_class(name, lang), count) for name, count in counted]
        _show_table(("class", "count"), kinds, lang)


def _show_table(columns: Sequence[str], rows: Sequence[tuple[str | int, ...]], lang: Lang) -> None:
    *labels, count = (REPLAY(lang, name) for name in columns)
    table = Table(*labels, Column(count, justify="right"), box=None, header_style="bold")
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table)


def _end(end: EndState | None, lang: Lang) -> str:
    if end is None:
        return REPLAY(lang, "undetermined")
    return end.state.label(lang) if end.outcome is None else end.outcome.label(lang)


def _class(name: str, lang: Lang) -> str:
    return REPLAY(lang, name) if name == UNDETERMINED else Drift(name).label(lang)


def _details(result: _Result, lang: Lang) -> Iterator[str]:
    """Describe a result: its error, or the first steps that differ, and what they lead to."""
    replayed = result.replayed
    error = replayed if isinstance(replayed, InvalidRecord) else replayed.fault
    if isinstance(replayed, InvalidRecord) or error is not None:
        yield f"✗ {error}"
        return
    asked = replayed.what_if
    yield f"✗ {replayed.file}:{replayed.line}: {replayed.dispute_id}{_ends(asked, lang)}"
    differences = (*replayed.differences, *(() if asked is None else asked.differences))
    unapproved = [each for each in differences if each.drift.value in result.unapproved]
    decisive = [each for each in unapproved if each.drift in _DECISIVE][:1]
    shown = [*unapproved[:1], *(each for each in decisive if each is not unapproved[0])]
    for difference in shown:
        yield from (f"    {line}" for line in _difference(difference, lang))


def _ends(asked: WhatIf | None, lang: Lang) -> str:
    if asked is None:
        return ""
    then, now = _end(asked.then, lang), _end(asked.now, lang)
    if asked.missing is not None:
        now = f"{now} (#{asked.missing.seq}: {asked.missing.missing.label(lang)})"
    elif asked.now is None:
        now = REPLAY(lang, "not_opened")
    return f"  {then}" if then == now else f"  {then} → {now}"


def _difference(difference: Difference, lang: Lang) -> Iterator[str]:
    """Describe a step that differs: how, and because of which guard."""
    command, drift = difference.command.label(lang), difference.drift
    yield REPLAY(lang, "step", seq=difference.seq, command=command, drift=drift.label(lang))
    # The guard below explains another check and another deadline.
    explained = {"checks", "deadlines"} if drift is Drift.DEADLINE else {"checks"}
    for change in difference.changes:
        if change.field not in explained:
            recorded = changed_value(change.field, change.recorded, lang)
            now = changed_value(change.field, change.now, lang)
            member = EVENT_MEMBERS(lang, change.field)
            yield REPLAY(lang, "changed", member=member, recorded=recorded, now=now)
    if (guard := difference.guard) is not None:
        then, now = (
            REPLAY(lang, "not_asked") if saw is None else saw_text(guard, saw, lang, _ZONE)
            for saw in (difference.saw_then, difference.saw_now)
        )
        yield REPLAY(lang, "guard", guard=guard_label(guard, lang), then=then, now=now)
