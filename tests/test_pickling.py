"""Values cross processes: public ones can be pickled, and read where nothing was imported."""

import inspect
import pickle
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import Enum
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import get_args, get_origin, is_typeddict

import pytest
from pydantic import BaseModel

import dispute_fsm
from dispute_fsm import testing
from dispute_fsm.decider.decisions import Accepted, Refused, Repeated, Stale, Unchanged
from dispute_fsm.decider.options import options
from dispute_fsm.domain.commands import RecordedVoucher, Voucher
from dispute_fsm.domain.enums import CommandType, Option, Role, StateName, VoucherKind
from dispute_fsm.domain.events import DisputeOpened
from dispute_fsm.domain.messages import Message
from dispute_fsm.domain.policy import DEFAULT_POLICY
from dispute_fsm.domain.rollout import Rollout
from dispute_fsm.engines.temporal import TemporalClock
from dispute_fsm.engines.temporal_workflow import Attempt, DisputeDue, Wakeup
from dispute_fsm.errors import DisputeError, InputError, IntegrityError, SinkUnavailableError
from dispute_fsm.explain.explanation import explain_dispute
from dispute_fsm.handler import Disputes
from dispute_fsm.history.reader import steps
from dispute_fsm.history.redecide import recorded_command
from dispute_fsm.history.replay import replay
from dispute_fsm.history.timeline import timeline
from dispute_fsm.history.what_if import Question, what_if
from dispute_fsm.orders import InMemoryOrderSystem, OrderSystem
from dispute_fsm.rules.checklist import checklist
from dispute_fsm.rules.registry import VERSIONS, RuleVersion, compiled, standing_in
from dispute_fsm.rules.v2023_03 import VERSION
from dispute_fsm.service import DisputeService
from dispute_fsm.service.async_service import AsyncDisputeService
from dispute_fsm.service.consumer import Consumer
from dispute_fsm.service.sweeper import Sweeper
from dispute_fsm.store.integrity import CheckCounts, Damage, check
from dispute_fsm.store.repository import Store
from tests.sampling import few
from tests.service_support import house
from tests.support import (
    DAY,
    HOUR,
    OPENED_AT,
    OWN,
    PAID,
    PICKED_UP,
    choose,
    command,
    opened,
    opening,
    ran,
    submission,
    voucher,
)

HERE = Path(__file__).parent

WITHOUT = {
    OrderSystem: "a protocol: the host writes the class",
    Store: "holds connections",
    DisputeService: "holds a store",
    AsyncDisputeService: "holds a store, and threads",
    Consumer: "holds a store, and the host's sink",
    Sweeper: "holds a store, and waits",
    TemporalClock: "holds a store, and a client",
    DisputeDue: "a workflow, of which Temporal makes each object",
}
"""The public classes that are no values, and why."""

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
FEW = 25
"""How many values of one type are tried at most."""


# ---- what there is -------------------------------------------------------------------------------


def modules() -> Iterator[ModuleType]:
    """Import every module of the package but the command line, which offers no values."""
    yield dispute_fsm
    for found in walk_packages(dispute_fsm.__path__, "dispute_fsm."):
        if not found.name.startswith("dispute_fsm.cli") and not found.name.endswith("__main__"):
            yield import_module(found.name)


def offered() -> dict[str, object]:
    """Return the public names: those in `__all__` of a module, and `dispute_fsm.testing`."""
    names = {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in modules()
        for name in getattr(module, "__all__", ())
    }
    of_tests = {
        f"{testing.__name__}.{name}": value
        for name, value in vars(testing).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == testing.__name__
    }
    return names | of_tests


def results() -> set[type]:
    """Give the classes of the package that a method of the service or of a consumer returns."""
    found = set[type]()
    for handle in (DisputeService, Consumer, Sweeper):
        for _, method in inspect.getmembers(handle, inspect.isfunction):
            if not method.__name__.startswith("_"):
                found |= set(classes_in(inspect.get_annotations(method, eval_str=True)["return"]))
    return found


def classes_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type) and annotation.__module__.startswith("dispute_fsm"):
        yield annotation
    origin = get_origin(annotation)
    for part in () if origin is None else (origin, *get_args(annotation)):
        yield from classes_in(part)


