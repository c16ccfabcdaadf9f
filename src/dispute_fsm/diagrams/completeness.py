"""Completeness of the decision tables: what a state offers, and whether gaps or overlaps exist."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, product

from dispute_fsm.diagrams.model import Machine, StateNode, TransitionView
from dispute_fsm.domain.commands import COMMAND_CLASSES, QUIET
from dispute_fsm.domain.enums import CommandType, RefusalCode
from dispute_fsm.rules.guards.selectors import EXTENDED, FAILED, NAMED, OPTION

NO_OPTION = "none"
"""The answer to the question for the option where none was chosen."""


def events_not_offered(machine: Machine, state: StateNode) -> tuple[CommandType, ...]:
    """Return the events that neither a state nor the states around it offer.

    For a region, only events of that region count. A parallel state leaves out what its regions
    offer, as each region has its own table.
    """
    region = _region(machine, state.id)
    offered = {transition.event for transition in machine.leaving(state.id)}
    if state.kind == "parallel":
        offered |= {
            transition.event
            for transition in machine.transitions
            if transition.source and state.id in machine.around(transition.source)
        }
    events = dict.fromkeys(
        transition.event
        for transition in machine.transitions
        if transition.source
        and (region is None or region in {transition.source, *machine.around(transition.source)})
    )
    return tuple(event for event in events if event not in offered)


def not_offered_codes(
    machine: Machine, state: StateNode, event: CommandType
) -> tuple[RefusalCode, ...]:
    """Return how an event is refused where a state does not offer it. None: nothing changes.

    Of two codes, the first applies where an option was chosen; for a command that is accepted once,
    where it was accepted.
    """
    if event in QUIET:
        return ()
    once = COMMAND_CLASSES[event].once
    if once is not None and (before := accepted_before(machine, event)[state.id]):
        others = _misplaced(machine, state, event) if False in before else ()
        return (once.code, *others) if True in before else others
    return _misplaced(machine, state, event)


def gap_codes(machine: Machine, transitions: Sequence[TransitionView]) -> tuple[RefusalCode, ...]:
    """Return how an event that a state offers is refused where no transition applies.

    Of two codes, the first applies where the command is accepted once and was accepted, or else
    where no deadline runs in a closed state.
    """
    first = transitions[0]
    state = None if first.source is None else machine.state(first.source)
    if state is None or not state.closed:
        return (RefusalCode.NOT_IN_THIS_STATE,)
    once = COMMAND_CLASSES[first.event].once
    if once is not None:
        return (once.code, RefusalCode.DISPUTE_CLOSED)
    names_a_deadline = any(
        machine.conditions[name].question in {EXTENDED.name, NAMED.name}
        for transition in transitions
        for name in transition.when
    )
    others = (RefusalCode.NOT_IN_THIS_STATE,) if names_a_deadline else ()
    return (RefusalCode.DISPUTE_CLOSED, *others)


def late_in(machine: Machine, source: str | None) -> tuple[StateNode, ...]:
    """Return the leaves of a state in which a deadline may have passed.

    Elsewhere no deadline runs that the state acts on, so no event is too late there.
    """
    leaves = () if source is None else machine.leaves(source)
    off = () if machine.any_policy else machine.off
    return tuple(leaf for leaf in leaves if not set(leaf.running) <= set(off))


def _misplaced(machine: Machine, state: StateNode, event: CommandType) -> tuple[RefusalCode, ...]:
    if state.closed:
        return (RefusalCode.DISPUTE_CLOSED,)
    if event is not CommandType.CHOOSE_OPTION:
        return (RefusalCode.NOT_IN_THIS_STATE,)
    if NO_OPTION in options_chosen_at(machine)[state.id]:
        return (RefusalCode.OPTION_ALREADY_CHOSEN, RefusalCode.NOT_IN_THIS_STATE)
    return (RefusalCode.OPTION_ALREADY_CHOSEN,)


def _region(machine: Machine, name: str) -> str | None:
    """Return the region that a state lies in; None where no state around it is parallel."""
    path = (name, *machine.around(name))
    return next(
        (inner for inner, outer in pairwise(path) if machine.state(outer).kind == "parallel"), None
    )


def accepted_before(machine: Machine, event: CommandType) -> Mapping[str, frozenset[bool]]:
    """Return for each leaf whether a command can have been accepted when a dispute is there."""
    start = next(state for state in machine.states if state.initial and state.parent is None)
    reached = {(leaf, False) for leaf in machine.entered(start.id)}
    waiting = list(reached)
    while waiting:
        leaf, accepted = waiting.pop()
        for transition in machine.leaving(leaf):
            now = accepted or transition.event is event
            new = set(product(machine.entered(transition.target), [now])) - reached
            reached |= new
            waiting += new
    return {
        state.id: frozenset(accepted for leaf, accepted in reached if leaf == state.id)
        for state in machine.states
    }


def options_chosen_at(machine: Machine) -> Mapping[str, frozenset[str]]:
    """Return for each leaf the options that can have been chosen when a dispute is there."""
    start = next(state for state in machine.states if state.initial and state.parent is None)
    reached = {(leaf, NO_OPTION) for leaf in machine.entered(start.id)}
    waiting = list(reached)
    while waiting:
        leaf, option = waiting.pop()
        for transition in machine.leaving(leaf):
            options = {
                answer
                for answer in machine.questions[OPTION.name].answers
                if machine.is_for(transition, {OPTION.name: answer})
            }
            chooses = transition.event is CommandType.CHOOSE_OPTION
            options = options - {NO_OPTION} if chooses else options & {option}
            new = set(product(machine.entered(transition.target), options)) - reached
            reached |= new
            waiting += new
    return {
        state.id: frozenset(option for leaf, option in reached if leaf == state.id)
        for state in machine.states
    }


# ---- gaps and overlaps ---------------------------------------------------------------------------


def inconsistencies(machine: Machine) -> Iterator[str]:
    """Iterate over the errors of the tables: overlapping transitions, and order facts without one.

    Transitions overlap where two of one event in one state can apply to the same answers.
    """
    for leaf in machine.states:
        if leaf.kind == "leaf":
            leaving = machine.leaving(leaf.id)
            for event in dict.fromkeys(transition.event for transition in leaving):
                transitions = [each for each in leaving if each.event is event]
                for error in _inconsistencies(machine, transitions):
                    yield f"{leaf.id} on {event.value}: {error}"


def _inconsistencies(machine: Machine, transitions: Sequence[TransitionView]) -> Iterator[str]:
    for answers, matching in _cases(machine, transitions):
        if len(matching) > 1:
            ids = " and ".join(transition.id for transition in matching)
            yield f"{ids} both apply at {answers}"
        if not matching and transitions[0].event not in QUIET:
            known = {
                name: answer
                for name, answer in answers.items()
                if not machine.questions[name].needs_facts
            }
            if len(known) < len(answers) and any(
                machine.is_for(transition, known) for transition in transitions
            ):
                yield f"no transition applies at {answers}"


def has_gap(machine: Machine, transitions: Sequence[TransitionView]) -> bool:
    """Tell whether none of these transitions applies to some answers."""
    return any(not matching for _, matching in _cases(machine, transitions))


def _cases(
    machine: Machine, transitions: Sequence[TransitionView]
) -> Iterator[tuple[dict[str, str], list[TransitionView]]]:
    """Iterate over all answers to what the transitions ask, with the transitions that apply."""
    conditions = (machine.conditions[name] for each in transitions for name in each.when)
    questions = sorted({condition.question for condition in conditions if condition.question})
    possible = [_answers(machine, question, transitions[0]) for question in questions]
    for combination in product(*possible):
        answers = dict(zip(questions, combination, strict=True))
        yield answers, [each for each in transitions if machine.is_for(each, answers)]


def _answers(machine: Machine, question: str, transition: TransitionView) -> Iterable[str]:
    """Return the answers that a question can have where a transition starts."""
    answers = machine.questions[question].answers
    if transition.source is None:
        return answers
    if question == OPTION.name:
        if transition.event is CommandType.CHOOSE_OPTION:
            return [option.value for option in machine.options]
        chosen = options_chosen_at(machine)
        leaves = machine.leaves(transition.source)
        return [answer for answer in answers if any(answer in chosen[leaf.id] for leaf in leaves)]
    if question == FAILED.name:
        # A transition is taken in a region that runs, so this region cannot be the failed one.
        region = _region(machine, transition.source)
        liabilities = {
            each.liability
            for each in machine.transitions
            if each.source and _region(machine, each.source) == region
        }
        return [answer for answer in answers if answer not in liabilities]
    return answers
