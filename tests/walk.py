"""The walk of every rule version: compares engine, table and oracle in every situation.

A version has its chart, its table, and a `Subject`: the expected results of its oracle. Events,
answers and requirements are those of the version's own table. What the walk does with them, and
why, is explained in `test_engine_table_oracle`. Mutants of the table show that the walk notices
differences.
"""

import importlib.util
import itertools
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, ClassVar, cast

from statemachine import StateChart
from statemachine.exceptions import TransitionNotAllowed
from statemachine.orderedset import OrderedSet

from dispute_fsm.domain.commands import COMMAND_CLASSES
from dispute_fsm.domain.enums import (
    CommandType,
    Deadline,
    EventType,
    Option,
    Outcome,
    RefusalCode,
    Role,
)
from dispute_fsm.machine import transition_table
from dispute_fsm.machine.chart import Chart, ChartTransition
from dispute_fsm.machine.guard import Dimension, Guard, GuardKind, GuardResult, Selector, answered
from dispute_fsm.machine.transition_table import Evaluated, Rule, Transition, TransitionTable
from dispute_fsm.rules import guards
from dispute_fsm.rules.case import Case
from dispute_fsm.rules.registry import VERSIONS, rule_version
from tests.oracle_2023_03 import Fires, Refuses, Unchanged
from tests.support import WHOSE, commands_of

OPTIONS: Mapping[str, Option | None] = MappingProxyType(
    {"none": None} | {option.value: option for option in Option}
)

GUARDS = [guard for version in VERSIONS.values() for guard in version.table.guards().values()]
DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {guard.dimension.name: guard.dimension for guard in GUARDS if isinstance(guard, Selector)}
)
TIMING: Mapping[str, Guard] = MappingProxyType(
    {
        guard.name: guard
        for guard in (
            guards.in_time,
            guards.settlement_in_time,
            guards.evidence_in_time,
            guards.window_open,
            *(guards.has_passed(deadline) for deadline in Deadline),
        )
    }
)
# Every requirement except that of the opening, which is no transition.
NEEDS: Mapping[str, Guard] = MappingProxyType(
    {
        found.name: found
        for found in GUARDS
        if found.kind is GuardKind.REQUIRES and found is not guards.order_exists
    }
)

# The codes for an event that is not offered in the state. `decide` selects one of them, not the
# table.
MISPLACED = frozenset(
    {
        *(of.once.code.value for of in COMMAND_CLASSES.values() if of.once),
        "dispute_closed",
        "option_not_offered",
        "option_already_chosen",
        "not_in_this_state",
    }
)


# ---- one situation -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Situation:
    """A configuration, an event, and the result of every guard."""

    configuration: str
    """The leaves, with commas between them."""
    event: CommandType
    answers: Mapping[str, str]
    """The true answer to each dimension's question, by the dimension's name.

    A subject can have more questions. The answer to `liability` is the outcome before the event.
    """
    role: Role | None
    """The only role that fits the actor, role and id; None where none does."""
    timing: Mapping[str, bool]
    """Whether each timing guard passes."""
    failing: Mapping[str, RefusalCode]
    """The requirements that fail, each with its code."""

    @property
    def option(self) -> Option | None:
        return OPTIONS[self.answers["option"]]

    @property
    def outcome(self) -> Outcome | None:
        """The outcome before the event; some transitions leave it unchanged."""
        liability = self.answers.get("liability", "none")
        return None if liability == "none" else Outcome(liability)

    @property
    def fits(self) -> bool:
        return self.role is WHOSE[self.event]


