"""One walk for every rule version: engine, table and oracle before every situation, and mutants that it has to find.

A version brings its chart, its table, and a `Subject`: its oracle's answers to situations. What the
walk does with them, and why, stands in `test_engine_table_oracle`.
"""

import importlib.util
import itertools
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, ClassVar, cast

from statemachine import StateChart
from statemachine.exceptions import TransitionNotAllowed
from statemachine.orderedset import OrderedSet

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
from dispute_fsm.machine.guard import Dimension, Guard, GuardKind, GuardResult
from dispute_fsm.machine.transition_table import Evaluated, Rule, Transition, TransitionTable
from dispute_fsm.rules import guards
from dispute_fsm.rules.case import Case
from tests.oracle_2023_03 import Fires, Refuses, Unchanged
from tests.support import COMMANDS as EVENTS
from tests.support import WHOSE

OPTIONS: Mapping[str, Option | None] = MappingProxyType(
    {"none": None} | {option.value: option for option in Option}
)

DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {found.name: found for found in vars(guards).values() if isinstance(found, Dimension)}
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
# Every requirement but the opening's, which is no edge.
NEEDS: Mapping[str, Guard] = MappingProxyType(
    {
        found.name: found
        for found in vars(guards).values()
        if isinstance(found, Guard)
        and found.kind is GuardKind.REQUIRES
        and found is not guards.order_exists
    }
)

# The codes for an event that has no place in the state. The table leaves the choice among them to
# `decide`.
MISPLACED = frozenset(
    {"dispute_closed", "option_not_offered", "option_already_chosen", "not_in_this_state"}
)


# ---- one situation -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Situation:
    """A place, an event, and the answer of every guard."""

    place: str
    """The leaves, with commas between them."""
    event: CommandType
    answers: Mapping[str, str]
    """The true answer to each dimension's question, by the dimension's name."""
    role: Role | None
    """The only role that fits the actor, role and id; None where none does."""
    timing: Mapping[str, bool]
    """Whether each timing guard holds."""
    failing: Mapping[str, RefusalCode]
    """The requirements that do not hold, each with the code that it gives."""

    @property
    def option(self) -> Option | None:
        return OPTIONS[self.answers["option"]]

    @property
    def fits(self) -> bool:
        return self.role is WHOSE[self.event]


class Subject(ABC):
    """A rule version as its oracle tells it; it is its own key in caches."""

    dimensions: ClassVar[tuple[str, ...]]
    """The questions that the oracle knows."""

    most_failing: ClassVar[int | None] = None
    """How many requirements fail at once at the most; None: any number."""

    def answers(self, name: str, place: str) -> list[str]:  # noqa: ARG002 -- where regions can fail, it depends on the place
        """Return the answers to a question that are walked through in a place, whether a dispute can be there with them or not."""
        return list(DIMENSIONS[name].answers)

    @abstractmethod
    def options_in(self, place: str) -> frozenset[Option | None]:
        """Return the options that may have been chosen when a dispute is in the place."""

    @abstractmethod
    def on_time(self, situation: Situation) -> bool:
        """Whether what is late in the situation can be: nothing is late where nothing runs."""

    @abstractmethod
    def expected(self, situation: Situation) -> Fires | Refuses | Unchanged:
        """Ask the oracle."""

    @abstractmethod
    def required(self, situation: Situation) -> frozenset[str]:
        """Ask the oracle for every code that the selected row can refuse with on requirement grounds."""

    def reachable(self, situation: Situation) -> bool:
        """Whether a dispute can be in it. Where it cannot, the oracle answers by the letter of the table or not at all."""
        chooses = situation.event is CommandType.CHOOSE_OPTION
        fits = (
            situation.option is not None
            if chooses
            else situation.option in self.options_in(situation.place)
        )
        return fits and self.on_time(situation)


def explored(subject: Subject, start: str) -> frozenset[tuple[str, Option | None]]:
    """Find where a dispute can be, and with which option, by following the oracle from the start."""
    reached: set[tuple[str, Option | None]] = {(start, None)}
    ahead = list(reached)
    names = [name for name in subject.dimensions if name != "option"]
    while ahead:
        place, chosen = ahead.pop()
        for event in EVENTS:
            options = list(Option) if event is CommandType.CHOOSE_OPTION else [chosen]
            for option, answers in itertools.product(
                options, itertools.product(*(subject.answers(name, place) for name in names))
            ):
                named = {
                    **dict(zip(names, answers, strict=True)),
                    "option": "none" if option is None else option.value,
                }
                answer = subject.expected(
                    Situation(place, event, named, WHOSE[event], dict.fromkeys(TIMING, True), {})
                )
                if isinstance(answer, Fires) and (answer.target, option) not in reached:
                    reached.add((answer.target, option))
                    ahead.append((answer.target, option))
    return frozenset(reached)


