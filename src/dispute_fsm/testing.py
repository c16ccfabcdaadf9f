"""Disputes in a host's own tests, told as given, when, then.

The words are those of scenario files, and so is what runs: the real `Disputes` before an order
system in memory.

    with given("2023-03-28T10:00:00+08:00", policy={"silence": "denial"}) as case: case.when("+1h",
    "choose_option", option="already_shipped").then(refused=["not_shipped", "no_pickup_scan"])
    case.order("+2h", shipment={"shipped_at": "2023-03-28T11:30:00+08:00", "waybill": "W1"})
    case.when("+3h", "choose_option",
    option="out_of_stock_refund").then(state="awaiting_confirmation") case.when("+28h",
    "sweep").then(state="penalized", outcome="out_of_stock")

A refusal or an error that the next `then` does not name fails the test, also where there is no
`then`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, TypeVar, Unpack

from dispute_fsm.decider.decisions import Refused
from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evolve import begin, evolve
from dispute_fsm.documents.source import YamlSource, suggestion
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

T = TypeVar("T")


class Given(TypedDict, total=False):
    """What a dispute begins with, beside `opened_at`; what is left out is as in a scenario file."""

    dispute_id: str
    order_id: str
    merchant_id: str
    consumer_id: str
    rules: str
    policy: dict[str, Any] | Policy
    order: dict[str, Any] | None


class Then(TypedDict, total=False):
    """What can be expected: what a step of a scenario file can, and the end."""

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
    system shows at the start, None: it knows no such order. Raises `InputError` that names the
    field which cannot be read.
    """
    for name in fields:
        if name not in Given.__annotations__:
            known = tuple(Given.__annotations__)
            raise InputError(f"unknown field{suggestion(name, known)}", field=name)
    apart = {"rules", "policy", "order"}
    content: dict[str, object] = {name: value for name, value in fields.items() if name in apart}
    content["dispute"] = {
        "opened_at": opened_at,
        **{name: value for name, value in fields.items() if name not in apart},
    }
    policy = content.pop("policy") if isinstance(fields.get("policy"), Policy) else None
    scenario = _read("dispute", lambda: scenario_from(_plain(content)))
    opening = (
        scenario.opening
        if policy is None
        else scenario.opening.model_copy(update={"policy": policy})
    )
    run = Run.open(opening, scenario.opened_at, order_system(opening.order_id, scenario.order))
    return DisputeCase(opening, scenario.opened_at, scenario.order, run, opening.policy)


def given_history(events: Iterable[AuditEvent], policy: Policy) -> "DisputeCase":
    """Take up a dispute where its recorded events end, under the policy that it opened under.

    The order system shows the facts that were seen last. Raises `InputError` where there is no
    event, `ImpossibleEventError` where the events cannot be one dispute's.
    """
    happened = tuple(events)
    if not happened:
        raise InputError("a history has at least its opening", field="events")
    dispute = begin(happened[0], policy)
    for event in happened[1:]:
        dispute = evolve(dispute, event)
    seen = next((event.facts for event in reversed(happened) if event.facts is not None), None)
    order = seen and Order.model_validate(
        {name: getattr(seen, name) for name in Order.model_fields}
    )
    run = Run(dispute, happened, order_system(dispute.order_id, order))
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
        whose = {
            name: getattr(opening, name)
            for name in ("dispute_id", "order_id", "merchant_id", "consumer_id")
        }
        self._reader = ScenarioReader(
            _plain(None),
            DisputeBlock.model_construct(**whose, opened_at=opened_at),
            rule_version(opening.rules),
        )
        self._facts = plain_facts(order)
        self._run = run
        self._policy = policy
        self._found = refused_opening(run) if isinstance(run, Refused) else run.result
        self._last = f"{format_instant(opened_at)} open_dispute"
        self._checked = False

    @property
    def dispute(self) -> Dispute:
        """The dispute as it stands."""
        return self._running().dispute

    @property
    def events(self) -> tuple[AuditEvent, ...]:
        """All that happened, the opening and recorded refusals included; nothing where the opening was refused."""
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
        """Let something happen: an event, `sweep` or `expire`, with the fields of its payload.

        `at` is an instant, or `+` and a duration since the opening. Raises `InputError` for the
        first field that cannot be read.
        """
        __tracebackhide__ = True
        given = {
            "by": dict(by) if isinstance(by, Mapping) else by,
            "key": key,
            "with": payload or None,
        }
        return self._step(
            do,
            {
                "at": at,
                "do": do,
                **{name: value for name, value in given.items() if value is not None},
            },
        )

    def order(
        self,
        at: str | datetime,
        shows: Literal["available", "unavailable"] | None = None,
        /,
        **facts: object,
    ) -> Self:
        """Let the order system show other facts, laid over those that stand (None removes); or be `unavailable`, or `available`."""
        __tracebackhide__ = True
        if shows is not None and facts:
            raise InputError("give facts, or available or unavailable; not both", field="order")
        return self._step("order", {"at": at, "order": facts if shows is None else shows})

    def then(self, **expected: Unpack[Then]) -> Self:
        """Require what came of the step before. What is named is checked, and a refusal or an error that is not named.

        Raises `AssertionError` with the story so far; `InputError` for a word that is not known.
        """
        __tracebackhide__ = True
        self._checked = True
        self._compare(
            _read("expect", lambda: self._reader.expect(_Expected, {"expect": expected}, ()))
        )
        return self

    def settle(self) -> None:
        """Require that no refusal and no error has passed in silence. Raises `AssertionError`."""
        __tracebackhide__ = True
        if not self._checked:
            self._checked = True
            self._compare(Expect())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if fault is None:
            self.settle()

    def _running(self) -> Run:
        __tracebackhide__ = True
        if not isinstance(self._run, Refused):
            return self._run
        raise AssertionError(
            f"there is no dispute: its opening was refused ({', '.join(self._run.codes)})"
        )

    def _step(self, told: str, content: dict[str, object]) -> Self:
        __tracebackhide__ = True
        self.settle()
        run = self._running()
        step, self._facts = _read(
            "with", lambda: self._reader.step(content, (), run.now, self._facts)
        )
        self._last = f"{format_instant(step.at)} {told}"
        self._found = run.step(step)
        self._checked = False
        return self

    def _compare(self, expect: Expect) -> None:
        __tracebackhide__ = True
        if missed := mismatches(expect, self._found):
            told = (
                f"  expected {name}: {expected}; found {name}: {actual}"
                for name, (expected, actual) in missed.items()
            )
            raise AssertionError(
                "\n".join(
                    [f"{self._last}: not as expected", *told, "the story so far", *self._story()]
                )
            )

    def _story(self) -> Iterator[str]:
        """Tell each event in a line: when, what, by whom, the state after it, and the codes of a refusal."""
        for event in self.events:
            state = ", ".join(self.dispute.rules.table.configurations[event.target].states)
            refused = f", refused: {', '.join(event.refused)}" if event.refused else ""
            yield (
                f"  {format_instant(event.at)} {event.command} by {event.actor.role} "
                f"{event.actor.id}: {state}{refused}"
            )
        yield f"  now: {self._found.state or 'no dispute'}"


def _plain(content: object) -> YamlSource:
    return YamlSource("", content, {(): 1})


def _read(part: str, read: Callable[[], T]) -> T:
    """Read what a test hands in: there is no file and no line, and the fields of this part stand in a call by their own names."""
    __tracebackhide__ = True
    try:
        return read()
    except InputError as fault:
        raise InputError(
            fault.message, field=(fault.field or "").removeprefix(f"{part}.") or None
        ) from None
