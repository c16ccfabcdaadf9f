"""`dispute-fsm verify`: explore the state space of the rules and check their properties."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dispute_fsm.cli.app import Exit
from dispute_fsm.cli.arguments import CORES, LANG, JobsOption, JsonOption, LangOption, rules_option
from dispute_fsm.cli.command import command
from dispute_fsm.cli.messages import VERIFY
from dispute_fsm.cli.output import (
    print_details,
    print_json,
    print_line,
    print_text,
    print_verdict,
    print_written_into,
    progress_bar,
)
from dispute_fsm.domain.enums import Lang
from dispute_fsm.history.jsonl import atomic_text_file
from dispute_fsm.rules.registry import VERSIONS, RuleVersion, rule_version
from dispute_fsm.verify.checker import PROPERTIES, Verification, steps, verifications
from dispute_fsm.verify.counterexample import file_name, scenario_text

_COUNTS = ("explored", "decided", "waiting")


@command("verify")
def verify_command(
    rules: Annotated[
        str | None,
        rules_option("Only this rule version (default: all)"),
    ] = None,
    as_json: JsonOption = False,
    counterexamples: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the shortest counter-example of each failing property into this folder.",
        ),
    ] = None,
    jobs: JobsOption = CORES,
    lang: LangOption = LANG,
) -> Exit:
    """Explore the state space of the rules and check properties.

    Every state, event, role and guard outcome, with the clock before, at and after each deadline,
    under policies with each switch on and off. A counter-example is a scenario for
    `dispute-fsm run`.

    Examples:
      dispute-fsm verify --rules 2023-03
      dispute-fsm verify --rules 2023-03 --counterexamples broken/

    Exit code: 0 every property holds, 1 one fails, 2 wrong usage.

    """
    versions = list(VERSIONS.values()) if rules is None else [rule_version(rules)]
    ok, files = True, list[Path]()
    for verification in _verified(versions, jobs, VERIFY(lang, "bar")):
        ok &= verification.ok
        scenarios: dict[str, str] = {}
        for violated in (one for one in PROPERTIES if one.id in verification.violations):
            violation = verification.violations[violated.id]
            text = scenarios[violated.id] = scenario_text(violated, violation)
            if counterexamples is not None:
                counterexamples.mkdir(parents=True, exist_ok=True)
                files.append(counterexamples / file_name(violated, verification.version.id))
                with atomic_text_file(files[-1]) as stream:
                    stream.write(text)
        if as_json:
            print_json(_as_json(verification, scenarios))
        else:
            _show(verification, scenarios, lang)
    if counterexamples is not None:
        print_written_into(counterexamples, files, lang)
    return Exit.OK if ok else Exit.FAILED


def _verified(versions: Sequence[RuleVersion], jobs: int, bar: str) -> list[Verification]:
    """Verify rule versions behind a progress bar."""
    progress, advance = progress_bar(bar, steps(versions))
    # The processes begin before the progress bar, which has a thread: it must not be copied.
    with verifications(versions, jobs, advance) as results, progress:
        return list(results)


def _as_json(verification: Verification, scenarios: Mapping[str, str]) -> dict[str, object]:
    return {
        "rules": verification.version.id,
        "ok": verification.ok,
        "counts": asdict(verification.counts),
        "properties": [
            {
                "id": checked.id,
                "zh": checked.sentence.zh,
                "en": checked.sentence.en,
                "holds": checked.id not in verification.violations,
                "wrong": verification.violations[checked.id].wrong._asdict()
                if checked.id in verification.violations
                else None,
                "counterexample": scenarios.get(checked.id),
            }
            for checked in PROPERTIES
        ],
    }


def _show(verification: Verification, scenarios: Mapping[str, str], lang: Lang) -> None:
    counts = asdict(verification.counts)
    print_line(VERIFY(lang, "rules", rules=verification.version.id), "bold")
    print_details(
        ((VERIFY(lang, name), VERIFY(lang, f"{name}_counts", **counts)) for name in _COUNTS),
        indent=2,
    )
    for checked in PROPERTIES:
        violation = verification.violations.get(checked.id)
        mark = "✓" if violation is None else "✗"
        print_verdict(mark, f"{checked.id}: {checked.sentence.label(lang)}")
        if violation is not None:
            wrong = violation.wrong.label(lang)
            print_line(f"  {VERIFY(lang, 'shortest', wrong=wrong)}")
            print_text(scenarios[checked.id])
    print_line("")