def exceptions(kind: type[DisputeError] = DisputeError) -> Iterator[type[DisputeError]]:
    yield kind
    for narrower in kind.__subclasses__():
        if narrower.__module__.startswith("dispute_fsm"):
            yield from exceptions(narrower)


def made(kind: type[DisputeError]) -> DisputeError:
    """Make an exception with a value for everything that it can be made with."""
    parameters = (
        inspect.signature(kind).parameters.values() if inspect.isfunction(kind.__init__) else ()
    )
    positional, named = list[object](), dict[str, object]()
    for parameter in parameters:
        value = 3 if "int" in str(parameter.annotation) else f"the {parameter.name}"
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            positional.append(value)
    return kind(*(positional or ["what is wrong"]), **named)


# ---- values --------------------------------------------------------------------------------------


def decided() -> Iterator[object]:
    """Open a dispute and ask for everything that a decision can be."""
    orders = InMemoryOrderSystem({"O-1": PICKED_UP})
    disputes = Disputes(orders)
    yield from (
        orders,
        disputes,
        opening(),
        DEFAULT_POLICY,
        *VERSIONS.values(),
        Question(rules="parallel"),
    )
    first = disputes.open(opening(), at=OPENED_AT)
    yield first
    yield disputes.open(opening(order_id="O-2"), at=OPENED_AT)
    yield disputes.expire(first.dispute, at=OPENED_AT)
    dispute = first.dispute
    for command_ in (
        choose(Option.CONSUMER_CANCELS),
        choose(Option.CONSUMER_CANCELS, by=OWN[Role.CONSUMER]),
        command(CommandType.RESPONSE_EXPIRED),
        command(CommandType.OBSERVE_ORDER),
        choose(Option.ALREADY_SHIPPED, key="k-1"),
        choose(Option.ALREADY_SHIPPED, key="k-1"),
    ):
        answer = disputes.send(dispute, command_, at=OPENED_AT + HOUR)
        dispute = answer.dispute
        yield answer
    yield checklist(DEFAULT_POLICY, "consumer_unresponsive", (voucher(),), None)
    yield Voucher(kind=VoucherKind.PHOTO, media_type="image/png", size=1, sha256="0" * 64)
    yield RecordedVoucher(kind=VoucherKind.PHOTO, media_type="image/png", size=1, sha256="0" * 64)
    plan = Rollout.model_validate(
        {
            "salt": "s",
            "from": "parallel",
            "to": "2023-03",
            "schedule": [{"at": OPENED_AT, "percentage": 50}],
        }
    )
    yield testing.given(OPENED_AT)
    yield from (plan, plan.decide("M-1", OPENED_AT))
    yield from (
        disputes.stamp("D-1", 1),
        submission(reason="platform_fault", vouchers=[voucher(kind="order_page")], statement="s"),
    )
    for shown in (None, PAID, PICKED_UP):
        facts = (
            None if shown is None else InMemoryOrderSystem({"O-1": shown}).look("O-1", OPENED_AT)
        )
        yield from options(opened(), facts, OPENED_AT)


def recorded(folder: Path) -> Iterator[object]:
    """Run the examples and replay the histories of the tests, whole and damaged."""
    for path in sorted((HERE.parent / "examples").glob("*.dispute.yaml")):
        result = ran(path)
        yield result
        if result.dispute is not None:
            yield from options(result.dispute, result.facts, result.ends_at)
            yield from timeline(result.events, result.scenario.opening.policy)
            yield explain_dispute(result.dispute, result.events)
            yield from (
                what_if(result.dispute, result.events, Question(rules=rules)) for rules in VERSIONS
            )
    histories = sorted((HERE / "histories").glob("*.jsonl"))
    for path in histories:
        yield from replay(str(path))
        for step in steps(str(path)):
            yield step
            if not isinstance(step.event, DisputeOpened):
                yield recorded_command(step.event)
    damaged = folder / "damaged.history.jsonl"
    damaged.write_bytes(histories[0].read_bytes().replace(b'"seq":2', b'"seq":3', 1))
    yield from replay(str(damaged))


