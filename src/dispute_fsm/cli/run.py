"""`dispute-fsm run`: run scenario files and report their results."""

import logging
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import structlog
import typer
from rich.text import Text

from dispute_fsm.cli.app import Exit, console, print_error, print_note
from dispute_fsm.cli.arguments import CORES, LANG, JobsOption, JsonOption, LangOption
from dispute_fsm.cli.command import command
from dispute_fsm.cli.db import open_store
from dispute_fsm.cli.inputs import ScenarioFile, scenario_files
from dispute_fsm.cli.messages import RUN
from dispute_fsm.cli.output import (
    print_details,
    print_json,
    print_line,
    print_written_into,
    progress_bar,
)
from dispute_fsm.domain.enums import Lang, Outcome, RefusalCode
from dispute_fsm.errors import ConflictError, InputError
from dispute_fsm.history.jsonl import SUFFIX as HISTORY
from dispute_fsm.history.jsonl import write_history
from dispute_fsm.history.timeline_text import state_label
from dispute_fsm.scenarios.reader import SUFFIX, read_scenario
from dispute_fsm.scenarios.runner import Failure, ScenarioResult, run_scenario
from dispute_fsm.scenarios.title import title_in
from dispute_fsm.terminal import printable
from dispute_fsm.workers import in_order

if TYPE_CHECKING:
    from dispute_fsm.store.repository import Store

_LEAST_ROOM = 12
"""Columns in which the beginning of a title still says something."""
_LEAST_SHARED = 200
"""Scenarios that take about as long to run as a process to begin: fewer are not spread."""


@command("run")
def run(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help=f"Scenario files, or folders that hold *{SUFFIX} files."
        ),
    ],
    as_json: JsonOption = False,
    histories: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the history of each scenario into this folder."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="URL",
            help=(
                "Store the disputes in this database, e.g. sqlite:///disputes.db; a stored dispute "
                "with other content is an error."
            ),
        ),
    ] = None,
    jobs: JobsOption = CORES,
    lang: LangOption = LANG,
) -> Exit:
    """Run scenario files and check how each dispute ends.

    Examples:
      dispute-fsm run examples/
      dispute-fsm run examples/ --histories out/
      dispute-fsm run examples/ --db sqlite:///disputes.db

    Exit code: 0 all passed, 1 a scenario failed, 2 a file cannot be found or read, or its dispute
    conflicts with the database (the others still run), 3 the database cannot be reached.

    """
    start = monotonic()
    results: list[_Result] = []
    written: list[Path] = []
    with nullcontext() if url is None else open_store(url, create=True) as store:
        files, errors = scenario_files(paths)
        targets = {} if histories is None else _history_files(files, histories)
        for error in errors:
            print_error(error)
        tasks = [_Task(file.path, targets.get(file)) for file in files]
        count = 1 if store is not None or _is_one_process_enough(tasks) else jobs
        progress, advance = progress_bar(RUN(lang, "bar"), len(tasks), streams=as_json)
        # The processes begin before the progress bar, which has a thread: it must not be copied.
        with in_order(partial(_run, store, as_json), tasks, count) as ran, progress:
            for task, result in zip(tasks, ran, strict=True):
                advance(1)
                if isinstance(result, InputError | OSError):
                    print_error(result)
                    errors.append(result)
                    continue
                if task.history is not None:
                    written.append(task.history)
                if result.record is not None:
                    print_json(result.record)
                results.append(result)
    if histories is not None:
        print_written_into(histories, written, lang)
    if results and not as_json:
        _show(results, lang)
        print_note(RUN(lang, "duration", seconds=monotonic() - start), "dim")
    if errors:
        return Exit.INVALID_INPUT
    return Exit.OK if all(result.ok for result in results) else Exit.FAILED


class _Task(NamedTuple):
    """A scenario file, and where its history is to be written."""

    file: Path
    history: Path | None


def _is_one_process_enough(tasks: Sequence[_Task]) -> bool:
    """Return whether there is little to run, or what only this process can read, or log in order.

    A file without the usual ending may be standard input.
    """
    return (
        len(tasks) < _LEAST_SHARED
        or not all(task.file.name.endswith(SUFFIX) and task.file.is_file() for task in tasks)
        or structlog.get_logger().is_enabled_for(logging.INFO)
    )


class _Result(NamedTuple):
    """What is printed of a scenario; all else stays in the process that has run it."""

    file: str
    title: str
    ok: bool
    path: str | None
    outcome: Outcome | None
    refused: tuple[RefusalCode, ...]
    events: int
    failures: tuple[Failure, ...]
    record: dict[str, Any] | None


