"""Evaluate a command: the table's answer, with reasons that explain a refusal. Pure.

`decide` makes events of it, `options` a preview, `needs_facts` a yes or no; none of them knows a
rule of its own.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.hash_chain import same_content
from dispute_fsm.decider.unlock import way_there
from dispute_fsm.domain.commands import ChooseOption, Command
from dispute_fsm.domain.enums import RefusalCode
from dispute_fsm.domain.events import AuditEvent
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.reasons import ANOTHER_KEY, LINKED, NEVER, Reason, one_of
from dispute_fsm.domain.scalars import FrozenMap, format_duration, format_instant
from dispute_fsm.errors import FactsNeededError, StaleFactsError
from dispute_fsm.machine.guard import Guard, GuardResult, Seen
from dispute_fsm.machine.transition_table import Fires, NoEffect, NotOffered, Transition
from dispute_fsm.rules.case import Case

_OUT_OF_PLACE = frozenset(
    {RefusalCode.NOT_IN_THIS_STATE, RefusalCode.DEADLINE_PASSED, RefusalCode.DISPUTE_CLOSED}
)


class Evaluation(NamedTuple):
    """The result of evaluating a command; nothing changes where the last three members are empty.

    `checks` are the guards that were evaluated, with their results. `transition` is the one that
    fires, `reasons` are those against the command, `earlier` is the event of the same command under
    the same key.
    """

    case: Case
    checks: tuple[tuple[Guard, GuardResult], ...] = ()
    transition: Transition | None = None
    reasons: tuple[Reason, ...] = ()
    earlier: AuditEvent | None = None

    @property
    def facts(self) -> OrderFacts | None:
        """What the order system showed, where that was looked at."""
        for guard, _ in self.checks:
            if guard.needs_facts:
                return self.case.facts
        return None


def evaluate(
    dispute: Dispute, command: Command, facts: OrderFacts | None, now: datetime
) -> Evaluation:
    """Evaluate a command. Raises `FactsNeededError` where facts are missing that it needs."""
    return evaluate_case(dispute, case_of(dispute, command, facts, now))


def evaluate_case(dispute: Dispute, case: Case) -> Evaluation:
    """Evaluate a command in its case, which `case_of` has made for the dispute."""
    command = case.command
    if (earlier := earlier_event(dispute, command)) is not None:
        return Evaluation(case, earlier=earlier)
    if command.key is not None and (event := dispute.keys.get(command.key)) is not None:
        saw = FrozenMap({"used_by": event.seq})
        reused = Reason(RefusalCode.KEY_REUSED, "key_unused", saw, ANOTHER_KEY)
        return Evaluation(case, reasons=(reused,))
    table = dispute.rules.table
    evaluated = table.evaluate(dispute.path, command.type, case)
    if isinstance(evaluated, Fires):
        return Evaluation(case, evaluated.results, transition=evaluated.transition)
    if isinstance(evaluated, NoEffect):
        return Evaluation(case, evaluated.results)
    if isinstance(evaluated, NotOffered):
        return Evaluation(case, evaluated.results, reasons=(_misplaced(dispute, case),))
    reasons = tuple(reason_of(guard, result, dispute) for guard, result in evaluated.failed)
    if dispute.closed_for_good and not table.select(dispute.path, command.type, case):
        reasons = tuple(replace(reason, unlock=NEVER) for reason in reasons)
    return Evaluation(case, evaluated.results, reasons=reasons)


def earlier_event(dispute: Dispute, command: Command) -> AuditEvent | None:
    """Return the event of the same command under the same key; None where there is none."""
    event = None if command.key is None else dispute.keys.get(command.key)
    return event if event is not None and same_content(event, command) else None


def hinted(dispute: Dispute, evaluation: Evaluation) -> tuple[Reason, ...]:
    """Return the reasons with their unlock hints, also for a command that is out of place or late.

    Apart from `evaluate`, because it takes a search, and a replay compares what was decided, not
    what would have helped.
    """
    return tuple(
        replace(
            reason, unlock=way_there(dispute.rules.table, dispute.path, evaluation.case) or NEVER
        )
        if reason.code in _OUT_OF_PLACE and not dispute.closed_for_good
        else reason
        for reason in evaluation.reasons
    )


def needs_facts(dispute: Dispute, command: Command, now: datetime) -> bool:
    """Tell whether the order system has to be asked before this command can be decided now.

    Only where a requirement of the row that applies looks at facts, and nothing else settles the
    matter before: a late or misplaced command, or one of the wrong actor, is decided with the order
    system down.
    """
    try:
        evaluate(dispute, command, None, now)
    except FactsNeededError:
        return True
    return False


def case_of(dispute: Dispute, command: Command, facts: OrderFacts | None, now: datetime) -> Case:
    """Return the situation in which a command is decided, as guards see it."""
    return Case(
        command=command,
        now=now,
        policy=dispute.policy,
        merchant_id=dispute.merchant_id,
        consumer_id=dispute.consumer_id,
        facts=facts,
        deadlines=dispute.deadlines,
        running=dispute.running_regions,
        memory=dispute.memory,
        liability=dispute.liability,
    )


def check_facts(
    facts: OrderFacts | None, order_id: str, max_age: timedelta | None, now: datetime
) -> None:
    """Raise `StaleFactsError` for facts of another order, of the future, or too old."""
    if facts is None:
        return
    if facts.order_id != order_id:
        raise StaleFactsError(
            f"the facts are of order {facts.order_id}, the dispute is about order {order_id}"
        )
    if facts.observed_at > now:
        raise StaleFactsError(
            f"{_observed(facts, now)}: an order system answers with observed_at = the instant "
            "that it was asked about"
        )
    if max_age is not None and now - facts.observed_at > max_age:
        raise StaleFactsError(
            f"{_observed(facts, now)}: look again, facts may be at most "
            f"{format_duration(max_age)} old"
        )


def _observed(facts: OrderFacts, now: datetime) -> str:
    return (
        f"the facts were observed at {format_instant(facts.observed_at)}, the question is about "
        f"{format_instant(now)}"
    )


def reason_of(guard: Guard, result: GuardResult, dispute: Dispute | None = None) -> Reason:
    """Return the result of a guard that did not pass as a reason, with a link where that helps."""
    code = cast("RefusalCode", result.code)
    link = (
        dispute.policy.order_link(dispute.order_id)
        if dispute is not None and code in LINKED
        else None
    )
    return Reason(code, guard.name, result.saw, result.unlock, link)


def _misplaced(dispute: Dispute, case: Case) -> Reason:
    """Say why the command is out of place in the present state."""
    command, rules = case.command, dispute.rules
    saw: dict[str, Seen] = {
        "state": ",".join(dispute.states),
        "option": None if dispute.option is None else dispute.option.value,
    }
    once = type(command).once
    if once is not None and command.type in dispute.memory.once:
        return Reason(once.code, once.check, FrozenMap(saw))
    offered = (dispute.path, command.type) in rules.table.transitions
    if dispute.closed_for_good or (dispute.closed and not offered):
        return Reason(RefusalCode.DISPUTE_CLOSED, "live", FrozenMap(saw))
    if isinstance(command, ChooseOption):
        if command.option not in rules.options:
            unlock = one_of(rules.options)
            return Reason(RefusalCode.OPTION_NOT_OFFERED, "option_offered", FrozenMap(saw), unlock)
        if dispute.option is not None:
            return Reason(RefusalCode.OPTION_ALREADY_CHOSEN, "no_option_chosen", FrozenMap(saw))
    return Reason(
        RefusalCode.NOT_IN_THIS_STATE,
        "offered_here",
        FrozenMap({**saw, "event": command.type.value}),
    )
