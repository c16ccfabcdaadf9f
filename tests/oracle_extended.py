"""The transitions of rule version `extended`, written a second time, to test the chart against.

Like `oracle_2023_03`, on which it builds. The rules page says "version 2023-03, and ...": this file
has what comes after the "and" as plain ifs, and asks the other oracle for the rest. It shares
nothing with the package.

`partial_refund` continues as `consumer_cancels` does, with another requirement and another outcome.
These refusals come alone, the first that applies: `wrong_actor`, `already_appealed`,
`dispute_closed`, `option_already_chosen`, `not_in_this_state`, `deadline_passed`,
`deadline_not_passed`. (`option_not_offered` is not among them: this version offers every option.)
Only a penalty for `no_response` has no chosen option, so the liability tells whether there is one.
"""

from dataclasses import dataclass, replace

from tests import oracle_2023_03 as before
from tests.oracle_2023_03 import Fires, Refuses, Unchanged

LEAVES = (*before.LEAVES, "appeal_under_review")

EVENTS = (*before.EVENTS, "appeal", "appeal_expired", "uphold_penalty", "overturn_penalty")

LIABILITIES = (
    "at_fault",
    "breach_of_promise",
    "out_of_stock",
    "promise_missed",
    "no_response",
    "evidence_overdue",
)

PENALTIES = ("penalized", "appeal_under_review")
"""The leaves in which a liability is the outcome."""

ALL_REQUIREMENTS = before.ALL_REQUIREMENTS | {"no_partial_refund"}

_RATIONALE = frozenset({"rationale_missing"})
_EXTENSION = frozenset({"rationale_missing", "deadline_not_later"})


@dataclass(frozen=True)
class Seen(before.Seen):
    """The facts at the time of the event; the other fields are in `oracle_2023_03.Seen`.

    `extends` is also 'appeal' if the deadline of an appeal runs and the command names it, or none.
    """

    appeal: str
    """'running' (the deadline of an appeal runs) | 'none'."""
    appealed: bool
    """Whether an appeal was accepted before."""
    liability: str | None
    """The outcome in `penalized` and in `appeal_under_review`, before the event."""


def expected(leaf: str, event: str, seen: Seen) -> Fires | Refuses | Unchanged:
    """Return the expected result of an event in a leaf."""
    _check(leaf, event, seen)
    row = _new_row(leaf, event, seen)

    if row is None and leaf in before.LEAVES and event in before.EVENTS:
        if seen.option != "partial_refund":
            return _with_the_penalty_open(leaf, event, seen)
        return _as_partial_refund(_with_the_penalty_open(leaf, event, _as_cancellation(seen)))

    if not seen.actor_fits:
        return _alone("wrong_actor")

    if event == "observe_order":  # in appeal_under_review, which does not offer it
        return Unchanged()

    # After an accepted appeal, in any state.
    if event == "appeal" and seen.appealed:
        return _alone("already_appealed")

    if row is None and leaf in ("resolved", "penalized"):
        return _alone("dispute_closed")

    if event == "choose_option" and leaf == "appeal_under_review":
        chosen = seen.liability != "no_response"
        return _alone("option_already_chosen" if chosen else "not_in_this_state")

    if row is None:
        return _alone("not_in_this_state")

    # In `penalized` the appeal's deadline runs; in `appeal_under_review` none does.
    if event == "appeal_expired":
        if not seen.expired:
            return _alone("deadline_not_passed")
    elif leaf == "penalized" and not seen.in_time:
        return _alone("deadline_passed")

    fires, requires = row
    unmet = requires & seen.unmet
    return Refuses(unmet) if unmet else fires


def requirements(leaf: str, event: str, seen: Seen) -> frozenset[str]:
    """Return the codes of all requirements of the row that `seen` selects."""
    _check(leaf, event, seen)
    row = _new_row(leaf, event, seen)
    if row is not None:
        return row[1]
    if leaf not in before.LEAVES or event not in before.EVENTS:
        return frozenset()
    if seen.option != "partial_refund":
        return before.requirements(leaf, event, _known_before(seen))
    return _renamed(before.requirements(leaf, event, _known_before(_as_cancellation(seen))))


