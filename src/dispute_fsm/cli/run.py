"""`dispute-fsm run`: run scenario files and say what came of each."""

from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.markup import escape
from rich.table import Column, Table

from dispute_fsm.cli.app import (
    LANG,
    Exit,
    JsonOption,
    LangOption,
    LanguageChoice,
    as_lang,
    complain,
    emit,
    output,
    progress_bar,
    reported,
    say,
    wrote_into,
)
from dispute_fsm.cli.store import opened_store
from dispute_fsm.domain.enums import Lang
from dispute_fsm.errors import ConflictError, InputError
from dispute_fsm.history.jsonl import NO_PATH, write_history
from dispute_fsm.history.jsonl import SUFFIX as HISTORY_SUFFIX
from dispute_fsm.history.timeline_text import state_label
from dispute_fsm.scenarios.reader import SUFFIX, read_scenario
from dispute_fsm.scenarios.runner import Failure, ScenarioResult, run_scenario
from dispute_fsm.terminal import printable

if TYPE_CHECKING:
    from dispute_fsm.store.repository import Store


@reported
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
                "Store the disputes in this database, e.g. sqlite:///disputes.db; none of another "
                "content."
            ),
        ),
    ] = None,
    lang: LangOption = LANG,
) -> Exit:
    """Run scenario files and say what came of each.

    Example: dispute-fsm run examples/ --histories out/

    Exit code: 0 all as expected, 1 a scenario came out otherwise, 2 a file cannot be found or read,
    or its dispute does not fit into the database (the others still run), 3 the database cannot be
    reached.
    """
    if url is None:
        return _run(paths, as_json, histories, lang, None)
    with opened_store(url, make=True) as store:
        return _run(paths, as_json, histories, lang, store)


def _run(
    paths: list[str],
    as_json: bool,
    histories: Path | None,
    lang: LanguageChoice,
    store: "Store | None",
) -> Exit:
    began = monotonic()
    files, lost = scenario_files(paths)
    targets = {} if histories is None else _history_files(files, histories)
    for fault in lost:
        complain(fault)
    results: list[ScenarioResult] = []
    written: list[Path] = []
    unreadable = len(lost)
    with progress_bar() as progress:
        for file in progress.track(list(files), description="scenarios"):
            result = _ran(file, store)
            if not isinstance(result, ScenarioResult):
                complain(result)
                unreadable += 1
                continue
            if file in targets:
                write_history(
                    targets[file],
                    ((event, result.scenario.opening.policy) for event in result.events),
                )
                written.append(targets[file])
            if as_json:
                emit(_as_json(result))
            results.append(result)
    if histories is not None:
        wrote_into(histories, written, as_lang(lang))
    if not as_json:
        _show(results, monotonic() - began, as_lang(lang))
    if unreadable:
        return Exit.BAD_INPUT
    return Exit.WELL if all(result.ok for result in results) else Exit.FELL_SHORT


def _ran(file: Path, store: "Store | None") -> ScenarioResult | InputError | OSError:
    """Run a scenario and store what happened; what is wrong with it comes back, so that the others still run."""
    try:
        result = run_scenario(read_scenario(file))
        if store is not None:
            _keep(store, result)
    except InputError as fault:
        return fault.within(str(file))
    except ConflictError as fault:
        return InputError(str(fault), file=str(file))
    except OSError as fault:
        return fault
    return result


def _keep(store: "Store", result: ScenarioResult) -> None:
    """Store what happened in a scenario. Raises `InputError` where the database has another dispute in its place."""
    from dispute_fsm.store.event_log import event_row  # noqa: PLC0415 -- as above
    from dispute_fsm.store.import_export import write_batch  # noqa: PLC0415 -- `opened_store` has checked that the extra is installed

    if result.dispute is not None:
        batch = [(event, event_row(event), result.dispute) for event in result.events]
        with store.pool.transaction() as session:
            write_batch(store, session, batch)


