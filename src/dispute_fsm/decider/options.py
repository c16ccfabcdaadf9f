"""The merchant's options now: open or closed, why, what would open them, and what follows.

Nothing here knows an option by name: each is put before the chart as a command without further
payload, and what choosing leads to is read off the rows behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from dispute_fsm.decider.dispute import Dispute
from dispute_fsm.decider.evaluate import case_of, check_facts, evaluate, hinted
from dispute_fsm.domain.commands import Actor, ChooseOption
from dispute_fsm.domain.deadlines import due_instant, term_of
from dispute_fsm.domain.enums import CommandType, Deadline, Lang, Option, Outcome, Role, StateName
from dispute_fsm.domain.facts import OrderFacts
from dispute_fsm.domain.policy import EvidenceReason
from dispute_fsm.domain.reasons import PayloadUnlock, Reason
from dispute_fsm.domain.working_time import Count, count
from dispute_fsm.errors import FactsNeededError
from dispute_fsm.machine.guard import Selector
from dispute_fsm.rules.case import Case, DisputeTable, DisputeTransition

_OTHERS = frozenset({Role.CONSUMER, Role.SYSTEM})


@dataclass(frozen=True, slots=True)
class StartedDeadline:
    """A deadline that choosing would start, when it would be due, and the count of working hours.

    `due` is None for the promise, which depends on the agreed instant; `latest` is then the last
    due instant allowed (None: no limit).
    """

    deadline: Deadline
    due: datetime | None
    latest: datetime | None = None
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class GivenFact:
    """What the order system has to show: the answer to this question is one of `accepts`."""

    question: str
    accepts: tuple[str, ...]
    zh: str
    en: str

    def label(self, lang: Lang) -> str:
        """Return it in words."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Consequence:
    """What others may do after the choice: who, which command, where it leads, with what outcome.

    `given` is what the order system has to show for it, where that decides.
    """

    event: CommandType
    role: Role
    state: StateName
    outcome: Outcome | None
    given: tuple[GivenFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What choosing commits the merchant to. It cannot be taken back.

    `settles` is the outcome where the choice itself ends the dispute; `reasons` is the evidence
    catalogue (what each reason prompts for) where evidence comes next.
    """

    state: StateName
    settles: Outcome | None
    deadlines: tuple[StartedDeadline, ...]
    consequences: tuple[Consequence, ...]
    reasons: tuple[tuple[str, EvidenceReason], ...]
    irrevocable: Literal[True] = True


@dataclass(frozen=True, slots=True)
class OptionView:
    """One option as it stands.

    `open` is None where the order system would have to be asked and was not. `reasons` say why it
    is closed; `needs` what the command has to bring beside the option's name; `link` leads to the
    order page (去订单详情页) where that helps.
    """

    option: Option
    open: bool | None
    reasons: tuple[Reason, ...]
    needs: tuple[Reason, ...]
    link: str | None
    preview: Preview | None


def options(dispute: Dispute, facts: OrderFacts | None, now: datetime) -> tuple[OptionView, ...]:
    """Return all options of the dispute's rule version, in the announcement's order.

    Facts may be older than a command could use: what is shown is how things stood at their
    `observed_at`. Without facts (None: nobody asked, or the order system cannot answer) an option
    that depends on them is neither open nor closed but unknown. Raises `StaleFactsError` for facts
    of another order, or dated after `now`.
    """
    check_facts(facts, dispute.order_id, None, now)
    return tuple(_view(dispute, option, facts, now) for option in dispute.rules.options)


def _view(dispute: Dispute, option: Option, facts: OrderFacts | None, now: datetime) -> OptionView:
    actor = Actor(role=Role.MERCHANT, id=dispute.merchant_id)
    command = ChooseOption.model_construct(
        by=actor, option=option
    )  # the id of a recorded dispute may be blank
    preview = _preview(dispute, option, case_of(dispute, command, facts, now))
    try:
        evaluation = evaluate(dispute, command, facts, now)
    except FactsNeededError:
        return OptionView(option, None, (), (), None, preview)
    against = hinted(dispute, evaluation)
    needs = tuple(reason for reason in against if isinstance(reason.unlock, PayloadUnlock))
    reasons = tuple(reason for reason in against if reason not in needs)
    link = next((reason.link for reason in reasons if reason.link), None)
    return OptionView(option, not reasons, reasons, needs, link, preview)


def _preview(dispute: Dispute, option: Option, case: Case) -> Preview | None:
    table = dispute.rules.table
    rows = table.transitions.get((dispute.path, case.command.type), ())
    row = next((row for row in rows if all(selector.check(case) for selector in row.when)), None)
    if row is None:
        return None
    chosen = replace(case, memory=case.memory._replace(option=option), results={})
    proves = (row.target, CommandType.SUBMIT_EVIDENCE) in table.transitions and (
        row.source,
        CommandType.SUBMIT_EVIDENCE,
    ) not in table.transitions
    begun = [
        started for deadline in row.rule.starts if (started := _started(deadline, case)) is not None
    ]
    return Preview(
        state=_leads_to(table, row),
        settles=row.outcome(option),
        deadlines=tuple(begun),
        consequences=tuple(
            _consequences(table, row.target, chosen, {started.deadline for started in begun})
        ),
        reasons=tuple(case.policy.evidence_reasons.items()) if proves else (),
    )


def _consequences(
    table: DisputeTable, path: str, case: Case, running: set[Deadline]
) -> Iterator[Consequence]:
    """List what the consumer and the deadlines may do next; a withdrawal goes without saying."""
    for (source, event), rows in table.transitions.items():
        if source != path or event is CommandType.WITHDRAW:
            continue
        for row in rows:
            role, expires = row.rule.by.roles[0], row.rule.expires
            if role not in _OTHERS or (expires is not None and expires not in running):
                continue
            if all(selector.needs_facts or selector.check(case) for selector in row.when):
                given = tuple(_given(selector) for selector in row.when_facts)
                yield Consequence(
                    event, role, _leads_to(table, row), row.outcome(case.memory.option), given
                )


def _given(selector: Selector) -> GivenFact:
    return GivenFact(
        selector.dimension.name, tuple(sorted(selector.accepts)), selector.zh, selector.en
    )


def _leads_to(table: DisputeTable, row: DisputeTransition) -> StateName:
    """Return the leaf that a transition enters; other regions stay in theirs."""
    before, after = (table.configurations[path] for path in (row.source, row.target))
    return next((state for state in after.states if state not in before.states), after.state)


def _started(deadline: Deadline, case: Case) -> StartedDeadline | None:
    if deadline is Deadline.PROMISE:
        longest = case.policy.max_promise
        latest = (
            None
            if longest is None
            else due_instant(deadline, case.policy, case.now, case.now + longest)
        )
        return StartedDeadline(deadline, None, latest=latest)
    term = term_of(deadline, case.policy)
    if term is None:
        return None
    counted = (
        None
        if term.working_hours is None
        else count(term.working_hours, case.now, case.policy.calendar)
    )
    return StartedDeadline(deadline, due_instant(deadline, case.policy, case.now), count=counted)
