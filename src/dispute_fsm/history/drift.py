"""Approved drift: differences that are intended, each with the reason why.

Whatever else differs fails, and so does an approval that no longer fits anything.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from dispute_fsm.documents.source import unknown_value
from dispute_fsm.documents.yaml_text import read_file
from dispute_fsm.domain.scalars import GivenIdentifier, Series, Strict, Text
from dispute_fsm.history.redecide import Drift
from dispute_fsm.history.replay import Replayed
from dispute_fsm.history.what_if import Verdict

UNDETERMINED = Verdict.UNDETERMINED.value
"""Stands among the classes for a dispute of which nobody can tell how it would end."""

CLASSES = (*(drift.value for drift in Drift), UNDETERMINED)
"""What can be approved."""


def _known(word: str) -> str:
    if word not in CLASSES:
        raise ValueError(unknown_value(word, CLASSES, "class of difference"))
    return word


Class = Annotated[str, AfterValidator(_known)]


class Approval(Strict):
    """One approval: of one dispute (all that differs in it, or one class), or of one class in all disputes of a rule version."""

    dispute: GivenIdentifier | None = None
    rules: GivenIdentifier | None = None
    drift: Annotated[Class | None, Field(alias="class")] = None
    why: Text

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if (self.dispute is None) is (self.rules is None) or (
            self.rules is not None and self.drift is None
        ):
            raise ValueError(
                "name a dispute (and a class, if only that is meant), or rules and a class"
            )
        if not self.why.strip():
            raise ValueError("say why it is intended")
        return self

    def covers(self, found: Replayed, drift: str) -> bool:
        """Whether it approves differences of this class in what was replayed."""
        return self.drift in {None, drift} and (
            self.dispute == found.dispute_id
            if self.dispute is not None
            else self.rules == found.rules
        )


class _File(Strict):
    approved: Series[Approval]


class ApprovedDrift:
    """The approvals of a file, and which of them have been of use."""

    def __init__(
        self, file: str, approvals: Sequence[Approval] = (), lines: Sequence[int] = ()
    ) -> None:
        self.file = file
        self.approvals = tuple(approvals)
        self.lines = tuple(lines)
        self.used: set[int] = set()

    def unapproved(self, found: Replayed) -> tuple[str, ...]:
        """Return the classes in which a dispute differs and that nobody approved, the weightiest first; remembers what was of use."""
        return tuple(
            drift
            for drift in CLASSES
            if drift in set(classes(found)) and not self._approves(found, drift)
        )

    def _approves(self, found: Replayed, drift: str) -> bool:
        covering = {
            number
            for number, approval in enumerate(self.approvals)
            if approval.covers(found, drift)
        }
        self.used |= covering
        return bool(covering)

    def unused(self) -> Iterator[tuple[int, Approval]]:
        """Go through the approvals that fitted nothing, each with its line."""
        for number, approval in enumerate(self.approvals):
            if number not in self.used:
                yield self.lines[number], approval


def classes(found: Replayed) -> Iterator[str]:
    """Go through the classes in which a dispute differs, decided again or asked what if."""
    for difference in (
        *found.differences,
        *(found.what_if.differences if found.what_if is not None else ()),
    ):
        yield difference.drift.value
    if found.what_if is not None and found.what_if.verdict is Verdict.UNDETERMINED:
        yield UNDETERMINED


def read_approved(path: Path) -> ApprovedDrift:
    """Read a file of approvals. Raises `InputError` with file, line and field, `OSError` where it cannot be read."""
    source = read_file(path)
    found = source.validate(_File, source.value, ())
    return ApprovedDrift(
        source.file,
        found.approved,
        [source.line(("approved", number)) for number in range(len(found.approved))],
    )