class Subject(ABC):
    """A rule version as its oracle defines it; also the key in caches."""

    rules: ClassVar[str]
    """The id of the version."""

    dimensions: ClassVar[tuple[str, ...]]
    """The questions that the oracle knows."""

    most_failing: ClassVar[int | None] = None
    """How many requirements fail at once at the most; None: any number."""

    @cached_property
    def table(self) -> TransitionTable:
        """The version's own table, whichever table is compared."""
        return rule_version(self.rules).table

    @cached_property
    def events(self) -> tuple[CommandType, ...]:
        """The commands of the version."""
        return commands_of(self.rules)

    @cached_property
    def needs(self) -> Mapping[str, Guard]:
        """The requirements of the version's transitions, by name."""
        own = required_guards(self.table)
        return {name: guard for name, guard in NEEDS.items() if name in own}

    def timing(self, event: CommandType) -> list[str]:
        """Return the timing guards that can matter for an event; no other event's expiry does."""
        own = {guard.name for one in transitions_of(self.table) for guard in one.rule.timing}
        others = {guards.has_passed(one).name for one in Deadline if one is not event.expires}
        return [name for name in TIMING if name in own - others]

    def answers(self, name: str, configuration: str) -> list[str]:  # noqa: ARG002 -- where regions can fail, it depends on the configuration
        """Return the answers that the walk tries in a configuration, reachable or not.

        If the version's table has this question, they are those that a transition accepts, and
        `none`.
        """
        every, own = list(DIMENSIONS[name].answers), self._accepted.get(name)
        return [answer for answer in every if own is None or answer in own | {"none"}]

    @cached_property
    def _accepted(self) -> Mapping[str, frozenset[str]]:
        accepted = dict[str, frozenset[str]]()
        for transition in transitions_of(self.table):
            for one in transition.rule.when:
                name = one.dimension.name
                accepted[name] = accepted.get(name, frozenset()) | one.accepts
        return accepted

    def combinations(self, configuration: str) -> Iterator[tuple[str, ...]]:
        """Return the combinations of answers to the oracle's questions in a configuration."""
        return itertools.product(*(self.answers(name, configuration) for name in self.dimensions))

    @abstractmethod
    def options_in(self, configuration: str) -> frozenset[Option | None]:
        """Return the options that may have been chosen when a dispute is in the configuration."""

    @abstractmethod
    def on_time(self, situation: Situation) -> bool:
        """Whether what is late in the situation can be: nothing is late where nothing runs."""

    @abstractmethod
    def expected(self, situation: Situation) -> Fires | Refuses | Unchanged:
        """Return the expected result, by the oracle."""

    @abstractmethod
    def required(self, situation: Situation) -> frozenset[str]:
        """Return the codes of all requirements of the selected transition, by the oracle."""

    def reachable(self, situation: Situation) -> bool:
        """Whether a dispute can be in the situation; where not, the oracle is not compared."""
        chooses = situation.event is CommandType.CHOOSE_OPTION
        fits = (
            situation.option is not None
            if chooses
            else situation.option in self.options_in(situation.configuration)
        )
        return fits and self.on_time(situation)


def reachable_configurations(subject: Subject, start: str) -> frozenset[tuple[str, Option | None]]:
    """Return the reachable configurations with their options, by following the oracle."""
    reached: set[tuple[str, Option | None]] = {(start, None)}
    queue = list(reached)
    while queue:
        configuration, chosen = queue.pop()
        for event, answers in itertools.product(
            subject.events, subject.combinations(configuration)
        ):
            named = dict(zip(subject.dimensions, answers, strict=True))
            option = OPTIONS[named["option"]]
            chooses = event is CommandType.CHOOSE_OPTION
            if (option is None) if chooses else (option is not chosen):
                continue
            answer = subject.expected(
                Situation(
                    configuration, event, named, WHOSE[event], dict.fromkeys(TIMING, True), {}
                )
            )
            if isinstance(answer, Fires) and (answer.target, option) not in reached:
                reached.add((answer.target, option))
                queue.append((answer.target, option))
    return frozenset(reached)


# ---- engine, table and oracle --------------------------------------------------------------------

PASSED = GuardResult(passed=True)
WRONG_ACTOR = GuardResult(passed=False, code=RefusalCode.WRONG_ACTOR)


