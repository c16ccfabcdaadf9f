"""What a machine offers where, and whether anything is left open: by it decision tables say all there is, and faults are found."""

from collections.abc import Iterator, Mapping
from itertools import pairwise, product

from dispute_fsm.diagrams.model import Arrow, Machine, StateNode
from dispute_fsm.domain.commands import QUIET
from dispute_fsm.domain.enums import CommandType, RefusalCode
from dispute_fsm.rules.guards.selectors import FAILED, OPTION


def other_events(machine: Machine, state: StateNode) -> tuple[CommandType, ...]:
    """Return the events that a state, with the states around it, does not offer; of a region only those that the region has."""
    around = (state.id, *machine.around(state.id))
    region = _region(machine, state)
    scope = {
        one.id
        for one in machine.states
        if region is None or one.id == region or region in machine.around(one.id)
    }
    if state.kind == "parallel":  # what its regions offer is told there
        inside = {
            arrow.event
            for arrow in machine.arrows
            if arrow.source is not None and state.id in machine.around(arrow.source)
        }
        scope = {one.id for one in machine.states if state.id not in machine.around(one.id)}
    else:
        inside = set[CommandType]()
    events = dict.fromkeys(arrow.event for arrow in machine.arrows if arrow.source in scope)
    offered = {arrow.event for arrow in machine.arrows if arrow.source in around} | inside
    return tuple(event for event in events if event not in offered)


def misplaced(machine: Machine, state: StateNode, event: CommandType) -> tuple[RefusalCode, ...]:
    """Say how an event is refused where a state does not offer it; of two codes, the first where an option was chosen. None: unchanged."""
    if event in QUIET:
        return ()
    if state.closed:
        return (RefusalCode.DISPUTE_CLOSED,)
    if event is not CommandType.CHOOSE_OPTION:
        return (RefusalCode.NOT_IN_THIS_STATE,)
    chosen = (RefusalCode.OPTION_ALREADY_CHOSEN,)
    return (
        (*chosen, RefusalCode.NOT_IN_THIS_STATE)
        if "none" in chosen_at(machine)[state.id]
        else chosen
    )


def _region(machine: Machine, state: StateNode) -> str | None:
    """Return the region that a state lies in; None where nothing around it is parallel."""
    chain = (state.id, *machine.around(state.id))
    return next(
        (inner for inner, outer in pairwise(chain) if machine.state(outer).kind == "parallel"), None
    )


def chosen_at(machine: Machine) -> Mapping[str, frozenset[str]]:
    """Say for each leaf which options may have been chosen where a dispute is there; `none`: it can be there without a choice."""
    start = next(state for state in machine.states if state.initial and state.parent is None)
    found = {(leaf.id, "none") for leaf in _entered(machine, start)}
    waiting = list(found)
    while waiting:
        leaf, option = waiting.pop()
        around = (leaf, *machine.around(leaf))
        for arrow in (arrow for arrow in machine.arrows if arrow.source in around):
            answers = _options_of(machine, arrow)
            after = (
                answers - {"none"}
                if arrow.event is CommandType.CHOOSE_OPTION
                else answers & {option}
            )
            more = {
                (entered.id, one)
                for entered in _entered(machine, machine.state(arrow.target))
                for one in after
            } - found
            found |= more
            waiting += more
    return {
        state.id: frozenset(option for leaf, option in found if leaf == state.id)
        for state in machine.states
    }


def _options_of(machine: Machine, arrow: Arrow) -> set[str]:
    """Return the options for which an arrow may be taken."""
    asked = [
        machine.conditions[name]
        for name in arrow.when
        if machine.conditions[name].question == OPTION.name
    ]
    return {
        answer
        for answer in machine.questions[OPTION.name].answers
        if all(answer in one.accepts for one in asked)
    }


def _entered(machine: Machine, state: StateNode) -> Iterator[StateNode]:
    """Go down to the leaves that entering a state leads to."""
    if state.kind == "leaf":
        yield state
    for child in machine.states:
        if child.parent == state.id and (state.kind == "parallel" or child.initial):
            yield from _entered(machine, child)


# ---- gaps and overlaps ---------------------------------------------------------------------------


def faults(machine: Machine) -> Iterator[str]:
    """Find rows of one event in one state of which two could apply, and answers of the order's facts that none is for."""
    for leaf in machine.states:
        if leaf.kind != "leaf":
            continue
        around = (leaf.id, *machine.around(leaf.id))
        here = [arrow for arrow in machine.arrows if arrow.source in around]
        for event in dict.fromkeys(arrow.event for arrow in here):
            yield from _faults(machine, leaf, [arrow for arrow in here if arrow.event is event])


def _faults(machine: Machine, leaf: StateNode, arrows: list[Arrow]) -> Iterator[str]:
    where = f"{leaf.id} on {arrows[0].event.value}"
    for answers, fitting in _cases(machine, arrows):
        if len(fitting) > 1:
            yield (
                f"{where}: {' and '.join(arrow.id for arrow in fitting)} both apply at "
                f"{dict(answers)}"
            )
        if not fitting and arrows[0].event not in QUIET:
            facts = {name for name, _ in answers if machine.questions[name].needs_facts}
            besides = [one for one in answers if one[0] not in facts]
            if facts and any(_fits(machine, arrow, dict(besides)) for arrow in arrows):
                yield f"{where}: no row applies at {dict(answers)}"


def leaves_some(machine: Machine, arrows: tuple[Arrow, ...]) -> bool:
    """Tell whether some answers fit none of these rows."""
    return any(not fitting for _, fitting in _cases(machine, list(arrows)))


def _cases(
    machine: Machine, arrows: list[Arrow]
) -> Iterator[tuple[tuple[tuple[str, str], ...], list[Arrow]]]:
    """Go through all combinations of answers to what the rows ask, with the rows that fit each."""
    names = sorted(
        {
            question
            for arrow in arrows
            for name in arrow.when
            if (question := machine.conditions[name].question)
        }
    )
    for combination in product(*(_answers(machine, name, arrows[0]) for name in names)):
        answers = tuple(zip(names, combination, strict=True))
        yield answers, [arrow for arrow in arrows if _fits(machine, arrow, dict(answers))]


def _answers(machine: Machine, question: str, arrow: Arrow) -> list[str]:
    """List the answers that a question can have where an arrow begins."""
    answers = list(machine.questions[question].answers)
    if (
        question == OPTION.name and arrow.event is CommandType.CHOOSE_OPTION
    ):  # such a command names one
        answers = [option.value for option in machine.options]
    elif question == OPTION.name and arrow.source is not None:
        chosen = chosen_at(machine)
        answers = [
            answer
            for answer in answers
            if any(answer in chosen[leaf.id] for leaf in machine.leaves(arrow.source))
        ]
    if (
        question == FAILED.name and arrow.source is not None
    ):  # what has failed is never the region that an arrow is taken in
        region = _region(machine, machine.state(arrow.source))
        here = [
            one
            for one in machine.arrows
            if one.source is not None and _region(machine, machine.state(one.source)) == region
        ]
        answers = [answer for answer in answers if answer not in {one.liability for one in here}]
    return answers


def _fits(machine: Machine, arrow: Arrow, answers: Mapping[str, str]) -> bool:
    selects = [machine.conditions[name] for name in arrow.when]
    return all(
        one.question is None or answers.get(one.question, one.accepts[0]) in one.accepts
        for one in selects
    )