# ---- the three judges ----------------------------------------------------------------------------

HOLDS, FAILS = GuardResult(passed=True), GuardResult(passed=False)
WRONG_ACTOR = GuardResult(passed=False, code=RefusalCode.WRONG_ACTOR)


@dataclass
class Judges:
    """The engine of one chart, one table, and an oracle; normally the table that was compiled from the chart."""

    subject: Subject
    chart: type[Chart]
    table: TransitionTable
    machine: StateChart[object] = field(init=False)
    taken: list[ChartTransition] = field(default_factory=list)
    """The edges that the engine took, in order."""

    def __post_init__(self) -> None:
        self.machine = self.chart(listeners=[self])
        self.paths = {
            ",".join(place.states): path for path, place in self.table.configurations.items()
        }
        self.names = {path: place for place, path in self.paths.items()}
        self.leaves = [state.id for state in self.chart.states_map.values() if not state.states]
        # A table mentions the same selector in several rows; the engine may run another chart, with
        # selectors of its own.
        rules = [row.rule for rows in self.table.transitions.values() for row in rows]
        rules += [
            edge.rule
            for state in self.chart.states_map.values()
            for edge in state.transitions
            if isinstance(edge, ChartTransition)
        ]
        self.selectors = {selector.name: selector for rule in rules for selector in rule.when}
        self.actors = {
            by.name: by
            for by in (*(guards.by(role) for role in Role), *(rule.by for rule in rules))
        }
        self.found = {
            (name, code): GuardResult(passed=False, code=code)
            for name, guard in {**NEEDS, **TIMING}.items()
            for code in guard.codes
        }

    def before_transition(self, transition: ChartTransition) -> None:
        """Take note of the edge; the engine calls this by its name."""
        self.taken.append(transition)

    def engine(self, situation: Situation, case: Case) -> tuple[Rule | None, str]:
        """Send the event to the engine. Return the rule of the edge that it took, if any, and where it is then."""
        self.put_into(situation.place)
        self.taken.clear()
        try:
            self.machine.send(situation.event.value, case=case)
        except TransitionNotAllowed:
            assert not self.taken
        taken = self.taken[0].rule if self.taken else None
        return taken, self.active()

    def active(self) -> str:
        """Name the place that the engine is in."""
        active = set(self.machine.configuration_values)
        return ",".join(leaf for leaf in self.leaves if leaf in active)

    def put_into(self, place: str) -> None:
        """Put the one engine into a place, as if it had just got there; making a new one costs more than the whole case."""
        states = [self.chart.states_map[leaf] for leaf in place.split(",")]
        lineages = [
            [*(outer.value for outer in reversed(list(state.ancestors()))), state.value]
            for state in states
        ]
        self.machine.current_state_value = OrderedSet(dict.fromkeys(itertools.chain(*lineages)))
        self.machine._engine.running = not states[0].final  # noqa: SLF001 -- the library has no public way to wake an engine that has stopped

    def case(self, situation: Situation) -> Case:
        """Make the case with every guard's answer in it, and nothing else: who looks for himself finds nothing to look at."""
        findings = dict.fromkeys(NEEDS, HOLDS) | {
            name: HOLDS for name, holds in situation.timing.items() if holds
        }
        findings |= {
            name: self.found[name, TIMING[name].codes[0]]
            for name, holds in situation.timing.items()
            if not holds
        }
        findings |= {name: self.found[name, code] for name, code in situation.failing.items()}
        for name, by in self.actors.items():
            findings[name] = HOLDS if situation.role in by.roles else WRONG_ACTOR
        for name, selector in self.selectors.items():
            findings[name] = (
                HOLDS if situation.answers[selector.dimension.name] in selector.accepts else FAILS
            )
        return Case(
            command=cast("Any", SimpleNamespace(type=situation.event)),
            now=cast("Any", None),
            policy=cast("Any", None),
            merchant_id="",
            consumer_id="",
            results=findings,
        )


@dataclass(frozen=True)
class Verdict:
    """What all of them say: the row that fires, or the codes that speak against it, or that nothing changes."""

    transition: Transition | None
    codes: frozenset[str] = frozenset()
    quiet: bool = False