def kept(folder: Path) -> Iterator[object]:
    """Keep disputes in a database, and look at them in every way."""
    taken = list[object]()

    def sink(event: object) -> None:
        if taken:
            raise ValueError("this sink takes one event")
        taken.append(event)

    with house(f"sqlite:///{folder / 'disputes.db'}") as home:
        home.open("D-1")
        home.open("D-2")
        home.service.send("D-1", choose(Option.CONSUMER_CANCELS), facts=None)
        yield home.service.send("D-1", choose(Option.CONSUMER_CANCELS), revision=1)
        service = home.service
        yield from (
            service.get("D-1"),
            service.history("D-1"),
            service.options("D-2"),
            service.checklist("D-2", None),
        )
        yield from (
            service.snapshot("D-1"),
            service.by_order("O-D-1"),
            service.by_merchant(OWN[Role.MERCHANT].id),
        )
        yield from (
            service.by_state(StateName.OPENED),
            service.due_before(OPENED_AT + 9 * DAY),
            service.feed(),
            service.now(),
        )
        home.time.pass_(timedelta(days=2))
        yield service.sweep()
        consumer = service.consumer("c", sink, tries=1)
        yield from (consumer.deliver(), consumer.parked())
        checked = CheckCounts()
        assert list(check(home.store, checked)) == []
        yield from (checked, Damage("D-1", 1, Message("已改", "changed")), service.erase("D-1"))


def parts(value: object, seen: dict[int, object]) -> Iterator[object]:
    """Yield a value and its parts, each object once; a rule version is pickled by its id."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if type(value).__module__.startswith("dispute_fsm"):
        yield value
    inside: list[object] = []
    if isinstance(value, dict):
        inside += [*value, *value.values()]
    elif isinstance(value, tuple | list | frozenset | set):
        inside += value
    elif isinstance(value, BaseModel):
        inside += vars(value).values()
    elif is_dataclass(value) and not isinstance(value, (type, RuleVersion)):
        inside += [getattr(value, field.name) for field in fields(value)]
    elif type(value).__module__.startswith("dispute_fsm") and not isinstance(
        value, (Enum, RuleVersion)
    ):
        inside += getattr(value, "__dict__", {}).values()
    for one in inside:
        yield from parts(one, seen)


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Collect some values of every type that comes up."""
    folder, seen, by_type = (
        tmp_path_factory.mktemp("values"),
        dict[int, object](),
        defaultdict[type, list[object]](list),
    )
    alarms = Wakeup("D-1", 2, "2023-03-28T02:00:00Z"), Attempt("early", 0.5)
    for root in (*decided(), *recorded(folder), *kept(folder), *alarms):
        for part in parts(root, seen):
            if len(by_type[type(part)]) < FEW:
                by_type[type(part)].append(part)
    enums = [
        member
        for each in offered().values()
        if isinstance(each, type) and issubclass(each, Enum)
        for member in each
    ]
    return [*enums, *map(made, exceptions()), *(one for some in by_type.values() for one in some)]