@dataclass
class Comparison:
    """The engine of a chart, a table (normally compiled from this chart), and an oracle."""

    subject: Subject
    chart: type[Chart]
    table: TransitionTable
    machine: StateChart[object] = field(init=False)
    taken: list[ChartTransition] = field(default_factory=list)
    """The transitions that fired in the engine, in order."""

    def __post_init__(self) -> None:
        self.machine = self.chart(listeners=[self])
        self.paths = {
            ",".join(configuration.states): path
            for path, configuration in self.table.configurations.items()
        }
        self.names = {path: configuration for configuration, path in self.paths.items()}
        self.leaves = [state.id for state in self.chart.states_map.values() if not state.states]
        # Several transitions have the same selector; the engine may run another chart with other
        # selectors.
        rules = [
            transition.rule
            for transitions in self.table.transitions.values()
            for transition in transitions
        ]
        rules += [
            transition.rule
            for state in self.chart.states_map.values()
            for transition in state.transitions
            if isinstance(transition, ChartTransition)
        ]
        self.selectors = {selector.name: selector for rule in rules for selector in rule.when}
        self.actors = {
            by.name: by
            for by in (*(guards.by(role) for role in Role), *(rule.by for rule in rules))
        }
        self.failures = {
            (name, code): GuardResult(passed=False, code=code)
            for name, guard in {**NEEDS, **TIMING}.items()
            for code in guard.codes
        }

    def before_transition(self, transition: ChartTransition) -> None:
        """Take note of the transition; the engine calls this by its name."""
        self.taken.append(transition)

    def engine(self, situation: Situation, case: Case) -> tuple[Rule | None, str]:
        """Send the event to the engine; return the rule that fired, and the configuration."""
        self.set_configuration(situation.configuration)
        self.taken.clear()
        try:
            self.machine.send(situation.event.value, case=case)
        except TransitionNotAllowed:
            assert not self.taken
        taken = self.taken[0].rule if self.taken else None
        return taken, self.active()

    def active(self) -> str:
        """Return the configuration of the engine."""
        active = set(self.machine.configuration_values)
        return ",".join(leaf for leaf in self.leaves if leaf in active)

    def set_configuration(self, configuration: str) -> None:
        """Set the configuration of the engine; a new engine would cost more than the whole case."""
        states = [self.chart.states_map[leaf] for leaf in configuration.split(",")]
        lineages = [
            [*(outer.value for outer in reversed(list(state.ancestors()))), state.value]
            for state in states
        ]
        self.machine.current_state_value = OrderedSet(dict.fromkeys(itertools.chain(*lineages)))
        self.machine._engine.running = not states[0].final  # noqa: SLF001 -- the library has no public way to wake an engine that has stopped

    def case(self, situation: Situation) -> Case:
        """Make a case with the result of every guard, and no data that a guard could evaluate."""
        results = dict.fromkeys(NEEDS, PASSED) | {
            name: PASSED for name, passes in situation.timing.items() if passes
        }
        results |= {
            name: self.failures[name, TIMING[name].codes[0]]
            for name, passes in situation.timing.items()
            if not passes
        }
        results |= {name: self.failures[name, code] for name, code in situation.failing.items()}
        for name, by in self.actors.items():
            results[name] = PASSED if situation.role in by.roles else WRONG_ACTOR
        results |= {
            # Plain text, as a dispute's case answers: the value is kept for every later test.
            name: answered(name, str(situation.answers[name]))
            for name in {selector.dimension.name for selector in self.selectors.values()}
        }
        return Case(
            command=cast("Any", SimpleNamespace(type=situation.event)),
            now=cast("Any", None),
            policy=cast("Any", None),
            merchant_id="",
            consumer_id="",
            results=results,
        )


@dataclass(frozen=True)
class CommonResult:
    """The common result: the transition that fires, the codes of a refusal, or no effect."""

    transition: Transition | None
    codes: frozenset[str] = frozenset()
    no_effect: bool = False