def judge(judges: Judges, situation: Situation) -> Verdict:
    """Put one situation before engine, table and oracle; fail where two of them disagree."""
    table, path, case = judges.table, judges.paths[situation.place], judges.case(situation)
    prepared = len(case.results)
    evaluated = table.evaluate(path, situation.event, case)
    failing = {name for name, finding in case.results.items() if finding is not HOLDS}
    able = [
        row
        for row in table.transitions.get((path, situation.event), ())
        if failing.isdisjoint(names_of(row.rule))
    ]
    assert len(able) <= 1, f"two rows could fire in {situation}"
    row = able[0] if able else None
    assert fired(evaluated) is row, (
        f"the table does not take the row whose guards all hold in {situation}"
    )
    taken, place = judges.engine(situation, case)
    assert taken is (None if row is None else row.rule), f"engine and table disagree in {situation}"
    there = situation.place if row is None else judges.names[row.target]
    assert place == there, f"the engine goes to {place}, the table to {there} in {situation}"
    assert len(case.results) == prepared, f"a guard looked for itself in {situation}"

    failed = evaluated.failed if isinstance(evaluated, transition_table.Fails) else ()
    quiet = isinstance(evaluated, transition_table.NoEffect)
    verdict = Verdict(
        row, frozenset(result.code.value for _, result in failed if result.code), quiet
    )
    assert bool(verdict.codes) + verdict.quiet + (row is not None) <= 1, (
        f"more than one answer in {situation}"
    )
    assert len(verdict.codes) == len(failed), f"a refusal without a code of its own in {situation}"
    if judges.subject.reachable(situation):
        answer = judges.subject.expected(situation)
        assert verdict_fits(verdict, judges, situation, answer), (
            f"table: {_told(evaluated)}, oracle: {answer} in {situation}"
        )
    return verdict


def verdict_fits(
    verdict: Verdict, judges: Judges, situation: Situation, answer: Fires | Refuses | Unchanged
) -> bool:
    row = verdict.transition
    match answer:
        case Fires(target, outcome, event_type):
            found = row and (judges.names[row.target], row.outcome(situation.option), row.records)
            return found == (target, outcome, event_type)
        case Unchanged():
            return row is None and verdict.quiet
        case Refuses(codes):
            misplaced = not verdict.codes and len(codes) == 1 and codes <= MISPLACED
            return row is None and not verdict.quiet and (misplaced or verdict.codes == codes)


def names_of(rule: Rule) -> Iterator[str]:
    return (guard.name for guard in (rule.by, *rule.when, *rule.timing, *rule.needs))


def fired(evaluated: Evaluated) -> Transition | None:
    """Return the transition that fires, if one does."""
    return evaluated.transition if isinstance(evaluated, transition_table.Fires) else None


def _told(evaluated: Evaluated) -> str:
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
    """What the rows of an event in a state, or the oracle's, ask about; everything else is irrelevant there."""

    dimensions: frozenset[str]
    timing: frozenset[str]
    needs: frozenset[str]


def relevant(judges: Judges, place: str, event: CommandType) -> Relevant:
    """Find what matters: by the table's rows, and by the oracle, so that what a row forgot is walked all the same."""
    rules = [row.rule for row in judges.table.transitions.get((judges.paths[place], event), ())]
    dimensions, timing, needs = _relevant_to_the_oracle(judges.subject, place, event)
    return Relevant(
        dimensions.union(selector.dimension.name for rule in rules for selector in rule.when),
        timing.union(guard.name for rule in rules for guard in rule.timing),
        needs.union(guard.name for rule in rules for guard in rule.needs),
    )


@cache
def _relevant_to_the_oracle(
    subject: Subject, place: str, event: CommandType
) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    dimensions, timing, codes = set[str](), set[str](), set[str]()
    answers_to = dict[tuple[str, ...], tuple[object, frozenset[str]]]()
    for situation in _with_every_answer(subject, place, event):
        answer, required = subject.expected(situation), subject.required(situation)
        codes |= required
        answers_to[tuple(situation.answers[name] for name in subject.dimensions)] = answer, required
        for name in TIMING:
            late = replace(situation, timing={**situation.timing, name: False})
            if name not in timing and subject.reachable(late) and subject.expected(late) != answer:
                timing.add(name)
    for index, name in enumerate(subject.dimensions):
        by_the_others = dict[tuple[str, ...], set[object]]()
        for answers, said in answers_to.items():
            by_the_others.setdefault((*answers[:index], *answers[index + 1 :]), set()).add(said)
        if any(len(said) > 1 for said in by_the_others.values()):
            dimensions.add(name)
    return (
        frozenset(dimensions),
        frozenset(timing),
        frozenset(guard.name for guard in NEEDS.values() if codes.intersection(guard.codes)),
    )