def same(one: object, other: object) -> bool:
    """Return whether two values are equal; some are compared by their members."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseException) and isinstance(other, BaseException):
        return (one.args, vars(one), str(one)) == (other.args, vars(other), str(other))
    if type(one).__eq__ is object.__eq__ and hasattr(one, "__dict__"):
        return vars(one).keys() == vars(other).keys() and all(
            same(vars(one)[name], vars(other)[name]) for name in vars(one)
        )
    if one != other and is_dataclass(one):  # it may hold what only equals itself
        return all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    return one == other


def hashed(value: object) -> int | None:
    try:
        return hash(value)
    except TypeError:
        return None


def assert_same(value: object, again: object) -> None:
    assert same(value, again), f"{type(value).__name__}: {value!r:.300}\n{again!r:.300}"
    if value == again:
        assert hashed(value) == hashed(again)
    if " at 0x" not in repr(value):
        assert repr(value) == repr(again)


# ---- the tests -----------------------------------------------------------------------------------


def test_there_is_a_value_of_every_public_class(values: list[object]) -> None:
    public = {
        each for each in offered().values() if isinstance(each, type) and not is_typeddict(each)
    } | results()
    assert public >= {Accepted, Refused, Repeated, Stale, Unchanged}
    without = public - {kind for value in values for kind in type(value).__mro__}
    assert without - WITHOUT.keys() == set(), (
        "make one in this file, or say in WITHOUT why there is none"
    )


def test_what_is_offered_can_be_pickled_by_its_name() -> None:
    for name, value in offered().items():
        for protocol in PROTOCOLS:
            again = pickle.loads(pickle.dumps(value, protocol))  # noqa: S301 -- written here
            assert same(value, again) or repr(value) == repr(again), (
                name
            )  # an annotated type only equals itself


def test_values_and_exceptions_can_be_pickled_and_copied(values: list[object]) -> None:
    for value in values:
        for protocol in PROTOCOLS:
            assert_same(value, pickle.loads(pickle.dumps(value, protocol)))  # noqa: S301 -- written here
        assert_same(value, copy(value))
        assert_same(value, deepcopy(value))


ANOTHER_PROCESS = """
import pickle, sys
read = [pickle.loads(each) for each in pickle.load(sys.stdin.buffer)]
pickle.dump([(repr(each), pickle.dumps(each)) for each in read], sys.stdout.buffer)
"""


@pytest.mark.parametrize("protocol", few([PROTOCOLS[0], PROTOCOLS[-1]], 1))
def test_another_process_that_has_imported_nothing_reads_them(
    values: list[object], protocol: int
) -> None:
    sent = pickle.dumps([pickle.dumps(value, protocol) for value in values])
    done = subprocess.run(  # noqa: S603 -- our own
        [sys.executable, "-c", ANOTHER_PROCESS], input=sent, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    answers = pickle.loads(done.stdout)  # noqa: S301 -- written by our own process
    for value, (shown, again) in zip(values, answers, strict=True):
        assert_same(value, pickle.loads(again))  # noqa: S301 -- as above
        assert shown == repr(value) or " at 0x" in shown, type(value)


@pytest.mark.parametrize("kind", [*exceptions()], ids=lambda kind: kind.__name__)
def test_an_exception_keeps_what_it_says_and_knows(kind: type[DisputeError]) -> None:
    error = made(kind)
    error.add_note("a note")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 -- written here
    assert type(again) is kind
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_a_hosts_exception_may_be_made_of_anything() -> None:
    again = pickle.loads(pickle.dumps(SinkIsFullError(7, of="orders")))  # noqa: S301 -- written here
    assert (str(again), again.left, again.of) == ("full: 7 left of orders", 7, "orders")


class SinkIsFullError(SinkUnavailableError):
    def __init__(self, left: int, *, of: str) -> None:
        self.left, self.of = left, of
        super().__init__(f"full: {left} left of {of}")


@pytest.mark.parametrize("kind", [InputError, dispute_fsm.UnknownDisputeError])
def test_an_error_with_its_place_is_of_the_same_kind_and_can_be_pickled(
    kind: type[InputError],
) -> None:
    error = kind("wrong", field="steps").within("a.yaml", 3)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 -- written here
    assert type(again) is type(error) is kind
    assert str(again) == "a.yaml:3: steps: wrong"
    assert str(again.within("b.yaml", 4)) == "a.yaml:3: steps: wrong"


def test_an_integrity_error_keeps_its_field() -> None:
    again = pickle.loads(pickle.dumps(IntegrityError("changed", "hash")))  # noqa: S301 -- written here
    assert (str(again), again.field) == ("changed", "hash")


def test_a_rule_version_is_pickled_by_its_id() -> None:
    for version in VERSIONS.values():
        assert pickle.loads(pickle.dumps(version)) is version  # noqa: S301 -- written here
        assert deepcopy(version) is version


def test_a_rule_version_that_nobody_else_would_find_cannot_be_pickled() -> None:
    other = compiled(VERSION)
    with pytest.raises(
        pickle.PicklingError, match="rules 2023-03 are not a registered rule version"
    ):
        pickle.dumps(other)
    sent = pickle.dumps(VERSIONS["2023-03"])
    with standing_in(other):
        assert pickle.loads(sent) is VERSIONS["2023-03"]  # noqa: S301 -- written here


def test_a_rule_version_of_a_newer_package_is_named() -> None:
    sent = pickle.dumps(VERSIONS["2023-03"], 2).replace(b"2023-03", b"2099-03")
    with pytest.raises(InputError, match="unknown rule version '2099-03'"):
        pickle.loads(sent)  # noqa: S301 -- written here
