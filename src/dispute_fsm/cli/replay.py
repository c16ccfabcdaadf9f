"""`dispute-fsm replay`: check histories, and decide them again, also under other rules."""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from dispute_fsm.cli.app import Exit, print_error
from dispute_fsm.cli.arguments import CORES, LANG, JobsOption, JsonOption, LangOption, rules_option
from dispute_fsm.cli.command import command
from dispute_fsm.cli.inputs import history_files
from dispute_fsm.cli.messages import REPLAY
from dispute_fsm.cli.output import print_json, progress_bar
from dispute_fsm.cli.replay_summary import ReplayResult, ReplaySummary, show_summary
from dispute_fsm.errors import InputError
from dispute_fsm.history.approvals import DriftApprovals, read_approvals
from dispute_fsm.history.jsonl import SUFFIX
from dispute_fsm.history.reader import InvalidRecord
from dispute_fsm.history.replay import rare_garbage_collection
from dispute_fsm.history.replay_files import Result, replay_files, size_of
from dispute_fsm.history.what_if import Question
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.scenarios.settings import read_policy_changes


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
    summary = ReplaySummary()
    bar = REPLAY(lang, "bar")
    with closing(_replay(files, question, jobs, bar, streams=as_json)) as results:
        for replayed in results:
            if isinstance(replayed, InputError | OSError):
                print_error(replayed)
                errors.append(replayed)
                continue
            unapproved = () if isinstance(replayed, InvalidRecord) else drift.unapproved(replayed)
            result = ReplayResult(replayed, unapproved)
            summary.add(result)
            if as_json:
                print_json(_as_json(result))
    unused = list(drift.unused())
    for line, approval in unused:
        message = f"this approval no longer fits any difference: {approval.why}"
        print_error(InputError(message, file=drift.file, line=line))
    if not as_json:
        show_summary(summary, lang, what_if=question is not None)
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
    files: Sequence[str], question: Question | None, jobs: int, bar: str, *, streams: bool
) -> Generator[Result]:
    """Replay the files behind a progress bar; an error that ends a file's reading is its last."""
    progress, advance = progress_bar(bar, size_of(files), streams=streams)
    # The processes begin before the progress bar, which has a thread: it must not be copied.
    with (
        rare_garbage_collection(),
        replay_files(files, question, jobs, advance) as results,
        progress,
    ):
        yield from results


# ---- for programs --------------------------------------------------------------------------------


def _as_json(result: ReplayResult) -> dict[str, Any]:
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