def _with_every_answer(subject: Subject, place: str, event: CommandType) -> Iterator[Situation]:
    base = plain(subject, place, event)
    for answers in itertools.product(
        *(subject.answers(name, place) for name in subject.dimensions)
    ):
        situation = replace(
            base, answers={**base.answers, **dict(zip(subject.dimensions, answers, strict=True))}
        )
        if subject.reachable(situation):
            yield situation


def plain(subject: Subject, place: str, event: CommandType) -> Situation:
    """Return the situation in which every irrelevant thing has one value: all in order, nothing chosen but what has to be."""
    answers = {name: subject.answers(name, place)[0] for name in DIMENSIONS}
    possible = set(Option) if event is CommandType.CHOOSE_OPTION else subject.options_in(place)
    answers["option"] = next(name for name, option in OPTIONS.items() if option in possible)
    return Situation(place, event, answers, WHOSE[event], dict.fromkeys(TIMING, True), {})


def situations(
    judges: Judges, place: str, event: CommandType, most_failing: int | None = None
) -> Iterator[Situation]:
    """Go through every combination of what matters for the event in the place, or those in which so many requirements fail at the most."""
    matters, base = relevant(judges, place, event), plain(judges.subject, place, event)
    names, timing, needs = sorted(matters.dimensions), sorted(matters.timing), sorted(matters.needs)
    # First all is in order, then one requirement fails, then two: what is wrong with a row shows
    # early.
    failures = sorted(
        itertools.product(*((None, *NEEDS[name].codes) for name in needs)), key=_failing
    )
    for most in (judges.subject.most_failing, most_failing):
        failures = [codes for codes in failures if most is None or _failing(codes) <= most]
    for codes, role, on_time, answers in itertools.product(
        failures,
        (WHOSE[event], None),
        list(itertools.product((True, False), repeat=len(timing))),
        list(itertools.product(*(judges.subject.answers(name, place) for name in names))),
    ):
        yield Situation(
            place,
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
    """What a walk met."""

    fired: Counter[tuple[CommandType, int]] = field(default_factory=Counter)
    """How often each row fired, by its event and its place among the rows of that event in the leaf."""
    refused: Counter[str] = field(default_factory=Counter)
    """How often each code was among the reasons; a misplaced event counts as `misplaced`."""
    refusals: int = 0
    unchanged: int = 0
    out_of_reach: int = 0
    events: Counter[CommandType] = field(default_factory=Counter)

    @property
    def cases(self) -> int:
        """How many situations were judged by all three."""
        return sum(self.fired.values()) + self.refusals + self.unchanged

    def counted(self, rules: str) -> Iterator[tuple[str, int]]:
        """Say how many there were of what."""
        yield f"engine = table = oracle, {rules}: cases", self.cases
        yield f"engine = table = oracle, {rules}: fired", sum(self.fired.values())
        yield f"engine = table = oracle, {rules}: refused", self.refusals
        yield f"engine = table = oracle, {rules}: unchanged", self.unchanged
        yield f"engine = table, {rules}, where no dispute can be: cases", self.out_of_reach


EARLY = frozenset({"wrong_actor", "deadline_passed", "deadline_not_passed", "misplaced"})
"""What is refused before a requirement is looked at."""


def walked(judges: Judges, place: str, *, whole: bool) -> Tally:
    """Walk through every event in a place; each row fires, and each requirement refuses. In the sample no two requirements fail at once."""
    tally, path = Tally(), judges.paths[place]
    for event in EVENTS:
        walk(judges, place, event, tally, None if whole else 1)
    here = {
        event: rows for (source, event), rows in judges.table.transitions.items() if source == path
    }
    assert set(tally.fired) == {
        (event, index) for event, rows in here.items() for index in range(len(rows))
    }, "a row never fired"
    assert all(tally.events[event] >= 2 for event in EVENTS), (
        "an event was not sent, or not by both a fitting and another actor"
    )
    needs = {
        code.value
        for rows in here.values()
        for row in rows
        for guard in row.rule.needs
        for code in guard.codes
    }
    assert set(tally.refused) - EARLY == needs, (
        "a requirement never refused, or what no row requires did"
    )
    assert {"wrong_actor", "misplaced"} <= set(tally.refused)
    return tally


def required(table: TransitionTable) -> set[str]:
    """Name the requirements that rows of a table have."""
    return {
        guard.name
        for rows in table.transitions.values()
        for row in rows
        for guard in row.rule.needs
    }


def walk(
    judges: Judges, place: str, event: CommandType, tally: Tally, most_failing: int | None = None
) -> None:
    """Put the situations of the event in the place before the judges: all, or those in which so many requirements fail at the most."""
    rows = judges.table.transitions.get((judges.paths[place], event), ())
    for situation in situations(judges, place, event, most_failing):
        verdict = judge(judges, situation)
        tally.events[event] += 1
        if not judges.subject.reachable(situation):
            tally.out_of_reach += 1
        elif verdict.transition is not None:
            tally.fired[event, rows.index(verdict.transition)] += 1
        elif verdict.quiet:
            tally.unchanged += 1
        else:
            tally.refusals += 1
            tally.refused.update(verdict.codes or {"misplaced"})


class OracleAlone(Judges):
    """The engine says what the table says, so that only the oracle can find something."""

    def engine(self, situation: Situation, case: Case) -> tuple[Rule | None, str]:
        row = fired(self.table.evaluate(self.paths[situation.place], situation.event, case))
        return (None, situation.place) if row is None else (row.rule, self.names[row.target])


def mutants(
    table: TransitionTable,
) -> Iterator[tuple[tuple[str, CommandType, str], TransitionTable]]:
    """Make every table that differs from the real one in one spot: place, event and what was done to it, and the table."""
    for (path, event), rows in table.transitions.items():
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

        for index, row in enumerate(rows):
            before, after, rule = rows[:index], rows[index + 1 :], row.rule
            where = "" if len(rows) == 1 else f"row {index}: "
            yield mutant(f"{where}gone", *before, *after)
            elsewhere = next(place for place in table.configurations if place != row.target)
            yield mutant(f"{where}target", *before, replace(row, target=elsewhere), *after)
            yield mutant(
                f"{where}records", *before, replace(row, records=EventType.REFUSED), *after
            )
            otherwise = next(outcome for outcome in Outcome if outcome != rule.outcome)
            yield mutant(
                f"{where}outcome",
                *before,
                replace(row, rule=replace(rule, outcome=otherwise)),
                *after,
            )
            for need in rule.needs:
                less = replace(
                    rule, needs=tuple(other for other in rule.needs if other is not need)
                )
                yield mutant(f"{where}not {need.name}", *before, replace(row, rule=less), *after)
            more = next(guard for guard in NEEDS.values() if guard not in rule.needs)
            yield mutant(
                f"{where}also {more.name}",
                *before,
                replace(row, rule=replace(rule, needs=(*rule.needs, more))),
                *after,
            )
            for selector in rule.when:
                left = tuple(other for other in rule.when if other is not selector)
                by_case, by_facts = (
                    tuple(other for other in left if other.needs_facts is facts)
                    for facts in (False, True)
                )
                changed = replace(
                    row, rule=replace(rule, when=left), when=by_case, when_facts=by_facts
                )
                yield mutant(f"{where}not {selector.name}", *before, changed, *after)
        for timing in rows[0].rule.timing:
            rules = (
                replace(
                    row.rule,
                    timing=tuple(other for other in row.rule.timing if other is not timing),
                )
                for row in rows
            )
            yield mutant(
                f"not {timing.name}",
                *(replace(row, rule=rule) for row, rule in zip(rows, rules, strict=True)),
            )


def complaint(judges: Judges, place: str, event: CommandType) -> str:
    """Return what the walk finds first, or nothing."""
    try:
        walk(judges, place, event, Tally())
    except AssertionError as found:
        return str(found)
    return ""


def planted(module: ModuleType, folder: Path, changes: Mapping[str, str]) -> ModuleType:
    """Make a copy of a chart's module in which some words are replaced by others."""
    text = Path(str(module.__file__)).read_text("utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, (
            f"the chart says {old!r} {text.count(old)} times: mend this test"
        )
        text = text.replace(old, new)
    # A name for each text: Python would take the bytecode of another file that was as long and
    # written in the same second.
    copy = folder / f"planted_{sha256(text.encode()).hexdigest()}.py"
    copy.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location("planted", copy)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