def compare(comparison: Comparison, situation: Situation) -> CommonResult:
    """Compare the results of engine, table and oracle; fail where two of them disagree."""
    table, path, case = (
        comparison.table,
        comparison.paths[situation.configuration],
        comparison.case(situation),
    )
    prepared = len(case.results)
    evaluated = table.evaluate(path, situation.event, case)
    failing = {name for name, result in case.results.items() if not result.passed} | {
        name
        for name, selector in comparison.selectors.items()
        if situation.answers[selector.dimension.name] not in selector.accepts
    }
    able = [
        transition
        for transition in table.transitions.get((path, situation.event), ())
        if failing.isdisjoint(names_of(transition.rule))
    ]
    assert len(able) <= 1, f"two transitions could fire in {situation}"
    transition = able[0] if able else None
    assert fired_transition(evaluated) is transition, (
        f"the table does not take the transition whose guards all pass in {situation}"
    )
    taken, configuration = comparison.engine(situation, case)
    assert taken is (None if transition is None else transition.rule), (
        f"engine and table disagree in {situation}"
    )
    there = situation.configuration if transition is None else comparison.names[transition.target]
    assert configuration == there, (
        f"the engine goes to {configuration}, the table to {there} in {situation}"
    )
    assert len(case.results) == prepared, f"a guard was evaluated in {situation}"

    failed = evaluated.failed if isinstance(evaluated, transition_table.Fails) else ()
    quiet = isinstance(evaluated, transition_table.NoEffect)
    common = CommonResult(
        transition, frozenset(result.code.value for _, result in failed if result.code), quiet
    )
    assert bool(common.codes) + common.no_effect + (transition is not None) <= 1, (
        f"more than one result in {situation}"
    )
    assert len(common.codes) == len(failed), f"a refusal without a code of its own in {situation}"
    if comparison.subject.reachable(situation):
        answer = comparison.subject.expected(situation)
        assert oracle_agrees(common, comparison, situation, answer), (
            f"table: {_description(evaluated)}, oracle: {answer} in {situation}"
        )
    return common


def oracle_agrees(
    common: CommonResult,
    comparison: Comparison,
    situation: Situation,
    answer: Fires | Refuses | Unchanged,
) -> bool:
    transition = common.transition
    match answer:
        case Fires(target, outcome, event_type):
            effect = transition and (
                comparison.names[transition.target],
                transition.outcome(situation.option, situation.outcome),
                transition.records,
            )
            return effect == (target, outcome, event_type)
        case Unchanged():
            return transition is None and common.no_effect
        case Refuses(codes):
            misplaced = not common.codes and len(codes) == 1 and codes <= MISPLACED
            return (
                transition is None and not common.no_effect and (misplaced or common.codes == codes)
            )


def names_of(rule: Rule) -> Iterator[str]:
    return (guard.name for guard in (rule.by, *rule.when, *rule.timing, *rule.needs))


def fired_transition(evaluated: Evaluated) -> Transition | None:
    """Return the transition that fires, if one does."""
    return evaluated.transition if isinstance(evaluated, transition_table.Fires) else None


def _description(evaluated: Evaluated) -> str:
    match evaluated:
        case transition_table.Fires(_, transition):
            return f"fires to {transition.target}"
        case transition_table.Fails(_, failed):
            return f"refuses with {[guard.name for guard, _ in failed]}"
        case transition_table.NotOffered():
            return "refuses with []"
        case transition_table.NoEffect():
            return "unchanged"


@dataclass(frozen=True)
class Relevant:
    """The guards that matter for an event in a state, in the table or in the oracle."""

    dimensions: frozenset[str]
    timing: frozenset[str]
    needs: frozenset[str]