def appeal_runs_after(leaf: str, event: str, target: str) -> bool:
    """Return whether the deadline of an appeal runs after an event, if the policy has one.

    From the penalty on there is no other deadline.
    """
    if target != "penalized":
        return False
    return leaf not in PENALTIES or event == "extend_deadline"


# The selected row: its effect, and its requirements.
_Row = tuple[Fires, frozenset[str]]


def _new_row(leaf: str, event: str, seen: Seen) -> _Row | None:
    """Return the row of section 9 that applies, for any actor and time; None if there is none."""
    # penalized, appeal running | appeal | merchant | rationale; in time
    if leaf == "penalized" and event == "appeal" and seen.appeal == "running":
        return Fires("appeal_under_review", seen.liability, "penalty_appealed"), _RATIONALE

    # penalized, appeal running | appeal_expired | system | appeal deadline passed
    if leaf == "penalized" and event == "appeal_expired" and seen.appeal == "running":
        return Fires("penalized", seen.liability, "penalty_final"), frozenset()

    # appeal_under_review | uphold_penalty | adjudicator | rationale
    if leaf == "appeal_under_review" and event == "uphold_penalty":
        return Fires("penalized", seen.liability, "penalty_upheld"), _RATIONALE

    # appeal_under_review | overturn_penalty | adjudicator | rationale
    if leaf == "appeal_under_review" and event == "overturn_penalty":
        return Fires("resolved", "overturned", "penalty_overturned"), _RATIONALE

    # penalized, appeal running | extend_deadline | adjudicator | as elsewhere
    if leaf == "penalized" and event == "extend_deadline" and seen.extends == "appeal":
        return Fires("penalized", seen.liability, "deadline_extended"), _EXTENSION

    return None


def _with_the_penalty_open(leaf: str, event: str, seen: Seen) -> Fires | Refuses | Unchanged:
    """Return the result of 2023-03; an extension of another deadline is no longer closed."""
    answer = before.expected(leaf, event, _known_before(seen))
    running = leaf == "penalized" and seen.appeal == "running"
    if running and event == "extend_deadline" and answer == _alone("dispute_closed"):
        return _alone("not_in_this_state")
    return answer


# ---- partial_refund: afterwards as consumer_cancels ----------------------------------------------

_RENAMED = {"no_cancel_request_or_refund": "no_partial_refund"}


def _as_cancellation(seen: Seen) -> Seen:
    """Return the same facts for a cancellation; a missing partial refund is its missing request."""
    others = seen.unmet - {*_RENAMED.keys(), *_RENAMED.values()}
    unmet = others | {old for old, new in _RENAMED.items() if new in seen.unmet}
    return replace(seen, option="consumer_cancels", unmet=unmet)


def _as_partial_refund(answer: Fires | Refuses | Unchanged) -> Fires | Refuses | Unchanged:
    if isinstance(answer, Refuses):
        return Refuses(_renamed(answer.codes))
    if isinstance(answer, Fires) and answer.outcome == "settled_by_cancellation":
        return replace(answer, outcome="settled_by_partial_refund")
    return answer


def _renamed(codes: frozenset[str]) -> frozenset[str]:
    return frozenset(_RENAMED.get(code, code) for code in codes)


def _alone(code: str) -> Refuses:
    return Refuses(frozenset({code}))


def _known_before(seen: Seen) -> before.Seen:
    """Return the facts for the oracle of 2023-03, which has no deadline of an appeal."""
    extends = None if seen.extends == "appeal" else seen.extends
    return replace(seen, extends=extends, unmet=seen.unmet & before.ALL_REQUIREMENTS)


def _check(leaf: str, event: str, seen: Seen) -> None:
    """Refuse unknown names: they are a mistake of the caller, not a state of the dispute."""
    names: tuple[tuple[str | None, tuple[str | None, ...]], ...] = (
        (leaf, LEAVES),
        (event, EVENTS),
        (seen.appeal, ("running", "none")),
        (seen.liability, LIABILITIES if leaf in PENALTIES else (None,)),
    )
    for name, known in names:
        if name not in known:
            raise ValueError(f"{name!r} is none of {known}")
    if not seen.unmet <= ALL_REQUIREMENTS:
        raise ValueError(f"no requirement codes: {sorted(seen.unmet - ALL_REQUIREMENTS)}")
