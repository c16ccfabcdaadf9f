"""A checker for recorded runs.

Is there an order of the calls, each between its beginning and its end, in which all answers are
right?

The search is that of Wing and Gong, with Lowe's memory of what was tried. It knows the rules only
as far as the runs use them, written down here by hand: one choice is accepted, every other is
refused and recorded, a key that was used answers as the first time, and a look sees the last event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["accepted", "refused", "repeated", "seen"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call: its kind, the seq of its event, and the codes of a refusal."""

    kind: Kind
    seq: int
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a client: begin, end, command (None: a read), key, and result."""

    began: int
    ended: int
    option: str | None
    key: str | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class State:
    """The part of a dispute that these calls see: its last event, and the events by key."""

    seq: int = 1
    chosen: tuple[tuple[str, str, int], ...] = ()

    def after(self, call: Call) -> tuple["State", Answer]:
        """Return the state behind a call, and the answer that would be right."""
        if call.option is None:
            return self, Answer("seen", self.seq)
        for key, option, seq in self.chosen:
            if key == call.key:
                if option == call.option:
                    return self, Answer("repeated", seq)
                return replace(self, seq=self.seq + 1), Answer(
                    "refused", self.seq + 1, ("key_reused",)
                )
        if self.chosen:
            return replace(self, seq=self.seq + 1), Answer(
                "refused", self.seq + 1, ("option_already_chosen",)
            )
        assert call.key is not None
        return State(self.seq + 1, ((call.key, call.option, self.seq + 1),)), Answer(
            "accepted", self.seq + 1
        )


def linearizable(calls: Sequence[Call]) -> bool:
    """Return whether the calls to a dispute that has just opened have a sequential order."""
    tried: set[tuple[frozenset[int], State]] = set()
    waiting = [(frozenset(range(len(calls))), State())]
    while waiting:
        left, state = waiting.pop()
        if not left:
            return True
        if (left, state) in tried:
            continue
        tried.add((left, state))
        first_end = min(calls[index].ended for index in left)
        for index in left:
            if calls[index].began <= first_end:  # nobody else had ended before it began
                after, right = state.after(calls[index])
                if right == calls[index].answer:
                    waiting.append((left - {index}, after))
    return False
