"""The views of something: one dispute, the differences of two rules, the coverage of histories.

They read files; apart from `diagram`, because the views of a rule version need none of this.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from dispute_fsm.cli.inputs import history_files, read_events
from dispute_fsm.diagrams.catalogue import ALL, SUBJECTS, VIEWS
from dispute_fsm.diagrams.model import Machine, machine_of
from dispute_fsm.diagrams.picture import View
from dispute_fsm.diagrams.views.coverage import Corpus, coverage
from dispute_fsm.diagrams.views.diff import diff
from dispute_fsm.diagrams.views.history import history
from dispute_fsm.documents.source import unknown_value
from dispute_fsm.domain.enums import Lang
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.errors import InputError
from dispute_fsm.history.reader import steps
from dispute_fsm.rules.registry import VERSIONS, rule_version
from dispute_fsm.scenarios.settings import read_policy_changes


def view_of(
    name: str,
    of: Sequence[str],
    rules: str,
    lang: Lang,
    dispute: str | None,
    machine: Callable[[], Machine],
) -> View:
    """Draw a view of a subject. Raises `InputError` for an unknown view, or without a subject."""
    match name, list(of):
        case "history", [path]:
            return history(*read_events(path, dispute), lang)
        case "diff", [before, after]:
            return diff(_side(before, rules), _side(after, rules), lang)
        case "coverage", [_, *_]:
            return coverage(_corpus(of, machine()), lang)
        case _:
            pass
    if name in SUBJECTS:
        raise InputError(
            f"this view needs a subject: dispute-fsm diagram {name} {SUBJECTS[name]}", field=name
        )
    raise InputError(unknown_value(name, (*VIEWS, *SUBJECTS, ALL), "view"), field="VIEW")


def _corpus(of: Sequence[str], machine: Machine) -> Corpus:
    files, errors = history_files(of)
    if errors:
        raise errors[0]
    corpus = Corpus(machine)
    for path in files:
        for step in steps(path):
            corpus.add(step.event)
    return corpus


def _side(name: str, rules: str) -> tuple[str, Machine]:
    """Read one side of a comparison: a rule version by its id, else a policy from a file.

    A file is named without its folder and its ending.
    """
    if name in VERSIONS:
        return name, machine_of(VERSIONS[name], DEFAULT_POLICY)
    if not Path(name).is_file():
        unknown = unknown_value(name, tuple(VERSIONS), "rule version")
        raise InputError(f"no policy file {name!r:.60}, and {unknown}", field="diff")
    version = rule_version(rules)
    policy = read_policy_changes(Path(name))(version.policy(DEFAULT_POLICY))
    return Path(name).stem, machine_of(version, policy)
