"""Given, when, then: one dispute in a test."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, TypeVar, Unpack

from dispute_fsm.decider.decisions import Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.documents.source import YamlSource
from dispute_fsm.domain.commands import OpenDispute
from dispute_fsm.domain.events import AuditEvent, DisputeOpened
from dispute_fsm.domain.facts import Order
from dispute_fsm.domain.policy import Policy
from dispute_fsm.domain.scalars import format_instant
from dispute_fsm.errors import InputError
from dispute_fsm.rules.registry import rule_version
from dispute_fsm.scenarios.model import Expect, ExpectEnd
from dispute_fsm.scenarios.reader import DisputeBlock, ScenarioReader, plain_facts, scenario_from
from dispute_fsm.scenarios.runner import Run, mismatches, order_system, refused_opening
from dispute_fsm.suggestions import suggestion

T = TypeVar("T")


class Given(TypedDict, total=False):
    """The start of a dispute, without `opened_at`; the defaults are those of a scenario file."""

    dispute_id: str
    order_id: str
    merchant_id: str
    consumer_id: str
    rules: str
    policy: dict[str, Any] | Policy
    order: dict[str, Any] | None


class Then(TypedDict, total=False):
    """What can be expected: as of a step of a scenario file, and of its end."""

    state: str
    outcome: str | None
    events: int
    refused: Sequence[str]
    error: Literal["order_system_unavailable"]
    repeated: Literal[True]
    unchanged: Literal[True]


class _Expected(Expect, ExpectEnd):
    """What a `then` names."""


def given(opened_at: str | datetime, **fields: Unpack[Given]) -> "DisputeCase":
    """Open a dispute.

    `policy` is what differs from the default policy, or a whole `Policy`; `order` is what the order
    system shows at the start, None: it has no such order. Raises `InputError` with the name of an
    invalid field.
    """
    known = tuple(Given.__annotations__)
    for name in fields:
        if name not in known:
            raise InputError(f"unknown field{suggestion(name, known)}", field=name)
    top_level = {"rules", "policy", "order"}
    content: dict[str, object] = {
        name: value for name, value in fields.items() if name in top_level
    }
    content["dispute"] = {
        "opened_at": opened_at,
        **{name: value for name, value in fields.items() if name not in top_level},
    }
    policy = content.pop("policy") if isinstance(fields.get("policy"), Policy) else None
    scenario = _read("dispute", lambda: scenario_from(_source(content)))
    opening = scenario.opening
    if policy is not None:
        opening = opening.model_copy(update={"policy": policy})
    run = Run.open(opening, scenario.opened_at, order_system(opening.order_id, scenario.order))
    return DisputeCase(opening, scenario.opened_at, scenario.order, run, opening.policy)


def given_history(events: Iterable[AuditEvent], policy: Policy) -> "DisputeCase":
    """Continue a dispute after its recorded events, under the policy that it opened under.

    The order system shows the facts that were recorded last. Raises `InputError` where there is no
    event, `ImpossibleEventError` where the events cannot be one dispute's.
    """
    recorded = tuple(events)
    if not recorded:
        raise InputError("a history has at least its opening", field="events")
    dispute = begin(recorded[0], policy)
    for event in recorded[1:]:
        dispute = evolve(dispute, event)
    facts = next((event.facts for event in reversed(recorded) if event.facts is not None), None)
    order = facts and Order.model_validate(
        {name: getattr(facts, name) for name in Order.model_fields}
    )
    run = Run(dispute, recorded, order_system(dispute.order_id, order))
    return DisputeCase(dispute.opening, dispute.opening.at, order, run, policy)


class DisputeCase:
    """A dispute in a test; made by `given` and `given_history`.

    As a context manager it settles at the end: a refusal that no `then` has named fails the test.
    """

    def __init__(
        self,
        opening: OpenDispute | DisputeOpened,
        opened_at: datetime,
        order: Order | None,
        run: Run | Refused,
        policy: Policy,
    ) -> None:
        ids = {
            name: getattr(opening, name)
            for name in ("dispute_id", "order_id", "merchant_id", "consumer_id")
        }
        self._reader = ScenarioReader(
            _source(None),
            DisputeBlock.model_construct(**ids, opened_at=opened_at),
            rule_version(opening.rules),
        )
        self._facts = plain_facts(order)
        self._run = run
        self._policy = policy
        self._result = refused_opening(run) if isinstance(run, Refused) else run.result
        self._last = f"{format_instant(opened_at)} open_dispute"
        self._checked = False

    @property
    def dispute(self) -> Dispute:
        """The dispute as it is now."""
        return self._running().dispute

    @property
    def events(self) -> tuple[AuditEvent, ...]:
        """All events, with the opening and recorded refusals; none if the opening was refused."""
        return () if isinstance(self._run, Refused) else tuple(self._run.events)

    @property
    def policy(self) -> Policy:
        """The policy that the dispute opened under."""
        return self._policy

    def when(
        self,
        at: str | datetime,
        do: str,
        /,
        *,
        by: str | Mapping[str, str] | None = None,
        key: str | None = None,
        **payload: object,
    ) -> Self:
        """Send a command, `sweep` or `expire`, with the fields of its payload.

        `at` is an instant, or `+` and a duration since the opening. Raises `InputError` for the
        first invalid field.
        """
        __tracebackhide__ = True
        optional = {
            "by": dict(by) if isinstance(by, Mapping) else by,
            "key": key,
            "with": payload or None,
        }
        content = {name: value for name, value in optional.items() if value is not None}
        return self._step(do, {"at": at, "do": do, **content})

    def order(
        self,
        at: str | datetime,
        shows: Literal["available", "unavailable"] | None = None,
        /,
        **facts: object,
    ) -> Self:
        """Change the order system's facts (None removes), or make it `unavailable` or `available`.

        The facts are merged into those before.
        """
        __tracebackhide__ = True
        if shows is not None and facts:
            raise InputError("give facts, or available or unavailable; not both", field="order")
        return self._step("order", {"at": at, "order": facts if shows is None else shows})

    def then(self, **expected: Unpack[Then]) -> Self:
        """Require a result of the step before.

        What is named is checked; a refusal or an error that is not named fails too. Raises
        `AssertionError` with the events so far; `InputError` for an invalid expectation.
        """
        __tracebackhide__ = True
        self._checked = True
        self._compare(
            _read("expect", lambda: self._reader.expect(_Expected, {"expect": expected}, ()))
        )
        return self

    def settle(self) -> None:
        """Require that the last step had no refusal and no error, if no `then` followed it.

        Raises `AssertionError`.
        """
        __tracebackhide__ = True
        if not self._checked:
            self._checked = True
            self._compare(Expect())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if error is None:
            self.settle()

    def _running(self) -> Run:
        __tracebackhide__ = True
        if not isinstance(self._run, Refused):
            return self._run
        raise AssertionError(
            f"there is no dispute: its opening was refused ({', '.join(self._run.codes)})"
        )

    def _step(self, name: str, content: dict[str, object]) -> Self:
        __tracebackhide__ = True
        self.settle()
        run = self._running()
        step, self._facts = _read(
            "with", lambda: self._reader.step(content, (), run.now, self._facts)
        )
        self._last = f"{format_instant(step.at)} {name}"
        self._result = run.step(step)
        self._checked = False
        return self

    def _compare(self, expect: Expect) -> None:
        __tracebackhide__ = True
        if failures := mismatches(expect, self._result):
            lines = (
                f"  expected {name}: {expected}; found {name}: {actual}"
                for name, (expected, actual) in failures.items()
            )
            head = f"{self._last}: not as expected"
            raise AssertionError("\n".join([head, *lines, "the story so far", *self._story()]))

    def _story(self) -> Iterator[str]:
        """Describe each event in a line: instant, command, actor, state, codes of a refusal."""
        for event in self.events:
            state = ", ".join(self.dispute.rules.table.configurations[event.target].states)
            refused = f", refused: {', '.join(event.refused)}" if event.refused else ""
            yield (
                f"  {format_instant(event.at)} {event.command} by {event.actor.role} "
                f"{event.actor.id}: {state}{refused}"
            )
        yield f"  now: {self._result.state or 'no dispute'}"


def _source(content: object) -> YamlSource:
    return YamlSource("", content, {(): 1})


def _read(part: str, read: Callable[[], T]) -> T:
    """Read what a test passes in.

    There is no file and no line, and in a call the fields of this part have their own names.
    """
    __tracebackhide__ = True
    try:
        return read()
    except InputError as error:
        field = (error.field or "").removeprefix(f"{part}.")
        raise InputError(error.message, field=field or None) from None