def _run(store: "Store | None", as_json: bool, task: _Task) -> _Result | InputError | OSError:
    """Run a scenario and store its dispute; write its history. Every `InputError` names the file.

    An error is a result, but not where the history cannot be written: then it ends the command.
    """
    try:
        result = run_scenario(read_scenario(task.file))
        if store is not None:
            _store(store, result)
    except InputError as error:
        return error.within(str(task.file))
    except ConflictError as error:
        return InputError(str(error), file=str(task.file))
    except OSError as error:
        return error
    if task.history is not None:
        policy = result.scenario.opening.policy
        write_history(task.history, ((event, policy) for event in result.events))
    dispute = result.dispute
    return _Result(
        file=result.scenario.file,
        title=result.scenario.title,
        ok=result.ok,
        path=None if dispute is None else dispute.path,
        outcome=None if dispute is None else dispute.outcome,
        refused=result.refused,
        events=len(result.events),
        failures=result.failures,
        record=_as_json(result) if as_json else None,
    )


def _store(store: "Store", result: ScenarioResult) -> None:
    from dispute_fsm.store.event_log import event_row  # noqa: PLC0415 -- as below
    from dispute_fsm.store.import_export import write_batch  # noqa: PLC0415 -- `open_store` has checked that the extra is installed

    if result.dispute is not None:
        batch = [(event, event_row(event), result.dispute) for event in result.events]
        with store.pool.transaction() as session:
            write_batch(store, session, batch)


def _history_files(files: Iterable[ScenarioFile], folder: Path) -> dict[ScenarioFile, Path]:
    """Name the history file of each scenario. Raises `InputError` where two would share one."""
    targets: dict[ScenarioFile, Path] = {}
    owners: dict[Path, Path] = {}
    for file in files:
        name = file.relative.name.removesuffix(SUFFIX) + HISTORY
        target = targets[file] = folder / file.relative.with_name(name)
        if (other := owners.setdefault(target, file.path)) is not file.path:
            raise InputError(
                f"its history would overwrite that of {other}, both are {target}: run them "
                "separately, or name their common folder",
                file=str(file.path),
            )
    return targets


def _as_json(result: ScenarioResult) -> dict[str, Any]:
    dispute, scenario = result.dispute, result.scenario
    return {
        "file": scenario.file,
        "title": scenario.title,
        "rules": scenario.opening.rules,
        "state": dispute and dispute.state.value,
        "states": [] if dispute is None else [state.value for state in dispute.states],
        "path": dispute and dispute.path,
        "outcome": dispute and dispute.outcome and dispute.outcome.value,
        "events": [event.model_dump(mode="json") for event in result.events],
        "ok": result.ok,
        "failures": [
            {
                "step": failure.step,
                "line": failure.line,
                "expected": failure.expected,
                "found": failure.actual,
            }
            for failure in result.failures
        ],
    }


# ---- for people ----------------------------------------------------------------------------------


def _show(results: Sequence[_Result], lang: Lang) -> None:
    names = _names([result.file for result in results])
    for name, result in zip(names, results, strict=True):
        print_line(_headline(name, result, lang))
    for result in results:
        for failure in result.failures:
            _show_failure(result.file, failure, lang)
    passed = sum(result.ok for result in results)
    failed = len(results) - passed
    print_line("")
    style = "bold red" if failed else "bold green"
    print_line(RUN(lang, "summary", passed=passed, failed=failed), style)


def _names(files: Sequence[str]) -> list[str]:
    """Shorten the names of files to where they differ: without the common folder and the suffix."""
    folders = [Path(file).parent for file in files]
    shared = (
        folder
        for folder in (folders[0], *folders[0].parents)
        if all(each.is_relative_to(folder) for each in folders)
    )
    common = next(shared, None)
    names = files if common is None else [str(Path(file).relative_to(common)) for file in files]
    return [name.removesuffix(SUFFIX) for name in names]


def _headline(name: str, result: _Result, lang: Lang) -> Text:
    """Return a scenario on one line; on a terminal, the title gets what room is left."""
    if result.outcome is not None:
        end = result.outcome.label(lang)
    elif result.path is not None:
        end = state_label(result.path, lang)
    else:
        end = ", ".join(code.label(lang) for code in result.refused)
    mark, style = ("✓", "green") if result.ok else ("✗", "red")
    line = Text.assemble((mark, style), f" {printable(name)} → {end}")
    title = printable(title_in(lang, result.title))
    room = console.width - line.cell_len if console.is_terminal else sys.maxsize
    if room > _LEAST_ROOM and title != Path(name).name:
        shown = Text(f"  {title}", "dim")
        shown.truncate(room, overflow="ellipsis")
        line.append_text(shown)
    return line


def _show_failure(file: str, failure: Failure, lang: Lang) -> None:
    where = RUN(lang, "end") if failure.step is None else RUN(lang, "step", failure.step)
    print_line("")
    print_line(RUN(lang, "failure", file=file, line=failure.line, where=where), "bold")
    found = (("expected", failure.expected), ("found", failure.actual))
    print_details((RUN(lang, name), text) for name, text in found)
