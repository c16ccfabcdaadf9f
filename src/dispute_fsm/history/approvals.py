"""Approval of drift: intended differences, each with its reason.

Any other difference fails, and so does an approval that no longer covers a difference.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from dispute_fsm.documents.source import unknown_value
from dispute_fsm.documents.yaml_text import read_file
from dispute_fsm.domain.scalars import GivenIdentifier, Series, Strict, Text
from dispute_fsm.history.messages import Drift, EndComparison
from dispute_fsm.history.replay import Replayed

UNDETERMINED = EndComparison.UNDETERMINED.value
"""The class for a dispute whose end is undetermined."""

DRIFT_CLASSES = (*(drift.value for drift in Drift), UNDETERMINED)
"""What can be approved, the most serious first."""


def _known(name: str) -> str:
    if name not in DRIFT_CLASSES:
        raise ValueError(unknown_value(name, DRIFT_CLASSES, "class of difference"))
    return name


DriftClass = Annotated[str, AfterValidator(_known)]


class Approval(Strict):
    """One approval: of a dispute, or of a class of difference under a rule version.

    For a dispute, a class limits the approval to that class.
    """

    dispute: GivenIdentifier | None = None
    rules: GivenIdentifier | None = None
    drift: Annotated[DriftClass | None, Field(alias="class")] = None
    why: Text

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.dispute is None) is (self.rules is None) or (
            self.rules is not None and self.drift is None
        ):
            raise ValueError(
                "name a dispute (and a class, if only that is meant), or rules and a class"
            )
        if not self.why.strip():
            raise ValueError("say why it is intended")
        return self

    def covers(self, replayed: Replayed, drift: str) -> bool:
        """Return whether it approves differences of this class in a replayed dispute."""
        if self.drift not in {None, drift}:
            return False
        return self.dispute == replayed.dispute_id or (
            self.dispute is None and self.rules == replayed.rules
        )


class _ApprovalFile(Strict):
    approved: Series[Approval]


class DriftApprovals:
    """The approvals of a file, with their lines, and which of them covered a difference."""

    def __init__(self, file: str, approvals: Sequence[tuple[int, Approval]] = ()) -> None:
        self.file = file
        self._approvals = approvals
        self.used: set[int] = set()

    def unapproved(self, replayed: Replayed) -> tuple[str, ...]:
        """Return the classes of a dispute's differences that no approval covers.

        The most serious class comes first. Approvals that cover a difference count as used.
        """
        present = set(drift_classes(replayed))
        return tuple(
            drift
            for drift in DRIFT_CLASSES
            if drift in present and not self._approves(replayed, drift)
        )

    def _approves(self, replayed: Replayed, drift: str) -> bool:
        covering = {line for line, approval in self._approvals if approval.covers(replayed, drift)}
        self.used |= covering
        return bool(covering)

    def unused(self) -> Iterator[tuple[int, Approval]]:
        """Yield the approvals that covered nothing, each with its line."""
        return ((line, approval) for line, approval in self._approvals if line not in self.used)


def drift_classes(replayed: Replayed) -> Iterator[str]:
    """Yield the class of each difference of a dispute, those of its what-if included."""
    what_if = replayed.what_if
    for difference in (*replayed.differences, *(what_if.differences if what_if else ())):
        yield difference.drift.value
    if what_if and what_if.verdict is EndComparison.UNDETERMINED:
        yield UNDETERMINED


def read_approvals(path: Path) -> DriftApprovals:
    """Read a file of approvals.

    Raises `InputError` with file, line and field, `OSError` where it cannot be read.
    """
    source = read_file(path)
    approved = source.validate(_ApprovalFile, source.value, ()).approved
    lines = (source.line(("approved", number)) for number in range(len(approved)))
    return DriftApprovals(source.file, list(zip(lines, approved, strict=True)))
