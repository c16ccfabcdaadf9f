"""`dispute-fsm explain`: why a dispute ended so, and what would have ended it otherwise."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dispute_fsm.cli.app import Exit
from dispute_fsm.cli.arguments import (
    LANG,
    DisputeOption,
    HistoryArgument,
    JsonOption,
    LangOption,
    ReviewOption,
    choice_option,
)
from dispute_fsm.cli.command import command
from dispute_fsm.cli.explain_change import show_change
from dispute_fsm.cli.inputs import select_steps
from dispute_fsm.cli.output import print_json, print_line, print_written_into
from dispute_fsm.domain.enums import Lang
from dispute_fsm.errors import InputError
from dispute_fsm.explain.alternatives import Alternatives, alternatives, for_reader, loser
from dispute_fsm.explain.alternatives_json import alternatives_record
from dispute_fsm.explain.alternatives_text import grouped, notes, rests_on_text, text_of
from dispute_fsm.explain.course import Record
from dispute_fsm.explain.explanation import explain_dispute
from dispute_fsm.explain.explanation_text import sentences
from dispute_fsm.explain.messages import ALTERNATIVES
from dispute_fsm.explain.scenario_files import file_name, scenario_text
from dispute_fsm.explain.supposed_facts import Hands
from dispute_fsm.history.jsonl import atomic_text_file

_READERS = (Hands.MERCHANT.value, Hands.CONSUMER.value, Hands.PLATFORM.value)


@command("explain")
def explain_command(
    path: HistoryArgument,
    dispute: DisputeOption = None,
    reader: Annotated[
        str | None,
        choice_option(
            "--for",
            _READERS,
            "reader",
            f"Whose possibilities come first: {', '.join(_READERS)}; default: who lost.",
            "WHO",
        ),
    ] = None,
    scenarios: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write each possibility as a scenario file that `run` accepts."
        ),
    ] = None,
    change: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Show instead what would have happened with the changes in this YAML file.",
        ),
    ] = None,
    review: ReviewOption = None,
    as_json: JsonOption = False,
    lang: LangOption = LANG,
) -> Exit:
    """Explain why a dispute ended so, and what would change it.

    Three sentences say what happened, how near it was, and what can still be done. Then follows
    what would have ended it otherwise, each possibility decided again by the rules.

    Examples:
      dispute-fsm explain out/19-one-second-late.history.jsonl
      dispute-fsm explain out/15-promise-missed.history.jsonl --for consumer
      dispute-fsm explain out/16-at-fault.history.jsonl --scenarios otherwise/

    Exit code: 0 explained, 2 the history or the changes cannot be found or read, or there is no
    such dispute.

    """
    steps = select_steps(path, dispute)
    record = Record([step.event for step in steps], steps[0].policy)
    if change is not None:
        others = {"--for": reader, "--scenarios": scenarios, "--review": review}
        for field in (name for name, given in others.items() if given is not None):
            raise InputError("cannot be combined with --change", field=field)
        show_change(record, change, lang, as_json=as_json)
        return Exit.OK
    explanation = explain_dispute(record.end, record.events)
    result = alternatives(record)
    hands = loser(record.end) if reader is None else Hands(reader)
    if scenarios is not None:
        _write_scenarios(scenarios, record, result, hands, lang)
    if as_json:
        texts = {
            "zh": sentences(explanation, "zh", review=review),
            "en": sentences(explanation, "en", review=review),
        }
        said: dict[str, Any] = explanation.model_dump(mode="json")
        print_json({**said, "text": texts, **alternatives_record(result, hands, record.policy)})
        return Exit.OK
    for sentence in sentences(explanation, lang, review=review):
        print_line(sentence, hang=0)
    _print_alternatives(record, result, hands, lang)
    return Exit.OK


def _print_alternatives(record: Record, result: Alternatives, reader: Hands, lang: Lang) -> None:
    print_line("")
    groups = list(grouped(result.found, reader, record.policy, lang))
    if not groups:
        print_line(ALTERNATIVES(lang, "none"))
    else:
        print_line(ALTERNATIVES(lang, "title"), style="bold")
        print_line(ALTERNATIVES(lang, "legend"), style="dim")
    for group in groups:
        print_line("")
        print_line(group.heading, style="bold")
        for one in group.alternatives:
            print_line(f"  {one.sign} {rests_on_text(one, lang)}", hang=4)
            print_line(f"    → {one.end}", "dim", hang=6)
    for note in notes(result, lang):
        print_line("")
        print_line(note, hang=0)


def _write_scenarios(
    folder: Path, record: Record, result: Alternatives, reader: Hands, lang: Lang
) -> None:
    """Write each alternative into a folder, under its place in the list."""
    folder.mkdir(parents=True, exist_ok=True)
    written = list[Path]()
    for number, one in enumerate(for_reader(result.found, reader), 1):
        text = text_of(one, record.policy, lang)
        file = folder / file_name(number, one)
        with atomic_text_file(file) as stream:
            stream.write(scenario_text(record, one, f"{text.what} → {text.end}"))
        written.append(file)
    print_written_into(folder, written, lang)