class FoundScenarios(NamedTuple):
    """The scenario files below some paths, each with its path below the folder that was named, and what is wrong with paths."""

    files: dict[Path, Path]
    lost: tuple[InputError | OSError, ...]


def scenario_files(paths: Iterable[str]) -> FoundScenarios:
    """Find scenario files, each once.

    A path that does not exist, and a folder that holds none, is an error of that path alone: to
    check nothing is no success.
    """
    found: dict[Path, Path] = {}
    lost = list[InputError | OSError]()
    resolved: set[Path] = set()
    for name in paths:
        try:
            for file, below in _below(name):
                if file.resolve() not in resolved:
                    resolved.add(file.resolve())
                    found[file] = below
        except (InputError, OSError) as fault:
            lost.append(fault)
    return FoundScenarios(found, tuple(lost))


def _below(name: str) -> list[tuple[Path, Path]]:
    if not name:
        raise InputError(NO_PATH)
    path = Path(name)
    if path.is_dir():
        below = sorted(file for file in path.rglob(f"*{SUFFIX}") if not file.is_dir())
        if not below:
            raise InputError(f"no *{SUFFIX} file in this folder", file=str(path))
        return [(file, file.relative_to(path)) for file in below]
    if not path.exists():
        raise InputError("no such file or folder", file=str(path))
    return [(path, Path(path.name))]


def _history_files(files: dict[Path, Path], folder: Path) -> dict[Path, Path]:
    """Name the history file of each scenario: the same name and sub-folder, another ending. No two may share one."""
    named = {
        file: folder / below.with_name(below.name.removesuffix(SUFFIX) + HISTORY_SUFFIX)
        for file, below in files.items()
    }
    owners: dict[Path, Path] = {}
    for file, target in named.items():
        if (other := owners.setdefault(target, file)) is not file:
            msg = (
                f"its history would overwrite that of {other}, both are {target}: run them apart, "
                "or name their common folder"
            )
            raise InputError(msg, file=str(file))
    return named


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


_HEADS = {
    "zh": ("", "场景", "结束状态", "结果", "事件数"),
    "en": ("", "scenario", "ends in", "outcome", "events"),
}
_SUMMARY = {
    "zh": "{passed} 个通过，{failed} 个未通过，用时 {seconds:.1f} 秒",
    "en": "{passed} passed, {failed} failed in {seconds:.1f} s",
}
_FAILURE = {
    "zh": "{file}:{line}: {where}：预期 {expected}，实际 {found}",
    "en": "{file}:{line}: {where}: expected {expected}; found {found}",
}


def _show(results: list[ScenarioResult], seconds: float, lang: Lang) -> None:
    table = Table(
        *(Column(head, overflow="fold") for head in _HEADS[lang]),
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for result in results:
        dispute = result.dispute
        refused = ", ".join(code.label(lang) for code in result.refused)
        table.add_row(
            "✓" if result.ok else "✗",
            escape(printable(result.scenario.title)),
            refused if dispute is None else state_label(dispute.path, lang),
            "" if dispute is None or dispute.outcome is None else dispute.outcome.label(lang),
            str(len(result.events)),
            style=None if result.ok else "red",
        )
    if not results:
        return
    output.print(table)
    for result in results:
        for failure in result.failures:
            say(_failure(result, failure, lang))
    passed = sum(result.ok for result in results)
    output.print(
        _SUMMARY[lang].format(passed=passed, failed=len(results) - passed, seconds=seconds)
    )


def _failure(result: ScenarioResult, failure: Failure, lang: Lang) -> str:
    end, step = {"zh": ("结束时", "第 {} 步"), "en": ("at the end", "step {}")}[lang]
    where = end if failure.step is None else step.format(failure.step)
    return _FAILURE[lang].format(
        file=result.scenario.file,
        line=failure.line,
        where=where,
        expected=failure.expected,
        found=failure.actual,
    )