def relevant(comparison: Comparison, configuration: str, event: CommandType) -> Relevant:
    """Return what matters in the table or in the oracle, so that the walk finds a missing guard."""
    rules = [
        transition.rule
        for transition in comparison.table.transitions.get(
            (comparison.paths[configuration], event), ()
        )
    ]
    dimensions, timing, codes = _relevant_to_the_oracle(comparison.subject, configuration, event)
    needs = {guard.name: guard for rule in rules for guard in rule.needs}
    # The oracle knows codes. If several guards have the same code, it means that of the transition.
    for code in codes.difference(*(guard.codes for guard in needs.values())):
        guard = next(one for one in comparison.subject.needs.values() if code in one.codes)
        needs[guard.name] = guard
    return Relevant(
        dimensions.union(selector.dimension.name for rule in rules for selector in rule.when),
        timing.union(guard.name for rule in rules for guard in rule.timing),
        frozenset(needs),
    )


@cache
def _relevant_to_the_oracle(
    subject: Subject, configuration: str, event: CommandType
) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    dimensions, timing, codes = set[str](), set[str](), set[str]()
    answers_to = dict[tuple[str, ...], tuple[object, frozenset[str]]]()
    may_matter = subject.timing(event)
    for situation in _with_every_answer(subject, configuration, event):
        answer, required = subject.expected(situation), subject.required(situation)
        codes |= required
        answers_to[tuple(situation.answers[name] for name in subject.dimensions)] = answer, required
        for name in may_matter:
            late = replace(situation, timing={**situation.timing, name: False})
            if name not in timing and subject.reachable(late) and subject.expected(late) != answer:
                timing.add(name)
    for index, name in enumerate(subject.dimensions):
        by_the_others = dict[tuple[str, ...], set[object]]()
        for answers, result in answers_to.items():
            by_the_others.setdefault((*answers[:index], *answers[index + 1 :]), set()).add(result)
        if any(len(results) > 1 for results in by_the_others.values()):
            dimensions.add(name)
    return frozenset(dimensions), frozenset(timing), frozenset(codes)


def _with_every_answer(
    subject: Subject, configuration: str, event: CommandType
) -> Iterator[Situation]:
    base = plain(subject, configuration, event)
    for answers in subject.combinations(configuration):
        situation = replace(
            base, answers={**base.answers, **dict(zip(subject.dimensions, answers, strict=True))}
        )
        if subject.reachable(situation):
            yield situation


def plain(subject: Subject, configuration: str, event: CommandType) -> Situation:
    """Return the situation with default values: every guard passes, and no option if possible."""
    names = dict.fromkeys((*DIMENSIONS, *subject.dimensions))
    answers = {name: subject.answers(name, configuration)[0] for name in names}
    possible = (
        set(Option) if event is CommandType.CHOOSE_OPTION else subject.options_in(configuration)
    )
    answers["option"] = next(name for name, option in OPTIONS.items() if option in possible)
    return Situation(configuration, event, answers, WHOSE[event], dict.fromkeys(TIMING, True), {})


def situations(
    comparison: Comparison, configuration: str, event: CommandType, most_failing: int | None = None
) -> Iterator[Situation]:
    """Return every combination of what matters, with at most so many failing requirements."""
    matters, base = (
        relevant(comparison, configuration, event),
        plain(comparison.subject, configuration, event),
    )
    names, timing, needs = sorted(matters.dimensions), sorted(matters.timing), sorted(matters.needs)
    # First nothing fails, then one requirement, then two: so a wrong transition is found early.
    failures = sorted(
        itertools.product(*((None, *NEEDS[name].codes) for name in needs)), key=_failing
    )
    for most in (comparison.subject.most_failing, most_failing):
        failures = [codes for codes in failures if most is None or _failing(codes) <= most]
    for codes, role, on_time, answers in itertools.product(
        failures,
        (WHOSE[event], None),
        list(itertools.product((True, False), repeat=len(timing))),
        list(
            itertools.product(*(comparison.subject.answers(name, configuration) for name in names))
        ),
    ):
        yield Situation(
            configuration,
            event,
            {**base.answers, **dict(zip(names, answers, strict=True))},
            role,
            {**base.timing, **dict(zip(timing, on_time, strict=True))},
            {name: code for name, code in zip(needs, codes, strict=True) if code is not None},
        )


def _failing(codes: tuple[RefusalCode | None, ...]) -> int:
    return len(codes) - codes.count(None)


# ---- the walk ------------------------------------------------------------------------------------


@dataclass
class Tally:
    """The counts of a walk."""

    fired: Counter[tuple[CommandType, int]] = field(default_factory=Counter)
    """How often each transition fired, by its event and its index among those of that event."""
    refused: Counter[str] = field(default_factory=Counter)
    """How often each code was among the reasons; a misplaced event counts as `misplaced`."""
    refusals: int = 0
    unchanged: int = 0
    out_of_reach: int = 0
    events: Counter[CommandType] = field(default_factory=Counter)

    @property
    def cases(self) -> int:
        """The number of situations in which all three were compared."""
        return sum(self.fired.values()) + self.refusals + self.unchanged

    def counted(self, rules: str) -> Iterator[tuple[str, int]]:
        """Return the counts with their names."""
        yield f"engine = table = oracle, {rules}: cases", self.cases
        yield f"engine = table = oracle, {rules}: fired", sum(self.fired.values())
        yield f"engine = table = oracle, {rules}: refused", self.refusals
        yield f"engine = table = oracle, {rules}: unchanged", self.unchanged
        yield f"engine = table, {rules}, unreachable: cases", self.out_of_reach


EARLY = frozenset({"wrong_actor", "deadline_passed", "deadline_not_passed", "misplaced"})
"""The refusals before any requirement is evaluated."""


def walk_all(comparison: Comparison, configuration: str, *, whole: bool) -> Tally:
    """Walk through every event in a configuration; each transition fires, each requirement fails.

    In the sample no two requirements fail at once.
    """
    tally, path = Tally(), comparison.paths[configuration]
    for event in comparison.subject.events:
        walk(comparison, configuration, event, tally, None if whole else 1)
    here = {
        event: transitions
        for (source, event), transitions in comparison.table.transitions.items()
        if source == path
    }
    assert set(tally.fired) == {
        (event, index) for event, transitions in here.items() for index in range(len(transitions))
    }, "a transition never fired"
    assert all(tally.events[event] >= 2 for event in comparison.subject.events), (
        "an event was not sent, or not by both a fitting and another actor"
    )
    needs = {
        code.value
        for transitions in here.values()
        for transition in transitions
        for guard in transition.rule.needs
        for code in guard.codes
    }
    assert set(tally.refused) - EARLY == needs, (
        "a requirement never refused, or one without a transition did"
    )
    assert {"wrong_actor", "misplaced"} <= set(tally.refused)
    return tally


def required_guards(table: TransitionTable) -> set[str]:
    """Return the requirements of all transitions of a table."""
    return {guard.name for one in transitions_of(table) for guard in one.rule.needs}


def transitions_of(table: TransitionTable) -> Iterator[Transition]:
    """Return every transition of a table."""
    return itertools.chain.from_iterable(table.transitions.values())


def walk(
    comparison: Comparison,
    configuration: str,
    event: CommandType,
    tally: Tally,
    most_failing: int | None = None,
) -> None:
    """Compare all situations of an event in a configuration, or those with few failures."""
    transitions = comparison.table.transitions.get((comparison.paths[configuration], event), ())
    for situation in situations(comparison, configuration, event, most_failing):
        common = compare(comparison, situation)
        tally.events[event] += 1
        if not comparison.subject.reachable(situation):
            tally.out_of_reach += 1
        elif common.transition is not None:
            tally.fired[event, transitions.index(common.transition)] += 1
        elif common.no_effect:
            tally.unchanged += 1
        else:
            tally.refusals += 1
            tally.refused.update(common.codes or {"misplaced"})


class OracleAlone(Comparison):
    """A comparison of table and oracle: the engine repeats the result of the table."""

    def engine(self, situation: Situation, case: Case) -> tuple[Rule | None, str]:
        transition = fired_transition(
            self.table.evaluate(self.paths[situation.configuration], situation.event, case)
        )
        return (
            (None, situation.configuration)
            if transition is None
            else (transition.rule, self.names[transition.target])
        )


def mutants(
    table: TransitionTable,
) -> Iterator[tuple[tuple[str, CommandType, str], TransitionTable]]:
    """Make every table with one difference; yield configuration, event, difference, and table."""
    own = required_guards(table)
    for (path, event), transitions in table.transitions.items():
        here = ",".join(table.configurations[path].states)

        def mutant(
            what: str,
            *changed: Transition,
            path: str = path,
            event: CommandType = event,
            here: str = here,
        ) -> tuple[tuple[str, CommandType, str], TransitionTable]:
            return (here, event, what), replace(
                table, transitions={**table.transitions, (path, event): changed}
            )

        for index, transition in enumerate(transitions):
            before, after, rule = transitions[:index], transitions[index + 1 :], transition.rule
            where = "" if len(transitions) == 1 else f"transition {index}: "
            yield mutant(f"{where}gone", *before, *after)
            elsewhere = next(
                configuration
                for configuration in table.configurations
                if configuration != transition.target
            )
            yield mutant(f"{where}target", *before, replace(transition, target=elsewhere), *after)
            yield mutant(
                f"{where}records", *before, replace(transition, records=EventType.REFUSED), *after
            )
            otherwise = next(outcome for outcome in Outcome if outcome != rule.outcome)
            yield mutant(
                f"{where}outcome",
                *before,
                replace(transition, rule=replace(rule, outcome=otherwise)),
                *after,
            )
            for need in rule.needs:
                less = replace(
                    rule, needs=tuple(other for other in rule.needs if other is not need)
                )
                yield mutant(
                    f"{where}not {need.name}", *before, replace(transition, rule=less), *after
                )
            more = next(NEEDS[name] for name in NEEDS if name in own - set(names_of(rule)))
            yield mutant(
                f"{where}also {more.name}",
                *before,
                replace(transition, rule=replace(rule, needs=(*rule.needs, more))),
                *after,
            )
            for selector in rule.when:
                left = tuple(other for other in rule.when if other is not selector)
                by_case, by_facts = (
                    tuple(other for other in left if other.needs_facts is facts)
                    for facts in (False, True)
                )
                changed = replace(
                    transition, rule=replace(rule, when=left), when=by_case, when_facts=by_facts
                )
                yield mutant(f"{where}not {selector.name}", *before, changed, *after)
        for timing in transitions[0].rule.timing:
            rules = (
                replace(
                    transition.rule,
                    timing=tuple(other for other in transition.rule.timing if other is not timing),
                )
                for transition in transitions
            )
            yield mutant(
                f"not {timing.name}",
                *(
                    replace(transition, rule=rule)
                    for transition, rule in zip(transitions, rules, strict=True)
                ),
            )


def first_difference(comparison: Comparison, configuration: str, event: CommandType) -> str:
    """Return the first difference that the walk finds, or an empty text."""
    try:
        walk(comparison, configuration, event, Tally())
    except AssertionError as difference:
        return str(difference)
    return ""


def copy_with(module: ModuleType, folder: Path, changes: Mapping[str, str]) -> ModuleType:
    """Make a copy of a chart's module with replacements in its text."""
    text = Path(str(module.__file__)).read_text("utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, (
            f"the chart contains {old!r} {text.count(old)} times: correct this test"
        )
        text = text.replace(old, new)
    # Each text has its own file name: otherwise Python would use the bytecode of another file of
    # the same size and second.
    copy = folder / f"planted_{sha256(text.encode()).hexdigest()}.py"
    copy.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location("planted", copy)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
